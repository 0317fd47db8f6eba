//! Writes down what the node is given, so that its run can be played again.
//!
//! The node's inputs pass its [`Recorder`], behind the node's lock, which keeps them in a buffer. A thread of its own
//! takes them out a few times a second and writes them: a file is written by blocking calls on every runtime, and a slow
//! disk must hold up neither gossip nor the user's calls. What it can not write it tells of, and the node goes on.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use event_listener::{Event, Listener};
use tidings_core::Node;
use tidings_core::record::{Checkpoint, Recorder, Taken};
use tracing::{error, info, warn};

use crate::error::StartError;
use crate::shared::Shared;
use crate::signal::Signal;

/// The smallest `max_bytes` of [`Builder::record`](crate::Builder::record).
const MIN_MAX_BYTES: u64 = 64 << 10;
/// What is recorded is in the file after so long.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);
/// ... or when there is so much of it.
const FLUSH_BYTES: usize = 1 << 20;
/// What waits for a slow disk, at most. Past it there is a gap, and the recording begins anew.
const MAX_BUFFERED: usize = 16 << 20;

/// The node as the driver has it.
pub(crate) type Machine = Recorder;

pub(crate) fn machine(node: Node) -> Machine {
    Recorder::new(node)
}

/// What the node's tasks and the thread that writes tell each other.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    /// There is much to write, or the end has come.
    more: Event,
    ending: AtomicBool,
    ended: Signal,
}

impl Recording {
    /// Called after each input, with the node locked.
    pub(crate) fn notice(&self, node: &Machine) {
        if node.buffered().is_some_and(|bytes| bytes >= FLUSH_BYTES) {
            self.more.notify(1);
        }
    }

    /// Nothing that comes from now on has to be recorded.
    pub(crate) fn end(&self) {
        self.ending.store(true, Ordering::SeqCst);
        self.more.notify(usize::MAX);
    }

    /// Waits until all is written, or can not be.
    pub(crate) async fn ended(&self) {
        self.ended.wait().await;
    }

    /// Waits until it is time to write, and says whether it is for the last time.
    fn wait(&self) -> bool {
        let more = self.more.listen();
        if !self.ending.load(Ordering::SeqCst) {
            more.wait_timeout(FLUSH_INTERVAL);
        }
        self.ending.load(Ordering::SeqCst)
    }
}

/// Where a node is recorded.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    pub(crate) max_bytes: u64,
}

impl Target {
    /// Refuses what leaves no room for a recording.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        if self.max_bytes >= MIN_MAX_BYTES {
            return Ok(());
        }
        let value = format!("max_bytes of {}", self.max_bytes);
        Err(StartError::Setting { field: "record", value, allowed: "65536 bytes or more" })
    }
}

/// A recording's file. When it is full, and where another one is there at the start, that one is kept beside it.
#[derive(Debug)]
pub(crate) struct RecordFile {
    target: Target,
    file: File,
    checkpoint_len: u64,
    steps_len: u64,
}

impl RecordFile {
    /// Begins to record the node.
    pub(crate) fn create(target: Target, node: &mut Machine) -> Result<RecordFile, StartError> {
        let checkpoint = node.begin(MAX_BUFFERED);
        let path = target.path.clone();
        RecordFile::begin(target, &checkpoint).map_err(|source| StartError::Record { path, source })
    }

    pub(crate) fn recording(&self) -> Recording {
        Recording::default()
    }

