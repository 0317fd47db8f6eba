//! Many members, and motion.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::stage::{Stage, many_names};
use crate::tab::{DESKTOP, Look, Tab};

const WATCHED: Duration = Duration::from_secs(6);
/// What a frame's script may cost at 500 members, in milliseconds: a quarter of the time between frames.
const FRAME_MS: f64 = 4.0;
/// What part of a core the page may take while it animates.
const BUSY: f64 = 0.25;

/// What the page costs over a while.
#[derive(Debug)]
struct Cost {
    frames: usize,
    /// Of a frame's script, in milliseconds.
    median: f64,
    /// Of one core: the page's thread, with layout, style and painting.
    busy: f64,
}

impl Cost {
    fn of(tab: &Tab) -> Result<Cost> {
        tab.until("the page animates", "watched.frames.length > 30")?;
        let before = tab.metric("TaskDuration")?;
        tab.ask("watched.frames.length = 0")?;
        thread::sleep(WATCHED);
        let frames = tab.ask("return watched.frames.toSorted((a, b) => a - b)")?;
        let frames: Vec<f64> = frames.as_array().into_iter().flatten().filter_map(serde_json::Value::as_f64).collect();
        let busy = (tab.metric("TaskDuration")? - before) / WATCHED.as_secs_f64();
        let median = *frames.get(frames.len() / 2).context("no frame was drawn")?;
        Ok(Cost { frames: frames.len(), median, busy })
    }
}

pub(super) fn frames(stage: &Stage) -> Result<()> {
    let fake = stage.fake(many_names(500))?;
    let tab = stage.open(&fake.page(), DESKTOP)?;
    tab.until("500 rows", "document.querySelectorAll('#rows tr').length === 500")?;
    tab.until("the picture is described", "document.getElementById('picture').ariaLabel.startsWith('500 members')")?;
    let cost = Cost::of(&tab)?;
    tell(&cost)?;
    ensure!(cost.frames > 60, "there was too little to measure: {cost:?}");
    ensure!(cost.median < FRAME_MS, "a frame takes more than {FRAME_MS} ms: {cost:?}");
    ensure!(cost.busy < BUSY, "the page takes more than {BUSY} of a core: {cost:?}");

    // Dots of 500 members have to be apart: a click finds the one that is meant.
    let spot = "const box = document.getElementById('picture').getBoundingClientRect(); \
                return [Math.round(box.left + box.width / 2), Math.round(box.top + box.height / 2)]";
    tab.ask(&format!(
        "const [x, y] = (() => {{ {spot} }})(); const canvas = document.getElementById('picture'); \
         for (const kind of ['pointermove', 'click']) canvas.dispatchEvent(new PointerEvent(kind, {{ clientX: x, clientY: y }}))"
    ))?;
    tab.until("its name is told", "!document.getElementById('tip').hidden")?;
    tab.until(
        "it is chosen",
        "document.getElementById('tip').textContent.startsWith(document.getElementById('keys-of').textContent)",
    )?;
    tab.has_nothing_wrong()
}

pub(super) fn still(stage: &Stage) -> Result<()> {
    let fake = stage.fake(many_names(12))?;
    let tab = stage.open(&fake.page(), Look { is_still: true, ..DESKTOP })?;
    tab.until("12 rows", "document.querySelectorAll('#rows tr').length === 12")?;
    tab.ask("watched.frames.length = 0")?;
    thread::sleep(WATCHED);
    // Charts are drawn once a second each.
    let frames = tab.ask("return watched.frames.length")?.as_u64().context("no number")?;
    ensure!(frames < 30, "{frames} frames in {WATCHED:?} without motion");
    tab.holds("nothing is animated", "document.getAnimations().length === 0")?;
    tab.has_nothing_wrong()
}

fn tell(cost: &Cost) -> Result<()> {
    use std::io::Write as _;
    let Cost { frames, median, busy } = cost;
    writeln!(std::io::stdout(), "    {frames} frames, {median:.2} ms of script each, {:.0} % of a core", busy * 100.0)?;
    Ok(())
}
