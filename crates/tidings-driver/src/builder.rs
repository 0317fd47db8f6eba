//! The settings of a node, and its start.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tidings_core::{Address, Config, FailureDetectorConfig, Lifetime, Node, NodeId, NodeState};
use tracing::Instrument;

use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::error::StartError;
use crate::names::Names;
use crate::record::{self, RecordFile};
use crate::run::run;
use crate::runtime::Runtime;
use crate::shared::{LivenessPredicate, Shared, SharedSettings, Timeouts};
use crate::tls::Endpoint;

const DEFAULT_LISTEN: &str = "127.0.0.1:0";
/// aiocluster's for its hooks.
const DEFAULT_END_TIMEOUT: Duration = Duration::from_secs(5);
/// The usual lifetime of a name in a cluster's own DNS.
const DEFAULT_RESOLVE_INTERVAL: Duration = Duration::from_secs(30);
/// aiocluster's queue of hooks.
const DEFAULT_EVENT_BUFFER: usize = 10_000;

const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);
const LARGEST_EVENT_BUFFER: usize = 1 << 24;

type ChangeConfig = Box<dyn FnOnce(&mut Config) + Send>;

/// The settings of a node that is not started yet. What is not set has aiocluster's default where it has one,
/// but for the failure detector.
#[must_use = "a builder does nothing until it is started"]
pub struct Builder<R> {
    name: String,
    listen: String,
    advertise: Option<String>,
    seeds: Vec<String>,
    generation: Option<u64>,
    key_values: Vec<(String, String)>,
    changes: Vec<ChangeConfig>,
    timeouts: Timeouts,
    resolve_interval: Duration,
    event_buffer: usize,
    predicate: Option<LivenessPredicate>,
    tls_name: Option<String>,
    #[cfg(feature = "tls")]
    tls: Option<crate::Tls>,
    record: Option<record::Target>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> Builder<R> {
    pub(crate) fn new(name: String) -> Builder<R> {
        Builder {
            name,
            listen: DEFAULT_LISTEN.into(),
            advertise: None,
            seeds: Vec::new(),
            generation: None,
            key_values: Vec::new(),
            changes: Vec::new(),
            timeouts: Timeouts { leave: DEFAULT_END_TIMEOUT, shutdown: DEFAULT_END_TIMEOUT },
            resolve_interval: DEFAULT_RESOLVE_INTERVAL,
            event_buffer: DEFAULT_EVENT_BUFFER,
            predicate: None,
            tls_name: None,
            #[cfg(feature = "tls")]
            tls: None,
            record: None,
            runtime: PhantomData,
        }
    }

    /// The cluster's name; nodes of different clusters exchange nothing. Default: `default-cluster`.
    pub fn cluster_id(self, id: impl Into<String>) -> Self {
        let id = id.into();
        self.config(move |config| config.cluster_id = id)
    }

    /// Where to listen, as `host:port`; port 0 lets the system choose. Of a host's addresses the first that works is
    /// taken. Default: `127.0.0.1:0`.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = address.into();
        self
    }

    /// Where other nodes dial this one, as `host:port`; port 0 stands for the real listening port. Default: the
    /// listening host with the real port.
    pub fn advertise(mut self, address: impl Into<String>) -> Self {
        self.advertise = Some(address.into());
        self
    }

    /// Adds a seed, as `host:port`: a node to ask for the others. A host name may stand for several nodes, this one
    /// among them, as that of a headless service does: all its addresses are used in turn, and it is resolved again as
    /// [`resolve_interval`](Builder::resolve_interval) says.
    pub fn seed(mut self, address: impl Into<String>) -> Self {
        self.seeds.push(address.into());
        self
    }

    /// Adds several seeds, each as `host:port`.
    pub fn seeds<I>(mut self, addresses: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.seeds.extend(addresses.into_iter().map(Into::into));
        self
    }

    /// The time between two rounds of gossip. Default: 1 s.
    pub fn gossip_interval(self, interval: Duration) -> Self {
        self.config(move |config| config.gossip_interval = interval)
    }

    /// When other nodes are taken for dead. Default: chosen by measurements;
    /// [`FailureDetectorConfig::aiocluster`] is as aiocluster judges.
    pub fn failure_detector(self, settings: FailureDetectorConfig) -> Self {
        self.config(move |config| config.failure_detector = settings)
    }

    /// Which run of the node this is; it must be higher than that of the last run. Default: the nanoseconds since
    /// 1970 on the wall clock, which is higher unless the clock was set back meanwhile.
    pub fn generation(mut self, generation_id: u64) -> Self {
        self.generation = Some(generation_id);
        self
    }

    /// Sets one of the node's own keys before anything is gossiped.
    pub fn key_value(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.key_values.push((key.into(), value.into()));
        self
    }

