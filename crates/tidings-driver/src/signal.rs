//! A thing that happens once, and that any number of tasks can wait for.

use std::sync::atomic::{AtomicBool, Ordering};

use event_listener::Event;

/// Raised once, for good.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: AtomicBool,
    event: Event,
}

impl Signal {
    pub(crate) fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
        self.event.notify(usize::MAX);
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst)
    }

    pub(crate) async fn wait(&self) {
        while !self.is_raised() {
            let listener = self.event.listen();
            if self.is_raised() {
                return;
            }
            listener.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future;

    use super::*;

    #[test]
    fn waits_until_raised_and_never_again() {
        let signal = Signal::default();
        future::block_on(async {
            assert_eq!(future::poll_once(signal.wait()).await, None);
            let mut waiting = Box::pin(signal.wait());
            assert_eq!(future::poll_once(&mut waiting).await, None);
            signal.raise();
            waiting.await;
            signal.wait().await;
        });
    }
}
