//! Where a node is reached.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

/// Where a node accepts gossip: a host name or an IP address, and a TCP port.
///
/// Cheap to clone. The core never resolves `host`; that is the driver's part.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub struct Address {
    host: Arc<str>,
    port: u16,
}

impl Address {
    /// An address from a host (a DNS name, `10.0.0.7` or `fe80::1`, without brackets) and a port.
    #[must_use]
    pub fn new(host: impl AsRef<str>, port: u16) -> Address {
        Address { host: Arc::from(host.as_ref()), port }
    }

    /// The host name or IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

/// `host:port`, an IPv6 host in brackets.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<core::net::SocketAddr> for Address {
    fn from(addr: core::net::SocketAddr) -> Address {
        Address::new(alloc::format!("{}", addr.ip()), addr.port())
    }
}

/// Why a text is not an [`Address`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseAddressError {
    text: String,
}

impl fmt::Display for ParseAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not an address; write host:port with a port from 1 to 65535, as in \
             node1.example:7001, 10.0.0.7:7001 or [fe80::1]:7001",
            self.text
        )
    }
}

impl core::error::Error for ParseAddressError {}

/// Parses `host:port`; an IPv6 host stands in brackets. Port 0 is allowed (a driver lets the system choose).
impl core::str::FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Address, ParseAddressError> {
        let error = || ParseAddressError { text: text.into() };
        let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or_else(error)?,
            None if host.contains(':') => return Err(error()),
            None => host,
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(error());
        }
        Ok(Address::new(host, port.parse().map_err(|_| error())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn addresses_read_back_as_they_print() {
        for text in ["node1.example:7001", "10.0.0.7:0", "[fe80::1]:65535"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("[::1]:80".parse::<Address>().unwrap().host(), "::1");
    }

    #[test]
    fn what_is_not_an_address_is_named_with_the_way_out() {
        for text in ["", "host", ":7001", "host:", "host:65536", "fe80::1:7001", "[fe80::1:7001", "a b:1"] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(&alloc::format!("{text:?}")) && error.contains("host:port"), "{error}");
        }
    }
}
