//! What this machine must have before hosts can be made on it.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Where the tools are when the path does not name administrators' directories.
const USUAL_DIRECTORIES: [&str; 2] = ["/usr/sbin", "/sbin"];

/// A program that is needed, and the package that has it.
struct Tool {
    program: &'static str,
    package: &'static str,
}

const TOOLS: [Tool; 2] = [Tool { program: "ip", package: "iproute2" }, Tool { program: "nft", package: "nftables" }];

/// Fails with a list of all that is missing and how to get it.
pub(crate) fn check() -> Result<()> {
    let is_root = rustix::process::geteuid().is_root();
    let missing = missing(is_root, |program| find(program).is_some());
    if missing.is_empty() {
        return Ok(());
    }
    bail!("this machine cannot make hosts yet:\n  {}\nNo scenario was played.", missing.join("\n  "));
}

fn missing(is_root: bool, has: impl Fn(&str) -> bool) -> Vec<String> {
    let mut missing = Vec::new();
    if !is_root {
        missing.push(
            "root: making network namespaces takes it; run this with sudo, or as root in a container with \
                      CAP_SYS_ADMIN and CAP_NET_ADMIN"
                .to_owned(),
        );
    }
    for Tool { program, package } in TOOLS {
        if !has(program) {
            missing.push(format!(
                "the program `{program}`: install {package}, as in `apt-get install {package}` or `dnf install {package}`"
            ));
        }
    }
    missing
}

/// Where `program` is.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(USUAL_DIRECTORIES.iter().map(PathBuf::from));
    directories.map(|directory| directory.join(program)).find(|file| Path::is_file(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_named_with_the_way_out() {
        assert!(missing(true, |_| true).is_empty());

        let missing = missing(false, |program| program == "ip");
        assert_eq!(missing.len(), 2, "{missing:?}");
        assert!(missing[0].contains("root") && missing[0].contains("sudo"));
        assert!(missing[1].contains("`nft`") && missing[1].contains("apt-get install nftables"));
    }

    #[test]
    fn a_program_is_found_by_its_name() {
        assert!(find("sh").is_some());
        assert_eq!(find("no-program-has-this-name"), None);
    }
}
