//! What the service manager is told (sd_notify): that the node runs, that it stops, and that it is alive. Where nobody
//! listens, as outside of systemd, nothing happens.

#[cfg(unix)]
use std::time::Duration;

#[cfg(unix)]
use sd_notify::NotifyState;
#[cfg(unix)]
use tracing::warn;

use super::http::ClusterApi;

/// The node runs.
pub(super) fn ready() {
    #[cfg(unix)]
    tell(&[NotifyState::Ready]);
}

/// The node is leaving.
pub(super) fn stopping() {
    #[cfg(unix)]
    tell(&[NotifyState::Stopping]);
}

/// Says twice in each of the watchdog's intervals that the node is alive, for as long as it is.
#[cfg(unix)]
pub(super) async fn keep_alive(api: ClusterApi) {
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval((interval / 2).max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        // Also when it is leaving: that has a deadline of its own.
        if api.is_alive() {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

#[cfg(not(unix))]
pub(super) async fn keep_alive(_: ClusterApi) {}

#[cfg(unix)]
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "the service manager at NOTIFY_SOCKET cannot be told");
    }
}