    fn begin(target: Target, checkpoint: &Checkpoint) -> io::Result<RecordFile> {
        let state_too_large = || io::Error::other("the node's state takes more than 4 GiB");
        let checkpoint = checkpoint.encode().ok_or_else(state_too_large)?;
        match fs::rename(&target.path, former(&target.path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = create(&target.path)?;
        file.write_all(&checkpoint)?;
        Ok(RecordFile { target, file, checkpoint_len: checkpoint.len() as u64, steps_len: 0 })
    }

    fn append(&mut self, steps: &[u8]) -> io::Result<()> {
        self.file.write_all(steps)?;
        self.steps_len += steps.len() as u64;
        Ok(())
    }

    /// Half of all that may be there, since the former file stays. A checkpoint may be longer than that; so that not
    /// everything is written twice and more, it is followed by steps of at least its own length.
    fn is_full(&self) -> bool {
        self.checkpoint_len + self.steps_len >= self.target.max_bytes / 2 && self.steps_len >= self.checkpoint_len
    }

    /// Writes from a thread of its own from now on, until the recording ends.
    pub(crate) fn write_in_background(self, shared: &Arc<Shared>) -> Result<(), StartError> {
        let path = self.target.path.clone();
        let shared = Arc::clone(shared);
        let run = move || {
            if let Some(recording) = &shared.recording {
                let _span = shared.span.enter();
                self.run(&shared, recording);
                recording.ended.raise();
            }
        };
        let spawned = thread::Builder::new().name("tidings-record".into()).spawn(run);
        spawned.map(drop).map_err(|source| StartError::Record { path, source })
    }

    fn run(mut self, shared: &Shared, recording: &Recording) {
        info!(path = %self.target.path.display(), "recording");
        shared.counters.recorded_bytes.add(self.checkpoint_len);
        loop {
            let is_last = recording.wait();
            if let Err(error) = self.write(shared) {
                shared.recorder(Recorder::stop);
                shared.counters.record_errors.increment();
                error!(path = %self.target.path.display(), %error, "recording has stopped; the node goes on");
                return;
            }
            if is_last {
                shared.recorder(Recorder::stop);
                return;
            }
        }
    }

    /// Writes what there is.
    fn write(&mut self, shared: &Shared) -> io::Result<()> {
        let is_full = self.is_full();
        // The node is locked for the copies of a buffer and, seldom, of its tables; not for encoding, nor for the disk.
        let (Taken { bytes, has_gap }, checkpoint) = shared.recorder(|node| {
            let taken = node.take();
            let checkpoint = (is_full || taken.has_gap).then(|| node.begin(MAX_BUFFERED));
            (taken, checkpoint)
        });
        self.append(&bytes)?;
        shared.counters.recorded_bytes.add(bytes.len() as u64);
        if has_gap {
            shared.counters.record_gaps.increment();
            warn!(path = %self.target.path.display(), "the disk is too slow for the recording, which begins anew");
        }
        if let Some(checkpoint) = checkpoint {
            let target = self.target.clone();
            *self = RecordFile::begin(target, &checkpoint)?;
            shared.counters.recorded_bytes.add(self.checkpoint_len);
        }
        Ok(())
    }
}

/// Where the recording before this one is kept.
fn former(path: &Path) -> PathBuf {
    let mut former = OsString::from(path);
    former.push(".1");
    former.into()
}

/// A new file, for its owner's eyes alone: it holds all key-values.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::process;

    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use tidings_core::record::{End, replay};
    use tidings_core::{Address, Config, Instant, Lifetime, NodeId};

    use super::*;
    use crate::clock::Clock;
    use crate::names::Names;
    use crate::shared::{SharedSettings, Timeouts};

    fn shared(node: Machine, recording: Recording) -> Shared {
        let second = Duration::from_secs(1);
        let timeouts = Timeouts { leave: second, shutdown: second };
        let settings = SharedSettings {
            local_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            names: Names::new(second, [], 0),
            timeouts,
            tls: None,
            predicate: None,
            event_buffer: 1,
            recording: Some(recording),
        };
        Shared::new(node, Clock::start_now(), settings)
    }

    #[test]
    fn a_disk_that_is_too_slow_leaves_a_gap_and_a_new_beginning() {
        let folder = env::temp_dir().join(format!("tidings-record-gap-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let target = Target { path: folder.join("slow"), max_bytes: u64::MAX };
        let config = Config::new(NodeId::new("a", 1, Address::new("127.0.0.1", 1)));
        let mut node = machine(Node::new(config, Instant::ZERO, &mut ChaCha8Rng::seed_from_u64(1)).unwrap());
        let mut file = RecordFile::create(target.clone(), &mut node).unwrap();
        let shared = shared(node, file.recording());

        // Nothing is written meanwhile. Each change is recorded as an input and as an event.
        let value = |number: usize| format!("{number}{}", "x".repeat(60_000));
        let mut buffered = 0;
        for number in 0..MAX_BUFFERED / 60_000 {
            shared.with_node(|node, now| node.set(now, "key", &value(number), Lifetime::Forever)).unwrap();
            buffered = shared.recorder(|node| node.buffered().unwrap());
        }
        assert!((MAX_BUFFERED..MAX_BUFFERED + 300_000).contains(&buffered), "{buffered}");
        file.write(&shared).unwrap();
        assert_eq!(shared.counters.record_gaps.get(), 1);
        shared.with_node(|node, now| node.set(now, "key", "after", Lifetime::Forever)).unwrap();
        file.write(&shared).unwrap();
        assert_eq!(shared.counters.record_gaps.get(), 1);

        let [before, after] = [former(&target.path), target.path].map(|path| replay(&fs::read(path).unwrap()).unwrap());
        let last = usize::try_from(before.steps).unwrap() - 1;
        assert_eq!(before.node.get("key").as_deref(), Some(&*value(last)), "up to the gap");
        assert_eq!((after.node.get("key").as_deref(), after.steps, after.end), (Some("after"), 1, End::Whole));
        fs::remove_dir_all(folder).unwrap();
    }
}
