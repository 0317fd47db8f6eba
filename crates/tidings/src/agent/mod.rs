//! `tidings agent`: one cluster member for programs in any language, with an HTTP API and a page.

mod config;
mod error;
pub(crate) mod http;
mod log;
mod open_files;
mod reload;
mod service;
mod start;

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use tidings_tokio::Cluster;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

pub(crate) use self::config::AgentArgs;
use self::config::{ConfigError, HttpSettings, Loaded, TOKEN_ENV};
pub(crate) use self::config::{Settings, socket};
pub(crate) use self::error::AgentError;
use self::http::server::Server;
use self::http::{ClusterApi, Token};
use crate::logfmt::Line;
use crate::page::{self, PageNode};
use crate::stop::Stop;

/// The exit code for settings that are of no use, as for flags that are.
const USAGE: u8 = 2;

/// Runs the agent until it is told to stop, and says goodbye to the cluster.
pub(crate) async fn run(args: AgentArgs) -> Result<ExitCode, AgentError> {
    match run_with(&args).await {
        Err(error) if error.is_usage() => {
            eprintln!("tidings: {error}");
            Ok(ExitCode::from(USAGE))
        }
        result => result,
    }
}

async fn run_with(args: &AgentArgs) -> Result<ExitCode, AgentError> {
    let loaded = Loaded::from(args, |name| std::env::var(name).ok())?;
    let token_in_env = std::env::var(TOKEN_ENV).ok().filter(|token| !token.is_empty());
    if args.print_config {
        let text = config::print(&loaded, token_in_env.is_some());
        return write_out(&text).map(|()| ExitCode::SUCCESS);
    }
    let token = token(&loaded, token_in_env)?;
    loaded.check(token.is_some())?;
    let settings = &loaded.settings;
    log::start(&settings.log)?;
    for (variable, meant) in Loaded::slips(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())) {
        warn!("the variable {variable} is no setting and has no effect; did you mean {meant}?");
    }
    let mut stop = Stop::listen().map_err(AgentError::Signals)?;
    // Before the cluster hears of this node, so that a taken port leaves no trace there.
    let listener = match settings.http.listen {
        Some(address) => Some(listen_http(address).await?),
        None => None,
    };
    open_files::raise_limit();
    let cluster = start::start(&loaded).await?;
    let leave = Arc::new(Notify::new());
    let api = ClusterApi::new(cluster.clone(), settings.http.max_streams, Some(Arc::clone(&leave)));
    let http = listener.map(|listener| serve(listener, &api, token, &settings.http)).transpose()?;
    let mut beside = JoinSet::new();
    beside.spawn(service::keep_alive(api.clone()));
    if settings.tls.is_on() {
        beside.spawn(reload::on_hangup(cluster.clone()).map_err(AgentError::Signals)?);
    }
    announce(&cluster, http.as_ref().map(|http| http.address))?;
    service::ready();

    let mut live = cluster.live_nodes_watch();
    let ended_by_itself = async { while live.changed().await.is_some() {} };
    tokio::select! {
        () = stop.asked() => {}
        () = leave.notified() => info!("asked to leave over HTTP"),
        () = ended_by_itself => {
            error!("the gossip loop has ended; this is a defect, please report it with the log");
            return Ok(ExitCode::FAILURE);
        }
    }
    service::stopping();
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
    beside.shutdown().await;
    Ok(ExitCode::SUCCESS)
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
    write_out(&format!("{line}\n"))
}

fn write_out(text: &str) -> Result<(), AgentError> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Nobody reads; that is no reason not to run.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(AgentError::Output),
    }
}

/// The API's token: of flags, environment and file the first that has one, as with every setting.
fn token(loaded: &Loaded, in_env: Option<String>) -> Result<Option<Token>, ConfigError> {
    let file = loaded.settings.http.token_file.as_ref();
    match (file, in_env) {
        (Some(path), in_env) if in_env.is_none() || loaded.is_flag("http.token_file") => {
            let text = fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.clone(), source })?;
            let wrong = |advice| loaded.wrong("http.token_file", path.display().to_string(), advice);
            Token::new(&text).map(Some).map_err(wrong)
        }
        (_, Some(text)) => {
            let wrong = |advice| ConfigError::Value {
                origin: TOKEN_ENV.to_string(),
                name: "the token",
                value: "of no use".to_string(),
                advice,
            };
            Token::new(&text).map(Some).map_err(wrong)
        }
        _ => Ok(None),
    }
}

async fn listen_http(address: SocketAddr) -> Result<TcpListener, AgentError> {
    TcpListener::bind(address).await.map_err(|source| AgentError::Http { address, source })
}

fn serve(
    listener: TcpListener,
    api: &ClusterApi,
    token: Option<Token>,
    settings: &HttpSettings,
) -> Result<Server, AgentError> {
    let page = PageNode { name: api.cluster.id().name().to_owned(), api: String::new() };
    let app = http::router(api.clone()).merge(page::router(vec![page]));
    let app = match token {
        Some(token) => http::access::for_token_holders(app, token),
        None => http::access::for_this_machine(app),
    };
    Server::start(listener, app, settings.patience()).map_err(AgentError::Output)
}
