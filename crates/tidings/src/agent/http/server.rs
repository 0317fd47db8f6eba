//! The HTTP server: as many connections as it may have, and none that is kept waiting for ever.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tracing::warn;

use super::Problem;

/// The most headers of a request; one with more is answered with 431, and so is one whose headers are too long.
const MAX_HEADERS: usize = 64;
/// How much of a request's head is read, and of an answer is held for a caller who does not take it.
const BUFFER_BYTES: usize = 64 << 10;
/// How long requests that are being answered may hold up the end.
const GRACE: Duration = Duration::from_secs(1);
/// After the system failed to accept a connection, as when out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// How much a server bears.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Connections at once; further ones wait in the system's queue.
    pub(crate) max_connections: usize,
    /// For a whole request, and for the next one on a connection that is kept.
    pub(crate) read_timeout: Duration,
    /// For a caller to take something of an answer.
    pub(crate) write_timeout: Duration,
}

/// A running server. It ends when it is stopped or dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves `app` on the runtime.
    pub(crate) fn start(listener: TcpListener, app: Router, patience: Patience) -> io::Result<Server> {
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let app = app.layer(middleware::from_fn(move |request: Request, next: Next| async move {
            within(patience.read_timeout, next.run(request)).await
        }));
        Ok(Server { address, stop, task: tokio::spawn(serve(listener, app, patience, stopped)) })
    }

    /// Takes no further request; those under way have a second.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        // A panic in a handler is reported where it happens.
        let _ = self.task.await;
    }
}

/// An answer in time, or that there is none. A stream's answer is there when it begins.
async fn within(patience: Duration, answer: impl Future<Output = Response>) -> Response {
    timeout(patience, answer).await.unwrap_or_else(|_| {
        let detail = format!("the request was not whole within {patience:?}; send it faster");
        Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", detail).into_response()
    })
}

async fn serve(listener: TcpListener, app: Router, patience: Patience, mut stopped: oneshot::Receiver<()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(patience.read_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(BUFFER_BYTES);
    let places = Arc::new(Semaphore::new(patience.max_connections));
    let graceful = GracefulShutdown::new();
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let accepted = tokio::select! {
            // The place comes first: who finds none waits outside.
            accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (listener.accept().await, place)
            } => accepted,
            Some(_) = connections.join_next() => continue,
            _ = &mut stopped => break,
        };
        match accepted {
            (Ok((stream, _)), Ok(place)) => {
                // An event is short and should not wait for a second one.
                let _ = stream.set_nodelay(true);
                let stream = TokioIo::new(Impatient::new(stream, patience.write_timeout));
                let connection = http.serve_connection(stream, TowerToHyperService::new(app.clone()));
                let connection = graceful.watch(connection);
                connections.spawn(async move {
                    let _place = place;
                    // What breaks here is the caller's connection, and the caller knows.
                    let _ = connection.await;
                });
            }
            (Err(error), _) => {
                warn!(%error, "cannot accept an HTTP connection; trying again after a pause");
                sleep(PAUSE).await;
            }
            // Nobody closes the semaphore.
            (_, Err(_)) => break,
        }
    }
    drop(listener);
    let _ = timeout(GRACE, graceful.shutdown()).await;
    connections.shutdown().await;
}

/// A connection that breaks when the other side takes nothing for too long.
struct Impatient {
    stream: TcpStream,
    patience: Duration,
    deadline: Pin<Box<Sleep>>,
    waiting: bool,
}

impl Impatient {
    fn new(stream: TcpStream, patience: Duration) -> Impatient {
        Impatient { stream, patience, deadline: Box::pin(sleep(patience)), waiting: false }
    }

    fn in_time<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = false;
            return written;
        }
        if !self.waiting {
            self.waiting = true;
            self.deadline.as_mut().reset(Instant::now() + self.patience);
        }
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Impatient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Impatient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.in_time(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.in_time(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
