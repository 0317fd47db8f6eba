//! Why a node did not start.

use std::error::Error;
use std::fmt;
use std::io;

use tidings_core::{Address, ConfigError, ParseAddressError, SetError};

/// Why [`Builder::start`](crate::Builder::start) gave no [`Cluster`](crate::Cluster).
///
/// Nothing runs and no port is held after any of these; the builder's values can be corrected and started again.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A setting is no `host:port`.
    Address {
        /// The builder's setter.
        field: &'static str,
        /// The text, and what an address looks like.
        source: ParseAddressError,
    },
    /// The listening host has no address.
    Resolve {
        /// As given to `listen`.
        address: Address,
        /// The resolver's word.
        source: io::Error,
    },
    /// None of the listening host's addresses could be listened on.
    Listen {
        /// As given to `listen`.
        address: Address,
        /// The system's word on the last one tried.
        source: io::Error,
    },
    /// The address that others should dial is `0.0.0.0` or `::`, which is none; it stands in `advertise`, or in `listen`
    /// while `advertise` is not set.
    AdvertiseUnspecified {
        /// The address.
        address: Address,
    },
    /// The TLS settings are of no use.
    #[cfg(feature = "tls")]
    Tls(crate::TlsError),
    /// The core refuses its configuration.
    Config(ConfigError),
    /// The driver refuses a setting.
    Setting {
        /// The builder's setter.
        field: &'static str,
        /// The value it was given.
        value: String,
        /// What it takes.
        allowed: &'static str,
    },
    /// An initial key-value is refused.
    KeyValue {
        /// Its key.
        key: String,
        /// Why.
        source: SetError,
    },
    /// The wall clock shows a time before 1970, so that no generation can be taken from it.
    Clock,
    /// The recording can not be begun.
    #[cfg(feature = "record")]
    Record {
        /// Where it was to be.
        path: std::path::PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The system gave no random seed.
    Random(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Address { field, source } => write!(f, "{field}: {source}"),
            StartError::Resolve { address, source } => write!(
                f,
                "listen: no address found for {address} ({source}); name a host of this machine, as in 127.0.0.1:7001"
            ),
            StartError::Listen { address, source } => write!(
                f,
                "listen: cannot listen on {address} ({source}); choose an address of this machine and a free port, or \
                 port 0 to be given one"
            ),
            StartError::AdvertiseUnspecified { address } => write!(
                f,
                "advertise: {address} is no address that other nodes could dial; set advertise to one they can, as in \
                 node1.example:7001"
            ),
            #[cfg(feature = "tls")]
            StartError::Tls(error) => error.fmt(f),
            StartError::Config(error) => error.fmt(f),
            StartError::Setting { field, value, allowed } => write!(f, "{field}: {value} is not {allowed}"),
            StartError::KeyValue { key, source } => write!(f, "key_value: key {key:?}: {source}"),
            StartError::Clock => f.write_str(
                "generation: not set, and the wall clock shows a time before 1970; set the clock, or a generation \
                 higher than that of the node's last run",
            ),
            #[cfg(feature = "record")]
            StartError::Record { path, source } => write!(
                f,
                "record: cannot record to {} ({source}); name a file in a folder that is there, in which this process \
                 may make files",
                path.display()
            ),
            StartError::Random(error) => {
                write!(f, "the system gave no random seed ({error}); see that this process may use its random source")
            }
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StartError::Address { source, .. } => Some(source),
            StartError::Resolve { source, .. } | StartError::Listen { source, .. } => Some(source),
            #[cfg(feature = "tls")]
            StartError::Tls(error) => Some(error),
            StartError::Config(error) => Some(error),
            StartError::KeyValue { source, .. } => Some(source),
            #[cfg(feature = "record")]
            StartError::Record { source, .. } => Some(source),
            StartError::Random(error) => Some(error),
            StartError::AdvertiseUnspecified { .. } | StartError::Setting { .. } | StartError::Clock => None,
        }
    }
}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> StartError {
        StartError::Config(error)
    }
}

#[cfg(feature = "tls")]
impl From<crate::TlsError> for StartError {
    fn from(error: crate::TlsError) -> StartError {
        StartError::Tls(error)
    }
}