    /// Sets several of the node's own keys before anything is gossiped.
    pub fn key_values<K, V>(mut self, pairs: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        self.key_values.extend(pairs.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// Changes any setting of the protocol. Changes run at the start, in the order they were given; `node_id` is
    /// then what the other setters make it, whatever a change did to it.
    pub fn config(mut self, change: impl FnOnce(&mut Config) + Send + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// The name by which the node's certificate proves who it is: a DNS name or an IP address among the certificate's
    /// subject alternative names. Peers expect it when they dial the node, and take no packet from it otherwise. Without
    /// TLS it is passed on, and means nothing. Default: none.
    ///
    /// Peers that run Python aiocluster want it literally in the certificate; for others `*.nodes.example` there is good
    /// for `node1.nodes.example` here.
    pub fn tls_name(mut self, name: impl Into<String>) -> Self {
        self.tls_name = Some(name.into());
        self
    }

    /// Over TLS: whether a node that shows a certificate must have its [`tls_name`](Builder::tls_name) as its name, letter
    /// for letter; others are refused, and so is a start of this node with another name. Give it to all nodes. Default: false; then a name belongs to the certificate that is
    /// first seen to use it.
    pub fn names_are_tls_names(self, demand: bool) -> Self {
        self.config(move |config| config.names_are_tls_names = demand)
    }

    /// Encrypts all connections, and lets both sides prove who they are. Default: without TLS.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// How long it may take to reach a peer: to resolve its host, connect, and secure the connection. Default: 3 s.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        self.config(move |config| config.exchange_timeouts.connect = timeout)
    }

    /// How long each step of an exchange may take: our packet goes out, and the peer's next one comes in whole. The first
    /// step of a peer that dialled includes its part of TLS. Default: 3 s.
    pub fn packet_timeout(self, timeout: Duration) -> Self {
        self.config(move |config| config.exchange_timeouts.packet = timeout)
    }

    /// How long an exchange may take in all, whoever opened it. Default: 10 s.
    pub fn exchange_timeout(self, timeout: Duration) -> Self {
        self.config(move |config| config.exchange_timeouts.whole = timeout)
    }

    /// How long the addresses of a peer's host name are used before it is resolved again. It is resolved again at once
    /// when an exchange by that name fails; while it does not resolve, the addresses known before are used. Default: 30 s.
    pub fn resolve_interval(mut self, interval: Duration) -> Self {
        self.resolve_interval = interval;
        self
    }

    /// How many events are kept for a slow subscriber before it loses the oldest. All subscribers share them.
    /// Default: 10,000.
    pub fn event_buffer(mut self, events: usize) -> Self {
        self.event_buffer = events;
        self
    }

    /// How long [`Cluster::leave`] goes on telling peers. Default: 5 s.
    pub fn leave_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.leave = timeout;
        self
    }

    /// How long [`Cluster::shutdown`] waits for open exchanges and for subscribers to read on. Default: 5 s.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.shutdown = timeout;
        self
    }

    /// Which of the live nodes [`Cluster::live_nodes_watch`] reports, decided by what they say of themselves: those
    /// whose key `ready` is `true`, for instance. It is called whenever a watch looks, and decides nothing else.
    pub fn liveness_predicate(mut self, live: impl Fn(&NodeId, &NodeState) -> bool + Send + Sync + 'static) -> Self {
        self.predicate = Some(Box::new(live));
        self
    }

    /// Writes all that the node is given to the file at `path`, from its start on, so that its run can be played again:
    /// see [`record`](tidings_core::record) and `tidings-sim replay`. Default: nothing is recorded.
    ///
    /// The file begins with the node's whole state and can be played by itself. When it is full, it becomes `path` with
    /// `.1` at its end, in place of the one before, and a new one begins; so does the one that an earlier run left at
    /// `path`. Both together take about `max_bytes`, 64 kB or more (and more than that only where the node's state takes
    /// a quarter of it). What happens is in the file within about 100 ms. A kill of the process loses what is not there yet, a
    /// loss of power also what the system has not written to the disk.
    ///
    /// **The file holds every key-value that the node gets to see, in the clear**, besides names and addresses; keys of
    /// certificates it never holds. On Unix it is made readable for its owner alone (mode 0600).
    ///
    /// An error while the node runs, as of a full disk, ends the recording and not the node: it is logged, and counted
    /// as [`record_errors`](crate::DriverStats::record_errors).
    #[cfg(feature = "record")]
    pub fn record(mut self, path: impl Into<std::path::PathBuf>, max_bytes: u64) -> Self {
        self.record = Some(record::Target { path: path.into(), max_bytes });
        self
    }

