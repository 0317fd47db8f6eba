//! A cluster over TLS: it forms, with certificates on both sides or on one, and changes them while it runs.

use std::sync::Arc;

use tidings_driver::rustls::client::WebPkiServerVerifier;
use tidings_driver::rustls::crypto::ring;
use tidings_driver::rustls::pki_types::pem::PemObject;
use tidings_driver::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tidings_driver::rustls::server::WebPkiClientVerifier;
use tidings_driver::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tidings_driver::{Builder, Cluster, Runtime, StartError, Tls, TlsError};

use crate::certificates::{Authority, Files, Identity};
use crate::wait::until;
use crate::{node, pair, sees, start, value_at};

/// A node with a certificate of `authority`'s for `name.example` and for loopback, where its seeds are dialled.
pub(crate) fn member<R: Runtime>(name: &str, authority: &Authority) -> (Builder<R>, Files) {
    let tls_name = format!("{name}.example");
    let files = Files::new(&authority.certify(&[&tls_name, "127.0.0.1"]), &[authority]);
    (node(name).tls_name(tls_name).tls(files.tls()), files)
}

/// As [`member`], started.
pub(crate) async fn started<R: Runtime>(name: &str, authority: &Authority) -> (Cluster<R>, Files) {
    let (builder, files) = member(name, authority);
    (start(builder).await, files)
}

/// rustls' configurations for both sides. They show a certificate, and leave it to the node to demand one.
pub(crate) fn configs(identity: &Identity, trusted: &Authority) -> Tls {
    let chain = || vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).expect("a certificate")];
    let key = || PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.pem().as_bytes()).expect("a certificate")).expect("an authority");
    let roots = Arc::new(roots);
    let provider = Arc::new(ring::default_provider());

    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
    let verifier = verifier.allow_unauthenticated().build();
    let server = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let server = server.expect("versions").with_client_cert_verifier(verifier.expect("a verifier"));
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build().expect("a verifier");
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let client = client.expect("versions").with_webpki_verifier(verifier).with_client_auth_cert(chain(), key());
    Tls::from_configs(
        Arc::new(server.with_single_cert(chain(), key()).expect("a certificate and its key")),
        Arc::new(client.expect("a certificate and its key")),
    )
}

pub(crate) async fn all_see_all<R: Runtime>(nodes: &[&Cluster<R>]) {
    until::<R>("all see all", || nodes.iter().all(|a| nodes.iter().all(|b| sees(a, b)))).await;
}

fn refused<R: Runtime>(node: &Cluster<R>) -> u64 {
    let stats = node.stats();
    stats.driver.tls_refused + stats.driver.packets_rejected + stats.driver.frames_rejected
}

/// Names of every kind: a DNS name, one that a wildcard stands for, an IP address; certificates from files and in
/// rustls' configurations; a seed that is known by the host dialled, and one by the default server name.
pub async fn a_cluster_with_certificates_on_both_sides_forms<R: Runtime>() {
    let authority = Authority::new("authority");
    let files = Files::new(&authority.certify(&["n1.example", "cluster.example"]), &[&authority]);
    let n1 = start(node::<R>("n1").tls_name("N1.example").tls(files.tls())).await;
    let default = |tls: Tls| tls.default_server_name("cluster.example");

    let identity = authority.certify(&["*.nodes.example", "127.0.0.1"]);
    let seed = n1.local_addr().to_string();
    let n2 = node::<R>("n2").tls_name("n2.nodes.example").tls(default(configs(&identity, &authority)));
    let n2 = start(n2.seed(seed)).await;

    // This one dials its seed by the host.
    let files = Files::new(&authority.certify(&["127.0.0.1"]), &[&authority]);
    let seed = n2.local_addr().to_string();
    let n3 = start(node::<R>("n3").tls_name("127.0.0.1").tls(files.tls()).seed(seed)).await;

    all_see_all(&[&n1, &n2, &n3]).await;
    for node in [&n1, &n2, &n3] {
        node.set("who", node.id().name()).expect("a short key");
    }
    // More than one record of TLS holds.
    let large = "x".repeat(60_000);
    n3.set("large", &large).expect("a value that fits a packet");
    let nodes = [&n1, &n2, &n3];
    let knows = |a, b: &Cluster<R>| value_at(a, b, "who").as_deref() == Some(b.id().name());
    until::<R>("all news is everywhere", || nodes.iter().all(|a| nodes.iter().all(|b| knows(a, b)))).await;
    until::<R>("so is what is large", || nodes.iter().all(|a| value_at(a, &n3, "large").as_ref() == Some(&large)))
        .await;
    // Everybody dials everybody, so that each was met by the name it has.
    let rounds = n1.stats().core.rounds;
    until::<R>("more rounds", || n1.stats().core.rounds > rounds + 10).await;
    for node in nodes {
        assert_eq!(refused(node), 0, "{} {:?}", node.id(), node.stats());
    }
    let told = n3.leave().await.told;
    assert!(told >= 1, "a farewell goes over TLS, too");
}

