//! Runs the real binary, and waits with deadlines.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Generous, since a shared machine may be slow; a test that passes never waits for it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

fn command(args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    // What the user of the tests has set is not for what they test.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDINGS_")) {
        command.env_remove(name);
    }
    command.env_remove("RUST_LOG").env_remove("NOTIFY_SOCKET").envs(env.iter().copied());
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end and gives the exit code and all output.
pub(crate) fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let mut running = Running::start(args);
    let (status, lines) = running.wait();
    (status.code(), lines.join("\n"), running.log())
}

/// A running `tidings`; killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: Receiver<String>,
    log: Option<thread::JoinHandle<String>>,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Running {
        Running::start_with(args, &[])
    }

    /// With these variables in its environment.
    pub(crate) fn start_with(args: &[&str], env: &[(&str, &str)]) -> Running {
        let mut child = command(args, env).spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut stderr = child.stderr.take().unwrap();
        let log = thread::spawn(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        Running { child, lines, log: Some(log) }
    }

    /// The next line on its output that `wanted` takes.
    pub(crate) fn line(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if wanted(&line) => return line,
                Ok(_) => (),
                Err(RecvTimeoutError::Timeout) => panic!("no {what} within {DEADLINE:?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the output ended without {what}: {}", self.log()),
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end by itself; gives the rest of its output too.
    pub(crate) fn wait(&mut self) -> (ExitStatus, Vec<String>) {
        let status = eventually("end of the process", || self.child.try_wait().unwrap());
        (status, self.lines.iter().collect())
    }

    /// Ends it and gives what it wrote to stderr.
    pub(crate) fn log(&mut self) -> String {
        let _ = self.child.kill();
        self.log.take().map(|log| log.join().unwrap()).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again until there is an answer.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "no {what} within {DEADLINE:?}");
        thread::sleep(BETWEEN_TRIES);
    }
}

/// A field of a line of `key=value` pairs whose values need no quotes.
pub(crate) fn field<'a>(line: &'a str, key: &str) -> &'a str {
    let found = line.split(' ').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {key} in {line:?}"))
}