    /// Listens, and starts the node's task on the current runtime. TLS files are read here, and a recording
    /// is begun, and both are waited for.
    ///
    /// # Errors
    ///
    /// A setting is wrong, or the address cannot be listened on. Nothing is left running then.
    pub async fn start(self) -> Result<Cluster<R>, StartError> {
        self.check()?;
        let listen = parse("listen", &self.listen)?;
        let advertise = self.advertise.as_deref().map(|text| parse("advertise", text)).transpose()?;
        let seeds = self.seeds.iter().map(|text| parse("seed", text)).collect::<Result<Vec<_>, _>>()?;
        let generation = self.generation.map_or_else(generation_from_wall_clock, Ok)?;

        #[cfg(feature = "tls")]
        let tls = self.tls.map(|tls| Endpoint::new(tls, self.tls_name.clone())).transpose()?;
        #[cfg(not(feature = "tls"))]
        let tls: Option<Endpoint> = None;

        let (listener, local_addr) = bind::<R>(&listen).await?;
        let advertised = advertised_address(advertise.as_ref().unwrap_or(&listen), local_addr.port())?;
        let node_id = NodeId::with_tls_name(self.name, generation, advertised, self.tls_name);

        let mut config = Config::new(node_id.clone());
        config.seeds = seeds;
        for change in self.changes {
            change(&mut config);
        }
        config.node_id = node_id;

        let clock = Clock::start_now();
        let mut random = random_generator()?;
        let mut node = Node::new(config, clock.now(), &mut random)?;
        for (key, value) in self.key_values {
            if let Err(source) = node.set(clock.now(), &key, &value, Lifetime::Forever) {
                return Err(StartError::KeyValue { key, source });
            }
        }

        let mut node = record::machine(node);
        let record = self.record.map(|target| RecordFile::create(target, &mut node)).transpose()?;

        let own = own_addresses(local_addr, node.id().gossip_advertise_addr());
        let settings = SharedSettings {
            local_addr,
            names: Names::new(self.resolve_interval, own, random.next_u32() as usize),
            timeouts: self.timeouts,
            tls,
            predicate: self.predicate,
            event_buffer: self.event_buffer,
            recording: record.as_ref().map(RecordFile::recording),
        };
        let shared = Arc::new(Shared::new(node, clock, settings));
        if let Some(record) = record {
            record.write_in_background(&shared)?;
        }
        R::spawn(run::<R>(Arc::clone(&shared), listener).instrument(shared.span.clone()));
        Ok(Cluster::new(shared))
    }

    fn check(&self) -> Result<(), StartError> {
        let timeouts = [
            ("leave_timeout", self.timeouts.leave),
            ("shutdown_timeout", self.timeouts.shutdown),
            ("resolve_interval", self.resolve_interval),
        ];
        for (field, timeout) in timeouts {
            if timeout.is_zero() || timeout > LONGEST_TIMEOUT {
                let value = format!("{timeout:?}");
                return Err(StartError::Setting { field, value, allowed: "more than 0 s and at most one day" });
            }
        }
        if !(1..=LARGEST_EVENT_BUFFER).contains(&self.event_buffer) {
            let value = self.event_buffer.to_string();
            return Err(StartError::Setting { field: "event_buffer", value, allowed: "from 1 to 16777216 events" });
        }
        self.record.as_ref().map_or(Ok(()), record::Target::check)
    }
}

fn parse(field: &'static str, text: &str) -> Result<Address, StartError> {
    text.parse().map_err(|source| StartError::Address { field, source })
}

fn generation_from_wall_clock() -> Result<u64, StartError> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| StartError::Clock)?;
    // A u64 of nanoseconds lasts until the year 2554.
    Ok(u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX))
}

fn random_generator() -> Result<ChaCha8Rng, StartError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| StartError::Random(error.into()))?;
    Ok(ChaCha8Rng::from_seed(seed))
}

/// Listens on the first of the host's addresses that lets us.
async fn bind<R: Runtime>(address: &Address) -> Result<(R::Listener, SocketAddr), StartError> {
    let resolve_error = |source| StartError::Resolve { address: address.clone(), source };
    let candidates = R::resolve(address.host(), address.port()).await.map_err(resolve_error)?;
    let mut last = None;
    for candidate in candidates {
        let bound = R::bind(candidate).await.and_then(|listener| {
            let local_addr = R::local_addr(&listener)?;
            Ok((listener, local_addr))
        });
        match bound {
            Ok(bound) => return Ok(bound),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(source) => StartError::Listen { address: address.clone(), source },
        None => resolve_error(io::Error::new(io::ErrorKind::NotFound, "the host has no address")),
    })
}

/// What others dial: `address`, with the real port where it says 0.
fn advertised_address(address: &Address, listening_port: u16) -> Result<Address, StartError> {
    if address.host().parse().is_ok_and(|ip: IpAddr| ip.is_unspecified()) {
        return Err(StartError::AdvertiseUnspecified { address: address.clone() });
    }
    Ok(match address.port() {
        0 => Address::new(address.host(), listening_port),
        _ => address.clone(),
    })
}

/// What is known to lead to this node. There may be more, as when it listens on all interfaces; it finds out.
fn own_addresses(local_addr: SocketAddr, advertised: &Address) -> impl Iterator<Item = SocketAddr> {
    let listening = Some(local_addr).filter(|address| !address.ip().is_unspecified());
    let advertised = advertised.host().parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, advertised.port()));
    listening.into_iter().chain(advertised)
}

impl<R> fmt::Debug for Builder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("listen", &self.listen)
            .field("advertise", &self.advertise)
            .field("seeds", &self.seeds)
            .finish_non_exhaustive()
    }
}
