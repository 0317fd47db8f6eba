//! Why a node's TLS settings are of no use.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use rustls::pki_types::pem;
use tidings_core::CertificateNames;

/// Why [`Builder::start`](crate::Builder::start) or [`Cluster::reload_tls`](crate::Cluster::reload_tls) refuses the TLS
/// settings.
///
/// At the start no node runs then; at a reload the node goes on with the certificates that it has.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or is not PEM, or holds no private key where one is wanted.
    File {
        /// The file.
        path: PathBuf,
        /// The system's word, or the parser's.
        source: pem::Error,
    },
    /// A file holds no certificate.
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// An authority's certificate cannot be used.
    Authority {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
    /// The node's own certificate or key cannot be used, or they do not belong together.
    Certificate {
        /// The certificate's file.
        certificates: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
    /// The node has no `tls_name`, and without [`server_only`](crate::Tls::server_only) every node needs one.
    NoTlsName,
    /// The node's `tls_name` is not in its own certificate, so that no peer would hear it.
    TlsNameNotHeld {
        /// The `tls_name`.
        tls_name: String,
        /// What the certificate holds.
        held: CertificateNames,
    },
    /// A name to expect of others is neither a DNS name nor an IP address.
    Name {
        /// The setter, `tls_name` or `default_server_name`.
        field: &'static str,
        /// The name it was given.
        name: String,
    },
    /// A reload, but the settings come from rustls' configurations; there is no file to read again.
    NotFromFiles,
    /// A reload, but the node runs without TLS.
    NoTls,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::File { path, source } => {
                write!(f, "tls: {}: {source}; see that it is a PEM file that this process may read", path.display())
            }
            TlsError::NoCertificate { path } => write!(
                f,
                "tls: {} holds no certificate; it needs one at least, between BEGIN CERTIFICATE and END CERTIFICATE",
                path.display()
            ),
            TlsError::Authority { path, source } => {
                write!(f, "tls: an authority's certificate in {} cannot be used: {source}; replace it", path.display())
            }
            TlsError::Certificate { certificates, key, source } => write!(
                f,
                "tls: the certificate in {} with the key in {} cannot be used: {source}; name a certificate and the \
                 key that belongs to it",
                certificates.display(),
                key.display()
            ),
            TlsError::NoTlsName => f.write_str(
                "tls_name: not set; set it to a name that the node's certificate holds, since peers take a node only \
                 by such a name (with server_only they take one without, too)",
            ),
            TlsError::TlsNameNotHeld { tls_name, held } => write!(
                f,
                "tls_name: {tls_name:?} is not in the node's certificate, so that no peer would take it; the \
                 certificate holds {held}: set one of these, or have a certificate made for {tls_name:?}"
            ),
            TlsError::Name { field, name } => write!(
                f,
                "{field}: {name:?} is neither a DNS name nor an IP address; write it as in node1.example or 10.0.0.7"
            ),
            TlsError::NotFromFiles => f.write_str(
                "tls: there are no files to read again, since the settings were made from rustls configurations; give \
                 these a certificate resolver that renews itself",
            ),
            TlsError::NoTls => f.write_str("tls: the node runs without TLS; set tls on its builder"),
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            TlsError::File { source, .. } => Some(source),
            TlsError::Authority { source, .. } | TlsError::Certificate { source, .. } => Some(source),
            TlsError::NoCertificate { .. }
            | TlsError::NoTlsName
            | TlsError::TlsNameNotHeld { .. }
            | TlsError::Name { .. }
            | TlsError::NotFromFiles
            | TlsError::NoTls => None,
        }
    }
}
