//! Waiting for what must come, with a deadline.

use std::future::Future;
use std::time::{Duration, Instant};

use futures_lite::future;
use tidings_driver::Runtime;

/// What must come comes long before this, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Waits until `holds` is true.
pub(crate) async fn until<R: Runtime>(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        R::sleep_until(Instant::now() + BETWEEN_LOOKS).await;
    }
}

/// What `future` gives in time. The deadline is looked at first: what is ready only because it was looked at again then
/// was never woken.
pub(crate) async fn soon<R: Runtime, T>(what: &str, future: impl Future<Output = T>) -> T {
    let late = async {
        R::sleep_until(Instant::now() + PATIENCE).await;
        None
    };
    future::or(late, async { Some(future.await) }).await.unwrap_or_else(|| panic!("not within {PATIENCE:?}: {what}"))
}
