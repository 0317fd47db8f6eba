//! The WebDriver protocol, as far as it is needed: JSON over HTTP (W3C WebDriver, and the driver's way to DevTools).

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tidings_program::Running;

use crate::agent::call;
use crate::requirements::Chromium;

/// How long one command may take, a browser's start included.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);
/// The name of an element's reference, fixed by the standard.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The running driver.
pub(crate) struct Driver {
    url: String,
    program: String,
    _process: Running,
}

impl Driver {
    pub(crate) fn start(chromium: &Chromium) -> Result<Driver> {
        let process = Running::start(Command::new(&chromium.driver).arg("--port=0"), "successfully")
            .with_context(|| format!("{} does not run", chromium.driver.display()))?;
        let port = process.ready().rsplit(' ').next().map(|word| word.trim_end_matches('.'));
        let url = format!("http://127.0.0.1:{}", port.context("the driver tells no port")?);
        Ok(Driver { url, program: chromium.browser.display().to_string(), _process: process })
    }

    /// A browser of its own, with an empty profile and these arguments more.
    pub(crate) fn session(&self, arguments: &[String]) -> Result<Session> {
        const USUAL: [&str; 9] = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-sync",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-dev-shm-usage",
        ];
        let arguments: Vec<&str> = USUAL.into_iter().chain(arguments.iter().map(String::as_str)).collect();
        let options = json!({"goog:chromeOptions": {"binary": self.program, "args": arguments}});
        let url = format!("{}/session", self.url);
        let started = command("POST", &url, &json!({"capabilities": {"alwaysMatch": options}}));
        let started = started.context("Chromium does not start")?;
        let id = started["sessionId"].as_str().context("the driver tells no session")?;
        Ok(Session { url: format!("{url}/{id}") })
    }
}

/// A running browser. Dropping it ends it.
pub(crate) struct Session {
    url: String,
}

impl Session {
    pub(crate) fn go(&self, url: &str) -> Result<()> {
        self.post("url", &json!({"url": url})).map(drop)
    }

    /// Runs the body of a function in the page, and gives what it returns.
    pub(crate) fn execute(&self, script: &str) -> Result<Value> {
        self.post("execute/sync", &json!({"script": script, "args": []}))
    }

    /// Clicks the middle of the first element that this selector names, if nothing covers it.
    pub(crate) fn click(&self, selector: &str) -> Result<()> {
        let found = self.post("element", &json!({"using": "css selector", "value": selector}))?;
        let element = found[ELEMENT].as_str().context("the driver tells no element")?;
        self.post(&format!("element/{element}/click"), &json!({})).map(drop)
    }

    /// Presses and releases these keys; those without a character have one of their own in the standard.
    pub(crate) fn press(&self, keys: impl IntoIterator<Item = char>) -> Result<()> {
        let actions =
            keys.into_iter().flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key})));
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions.collect::<Vec<_>>()});
        self.post("actions", &json!({"actions": [keyboard]})).map(drop)
    }

    /// What can be seen, as PNG.
    pub(crate) fn screenshot(&self) -> Result<Vec<u8>> {
        let picture = command("GET", &format!("{}/screenshot", self.url), &Value::Null)?;
        BASE64_STANDARD.decode(picture.as_str().context("no picture")?).context("no base64")
    }

    /// A call of the DevTools protocol.
    pub(crate) fn devtools(&self, name: &str, parameters: &Value) -> Result<Value> {
        self.post("goog/cdp/execute", &json!({"cmd": name, "params": parameters}))
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        command("POST", &format!("{}/{path}", self.url), body)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Where this fails the browser ends with its driver.
        let _ = command("DELETE", &self.url, &Value::Null);
    }
}

fn command(method: &str, url: &str, body: &Value) -> Result<Value> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (status, answer) = call(method, url, &body, COMMAND_TIMEOUT)?;
    let answer: Value = serde_json::from_str(&answer).with_context(|| format!("the driver answered {answer:?}"))?;
    let value = &answer["value"];
    if let Some(error) = value["error"].as_str() {
        let message = value["message"].as_str().unwrap_or_default();
        bail!("{error}: {}", message.lines().next().unwrap_or_default());
    }
    ensure!(status == 200, "the driver answered {status}: {answer}");
    Ok(value.clone())
}
