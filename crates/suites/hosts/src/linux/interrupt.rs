//! The user's wish to stop. It is a flag that every wait looks at, so that all that was made is taken away on the way
//! out as after a failure.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static RAISED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// A sleep is cut into pieces no longer than this, to notice the wish.
const LONGEST_NAP: Duration = Duration::from_millis(50);

/// From here on Ctrl-C, SIGTERM and SIGHUP raise the flag instead of ending the process.
pub(crate) fn listen() -> Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&RAISED)).context("cannot listen for signals")?;
    }
    Ok(())
}

/// Whether the user wants to stop.
pub(crate) fn is_raised() -> bool {
    RAISED.load(Ordering::Relaxed)
}

/// Fails when the user wants to stop.
pub(crate) fn check() -> Result<()> {
    ensure!(!is_raised(), "stopped by a signal");
    Ok(())
}

/// Sleeps, and fails as soon as the user wants to stop.
pub(crate) fn sleep(time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    loop {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(LONGEST_NAP));
    }
}
