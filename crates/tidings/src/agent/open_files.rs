//! How many files this process may have open: each connection is one.

/// Raises the limit as far as the system lets an ordinary process. By default it is 1,024 on Linux, for the sake of old
/// programs, and event streams alone may be as many.
#[cfg(unix)]
pub(super) fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use tracing::{debug, warn};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => debug!(?current, ?maximum, "raised the limit on open files"),
        Err(error) => warn!(%error, ?current, "cannot raise the limit on open files; many connections may be too many"),
    }
}

#[cfg(not(unix))]
pub(super) fn raise_limit() {}