/// Only the dialled side shows a certificate. A node with a `tls_name` and one without are both taken.
pub async fn a_cluster_with_certificates_on_one_side_forms<R: Runtime>() {
    let authority = Authority::new("authority");
    let shared = Files::new(&authority.certify(&["cluster.example"]), &[&authority]);
    let server_only = |files: &Files| files.tls().server_only().default_server_name("cluster.example");
    let n1 = start(node::<R>("n1").tls(server_only(&shared))).await;
    let seed = n1.local_addr().to_string();
    let n2 = start(node::<R>("n2").tls(server_only(&shared)).seed(seed.clone())).await;
    let own = Files::new(&authority.certify(&["n3.example"]), &[&authority]);
    let n3 = start(node::<R>("n3").tls_name("n3.example").tls(server_only(&own)).seed(seed)).await;
    all_see_all(&[&n1, &n2, &n3]).await;
    let rounds = n1.stats().core.rounds;
    until::<R>("more rounds", || n1.stats().core.rounds > rounds + 10).await;
    for node in [&n1, &n2, &n3] {
        assert_eq!(refused(node), 0, "{} {:?}", node.id(), node.stats());
    }
}

/// Every node goes over to another authority, in the three steps that it takes, while news travels.
pub async fn certificates_change_in_mid_traffic<R: Runtime>() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (n1, files1) = started::<R>("n1", &old).await;
    let (n2, files2) = member::<R>("n2", &old);
    let n2 = start(n2.seed(n1.local_addr().to_string())).await;
    let nodes = [(&n1, &files1), (&n2, &files2)];
    all_see_all(&[&n1, &n2]).await;

    let mut news = 0;
    let mut travels = async || {
        news += 1;
        let value = news.to_string();
        n1.set("news", &value).expect("a short key");
        n2.set("news", &value).expect("a short key");
        let is_new = |a, b| value_at(a, b, "news").as_deref() == Some(&value);
        until::<R>("news travels both ways", || is_new(&n1, &n2) && is_new(&n2, &n1)).await;
    };
    travels().await;
    for (node, files) in nodes {
        files.trust(&[&old, &new]);
        node.reload_tls().expect("both authorities");
        travels().await;
    }
    for (node, files) in nodes {
        let name = node.id().tls_name().expect("a name");
        files.certify(&new.certify(&[name, "127.0.0.1"]));
        node.reload_tls().expect("a new certificate");
        travels().await;
    }
    for (node, files) in nodes {
        files.trust(&[&new]);
        node.reload_tls().expect("the new authority");
        travels().await;
    }
    for (node, _) in nodes {
        let stats = node.stats();
        assert_eq!((refused(node), stats.events.died), (0, 0), "{stats:?}");
    }

    // The change is one: whoever has the old certificate is out, and whoever has a new one may come.
    let (late, _late_files) = member::<R>("late", &old);
    let late = start(late.seed(n1.local_addr().to_string())).await;
    until::<R>("the old certificate is refused", || late.stats().driver.tls_refused >= 1).await;
    let (n3, _files3) = member::<R>("n3", &new);
    let n3 = start(n3.seed(n1.local_addr().to_string())).await;
    all_see_all(&[&n1, &n2, &n3]).await;
    assert!(!sees(&n1, &late));
}

