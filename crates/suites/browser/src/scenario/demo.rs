//! `tidings demo --http`: one page for all nodes.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::stage::Stage;
use crate::tab::DESKTOP;

/// The demo kills a node some seconds after the cluster has formed.
const NEXT_SCENE: Duration = Duration::from_secs(60);

pub(super) fn demo(stage: &Stage) -> Result<()> {
    let demo = stage.demo()?;
    let tab = stage.open(demo.field("page")?, DESKTOP)?;
    let states = "[...document.querySelectorAll('#rows tr')].map((row) => row.dataset.state).join()";
    tab.until("three are live", &format!("{states} === 'live,live,live'"))?;
    tab.holds(
        "all can be looked through",
        "[...document.getElementById('node').options].map((o) => o.value).join() === 'simple1,simple2,simple3'",
    )?;
    tab.until(
        "all tell of their exchanges",
        "document.getElementById('picture-note').textContent.includes('3 nodes')",
    )?;

    let killed = demo.line_with("event=kill", NEXT_SCENE)?;
    let name = killed.split(' ').find_map(|field| field.strip_prefix("node=")).context("who was killed?")?;
    let dead = format!("document.querySelector('#rows tr[data-name={name}]').dataset.state === 'dead'");
    tab.until("the killed node is dead", &dead)?;
    tab.until("the picker says so", "/ \\(dead\\)/.test(document.getElementById('node').textContent)")?;
    stage.picture(&tab, "demo-a-killed-node")?;
    demo.line_with("event=revive", NEXT_SCENE)?;
    tab.until("it is live again", &format!("{states} === 'live,live,live'"))?;

    // Now through the eyes of the next victim.
    let victim = if name == "simple3" { "simple2" } else { "simple3" };
    tab.ask(&format!(
        "const node = document.getElementById('node'); node.value = '{victim}'; node.dispatchEvent(new Event('change'))"
    ))?;
    let itself = "[...document.querySelectorAll('#rows tr')].find((row) => row.cells[2].textContent === 'self')";
    tab.until("it looks through that node", &format!("{itself}?.dataset.name === '{victim}'"))?;
    tab.until("its address says so", &format!("location.hash === '#{victim}'"))?;
    demo.line_with("event=kill", NEXT_SCENE)?;
    let alarm = "document.getElementById('alarm')";
    tab.until(
        "the page says why",
        &format!("!{alarm}.hidden && {alarm}.textContent.includes('the demo has killed {victim}')"),
    )?;
    stage.picture(&tab, "demo-through-a-killed-node")?;
    demo.line_with("event=revive", NEXT_SCENE)?;
    tab.until("it answers again", &format!("{alarm}.hidden"))?;
    tab.has_nothing_wrong()
}
