//! Three nodes over TLS with certificates on both sides, made on the spot; and a fourth whose certificate is from
//! somebody else, so that it stays alone.
#![allow(clippy::print_stdout, reason = "it is there to be watched")]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tidings_tokio::{Cluster, Tls};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What signs the nodes' certificates. Yours is kept elsewhere, and only its certificate is on the nodes.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Result<Authority> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Authority { issuer: Issuer::new(params, key), pem })
    }

    /// Writes a certificate for `name`, its key, and `trusted`, where the node of that name looks for them.
    fn certify(&self, name: &str, trusted: &Authority, folder: &Path) -> Result<Tls> {
        let [certificate, key, authorities] =
            ["certificate", "key", "authorities"].map(|what| folder.join(format!("{name}.{what}.pem")));
        let pair = KeyPair::generate()?;
        // By its tls_name a node is known. Seeds are dialled before that, by their host: here by an address.
        let params = CertificateParams::new(vec![tls_name(name), "127.0.0.1".to_owned()])?;
        fs::write(&certificate, params.signed_by(&pair, &self.issuer)?.pem())?;
        fs::write(&key, pair.serialize_pem())?;
        fs::write(&authorities, &trusted.pem)?;
        Ok(Tls::from_pem_files(certificate, key, authorities))
    }
}

fn tls_name(name: &str) -> String {
    format!("{name}.nodes.example")
}

async fn start(name: &str, tls: Tls, seed: Option<&Cluster>) -> Result<Cluster> {
    let builder = Cluster::builder(name).cluster_id("mtls").tls_name(tls_name(name)).tls(tls);
    let builder = builder.gossip_interval(Duration::from_millis(200));
    Ok(builder.seeds(seed.map(|seed| seed.local_addr().to_string())).start().await?)
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("tidings-mtls-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let authority = Authority::new("the cluster's authority")?;
    let one = start("one", authority.certify("one", &authority, &folder)?, None).await?;
    let two = start("two", authority.certify("two", &authority, &folder)?, Some(&one)).await?;
    let three = start("three", authority.certify("three", &authority, &folder)?, Some(&one)).await?;

    // It believes the cluster, but the cluster does not believe it.
    let somebody = Authority::new("somebody else")?;
    let stranger = start("stranger", somebody.certify("stranger", &authority, &folder)?, Some(&one)).await?;

    tokio::time::sleep(Duration::from_secs(3)).await;
    for node in [&one, &two, &three, &stranger] {
        let live: Vec<String> = node.live_nodes().iter().map(|id| id.name().to_owned()).collect();
        let refused = node.stats().driver.tls_refused;
        println!("{} sees {} alive; refusals over TLS: {refused}", node.id().name(), live.join(", "));
    }

    // Certificates are renewed where they are, and taken up without a restart.
    let _same_files = authority.certify("one", &authority, &folder)?;
    one.reload_tls()?;
    println!("one has a new certificate");

    for node in [stranger, three, two, one] {
        node.leave().await;
    }
    fs::remove_dir_all(&folder)?;
    Ok(())
}
