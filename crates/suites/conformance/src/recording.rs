//! What a node is given is recorded, and played again it comes out the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidings_driver::core::record::{End, Input, ReadError, Recording, ReplayError, Replayed, replay};
use tidings_driver::core::{Lifetime, PeerIdentity};
use tidings_driver::{Cluster, Runtime, StartError};

use crate::certificates::Authority;
use crate::wait::{soon, until};
use crate::{node, sees, start, started, tls, value_at};

const NO_LIMIT: u64 = u64::MAX;

/// A folder for recordings; removed when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("tidings-recordings-{}-{count}", process::id()));
        fs::create_dir_all(&folder).expect("a folder for recordings");
        Folder(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.join("node.tidings")
    }

    fn former(&self) -> PathBuf {
        self.0.join("node.tidings.1")
    }

    fn read(&self) -> Vec<u8> {
        fs::read(self.path()).expect("the recording is there")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn played(bytes: &[u8]) -> Replayed {
    replay(bytes).unwrap_or_else(|error| panic!("{error}"))
}

/// The node that was played knows all that the real one knew when it stopped.
fn assert_same<R: Runtime>(replayed: &Replayed, real: &Cluster<R>) {
    let real = real.snapshot();
    for member in &real.members {
        let state = replayed.node.node_state(&member.id).map(|state| &**state);
        assert_eq!(state, Some(&*member.state), "{}", member.id);
    }
    let played = replayed.node.snapshot(tidings_driver::core::Instant::FAR_FUTURE);
    let facts = |snapshot: &tidings_driver::core::Snapshot| {
        let members = snapshot.members.iter().map(|member| (member.id.clone(), member.liveness, member.heartbeat));
        (snapshot.sequence, members.collect::<Vec<_>>())
    };
    assert_eq!(facts(&played), facts(&real));
}

/// A node that sees others join, change, leave and die, and does all of that itself.
pub async fn a_recorded_run_comes_out_the_same<R: Runtime>() {
    let folder = Folder::new();
    let first = start(node::<R>("first").key_value("early", "1").record(folder.path(), NO_LIMIT)).await;
    let seed = first.local_addr().to_string();
    let second = start(node::<R>("second").seed(&seed).key_value("colour", "red")).await;
    let third = start(node::<R>("third").seed(&seed)).await;
    let nodes = [&first, &second, &third];
    until::<R>("all see all", || nodes.iter().all(|a| nodes.iter().all(|b| sees(a, b)))).await;

    second.set("colour", "blue").expect("a short key");
    second.delete("colour").expect("a plain key");
    first.set_with("short", "lived", Lifetime::For(Duration::from_millis(200))).expect("a short key");
    first.set("tidings.reserved", "no").expect_err("a reserved key");
    first.set("long", &"x".repeat(30_000)).expect("a value that fits a packet");
    first.delete_after_ttl("early").expect("a plain key");
    assert!(first.republish() > 0);
    first.set_seeds(vec![]);
    until::<R>("the news is there", || value_at(&third, &first, "long").is_some() && first.get("short").is_none())
        .await;
    soon::<R, _>("the second leaves", second.leave()).await;
    until::<R>("it has left", || first.left_nodes().contains(second.id())).await;
    first.forget(third.id()).expect_err("a live node");
    first.forget(second.id()).expect("a node that has left");
    soon::<R, _>("the first leaves", first.leave()).await;

    let bytes = folder.read();
    let replayed = played(&bytes);
    assert!(replayed.node.node_state(second.id()).is_none());
    assert_eq!((replayed.end, replayed.unchecked), (End::Whole, 0));
    assert_same(&replayed, &first);
    let stats = first.stats();
    assert_eq!((stats.driver.recorded_bytes, stats.driver.record_errors), (bytes.len() as u64, 0), "{stats:?}");

    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 4;
    let Err(ReplayError::Unreadable(ReadError::Damaged { step, .. })) = replay(&flipped) else {
        panic!("a flipped bit is noticed");
    };
    assert!((1..replayed.steps).contains(&step), "{step} of {}", replayed.steps);
    let cut = played(&bytes[..bytes.len() / 2]);
    assert!(matches!(cut.end, End::CutOff { .. }) && (1..replayed.steps).contains(&cut.steps), "{cut:?}");
}

/// A recording of which the process does not live to see the end can be played as far as it goes.
pub async fn a_recording_is_on_disk_while_the_node_runs<R: Runtime>() {
    let folder = Folder::new();
    let first = start(node::<R>("first").record(folder.path(), NO_LIMIT)).await;
    let second = start(node::<R>("second").seed(first.local_addr().to_string())).await;
    until::<R>("both are alive", || sees(&first, &second) && sees(&second, &first)).await;
    until::<R>("so says the recording", || played(&folder.read()).node.live_nodes().contains(second.id())).await;
    drop(first);
    until::<R>("what the dropped node did last is there, too", || played(&folder.read()).end == End::Whole).await;
}

/// When the file is full it makes room for another, and each can be played by itself.
pub async fn a_full_recording_is_begun_anew<R: Runtime>() {
    const MAX_BYTES: u64 = 256 << 10;
    let folder = Folder::new();
    let first = start(node::<R>("first").record(folder.path(), MAX_BYTES)).await;
    let second = start(node::<R>("second").seed(first.local_addr().to_string())).await;
    until::<R>("both are alive", || sees(&first, &second) && sees(&second, &first)).await;
    let mut number = 0;
    until::<R>("enough is recorded", || {
        number += 1;
        first.set("large", &format!("{number}{}", "x".repeat(5_000))).expect("a value that fits a packet");
        first.stats().driver.recorded_bytes > 4 * MAX_BYTES
    })
    .await;
    soon::<R, _>("the first leaves", first.leave()).await;

    let (last, former) = (folder.read(), fs::read(folder.former()).expect("the former recording is there"));
    // The file may be past its half by what comes between two writes, a tenth of a second's.
    for (name, bytes) in [("last", &last), ("former", &former)] {
        assert!((bytes.len() as u64) < MAX_BYTES * 2, "{name} has {} bytes", bytes.len());
    }
    let former = played(&former);
    assert_eq!((former.end, former.unchecked), (End::Whole, 0));
    let begins = Recording::new(&last).expect("a checkpoint").start();
    assert_eq!(begins.node_state(first.id()), former.node.node_state(first.id()), "nothing is left out between");
    assert_same(&played(&last), &first);
    assert_eq!(fs::read_dir(&folder.0).expect("a folder").count(), 2, "no third file");
}

/// What an earlier run recorded is kept, and the file is its owner's alone.
pub async fn the_recording_of_an_earlier_run_is_kept<R: Runtime>() {
    let folder = Folder::new();
    for generation in [1, 2] {
        let builder = node::<R>("again").generation(generation).record(folder.path(), NO_LIMIT);
        let again = start(builder).await;
        until::<R>("a round", || again.stats().core.rounds > 0).await;
        soon::<R, _>("it stops", again.shutdown()).await;
    }
    let earlier = fs::read(folder.former()).expect("the earlier recording is there");
    let generations = [earlier, folder.read()].map(|bytes| played(&bytes).node.id().generation_id());
    assert_eq!(generations, [1, 2]);
    #[cfg(unix)]
    for path in [folder.path(), folder.former()] {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).expect("the recording is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// Names in certificates are recorded, since they decide what a peer may say; keys of certificates are not.
pub async fn names_of_peers_are_recorded_and_keys_are_not<R: Runtime>() {
    let folder = Folder::new();
    let authority = Authority::new("authority");
    let (builder, files) = tls::member::<R>("first", &authority);
    let first = start(builder.record(folder.path(), NO_LIMIT)).await;
    let (builder, _files) = tls::member::<R>("second", &authority);
    let second = start(builder.seed(first.local_addr().to_string())).await;
    until::<R>("both are alive", || sees(&first, &second) && sees(&second, &first)).await;
    soon::<R, _>("the first leaves", first.leave()).await;

    let bytes = folder.read();
    assert_same(&played(&bytes), &first);
    let mut recording = Recording::new(&bytes).expect("a checkpoint");
    let mut names = BTreeSet::new();
    while let Some(step) = recording.next_step().expect("a whole recording") {
        if let Input::Packet { peer, .. } = step.input {
            let PeerIdentity::Demanded(held) = &*peer else { panic!("{peer:?}") };
            names.insert(held.to_string());
        }
    }
    assert!(names.iter().all(|names| names.contains("second.example")) && !names.is_empty(), "{names:?}");
    let key = fs::read_to_string(files.path("key.pem")).expect("the key");
    let secret = key.lines().nth(1).expect("a line of base64");
    assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
}

/// When the disk takes no more, the recording ends, and the node goes on.
pub async fn a_recording_that_fails_leaves_the_node_running<R: Runtime>() {
    let folder = Folder::new();
    let first = start(node::<R>("first").record(folder.path(), 64 << 10)).await;
    let second = start(node::<R>("second").seed(first.local_addr().to_string())).await;
    until::<R>("both are alive", || sees(&first, &second) && sees(&second, &first)).await;
    fs::remove_dir_all(&folder.0).expect("the folder can be taken away");
    until::<R>("there is nowhere to go on", || {
        first.set("large", &format!("{:?}{}", first.get("large").is_some(), "x".repeat(9_000))).expect("it fits");
        first.delete("large").expect("a plain key");
        first.stats().driver.record_errors == 1
    })
    .await;
    let (recorded, rounds) = (first.stats().driver.recorded_bytes, first.stats().core.rounds);
    until::<R>("more rounds", || first.stats().core.rounds > rounds + 10).await;
    first.set("news", "1").expect("a short key");
    until::<R>("the news arrives", || value_at(&second, &first, "news").is_some()).await;
    assert_eq!(first.stats().driver.recorded_bytes, recorded);
    soon::<R, _>("it stops", first.shutdown()).await;
}

/// A recording that cannot be begun is an error at the start, and nothing runs.
pub async fn a_recording_that_can_not_be_begun_is_refused<R: Runtime>() {
    let folder = Folder::new();
    let nowhere = folder.0.join("no such folder").join("node.tidings");
    let error = node::<R>("first").record(&nowhere, NO_LIMIT).start().await.expect_err("there is no such folder");
    let message = error.to_string();
    let StartError::Record { path, .. } = error else { panic!("{message}") };
    assert!(
        path == nowhere && message.contains("no such folder") && message.contains("folder that is there"),
        "{message}"
    );

    let error = node::<R>("first").record(folder.path(), 65_535).start().await.expect_err("no room for a recording");
    assert!(
        matches!(error, StartError::Setting { field: "record", .. }) && error.to_string().contains("65535"),
        "{error}"
    );
    assert!(!folder.path().exists());

    // The system's own word where a folder is in the way; the node that fails to start leaves what is there.
    fs::create_dir(folder.former()).expect("a folder");
    fs::write(folder.former().join("kept"), "").expect("a file");
    fs::write(folder.path(), "kept").expect("a file");
    node::<R>("first").record(folder.path(), NO_LIMIT).start().await.expect_err("the former one cannot be replaced");
    assert_eq!(folder.read(), b"kept");
    soon::<R, _>("another can be started", started::<R>("second")).await;
}
