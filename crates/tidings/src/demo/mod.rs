//! `tidings demo`: a cluster forms, loses a node and takes it back, before the user's eyes.

mod detector;
mod nodes;
mod note;
mod output;
mod plain;
mod screen;
mod script;
mod table;
mod tally;
mod view;
mod web;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tidings_tokio::{StartError, Subscription};
use tokio::net::TcpListener;
use tokio::time::MissedTickBehavior;

use self::nodes::{CLUSTER_ID, Nodes};
use self::note::Note;
use self::output::Output;
use self::script::{Action, Script};
use self::table::Heading;
use self::tally::{Summary, Tally};
use self::web::Web;
use crate::cli::DemoArgs;
use crate::logfmt::Line;
use crate::stop::Stop;

/// Between two looks at the cluster, and two frames on the screen.
const TICK: Duration = Duration::from_millis(100);

/// Runs the demo to its end. The exit code tells whether the cluster formed.
pub(crate) async fn run(args: DemoArgs) -> Result<ExitCode, DemoError> {
    let mut stop = Stop::listen().map_err(DemoError::Signals)?;
    let start = Instant::now();
    let listener = match args.http {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let mut nodes = Nodes::start(args.nodes.into(), args.gossip_interval).await.map_err(DemoError::Start)?;
    let web = listener.map(|listener| Web::serve(listener, &nodes.running().collect::<Vec<_>>())).transpose()?;
    let shown = show(&args, start, &mut nodes, web.as_ref(), &mut stop).await;
    if let Some(web) = web {
        web.stop().await;
    }
    nodes.shutdown().await;
    match shown {
        Ok(summary) if summary.formed_after.is_some() => Ok(ExitCode::SUCCESS),
        Ok(summary) => Err(DemoError::NotFormed { after: summary.elapsed }),
        // Whoever read the lines has read enough.
        Err(DemoError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, DemoError> {
    TcpListener::bind(address).await.map_err(|source| DemoError::Http { address, source })
}

async fn show(
    args: &DemoArgs,
    start: Instant,
    nodes: &mut Nodes,
    web: Option<&Web>,
    stop: &mut Stop,
) -> Result<Summary, DemoError> {
    let mut events = nodes.subscribe();
    let mut script = Script::new(args.nodes.into(), args.run_for);
    let mut tally = Tally::new(args.nodes.into());
    let mut output = Output::open(args.plain, heading(args, nodes, web))?;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stopped = tokio::select! {
            _ = ticks.tick() => false,
            () = stop.asked() => true,
        };
        let view = nodes.view(start.elapsed());
        for note in noticed(&mut events, view.elapsed) {
            output.note(note)?;
        }
        if tally.observe(&view) {
            output.note(formed(args.nodes, view.elapsed))?;
        }
        if stopped || args.run_for.is_some_and(|end| view.elapsed >= end) {
            let summary = tally.summary(&view, nodes.have_converged());
            output.close(&view, &summary)?;
            return Ok(summary);
        }
        if let Some(action) = script.next(&view)
            && let Some(note) = act(nodes, web, action, view.elapsed).await?
        {
            output.note(note)?;
        }
        output.view(&view)?;
    }
}

fn heading(args: &DemoArgs, nodes: &Nodes, web: Option<&Web>) -> Heading {
    Heading {
        cluster_id: CLUSTER_ID.to_string(),
        gossip_interval: args.gossip_interval,
        run_for: args.run_for,
        detector: detector::describe(args.gossip_interval),
        seed: nodes.seed().to_string(),
        page: web.map(Web::url),
    }
}

/// What node 0 noticed since the last look.
fn noticed(events: &mut Subscription, now: Duration) -> Vec<Note> {
    let mut notes = Vec::new();
    while let Some(event) = events.try_next() {
        notes.push(match event {
            Ok(event) => Note::of_event(now, &event.kind),
            Err(lagged) => Note::new(now, Line::new("lagged").field("lost", lagged.0), lagged.to_string()),
        });
    }
    notes
}

fn formed(nodes: u16, now: Duration) -> Note {
    Note::new(
        now,
        Line::new("formed").field("nodes", nodes),
        format!("each of the {nodes} nodes sees all {nodes} live"),
    )
}

/// Does it; the note tells of it where node 0 will not notice at once.
async fn act(nodes: &mut Nodes, web: Option<&Web>, action: Action, now: Duration) -> Result<Option<Note>, DemoError> {
    match action {
        Action::Write { node, number } => {
            nodes.write(node, number).map_err(DemoError::Write)?;
            Ok(None)
        }
        Action::Kill { node } => {
            if let Some(web) = web {
                web.shut(node);
            }
            Ok(nodes.kill(node).map(|name| {
                Note::new(now, Line::new("kill").field("node", name), format!("the demo kills {name}: it falls silent"))
            }))
        }
        Action::Revive { node } => Ok(nodes.revive(node).await.map_err(DemoError::Start)?.map(|cluster| {
            if let Some(web) = web {
                web.open(node, cluster);
            }
            let id = cluster.id();
            let line = Line::new("revive").field("node", id.name()).field("generation_id", id.generation_id());
            Note::new(now, line, format!("the demo starts {} again, as a new generation", id.name()))
        })),
    }
}

/// Why the demo ended early, or in vain.
#[derive(Debug)]
pub(crate) enum DemoError {
    Signals(io::Error),
    Start(StartError),
    Http { address: SocketAddr, source: io::Error },
    Write(tidings_tokio::SetError),
    Output(io::Error),
    NotFormed { after: Duration },
}

impl From<io::Error> for DemoError {
    fn from(error: io::Error) -> DemoError {
        DemoError::Output(error)
    }
}

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DemoError::Signals(error) => write!(f, "cannot listen for Ctrl-C: {error}"),
            DemoError::Start(error) => write!(f, "a node did not start: {error}"),
            DemoError::Http { address, source } => {
                write!(
                    f,
                    "--http: cannot listen on {address} ({source}); choose a free port, or port 0 to be given one"
                )
            }
            DemoError::Write(error) => write!(f, "a node refused a write: {error}"),
            DemoError::Output(error) => write!(f, "cannot write to the output: {error}"),
            DemoError::NotFormed { after } => write!(
                f,
                "the cluster had not formed after {:.1}s; give it longer with --for, or fewer --nodes",
                after.as_secs_f64()
            ),
        }
    }
}

impl std::error::Error for DemoError {}
