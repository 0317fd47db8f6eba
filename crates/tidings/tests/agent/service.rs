//! What a service manager hears, and what a second signal does.

use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;

use crate::agent::Agent;
use crate::support::{DEADLINE, Running};

/// Stands for systemd.
struct Manager {
    socket: UnixDatagram,
    path: std::path::PathBuf,
}

impl Manager {
    fn new(name: &str) -> Manager {
        let path = std::env::temp_dir().join(format!("tidings-notify-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Manager { socket, path }
    }

    fn hears(&self) -> String {
        let mut message = [0; 1_024];
        let length = self.socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[test]
fn the_service_manager_hears_of_start_life_and_end() {
    let manager = Manager::new("life");
    let env = [("NOTIFY_SOCKET", manager.path.to_str().unwrap()), ("WATCHDOG_USEC", "200000")];
    let mut agent = Agent::start_with("one", &[], &env);
    let mut heard: Vec<String> = (0..5).map(|_| manager.hears()).collect();
    let ready = heard.iter().position(|message| message == "READY=1\n");
    assert!(ready.is_some_and(|ready| ready < 2), "{heard:?}");
    heard.retain(|message| message != "READY=1\n");
    assert_eq!(heard, ["WATCHDOG=1\n"; 4], "nothing else");
    agent.process.signal(Signal::TERM);
    while manager.hears() != "STOPPING=1\n" {}
    assert!(agent.process.wait().0.success());
}

#[test]
fn an_agent_that_does_not_start_is_not_ready() {
    let manager = Manager::new("taken");
    let taken = Agent::start("one", &[]);
    let args = ["agent", "--name", "two", "--listen", "127.0.0.1:0", "--http", &taken.http()];
    let mut second = Running::start_with(&args, &[("NOTIFY_SOCKET", manager.path.to_str().unwrap())]);
    assert!(!second.wait().0.success());
    manager.socket.set_nonblocking(true).unwrap();
    assert!(manager.socket.recv(&mut [0; 64]).is_err());
}

#[test]
fn a_second_signal_ends_it_without_a_goodbye() {
    let stays = Agent::start("stays", &[]);
    let mut goes = Agent::joining("goes", &stays, &["--leave-timeout", "10m"]);
    goes.waits_for("stays", "live");
    // Who should be told hangs.
    stays.process.signal(Signal::STOP);
    goes.process.signal(Signal::TERM);
    crate::support::eventually("its leaving", || (goes.call("GET", "/healthz", b"").status == 503).then_some(()));
    goes.process.signal(Signal::INT);
    assert!(goes.process.wait().0.success());
    stays.process.signal(Signal::CONT);
}
