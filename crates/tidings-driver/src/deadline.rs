//! A future with a deadline.

use std::future::Future;
use std::time::Instant;

use futures_lite::future;

use crate::runtime::Runtime;

/// What `work` gives, or `None` once `deadline` has passed. Work that is ready wins.
pub(crate) async fn by<R: Runtime, T>(deadline: Instant, work: impl Future<Output = T>) -> Option<T> {
    let late = async {
        R::sleep_until(deadline).await;
        None
    };
    future::or(async { Some(work.await) }, late).await
}
