//! Listening, advertising, and dialling hosts with several addresses.

use std::future::{self, Future};
use std::io;
use std::marker::PhantomData;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tidings_driver::core::{Address, NodeId};
use tidings_driver::{Cluster, Runtime, StartError};

use crate::peer::silent_listener;
use crate::wait::until;
use crate::{node, sees, start, started, value_at};

/// Port 0 is replaced by the real port, wherever the node shows it.
pub async fn port_zero_is_reported<R: Runtime>() {
    let node = started::<R>("a").await;
    let port = node.local_addr().port();
    assert_ne!(port, 0);
    assert_eq!(node.id().gossip_advertise_addr().to_string(), format!("127.0.0.1:{port}"));
    assert!(std::net::TcpStream::connect(node.local_addr()).is_ok());
}

/// A node can listen at one address and tell others another.
pub async fn listening_and_advertised_address_may_differ<R: Runtime>() {
    let seed = start(node::<R>("seed").listen("0.0.0.0:0").advertise("localhost:0")).await;
    let port = seed.local_addr().port();
    assert!(seed.local_addr().ip().is_unspecified());
    assert_eq!(seed.id().gossip_advertise_addr().to_string(), format!("localhost:{port}"));

    let translated = start(node::<R>("translated").advertise("outside.example:7001")).await;
    assert_eq!(translated.id().gossip_advertise_addr().to_string(), "outside.example:7001");
    assert_ne!(translated.local_addr().port(), 7001);
}

/// A host name will do as a seed, and as the address to listen on.
pub async fn host_names_are_resolved<R: Runtime>() {
    let first = start(node::<R>("first").listen("localhost:0")).await;
    let seed = first.id().gossip_advertise_addr().to_string();
    assert!(seed.starts_with("localhost:") && !seed.ends_with(":0"), "{seed}");
    let second = start(node::<R>("second").seed(seed)).await;
    until::<R>("both are alive", || sees(&first, &second) && sees(&second, &first)).await;
}

/// Where a host has several addresses, one that refuses and one that swallows everything do not hide the last; nor do
/// addresses that are not this machine's, when it is to be listened on.
pub async fn all_addresses_of_a_host_are_tried<R: Runtime>() {
    let seed = start(node::<ThreeAddresses<R>>("seed").listen("three.example:0")).await;
    assert_eq!(seed.local_addr().ip(), Ipv4Addr::LOCALHOST);
    let builder = node::<ThreeAddresses<R>>("other").seed(seed.id().gossip_advertise_addr().to_string());
    let other = start(builder.connect_timeout(Duration::from_secs(2))).await;
    until::<R>("both are alive", || sees(&seed, &other) && sees(&other, &seed)).await;
}

/// A running node is given another address: its peers go on with it, with its key-values, and take it for dead at no time.
pub async fn the_advertised_address_changes_while_the_node_runs<R: Runtime>() {
    let stays = started::<R>("stays").await;
    let moves = node::<R>("moves").listen("0.0.0.0:0").advertise("127.0.0.1:0").key_value("kept", "1");
    let moves = start(moves.seed(stays.local_addr().to_string())).await;
    until::<R>("each sees the other", || sees(&stays, &moves) && sees(&moves, &stays)).await;
    until::<R>("the key is there", || value_at(&stays, &moves, "kept").is_some()).await;
    let before = stays.stats().events;

    let address = Address::new("127.0.0.2", moves.local_addr().port());
    let id = moves.set_advertise_addr(address.clone()).expect("a valid address");
    assert_eq!((id.gossip_advertise_addr(), id.generation_id()), (&address, moves.id().generation_id() + 1));
    assert_eq!(moves.current_id(), id);
    moves.set("later", "2").expect("a valid key");
    let kept = || stays.node_state(&id).is_some_and(|state| state.get("kept") == Some("1"));
    let later = || stays.node_state(&id).is_some_and(|state| state.get("later") == Some("2"));
    until::<R>("its peer has both keys under the new id", || kept() && later()).await;
    assert!(stays.live_nodes().contains(&id));
    let after = stays.stats().events;
    assert_eq!((after.died, after.restarted, after.forgotten), (before.died, 0, 0));

    let nowhere = moves.set_advertise_addr(Address::new("", 1)).expect_err("no host").to_string();
    assert!(nowhere.contains("gossip_advertise_addr.host"), "{nowhere}");
    assert_eq!(moves.current_id(), id, "nothing has changed");
}

