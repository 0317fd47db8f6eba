//! SIGHUP: the TLS files are read again. Without TLS it ends the process, as a closed terminal does.

use std::io;

use tidings_tokio::Cluster;

#[cfg(all(unix, feature = "tls"))]
pub(super) fn on_hangup(cluster: Cluster) -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    use tracing::{error, info};

    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            let cluster = cluster.clone();
            // It waits for files.
            match tokio::task::spawn_blocking(move || cluster.reload_tls()).await {
                Ok(Ok(())) => info!("the TLS files were read again; new connections use them"),
                Ok(Err(error)) => error!(%error, "the TLS files are of no use; the node goes on with what it had"),
                Err(error) => error!(%error, "the TLS files were not read"),
            }
        }
    })
}

#[cfg(not(all(unix, feature = "tls")))]
pub(super) fn on_hangup(_: Cluster) -> io::Result<impl Future<Output = ()>> {
    Ok(async {})
}