/// A reload that cannot be done says why, and the node goes on as it was.
pub async fn a_bad_file_changes_nothing<R: Runtime>() {
    let authority = Authority::new("authority");
    let (n1, files) = started::<R>("n1", &authority).await;
    let (n2, _files2) = member::<R>("n2", &authority);
    let n2 = start(n2.seed(n1.local_addr().to_string())).await;
    all_see_all(&[&n1, &n2]).await;

    let other = authority.certify(&["n1.example"]);
    let breaks: [(&str, &str, &str); 5] = [
        ("authorities.pem", "", "holds no certificate"),
        ("certificates.pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "certificates.pem"),
        ("certificates.pem", &other.certificate, "the key that belongs to it"),
        ("key.pem", "no key", "key.pem"),
        ("certificates.pem", &authority.certify(&["n9.example"]).certificate, "cannot be used"),
    ];
    for (name, text, reason) in breaks {
        let whole = std::fs::read_to_string(files.path(name)).expect("a file");
        files.write(name, text);
        let error = n1.reload_tls().expect_err(reason).to_string();
        assert!(error.contains(reason), "{reason:?} is not in: {error}");
        files.write(name, &whole);
    }
    let misnamed = authority.certify(&["n9.example"]);
    files.certify(&misnamed);
    let error = n1.reload_tls().expect_err("another name");
    assert!(matches!(&error, TlsError::TlsNameNotHeld { tls_name, .. } if tls_name == "n1.example"), "{error}");
    std::fs::remove_file(files.path("key.pem")).expect("a file");
    assert!(matches!(n1.reload_tls(), Err(TlsError::File { path, .. }) if path.ends_with("key.pem")));

    n2.set("news", "good").expect("a short key");
    until::<R>("news still travels", || value_at(&n1, &n2, "news").as_deref() == Some("good")).await;
    n1.set("news", "good").expect("a short key");
    until::<R>("both ways", || value_at(&n2, &n1, "news").as_deref() == Some("good")).await;
    assert_eq!(refused(&n1) + refused(&n2), 0);
}

/// What cannot work is refused at the start; and a node without files has none to read again.
pub async fn bad_tls_settings_are_refused_with_a_reason<R: Runtime>() {
    let authority = Authority::new("authority");
    let identity = authority.certify(&["n1.example"]);
    let files = Files::new(&identity, &[&authority]);
    let missing = Tls::from_pem_files(files.path("nothing.pem"), files.path("key.pem"), files.path("authorities.pem"));
    let named = || node::<R>("n1").tls_name("n1.example");
    let breaks: [(Builder<R>, &str); 8] = [
        (node("n1").tls(files.tls()), "tls_name: not set"),
        (node("n1").tls(configs(&identity, &authority)), "tls_name: not set"),
        (node("n1").tls_name("").tls(files.tls()), "tls_name: not set"),
        (node("n1").tls_name("n2.example").tls(files.tls()), "the certificate holds \"n1.example\""),
        (node("n1").tls_name("n2.example").tls(files.tls().server_only()), "the certificate holds \"n1.example\""),
        (node("n1").tls_name("no name").tls(configs(&identity, &authority)), "tls_name: \"no name\" is neither"),
        (named().tls(files.tls().default_server_name("-")), "default_server_name: \"-\" is neither"),
        (named().tls(missing), "nothing.pem"),
    ];
    for (builder, reason) in breaks {
        let error = builder.start().await.expect_err(reason);
        assert!(matches!(error, StartError::Tls(_)), "{error:?}");
        assert!(error.to_string().contains(reason), "{reason:?} is not in: {error}");
    }

    let from_configs = start(named().tls(configs(&identity, &authority))).await;
    assert!(matches!(from_configs.reload_tls(), Err(TlsError::NotFromFiles)));
    let (plain, _other) = pair::<R>().await;
    assert!(matches!(plain.reload_tls(), Err(TlsError::NoTls)));
}