/// The node's identity is what the setters for it say, whatever else is changed.
pub async fn the_identity_is_the_builders<R: Runtime>() {
    let other = NodeId::new("other", 1, Address::new("elsewhere.example", 1));
    let builder = node::<R>("a").generation(7).config(move |config| config.node_id = other);
    let node = start(builder.config(|config| config.gossip_count = 1)).await;
    assert_eq!((node.id().name(), node.id().generation_id()), ("a", 7));
    assert_eq!(node.id().gossip_advertise_addr().port(), node.local_addr().port());
    assert_eq!(node.snapshot().members.first().map(|member| &member.id), Some(node.id()));
}

/// What is wrong with an address is said with the setting's name and a way out, and nothing is left running.
pub async fn bad_addresses_are_refused_with_a_reason<R: Runtime>() {
    let (_taken, taken) = silent_listener();
    let cases: [(tidings_driver::Builder<R>, &[&str]); 6] = [
        (node("a").listen("nowhere"), &["listen", "\"nowhere\"", "host:port"]),
        (node("a").advertise("here:99999"), &["advertise", "\"here:99999\"", "host:port"]),
        (node("a").seed("::1:7001"), &["seed", "\"::1:7001\"", "[fe80::1]:7001"]),
        (node("a").listen(taken.to_string()), &["listen", &taken.to_string(), "port 0"]),
        (node("a").listen("0.0.0.0:0"), &["advertise", "0.0.0.0:0", "node1.example"]),
        (node("a").listen("no-such-host.invalid:0"), &["listen", "no-such-host.invalid:0", "127.0.0.1:7001"]),
    ];
    for (builder, words) in cases {
        let error = expect_refusal(builder).await;
        for word in words {
            assert!(error.contains(word), "{word:?} is not in: {error}");
        }
    }
}

/// What is wrong with another setting is said likewise.
pub async fn bad_settings_are_refused_with_a_reason<R: Runtime>() {
    let cases: [(tidings_driver::Builder<R>, &[&str]); 6] = [
        (node(""), &["name", "\"\""]),
        (node("a").gossip_interval(Duration::ZERO), &["gossip_interval", "0ns"]),
        (node("a").packet_timeout(Duration::ZERO), &["exchange_timeouts.packet", "0ns", "1ms"]),
        (node("a").leave_timeout(Duration::ZERO), &["leave_timeout", "0ns", "one day"]),
        (node("a").event_buffer(0), &["event_buffer", "0", "from 1"]),
        (node("a").key_value("k".repeat(1 << 20), "v"), &["key_value", "kkk"]),
    ];
    for (builder, words) in cases {
        let error = expect_refusal(builder).await;
        for word in words {
            assert!(error.contains(word), "{word:?} is not in: {error}");
        }
    }
}

async fn expect_refusal<R: Runtime>(builder: tidings_driver::Builder<R>) -> String {
    let described = format!("{builder:?}");
    let result: Result<Cluster<R>, StartError> = builder.start().await;
    result.expect_err(&described).to_string()
}

/// `R`, in whose world `three.example` has an address that refuses, one that swallows everything, and a good one.
struct ThreeAddresses<R>(PhantomData<fn() -> R>);

const REFUSES: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SWALLOWS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

impl<R: Runtime> Runtime for ThreeAddresses<R> {
    type Listener = R::Listener;
    type Stream = R::Stream;

    async fn bind(address: SocketAddr) -> io::Result<Self::Listener> {
        match [REFUSES, SWALLOWS].iter().any(|ip| address.ip() == *ip) {
            true => Err(io::ErrorKind::AddrNotAvailable.into()),
            false => R::bind(address).await,
        }
    }

    fn local_addr(listener: &Self::Listener) -> io::Result<SocketAddr> {
        R::local_addr(listener)
    }

    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send {
        R::accept(listener)
    }

    async fn connect(address: SocketAddr) -> io::Result<Self::Stream> {
        if address.ip() == REFUSES {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        if address.ip() == SWALLOWS {
            future::pending::<()>().await;
        }
        // Some way off: there must be time left for it.
        R::sleep_until(Instant::now() + Duration::from_millis(100)).await;
        R::connect(address).await
    }

    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match host {
            "three.example" => {
                Ok([REFUSES, SWALLOWS, Ipv4Addr::LOCALHOST].map(|ip| SocketAddr::from((ip, port))).to_vec())
            }
            _ => R::resolve(host, port).await,
        }
    }

    fn sleep_until(deadline: Instant) -> impl Future<Output = ()> + Send {
        R::sleep_until(deadline)
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        R::spawn(task);
    }
}
