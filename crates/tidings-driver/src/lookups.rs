//! Host names being looked up: a few at once.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use event_listener::Event;
use tidings_core::Address;

use crate::runtime::Runtime;
use crate::signal::Signal;

/// So many at once. A system's resolver takes a thread for each, and goes on when nobody waits for it any more.
const MOST_AT_ONCE: usize = 8;

/// The look-ups that run now. Each counts until the resolver is done with it, however soon its dial gives up: names that a
/// stranger invented would else fill the machine with threads.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    running: AtomicUsize,
    ended: Event,
}

impl Lookups {
    /// What `to` stands for, once there is room to look it up.
    pub(crate) async fn resolve<R: Runtime>(self: &Arc<Self>, to: &Address) -> io::Result<Vec<SocketAddr>> {
        let place = self.place().await;
        let answer = Arc::new(Answer::default());
        let (to, answered) = (to.clone(), Arc::clone(&answer));
        R::spawn(async move {
            let _place = place;
            let resolved = R::resolve(to.host(), to.port()).await;
            *answered.resolved.lock().unwrap_or_else(PoisonError::into_inner) = Some(resolved);
            answered.is_there.raise();
        });
        answer.is_there.wait().await;
        let resolved = answer.resolved.lock().unwrap_or_else(PoisonError::into_inner).take();
        resolved.unwrap_or_else(|| Err(io::ErrorKind::Interrupted.into()))
    }

    async fn place(self: &Arc<Self>) -> Place {
        loop {
            let ended = self.ended.listen();
            let taken = self.running.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |running| {
                (running < MOST_AT_ONCE).then_some(running + 1)
            });
            if taken.is_ok() {
                return Place(Arc::clone(self));
            }
            ended.await;
        }
    }
}

#[derive(Debug, Default)]
struct Answer {
    resolved: Mutex<Option<io::Result<Vec<SocketAddr>>>>,
    is_there: Signal,
}

/// One look-up's place; free when it is dropped.
struct Place(Arc<Lookups>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.ended.notify(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};

    #[test]
    fn a_ninth_look_up_waits_until_one_of_eight_is_over() {
        let lookups = Arc::new(Lookups::default());
        let mut places: Vec<_> = (0..MOST_AT_ONCE).map(|_| block_on(lookups.place())).collect();
        let mut ninth = Box::pin(lookups.place());
        assert!(block_on(poll_once(&mut ninth)).is_none());
        places.pop();
        assert!(block_on(poll_once(&mut ninth)).is_some());
    }
}
