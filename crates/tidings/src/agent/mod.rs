//! `tidings agent`: one cluster member, with an HTTP API for programs on the same machine.

pub(crate) mod http;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tidings_tokio::{Address, Cluster, StartError};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FromEnvError, LevelFilter};

use self::http::ClusterApi;
use self::http::page::{self, PageNode};
use crate::cli::AgentArgs;
use crate::logfmt::Line;
use crate::stop::Stop;

/// How long requests that are being answered may hold up the exit.
const HTTP_GRACE: Duration = Duration::from_secs(1);

/// Runs the agent until a signal comes, and says goodbye to the cluster.
pub(crate) async fn run(args: AgentArgs) -> Result<ExitCode, AgentError> {
    log_to_stderr()?;
    let mut stop = Stop::listen().map_err(AgentError::Signals)?;
    // Before the cluster hears of this node, so that a taken port leaves no trace there.
    let listener = match args.http {
        Some(address) => Some(listen_http(address).await?),
        None => None,
    };
    let cluster = builder(&args).start().await.map_err(AgentError::Start)?;
    let leave = Arc::new(Notify::new());
    let api = ClusterApi::new(cluster.clone(), Some(Arc::clone(&leave)));
    let http = listener.map(|listener| Http::serve(listener, api.clone())).transpose()?;
    announce(&cluster, http.as_ref().map(|http| http.address))?;

    tokio::select! {
        () = stop.asked() => {}
        () = leave.notified() => info!("asked to leave over HTTP"),
    }
    api.set_leaving();
    info!("leaving; a second signal ends this at once");
    tokio::select! {
        report = cluster.leave() => {
            if report.gave_up {
                warn!(told = report.told, "not every peer could be told; they will take this node for dead");
            } else {
                info!(told = report.told, "left");
            }
        }
        () = stop.asked() => warn!("a second signal: leaving without a goodbye"),
    }
    if let Some(http) = http {
        http.stop().await;
    }
    Ok(ExitCode::SUCCESS)
}

fn builder(args: &AgentArgs) -> tidings_tokio::Builder {
    let mut builder = Cluster::builder(&args.name)
        .cluster_id(&args.cluster_id)
        .listen(args.listen.to_string())
        .seeds(args.seeds.iter().map(Address::to_string))
        .gossip_interval(args.gossip_interval)
        .key_values(args.key_values.iter().cloned());
    if let Some(advertise) = &args.advertise {
        builder = builder.advertise(advertise.to_string());
    }
    builder
}

fn log_to_stderr() -> Result<(), AgentError> {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env()
        .map_err(AgentError::LogFilter)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    Ok(())
}

/// One line for scripts: the node runs, and these are the real addresses.
fn announce(cluster: &Cluster, http: Option<SocketAddr>) -> Result<(), AgentError> {
    let id = cluster.id();
    let mut line = Line::new("ready")
        .field("name", id.name())
        .field("generation_id", id.generation_id())
        .field("address", id.gossip_advertise_addr())
        .field("listen", cluster.local_addr());
    if let Some(address) = http {
        line = line.field("http", address);
    }
    let mut out = io::stdout();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        // Nobody reads; that is no reason not to run.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(AgentError::Output),
    }
}

async fn listen_http(address: SocketAddr) -> Result<TcpListener, AgentError> {
    TcpListener::bind(address).await.map_err(|source| AgentError::Http { address, source })
}

/// The HTTP server's task.
struct Http {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Http {
    fn serve(listener: TcpListener, api: ClusterApi) -> Result<Http, AgentError> {
        let address = listener.local_addr().map_err(AgentError::Output)?;
        let (stop, stopped) = oneshot::channel();
        let page = PageNode { name: api.cluster.id().name().to_owned(), api: String::new() };
        let app = http::access::for_this_machine(http::router(api).merge(page::router(vec![page])));
        let server = axum::serve(listener, app).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        Ok(Http { address, stop, task: tokio::spawn(async { server.await }) })
    }

    async fn stop(mut self) {
        let _ = self.stop.send(());
        if tokio::time::timeout(HTTP_GRACE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

/// Why the agent did not run.
#[derive(Debug)]
pub(crate) enum AgentError {
    LogFilter(FromEnvError),
    Signals(io::Error),
    Http { address: SocketAddr, source: io::Error },
    Start(StartError),
    Output(io::Error),
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AgentError::LogFilter(error) => {
                write!(f, "RUST_LOG: {error}; write a level or targets, as in debug or tidings_driver=debug,info")
            }
            AgentError::Signals(error) => write!(f, "cannot listen for signals: {error}"),
            AgentError::Http { address, source } => {
                write!(
                    f,
                    "--http: cannot listen on {address} ({source}); choose a free port, or port 0 to be given one"
                )
            }
            AgentError::Start(error) => write!(f, "the node did not start: {error}"),
            AgentError::Output(error) => write!(f, "cannot write to the output: {error}"),
        }
    }
}

impl std::error::Error for AgentError {}
