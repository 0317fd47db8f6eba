//! How an exchange's task learns that the core has ended the exchange.

use std::future;
use std::sync::OnceLock;

use tidings_core::Abort;

use crate::signal::Signal;

/// Raised once, when a deadline of the exchange passes.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    abort: OnceLock<Abort>,
    raised: Signal,
}

impl Cut {
    pub(crate) fn raise(&self, abort: Abort) {
        self.abort.get_or_init(|| abort);
        self.raised.raise();
    }

    /// What the core said, if it has ended the exchange.
    pub(crate) fn abort(&self) -> Option<&Abort> {
        self.abort.get()
    }

    /// Waits until the core ends the exchange.
    pub(crate) async fn wait(&self) -> &Abort {
        self.raised.wait().await;
        match self.abort() {
            Some(abort) => abort,
            None => future::pending().await,
        }
    }
}
