//! Both sides of TLS from PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tidings_core::CertificateNames;

use super::Configs;
use super::certificate::names_of;
use super::error::TlsError;

/// Where a node's certificates and its key are.
#[derive(Clone, Debug)]
pub(super) struct PemFiles {
    /// Its own certificate, and behind it those between it and its authority.
    pub(super) certificates: PathBuf,
    pub(super) key: PathBuf,
    pub(super) authorities: PathBuf,
}

impl PemFiles {
    /// Reads all files. Gives both sides of TLS and the names of the node's own certificate.
    pub(super) fn load(&self, server_only: bool) -> Result<(Configs, CertificateNames), TlsError> {
        let chain = certificates_in(&self.certificates)?;
        let key = self.private_key()?;
        let roots = Arc::new(self.roots()?);
        let names = chain.first().map(names_of).transpose();
        let names = names.map_err(|error| self.unusable(rustls::Error::General(error.to_string())))?;
        let configs = configs(chain, key, roots, server_only).map_err(|error| self.unusable(error))?;
        Ok((configs, names.unwrap_or_default()))
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_file(&self.key).map_err(|source| TlsError::File { path: self.key.clone(), source })
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates_in(&self.authorities)? {
            let unusable = |source| TlsError::Authority { path: self.authorities.clone(), source };
            roots.add(certificate).map_err(unusable)?;
        }
        Ok(roots)
    }

    fn unusable(&self, source: rustls::Error) -> TlsError {
        TlsError::Certificate { certificates: self.certificates.clone(), key: self.key.clone(), source }
    }
}

/// All certificates in a file, at least one.
fn certificates_in(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|source| TlsError::File { path: path.to_owned(), source })?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

fn configs(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: Arc<RootCertStore>,
    server_only: bool,
) -> Result<Configs, rustls::Error> {
    let provider = Arc::new(ring::default_provider());

    let server = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let server = if server_only {
        server.with_no_client_auth()
    } else {
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build();
        server.with_client_cert_verifier(verifier.map_err(|error| rustls::Error::General(error.to_string()))?)
    };
    let mut server = server.with_single_cert(chain.clone(), key.clone_key())?;

    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let client = client.with_root_certificates(roots);
    let mut client =
        if server_only { client.with_no_client_auth() } else { client.with_client_auth_cert(chain, key)? };

    // A resumed session would outlive the certificate that it began with.
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    client.resumption = Resumption::disabled();
    Ok(Configs { server: Arc::new(server), client: Arc::new(client) })
}
