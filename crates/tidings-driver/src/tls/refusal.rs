//! Why two nodes do not come together over TLS.

use std::fmt;
use std::io;

use rustls::{Error, InvalidMessage};

/// Why TLS ended an exchange: this node refuses the peer, or the peer refuses this node.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// rustls' word.
    Tls(Error),
    /// The connection ended within the handshake, without a word.
    Ended(io::Error),
    /// The peer showed no certificate, and rustls was not told to demand one.
    NoCertificate,
    /// rustls took the certificate, but its names cannot be read.
    UnreadableCertificate(String),
    /// What should stand in the certificate of the node to be dialled can stand in none.
    BadName(String),
}

impl Refusal {
    /// The refusal that rustls put into an error of its stream, if this is one.
    pub(crate) fn within(error: &io::Error) -> Option<Refusal> {
        error.get_ref()?.downcast_ref().map(|error: &Error| Refusal::Tls(error.clone()))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Tls(Error::AlertReceived(alert)) => {
                write!(f, "the peer refuses this node's certificate or handshake: {alert:?}")
            }
            Refusal::Tls(error @ Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
                write!(f, "the peer does not speak TLS; set it up on both sides or on neither ({error})")
            }
            Refusal::Tls(error) => error.fmt(f),
            Refusal::Ended(error) => {
                write!(f, "the connection ended within the handshake ({error}); the peer may not speak TLS")
            }
            Refusal::NoCertificate => f.write_str("the peer showed no certificate"),
            Refusal::UnreadableCertificate(error) => write!(f, "the names in its certificate cannot be read: {error}"),
            Refusal::BadName(name) => write!(
                f,
                "its certificate should be for {name:?}, which is neither a DNS name nor an IP address; correct the \
                 node's tls_name, or set default_server_name"
            ),
        }
    }
}
