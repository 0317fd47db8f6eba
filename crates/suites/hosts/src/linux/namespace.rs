//! A network namespace with a name, as `ip netns` makes them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, id};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::linux::tool;

/// All our namespaces begin so; then comes the id of the process that made them.
const PREFIX: &str = "tidings-hosts-";
/// Where `ip netns` keeps the namespaces.
const NAMESPACES: &str = "/var/run/netns";
/// Where `ip netns exec` finds files that stand in /etc for those of the machine.
const FILES: &str = "/etc/netns";

/// A network namespace. Dropping it removes it, with all interfaces in it.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes a namespace with a name that no other run and no other call gives.
    pub(crate) fn create(role: &str) -> Result<Namespace> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{PREFIX}{}-{}-{role}", id(), COUNT.fetch_add(1, Ordering::Relaxed));
        tool::run(tool::command("ip").args(["netns", "add", &name]), "")
            .context("cannot make a network namespace; in a container this takes CAP_SYS_ADMIN")?;
        Ok(Namespace { name })
    }

    /// Its name, for `ip`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Gives `ip` these commands, a line each, inside.
    pub(crate) fn ip(&self, commands: &str) -> Result<()> {
        tool::run(tool::command("ip").args(["-n", &self.name, "-batch", "-"]), commands).map(drop)
    }

    /// A call of `program` inside, with the files of [`write_file`](Namespace::write_file) in place.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = tool::command("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Writes a file that programs inside see as /etc/`file`. Those that run already see the change if they were
    /// started with an earlier content of it.
    pub(crate) fn write_file(&self, file: &str, content: &str) -> Result<()> {
        let directory = Path::new(FILES).join(&self.name);
        fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        let path = directory.join(file);
        // In place: a running program sees this very file, not what would take its name.
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Does `work` in a thread inside; sockets made there stay inside.
    pub(crate) fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let path = path(&self.name);
        let namespace = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .with_context(|| format!("cannot enter {}", path.display()))?;
                work()
            });
            inside.join().map_err(|_| anyhow!("the work inside {} panicked", self.name))?
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.name) {
            let _ = writeln!(std::io::stderr(), "warning: {} stays behind: {error:#}", self.name);
        }
    }
}

/// The names of all namespaces, and of all directories of files for one, that were made by a run of such a process.
pub(crate) fn left_by(is_wanted: impl Fn(i32) -> bool) -> Vec<String> {
    let entries = [NAMESPACES, FILES].into_iter().filter_map(|directory| fs::read_dir(directory).ok()).flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| owner(name).is_some_and(&is_wanted)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The process whose run made the namespace of this name, if it is one of ours.
fn owner(name: &str) -> Option<i32> {
    let (owner, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    owner.parse().ok()
}

/// The processes in the namespace of this name.
pub(crate) fn processes(name: &str) -> Result<Vec<i32>> {
    if !path(name).exists() {
        return Ok(Vec::new());
    }
    let listed = match tool::run(tool::command("ip").args(["netns", "pids", name]), "") {
        Err(_) if !path(name).exists() => return Ok(Vec::new()),
        listed => listed?,
    };
    listed.lines().map(|line| line.trim().parse().with_context(|| format!("{line:?} is no process id"))).collect()
}

/// Removes the namespace of this name and its files, where they are.
pub(crate) fn remove(name: &str) -> Result<()> {
    let files = Path::new(FILES).join(name);
    if files.exists() {
        match fs::remove_dir_all(&files) {
            Err(error) if files.exists() => {
                return Err(error).with_context(|| format!("cannot remove {}", files.display()));
            }
            _ => {}
        }
        // It was made with the first of our files, if it was not there before; others' files keep it.
        let _ = fs::remove_dir(FILES);
    }
    if !path(name).exists() {
        return Ok(());
    }
    match tool::run(tool::command("ip").args(["netns", "delete", name]), "") {
        // Another run may remove the same leftovers at the same time.
        Err(error) if path(name).exists() => Err(error),
        _ => Ok(()),
    }
}

fn path(name: &str) -> PathBuf {
    Path::new(NAMESPACES).join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_names_have_an_owner() {
        assert_eq!(owner("tidings-hosts-4711-0-host-1"), Some(4711));
        for other in ["", "blue", "tidings-hosts", "tidings-hosts-", "tidings-hosts-blue-1", "tidings-hosts-4711"] {
            assert_eq!(owner(other), None, "{other}");
        }
    }
}
