//! Names over TLS: each belongs to the certificate that used it first, until it is forgotten.

use std::net::TcpListener;

use tidings_driver::core::{EventKind, ForgetError};
use tidings_driver::{Builder, Cluster, Runtime};

use crate::certificates::{Authority, Files};
use crate::tls::{all_see_all, member};
use crate::wait::{soon, until};
use crate::{node, sees, start, value_at};

/// A node with a good certificate for `tls_name`, whatever its own name is.
fn named<R: Runtime>(name: &str, tls_name: &str, authority: &Authority) -> (Builder<R>, Files) {
    let files = Files::new(&authority.certify(&[tls_name, "127.0.0.1"]), &[authority]);
    (node(name).tls_name(tls_name).tls(files.tls()), files)
}

/// Two members that see each other, each by its own certificate.
async fn members<R: Runtime>(authority: &Authority) -> ([Cluster<R>; 2], [Files; 2]) {
    let (n1, files1) = member::<R>("n1", authority);
    let n1 = start(n1.key_value("who", "n1")).await;
    let (n2, files2) = member::<R>("n2", authority);
    let n2 = start(n2.seed(n1.local_addr().to_string())).await;
    all_see_all(&[&n1, &n2]).await;
    until::<R>("the key is there", || value_at(&n2, &n1, "who").is_some()).await;
    // Each has proved itself to the other by now, or will before anybody else comes.
    let completed = || [&n1, &n2].map(|node| node.stats().driver.dialled_outcomes.completed);
    until::<R>("each has dialled the other", || completed().iter().all(|count| *count > 2)).await;
    ([n1, n2], [files1, files2])
}

/// A member that goes by another one's name with a certificate of its own, and a higher generation. It replaces nobody,
/// none of its keys are shown, and it is told of.
pub async fn a_member_does_not_get_the_name_of_another<R: Runtime>() {
    let authority = Authority::new("authority");
    let ([n1, n2], _files) = members::<R>(&authority).await;
    let mut events = n2.subscribe();

    let (evil, _evil_files) = named::<R>("n1", "evil.example", &authority);
    let evil = evil.generation(u64::MAX >> 1).key_value("who", "evil").seed(n2.local_addr().to_string());
    let evil = start(evil).await;
    until::<R>("it is rejected, whoever dials", || n2.stats().core.rejected.wrong_name >= 3).await;
    let stats = n2.stats();
    assert_eq!(stats.driver.packets_rejected, stats.core.rejected.wrong_name, "{stats:?}");
    assert!(stats.core.names_refused >= 3, "{stats:?}");

    let refused = EventKind::NameRefused { node: n1.id().clone(), other: evil.id().clone() };
    loop {
        let event = soon::<R, _>("it is told", events.next()).await.expect("the node runs").expect("no lag");
        if event.kind == refused {
            break;
        }
        assert!(!matches!(event.kind, EventKind::NodeRestarted { .. } | EventKind::NodeDied { .. }), "{}", event.kind);
    }
    until::<R>("more rounds", || n2.stats().core.rejected.wrong_name >= 10).await;
    assert_eq!(n2.stats().events.names_refused, 1, "it is told once");
    assert!(sees(&n2, &n1) && n2.node_state(evil.id()).is_none());
    let named_n1: Vec<_> = n2.snapshot().members.into_iter().filter(|member| member.id.name() == "n1").collect();
    assert!(matches!(&named_n1[..], [member] if member.state.get("who") == Some("n1")), "{named_n1:?}");
}

/// A certificate that is renewed has the names of the former one: nothing changes, nor after a restart with it.
pub async fn a_renewed_certificate_keeps_the_name<R: Runtime>() {
    let authority = Authority::new("authority");
    let ([n1, n2], [files1, _files2]) = members::<R>(&authority).await;
    files1.certify(&authority.certify(&["n1.example", "127.0.0.1"]));
    n1.reload_tls().expect("the renewed certificate");
    n1.set("who", "renewed").expect("a short key");
    until::<R>("news travels", || value_at(&n2, &n1, "who").as_deref() == Some("renewed")).await;

    let (former, address) = (n1.id().clone(), n1.local_addr());
    drop(n1);
    until::<R>("the port is free", || TcpListener::bind(address).is_ok()).await;
    let builder = node::<R>("n1").tls_name("N1.example").tls(files1.tls()).listen(address.to_string());
    let n1 = start(builder.seed(n2.local_addr().to_string())).await;
    all_see_all(&[&n1, &n2]).await;
    assert!(n2.node_state(&former).is_none());
    assert_eq!((n2.stats().core.names_refused, n2.stats().core.rejected.wrong_name), (0, 0));
}

/// An operator says that a node will not come back: then another certificate may use its name. Not before, and not while
/// it lives.
pub async fn a_forgotten_name_is_free<R: Runtime>() {
    let authority = Authority::new("authority");
    let ([n1, n2], _files) = members::<R>(&authority).await;
    let live = |node: &Cluster<R>| Err(ForgetError::Live { node: node.id().clone() });
    assert_eq!((n2.forget(n1.id()), n2.forget(n2.id())), (live(&n1), live(&n2)));
    soon::<R, _>("it leaves", n1.leave()).await;
    until::<R>("it has left", || n2.left_nodes().contains(n1.id())).await;

    let (other, _other_files) = named::<R>("n1", "other.example", &authority);
    let other = start(other.seed(n2.local_addr().to_string())).await;
    until::<R>("it is refused", || n2.stats().core.rejected.wrong_name >= 3).await;
    assert!(n2.node_state(n1.id()).is_some() && n2.node_state(other.id()).is_none());

    n2.forget(n1.id()).expect("it has left");
    assert!(n2.node_state(n1.id()).is_none());
    all_see_all(&[&n2, &other]).await;
    assert_eq!(n2.forget(other.id()), live(&other));
}

/// Where each node must go by its `tls_name`, no other name is taken, not even one that nobody has.
pub async fn names_must_be_tls_names_where_that_is_set<R: Runtime>() {
    let authority = Authority::new("authority");
    let strict = |name: &str| {
        let (builder, files) = named::<R>(name, name, &authority);
        (builder.names_are_tls_names(true), files)
    };
    let (n1, _files1) = strict("n1.example");
    let n1 = start(n1).await;
    let (n2, _files2) = strict("n2.example");
    let n2 = start(n2.seed(n1.local_addr().to_string())).await;
    all_see_all(&[&n1, &n2]).await;

    let (misnamed, _misnamed_files) = named::<R>("n3", "n3.example", &authority);
    let error = misnamed.names_are_tls_names(true).start().await.expect_err("nobody would hear it").to_string();
    assert!(error.contains("node_id.name") && error.contains("n3.example"), "{error}");
    let (other, _other_files) = named::<R>("n3", "n3.example", &authority);
    let other = start(other.seed(n1.local_addr().to_string())).await;
    until::<R>("it is refused", || n1.stats().core.rejected.wrong_name >= 3).await;
    assert!(n1.node_state(other.id()).is_none() && sees(&n1, &n2));
    assert_eq!(n1.stats().core.names_refused, 0, "the name is nobody's");
}
