//! Who is there: 6, 16, 17.

use std::time::Duration;

use tidings_core::{EventKind, Instant, Node, NodeId};

use crate::python_peer::{PythonPeer, address, events, ours, pass, value};

const START: Instant = Instant::from_secs(1);
/// How long a dead node is remembered here.
const MEMORY: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

fn forgetful(name: &str) -> Node {
    ours(name, |config| config.failure_detector.dead_node_grace_period = MEMORY)
}

fn knows(node: &Node, now: Instant, id: &NodeId) -> bool {
    node.snapshot(now).member(id).is_some()
}

/// Lets a Python node be heard for so many seconds.
fn beats(python: &mut PythonPeer, now: &mut Instant, node: &mut Node, seconds: u32) {
    for _ in 0..seconds {
        python.dials(*now, node);
        pass(now, node, SECOND);
    }
}

#[test]
fn defect_06_a_node_is_forgotten_whether_it_was_ever_sampled_or_not() {
    let mut now = START;
    let mut node = forgetful("node");
    let mut python = PythonPeer::new("py");
    let ghost = NodeId::new("ghost", 1, address("ghost"));
    python.replica(&ghost).heartbeat = 1;
    beats(&mut python, &mut now, &mut node, 5);
    assert!(node.live_nodes().contains(&python.id) && node.dead_nodes() == [ghost.clone()]);

    // Who was never seen beating goes after three times the longest interval, and the other with its grace period.
    pass(&mut now, &mut node, SECOND * 31);
    assert!(!knows(&node, now, &ghost) && knows(&node, now, &python.id));
    pass(&mut now, &mut node, MEMORY);
    assert_eq!(node.snapshot(now).members.len(), 1);
    let told = events(&mut node).into_iter().filter(|event| matches!(event, EventKind::NodeForgotten { .. }));
    let told: Vec<EventKind> = told.collect();
    assert_eq!(told, [EventKind::NodeForgotten { node: python.id }], "of the other nobody had heard");
}

/// The Python relay never forgets it (defect 6), and shows it for ever.
#[test]
fn defect_16_a_forgotten_node_does_not_come_back_from_an_older_peer() {
    let mut now = START;
    let mut node = forgetful("node");
    let (mut gone, mut relay) = (PythonPeer::new("gone"), PythonPeer::new("relay"));
    gone.set("key", "value");
    beats(&mut gone, &mut now, &mut node, 5);
    assert_eq!(value(&node, &gone.id, "key").as_deref(), Some("value"));
    relay.dials_python(&mut gone);
    pass(&mut now, &mut node, MEMORY * 2);
    assert!(!knows(&node, now, &gone.id));

    for _ in 0..10 {
        relay.dials(now, &mut node);
        relay.is_dialled_by(&mut now, &mut node);
        assert!(!knows(&node, now, &gone.id));
    }
    assert!(node.stats().forgotten_ignored >= 20, "{:?}", node.stats());
    // But for the first packet to the relay's address, before it has answered there: that tells of nobody.
    assert_eq!(node.stats().deltas_ignored, 1, "it is shown to the relay, which need not send it");

    // It has to beat to be there again.
    beats(&mut gone, &mut now, &mut node, 8);
    assert!(node.live_nodes().contains(&gone.id));
    assert_eq!(value(&node, &gone.id, "key").as_deref(), Some("value"));
}

#[test]
fn defect_17_a_later_run_counts_as_soon_as_it_answers_at_its_address() {
    let mut now = START;
    let mut node = ours("node", |_| ());
    let (mut former, mut later) = (PythonPeer::run("py", 5), PythonPeer::run("py", 6));
    beats(&mut former, &mut now, &mut node, 5);
    assert!(node.live_nodes().contains(&former.id));
    events(&mut node);
    later.dials(now, &mut node);
    assert!(node.live_nodes().contains(&former.id), "anybody may dial and say so");
    later.is_dialled_by(&mut now, &mut node);
    assert!(!node.live_nodes().contains(&former.id));
    let restarted = EventKind::NodeRestarted { old: former.id.clone(), new: later.id.clone() };
    assert_eq!(events(&mut node), [restarted]);
    beats(&mut later, &mut now, &mut node, 5);
    assert!(node.live_nodes().contains(&later.id) && node.dead_nodes().is_empty());
}

/// After a reboot its generation, a time since the boot, is lower.
#[test]
fn survives_defect_17_a_lower_generation_takes_over_when_only_it_is_heard() {
    let mut now = START;
    let mut node = ours("node", |_| ());
    let (mut former, mut rebooted) = (PythonPeer::run("py", 9_000_000_000), PythonPeer::run("py", 1_000));
    former.set("boot", "first");
    rebooted.set("boot", "second");
    beats(&mut former, &mut now, &mut node, 5);
    beats(&mut rebooted, &mut now, &mut node, 60);
    assert!(node.live_nodes().contains(&rebooted.id) && node.dead_nodes().is_empty());
    assert_eq!(value(&node, &rebooted.id, "boot").as_deref(), Some("second"));
    let conflicts = events(&mut node).into_iter().filter(|event| matches!(event, EventKind::NodeConflict { .. }));
    assert_eq!(conflicts.count(), 0, "the former one is silent");
}
