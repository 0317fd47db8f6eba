//! A process of the binary, and what it writes.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long it may take to be ready.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A process that has said that it is ready. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    log: Arc<Mutex<Vec<String>>>,
    ready: String,
}

impl Running {
    /// Starts it and waits for the line of its output with `sign`, as in `event=ready`. An error, with the end of its
    /// log, if that does not come within ten seconds.
    pub fn start(command: &mut Command, sign: &str) -> Result<Running> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("{} did not start", command.get_program().display()))?;
        let lines = child.stdout.take().map(lines_of);
        let log = child.stderr.take().map(collected).unwrap_or_default();
        let lines = lines.context("the process has no output")?;
        let mut running = Running { child, lines, log, ready: String::new() };
        running.ready = running
            .line_with(sign, START_TIMEOUT)
            .with_context(|| format!("it is not ready; its log:\n{}", running.log().join("\n")))?;
        Ok(running)
    }

    /// The value of a field of the line that said ready, as in `name=one`; for values without spaces.
    pub fn field(&self, name: &str) -> Result<&str> {
        field_of(&self.ready, name).with_context(|| format!("no {name} in {:?}", self.ready))
    }

    /// Waits for the next line of its output that contains `sign`; those before it are gone. An error after `within`.
    pub fn line_with(&self, sign: &str, within: Duration) -> Result<String> {
        let end = Instant::now() + within;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) if line.split(' ').any(|word| word == sign) => return Ok(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => bail!("no line with {sign} within {within:?}"),
                Err(RecvTimeoutError::Disconnected) => bail!("it ended without a line with {sign}"),
            }
        }
    }

    /// The line that said ready.
    pub fn ready(&self) -> &str {
        &self.ready
    }

    /// The lines that it wrote to standard error so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The process itself, to signal it by its id.
    pub fn child(&self) -> &Child {
        &self.child
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot wait for the process")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn field_of<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
}

fn lines_of(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    // Reads on when nobody listens any more: a full pipe would stop the process.
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

fn collected(output: impl Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let log = Arc::<Mutex<Vec<String>>>::default();
    let written = Arc::clone(&log);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            written.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Running> {
        Running::start(Command::new("sh").args(["-c", script]), "event=ready")
    }

    #[test]
    fn a_field_is_read_from_the_line_that_says_ready() {
        let running = shell("echo starting; echo event=ready name=a generation_id=17; sleep 60").unwrap();
        assert_eq!((running.field("name").unwrap(), running.field("generation_id").unwrap()), ("a", "17"));
        assert!(running.field("id").is_err(), "a part of a name is another name");
    }

    #[test]
    fn one_that_ends_before_it_is_ready_is_an_error_with_its_log() {
        let error = format!("{:#}", shell("echo event=readying; echo broken >&2").unwrap_err());
        assert!(error.contains("it ended"), "{error}");
    }

    #[test]
    fn later_lines_are_waited_for() {
        let running = shell("echo event=ready; echo event=one; echo t=2 event=two n=2").unwrap();
        assert_eq!(running.line_with("event=two", START_TIMEOUT).unwrap(), "t=2 event=two n=2");
        assert!(running.line_with("event=two", START_TIMEOUT).is_err());
    }
}
