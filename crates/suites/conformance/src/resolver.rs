//! A runtime whose resolver says what a scenario wants.

use std::collections::BTreeMap;
use std::future::{self, Future};
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tidings_driver::Runtime;

/// `R`, in whose world the names of a [`Zone`] are resolved as that says, port and all; other names as ever.
pub(crate) struct Named<R>(PhantomData<fn() -> R>);

/// A name of one scenario: names are shared by all that runs in a process.
pub(crate) struct Zone(pub(crate) &'static str);

#[derive(Clone)]
pub(crate) enum Answer {
    Addresses(Vec<SocketAddr>),
    Fails,
    NeverComes,
}

struct Record {
    answer: Answer,
    asked: usize,
}

static RECORDS: Mutex<BTreeMap<&str, Record>> = Mutex::new(BTreeMap::new());

fn records() -> MutexGuard<'static, BTreeMap<&'static str, Record>> {
    RECORDS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Zone {
    /// The name with a port, which its addresses bring along anyway.
    pub(crate) fn seed(&self) -> String {
        format!("{}:7000", self.0)
    }

    pub(crate) fn leads_to<const N: usize>(&self, addresses: [SocketAddr; N]) {
        self.answers(Answer::Addresses(addresses.to_vec()));
    }

    pub(crate) fn answers(&self, answer: Answer) {
        let mut records = records();
        let asked = records.get(self.0).map_or(0, |record| record.asked);
        records.insert(self.0, Record { answer, asked });
    }

    /// How often it was resolved.
    pub(crate) fn asked(&self) -> usize {
        records().get(self.0).map_or(0, |record| record.asked)
    }
}

impl<R: Runtime> Runtime for Named<R> {
    type Listener = R::Listener;
    type Stream = R::Stream;

    fn bind(address: SocketAddr) -> impl Future<Output = io::Result<Self::Listener>> + Send {
        R::bind(address)
    }

    fn local_addr(listener: &Self::Listener) -> io::Result<SocketAddr> {
        R::local_addr(listener)
    }

    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send {
        R::accept(listener)
    }

    fn connect(address: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send {
        R::connect(address)
    }

    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let answer = records().get_mut(host).map(|record| {
            record.asked += 1;
            record.answer.clone()
        });
        match answer {
            Some(Answer::Addresses(addresses)) => Ok(addresses),
            Some(Answer::Fails) => Err(io::Error::other("the resolver is out of order")),
            Some(Answer::NeverComes) => future::pending().await,
            None => R::resolve(host, port).await,
        }
    }

    fn sleep_until(deadline: Instant) -> impl Future<Output = ()> + Send {
        R::sleep_until(deadline)
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        R::spawn(task);
    }
}
