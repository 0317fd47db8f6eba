//! The agent's settings, as they are used.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tidings_tokio::{Address, Config, NodeId};

use crate::agent::http::server::Patience;

/// Everything that an agent can be told.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) listen: Address,
    pub(crate) advertise: Option<Address>,
    pub(crate) generation: Option<u64>,
    pub(crate) seeds: Vec<Address>,
    pub(crate) key_values: Vec<(String, String)>,
    /// The protocol's; of its `node_id` and `seeds` nothing is used.
    pub(crate) protocol: Config,
    pub(crate) resolve_interval: Duration,
    pub(crate) leave_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) event_buffer: usize,
    pub(crate) tls: TlsSettings,
    pub(crate) http: HttpSettings,
    pub(crate) log: LogSettings,
}

/// TLS between the nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsSettings {
    pub(crate) certificates: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) authorities: Option<PathBuf>,
    pub(crate) name: Option<String>,
    pub(crate) default_server_name: Option<String>,
    pub(crate) server_only: bool,
}

impl TlsSettings {
    /// Whether connections are to be encrypted.
    pub(crate) fn is_on(&self) -> bool {
        self.certificates.is_some()
    }
}

/// The API.
#[derive(Clone, Debug)]
pub(crate) struct HttpSettings {
    /// `None`: no API.
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) max_connections: usize,
    pub(crate) max_streams: usize,
    pub(crate) read_timeout: Duration,
    pub(crate) write_timeout: Duration,
}

impl HttpSettings {
    pub(crate) const fn patience(&self) -> Patience {
        let HttpSettings { max_connections, read_timeout, write_timeout, .. } = *self;
        Patience { max_connections, read_timeout, write_timeout }
    }
}

/// What is written to stderr.
#[derive(Clone, Debug)]
pub(crate) struct LogSettings {
    pub(crate) format: LogFormat,
    pub(crate) filter: String,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        })
    }
}

impl Default for Settings {
    fn default() -> Settings {
        let listen = Address::new("127.0.0.1", 7000);
        let second = Duration::from_secs(1);
        Settings {
            name: String::new(),
            advertise: None,
            generation: None,
            seeds: Vec::new(),
            key_values: Vec::new(),
            protocol: Config::new(NodeId::new("", 0, listen.clone())),
            listen,
            resolve_interval: 30 * second,
            leave_timeout: 5 * second,
            shutdown_timeout: 5 * second,
            event_buffer: 10_000,
            tls: TlsSettings::default(),
            http: HttpSettings {
                listen: None,
                token_file: None,
                max_connections: 2_048,
                max_streams: 1_024,
                read_timeout: 30 * second,
                write_timeout: 30 * second,
            },
            log: LogSettings { format: LogFormat::Text, filter: "info".to_string() },
        }
    }
}
