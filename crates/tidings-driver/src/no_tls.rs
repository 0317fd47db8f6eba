//! Stands in for `tls` where that feature is off: there is never an endpoint, so that nothing of this is ever called.

use std::fmt;
use std::io;

use tidings_core::{PeerIdentity, Transmit};

use crate::connection::{Failure, Stream};

pub(crate) enum Endpoint {}

impl Endpoint {
    pub(crate) async fn connect<S>(&self, _: S, _: &Transmit) -> Result<(Stream, PeerIdentity), Failure> {
        match *self {}
    }

    pub(crate) async fn accept<S>(&self, _: S) -> Result<(Stream, PeerIdentity), (Failure, Option<Stream>)> {
        match *self {}
    }
}

#[derive(Debug)]
pub(crate) enum Refusal {}

impl Refusal {
    pub(crate) fn within(_: &io::Error) -> Option<Refusal> {
        None
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
