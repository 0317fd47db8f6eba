//! TLS for a mixed cluster: certificates made on the spot, and what either kind of member makes of them.

use std::sync::Arc;

use tidings_conformance::certificates::{Authority, Files};
use tidings_tokio::Tls;

use crate::python_peer::PythonTls;

/// Every certificate of a cluster is good for this name, by which seeds are dialled.
const CLUSTER_NAME: &str = "cluster.interop.example";

/// Which sides show certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Both.
    Mutual,
    /// The dialled one.
    ServerOnly,
}

/// One member's part in TLS.
#[derive(Clone, Debug)]
pub(crate) struct Security {
    pub(crate) tls_name: Option<String>,
    demand: Demand,
    files: Arc<Files>,
}

impl Security {
    /// Of the member with this name: a certificate of `authority`'s, who is trusted, too. Where only servers show
    /// certificates, members have no `tls_name`, as in aiocluster clusters that share a certificate.
    pub(crate) fn new(name: &str, authority: &Authority, demand: Demand) -> Security {
        Security::trusting(name, authority, &[authority], demand)
    }

    /// The same with others that are trusted.
    pub(crate) fn trusting(name: &str, authority: &Authority, trusted: &[&Authority], demand: Demand) -> Security {
        let own_name = tls_name(name);
        let names: &[&str] = match demand {
            Demand::Mutual => &[&own_name, CLUSTER_NAME],
            Demand::ServerOnly => &[CLUSTER_NAME],
        };
        let files = Arc::new(Files::new(&authority.certify(names), trusted));
        let tls_name = (demand == Demand::Mutual).then(|| own_name.clone());
        Security { tls_name, demand, files }
    }

    /// With the name of another member, which the certificate does not hold.
    pub(crate) fn pretending_to_be(self, name: &str) -> Security {
        Security { tls_name: Some(tls_name(name)), ..self }
    }

    /// For a node of ours.
    pub(crate) fn of_ours(&self) -> Tls {
        let tls = self.files.tls().default_server_name(CLUSTER_NAME);
        match self.demand {
            Demand::Mutual => tls,
            Demand::ServerOnly => tls.server_only(),
        }
    }

    /// For a Python node.
    pub(crate) fn of_python(&self) -> PythonTls {
        PythonTls {
            certificates: self.files.path("certificates.pem"),
            key: self.files.path("key.pem"),
            authorities: self.files.path("authorities.pem"),
            server_only: self.demand == Demand::ServerOnly,
            server_hostname: CLUSTER_NAME.to_owned(),
        }
    }
}

fn tls_name(name: &str) -> String {
    format!("{name}.interop.example")
}
