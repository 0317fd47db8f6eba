//! What this machine must have: Chromium, and the driver that belongs to it.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// A program that is needed: what names it outright, what it is usually called, and how to get it.
struct Tool {
    variable: &'static str,
    names: &'static [&'static str],
    package: &'static str,
}

const BROWSER: Tool = Tool {
    variable: "TIDINGS_CHROMIUM",
    names: &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    package: "chromium",
};
const DRIVER: Tool = Tool { variable: "TIDINGS_CHROMEDRIVER", names: &["chromedriver"], package: "chromium-driver" };

/// Where both are.
#[derive(Clone, Debug)]
pub(crate) struct Chromium {
    pub(crate) browser: PathBuf,
    pub(crate) driver: PathBuf,
}

impl Chromium {
    /// Fails with a list of what is missing and how to get it.
    pub(crate) fn find() -> Result<Chromium> {
        Chromium::find_with(|variable| env::var_os(variable).map(PathBuf::from), on_path)
    }

    fn find_with(
        named: impl Fn(&str) -> Option<PathBuf>,
        on_path: impl Fn(&str) -> Option<PathBuf>,
    ) -> Result<Chromium> {
        let find = |tool: &Tool| match named(tool.variable) {
            Some(path) if path.is_file() => Ok(path),
            Some(path) => Err(format!("{} is {}, where there is no file", tool.variable, path.display())),
            None => tool.names.iter().find_map(|name| on_path(name)).ok_or_else(|| {
                let Tool { variable, names, package } = tool;
                let names = names.join(" nor ");
                format!(
                    "neither {names} on the path: `apt-get install {package}` brings it; or name one with {variable}"
                )
            }),
        };
        match (find(&BROWSER), find(&DRIVER)) {
            (Ok(browser), Ok(driver)) => Ok(Chromium { browser, driver }),
            (browser, driver) => {
                let missing: Vec<String> = [browser.err(), driver.err()].into_iter().flatten().collect();
                bail!("this machine cannot open the page yet:\n  {}\nNo scenario was played.", missing.join("\n  "))
            }
        }
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|directory| directory.join(program)).find(|file| Path::is_file(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_named_with_the_way_out() {
        let error = Chromium::find_with(|_| None, |_| None).unwrap_err().to_string();
        for word in ["apt-get install chromium`", "apt-get install chromium-driver`", "TIDINGS_CHROMIUM", "No scenario"]
        {
            assert!(error.contains(word), "{word}: {error}");
        }
        let wrong = |variable: &str| (variable == "TIDINGS_CHROMEDRIVER").then(|| "/nowhere/driver".into());
        let error = Chromium::find_with(wrong, |name| Some(name.into())).unwrap_err().to_string();
        assert!(error.contains("TIDINGS_CHROMEDRIVER is /nowhere/driver") && !error.contains("apt-get"), "{error}");
    }

    #[test]
    fn the_first_name_that_is_there_is_taken() {
        let has = |name: &str| ["google-chrome", "chromedriver"].contains(&name).then(|| name.into());
        let found = Chromium::find_with(|_| None, has).unwrap();
        assert_eq!((found.browser, found.driver), ("google-chrome".into(), "chromedriver".into()));
    }
}
