//! TLS between the nodes: its settings.

mod certificate;
mod endpoint;
mod error;
mod pem;
mod refusal;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig};

pub use error::TlsError;

pub(crate) use endpoint::Endpoint;
pub(crate) use refusal::Refusal;

use pem::PemFiles;

/// How a node proves to others who it is, and what it demands of them; see [`Builder::tls`](crate::Builder::tls).
///
/// By default both sides of every connection show a certificate and check the other's. A node is then named by its
/// [`tls_name`](crate::Builder::tls_name), which its certificate must hold as a subject alternative name (a DNS name or
/// an IP address), and a peer may only speak as a node whose `tls_name` its certificate holds. A node both dials and
/// listens, so a certificate whose extended key usage is restricted must be good for server and client.
///
/// The name expected of a node that is dialled is its `tls_name` where it is known, else the
/// [`default_server_name`](Tls::default_server_name), else the host that is dialled.
///
/// What it does not do: members of a cluster trust each other. What a member relays of others is not signed by them.
#[derive(Clone)]
#[must_use = "it does nothing until it is given to a builder"]
pub struct Tls {
    source: Source,
    default_server_name: Option<String>,
    server_only: bool,
}

#[derive(Clone)]
enum Source {
    Files(PemFiles),
    Configs(Configs),
}

/// Both sides of TLS, as rustls has them.
#[derive(Clone)]
struct Configs {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Tls {
    /// From PEM files: this node's certificate with those between it and its authority behind it, its private key, and
    /// the certificates of the authorities whose certificates are accepted. The files are read at the start, and again
    /// by [`Cluster::reload_tls`](crate::Cluster::reload_tls).
    ///
    /// TLS 1.2 and 1.3 with ring. Sessions are not resumed, so that every connection's certificates are checked anew.
    pub fn from_pem_files(
        certificates: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
        authorities: impl Into<PathBuf>,
    ) -> Tls {
        let (certificates, key, authorities) = (certificates.into(), key.into(), authorities.into());
        Tls::new(Source::Files(PemFiles { certificates, key, authorities }))
    }

    /// From rustls' own configurations, for what files cannot say: revocation lists, keys in hardware, a verifier or
    /// certificates of one's own making. What these accept is accepted; that a peer shows a certificate, and speaks only
    /// in its names, is demanded all the same, unless [`server_only`](Tls::server_only) is set.
    ///
    /// A client configuration needs a certificate to show, and where sessions are resumed, certificates are not checked
    /// again. To renew certificates, give rustls a resolver that can.
    pub fn from_configs(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> Tls {
        Tls::new(Source::Configs(Configs { server, client }))
    }

    fn new(source: Source) -> Tls {
        Tls { source, default_server_name: None, server_only: false }
    }

    /// The name expected of a node whose `tls_name` is not known, as that of a seed before the first contact: a DNS name
    /// or an IP address. Default: the host that is dialled.
    pub fn default_server_name(mut self, name: impl Into<String>) -> Tls {
        self.default_server_name = Some(name.into());
        self
    }

    /// Only the side that is dialled shows a certificate, as in some aiocluster clusters.
    ///
    /// What passes is secret then, and a node knows that it dialled a member. But anybody can dial a node and speak as
    /// any other; what can be checked is: a peer that shows a certificate may have no `tls_name`, but none that is not in
    /// the certificate.
    pub fn server_only(mut self) -> Tls {
        self.server_only = true;
        self
    }
}

/// Without the key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source: &dyn fmt::Debug = match &self.source {
            Source::Files(files) => files,
            Source::Configs(_) => &"rustls configurations",
        };
        f.debug_struct("Tls")
            .field("source", source)
            .field("default_server_name", &self.default_server_name)
            .field("server_only", &self.server_only)
            .finish()
    }
}
