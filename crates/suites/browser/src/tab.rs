//! One page in Chromium, looked at and worked with.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::watch::WATCH;
use crate::webdriver::{Driver, Session};

/// For what the page shows within a second or two. Generous, since the machine may be busy; who succeeds never waits
/// for it.
pub(crate) const SOON: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// How a tab is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// In CSS pixels.
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) is_dark: bool,
    /// Whether the user asked for less motion.
    pub(crate) is_still: bool,
}

pub(crate) const DESKTOP: Look = Look { width: 1440, height: 1100, is_dark: false, is_still: false };
pub(crate) const PHONE: Look = Look { width: 390, height: 844, is_dark: false, is_still: false };

/// A browser with one page. Dropping it closes it.
pub(crate) struct Tab {
    session: Session,
}

impl Tab {
    /// A new one that has not gone anywhere yet.
    pub(crate) fn new(driver: &Driver, look: Look) -> Result<Tab> {
        let tab = Tab { session: driver.session(&[format!("--window-size={},{}", look.width, look.height)])? };
        tab.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({"source": WATCH}))?;
        tab.look(look)?;
        Ok(tab)
    }

    /// Shows itself so from now on.
    pub(crate) fn look(&self, look: Look) -> Result<()> {
        let Look { width, height, is_dark, is_still } = look;
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics)?;
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": if is_dark { "dark" } else { "light" }},
            {"name": "prefers-reduced-motion", "value": if is_still { "reduce" } else { "no-preference" }},
        ]});
        self.devtools("Emulation.setEmulatedMedia", &features).map(drop)
    }

    pub(crate) fn go(&self, url: &str) -> Result<()> {
        self.session.go(url).with_context(|| format!("cannot open {url}"))
    }

    /// What the body of a function gives, run in the page.
    pub(crate) fn ask(&self, script: &str) -> Result<Value> {
        self.session.execute(script).with_context(|| format!("the page cannot do {script}"))
    }

    /// The text of the first element that this selector names.
    pub(crate) fn text(&self, selector: &str) -> Result<String> {
        let text = self.ask(&format!("return document.querySelector({}).textContent", json!(selector)))?;
        text.as_str().map(str::to_owned).with_context(|| format!("{selector} has no text"))
    }

    /// Waits until the expression holds (is neither false nor null nor empty), and gives its value.
    pub(crate) fn until(&self, what: &str, expression: &str) -> Result<Value> {
        self.until_within(SOON, what, expression)
    }

    pub(crate) fn until_within(&self, within: Duration, what: &str, expression: &str) -> Result<Value> {
        let end = Instant::now() + within;
        loop {
            let value = self.ask(&format!("return ({expression})"))?;
            if !matches!(&value, Value::Null | Value::Bool(false)) && value != 0 && value != "" {
                return Ok(value);
            }
            ensure!(
                Instant::now() < end,
                "after {within:?} not yet: {what} ({expression}); the page says:\n{}",
                self.told()
            );
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// Checks that the expression holds now.
    pub(crate) fn holds(&self, what: &str, expression: &str) -> Result<()> {
        let value = self.ask(&format!("return ({expression})"))?;
        ensure!(value == true, "not so: {what} ({expression} is {value})");
        Ok(())
    }

    /// A click with the pointer.
    pub(crate) fn click(&self, selector: &str) -> Result<()> {
        self.session.click(selector).with_context(|| format!("cannot click {selector}"))
    }

    /// Presses these keys, one after the other, wherever the focus is.
    pub(crate) fn press(&self, keys: impl IntoIterator<Item = char>) -> Result<()> {
        self.session.press(keys).context("cannot press keys")
    }

    /// Clicks into a field and types.
    pub(crate) fn write(&self, selector: &str, text: &str) -> Result<()> {
        self.click(selector)?;
        self.press(text.chars())
    }

    /// Keeps a picture of what can be seen.
    pub(crate) fn screenshot(&self, file: &Path) -> Result<()> {
        let picture = self.session.screenshot().context("no picture")?;
        std::fs::write(file, picture).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Fails if a script failed, or the page tried what its policy forbids.
    pub(crate) fn has_nothing_wrong(&self) -> Result<()> {
        let wrong = self.ask("return window.watched.wrong")?;
        ensure!(wrong == json!([]), "in the page: {wrong}");
        Ok(())
    }

    /// One of the browser's own counters. Durations are in seconds of the page's thread on a processor, so that a busy
    /// machine adds nothing.
    pub(crate) fn metric(&self, name: &str) -> Result<f64> {
        self.devtools("Performance.enable", &json!({"timeDomain": "threadTicks"}))?;
        let answer = self.devtools("Performance.getMetrics", &json!({}))?;
        let metrics = answer["metrics"].as_array().into_iter().flatten();
        let found = metrics.filter(|metric| metric["name"] == name).find_map(|metric| metric["value"].as_f64());
        found.with_context(|| format!("Chromium has no metric {name}"))
    }

    fn told(&self) -> String {
        let text = self.ask("return document.body.innerText.slice(0, 1500)").ok();
        text.and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Result<Value> {
        self.session.devtools(command, parameters).with_context(|| format!("Chromium refused {command}"))
    }
}
