//! What an earlier run left behind because it was killed: it is taken away before the next one.

use std::fs;
use std::io::Write as _;
use std::process::id;

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process};

use crate::linux::namespace;

/// Ends the agents and removes the namespaces and files of runs that are over.
pub(crate) fn remove() -> Result<()> {
    let left = namespace::left_by(|owner| !is_running(owner));
    for name in &left {
        for process in namespace::processes(name)? {
            if let Some(process) = Pid::from_raw(process) {
                // It may have ended meanwhile.
                let _ = kill_process(process, Signal::KILL);
            }
        }
        namespace::remove(name)?;
    }
    if !left.is_empty() {
        writeln!(std::io::stdout(), "removed what a killed run left behind: {}\n", left.join(", "))?;
    }
    Ok(())
}

/// Whether `process` is another run that goes on. An id is given again after a while, so its name has to be ours too.
fn is_running(process: i32) -> bool {
    let name = |process: String| fs::read_to_string(format!("/proc/{process}/comm")).ok();
    let ours = name("self".to_owned());
    u32::try_from(process).is_ok_and(|process| process != id()) && ours.is_some() && name(process.to_string()) == ours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_of_another_name_is_no_run() {
        // Init, and an id beyond the highest that Linux gives.
        assert!(!is_running(1));
        assert!(!is_running(1 << 22));
    }
}
