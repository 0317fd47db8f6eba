//! A cluster of real agents, seen in the page of one.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::agent::{Agent, Launch};
use crate::stage::{Stage, until};
use crate::tab::{DESKTOP, Tab};

/// A silence has to last, until it is a death: some rounds, and longer the less is known of the member.
const DEATH: Duration = Duration::from_secs(90);

/// The state that the table shows for a member.
fn state_of(name: &str) -> String {
    format!("document.querySelector('#rows tr[data-name=\"{name}\"]')?.dataset.state")
}

fn all_live(tab: &Tab, names: &[&str]) -> Result<()> {
    for name in names {
        tab.until(&format!("{name} is live"), &format!("{} === 'live'", state_of(name)))?;
    }
    Ok(())
}

/// Waits until the page's stream of events is open.
fn listening(tab: &Tab) -> Result<()> {
    tab.until("the stream is open", "document.getElementById('link').dataset.link === 'up'").map(drop)
}

/// Whether the log of events has an entry with this text.
fn in_log(text: &str) -> String {
    format!("[...document.querySelectorAll('#log li')].some((entry) => entry.textContent.includes({text:?}))")
}

pub(super) fn members(stage: &Stage) -> Result<()> {
    let agents = stage.cluster(&["one", "two", "three"])?;
    let tab = stage.open(&agents[0].page()?, DESKTOP)?;
    all_live(&tab, &["one", "two", "three"])?;
    tab.until("three are counted", "document.getElementById('count-live').textContent === '3'")?;
    tab.until(
        "the picture is described",
        "document.getElementById('picture').ariaLabel === '3 members in a picture: 3 live, 0 dead, 0 left'",
    )?;
    // Half way down there is nothing but lines: from the observed node at the top to both others.
    tab.until(
        "exchanges are drawn",
        "(() => { const canvas = document.getElementById('picture'); const { width, height } = canvas; \
         const row = canvas.getContext('2d').getImageData(0, Math.round(height / 2), width, 1).data; \
         let runs = 0; for (let x = 1; x < width; x += 1) runs += row[x * 4 + 3] > 0 && row[x * 4 - 1] === 0; \
         return runs === 2; })()",
    )?;
    tab.until("phi is known", "+document.querySelector('#rows tr[data-name=two]').cells[2].textContent >= 0")?;
    tab.until("traffic is drawn", "/L/.test(document.querySelector('#traffic path.sent')?.getAttribute('d'))")?;
    let generation = agents[0].member("one")?["generation_id"].to_string();
    ensure!(tab.text("#facts")?.contains(&generation), "generation {generation} is not shown digit by digit");
    stage.picture(&tab, "three-agents")?;
    tab.has_nothing_wrong()
}

pub(super) fn keys(stage: &Stage) -> Result<()> {
    let agents = stage.cluster(&["one", "two"])?;
    let tab = stage.open(&agents[0].page()?, DESKTOP)?;
    all_live(&tab, &["one", "two"])?;
    listening(&tab)?;

    agents[1].set("colour", "green")?;
    tab.until("the event", &in_log("two set colour to green"))?;
    tab.click("#rows tr[data-name=two]")?;
    let shown = "document.querySelector('#key-rows tr[data-key=colour]')?.cells[1].textContent";
    tab.until("the value", &format!("{shown} === 'green'"))?;
    agents[1].set("colour", "blue")?;
    tab.until("the next value", &format!("{shown} === 'blue'"))?;
    tab.holds("only own keys can be set", "document.getElementById('setter').hidden")?;

    tab.click("#rows tr[data-name=one]")?;
    tab.until("the form", "!document.getElementById('setter').hidden")?;
    tab.write("#set-key", "a/b c")?;
    tab.write("#set-value", "grün ☘")?;
    tab.click("#setter button")?;
    until("two reads it", || Ok(agents[1].member("one")?["keys"]["a/b c"]["value"] == "grün ☘"))?;
    let row = "document.querySelector('#key-rows tr[data-key=\"a/b c\"]')";
    tab.until("its row", &format!("{row}?.cells[1].textContent === 'grün ☘'"))?;

    tab.write("#set-key", "tidings.mine")?;
    tab.click("#setter button")?;
    tab.until("why not", "/Not done: .*reserved/.test(document.getElementById('set-answer').textContent)")?;

    let button = "#key-rows tr[data-key=\"a/b c\"] button";
    tab.click(button)?;
    tab.until("the question", &format!("{row}.querySelector('button').textContent === 'sure?'"))?;
    ensure!(agents[0].member("one")?["keys"]["a/b c"].is_object(), "one press deleted it");
    tab.click(button)?;
    tab.until("its row is gone", &format!("!{row}"))?;
    tab.until("the event", &in_log("one deleted a/b c"))?;
    until("two lost it", || Ok(agents[1].member("one")?["keys"]["a/b c"].is_null()))?;
    tab.has_nothing_wrong()
}

pub(super) fn death(stage: &Stage) -> Result<()> {
    let mut agents = stage.cluster(&["one", "two", "three"])?;
    let tab = stage.open(&agents[0].page()?, DESKTOP)?;
    all_live(&tab, &["one", "two", "three"])?;
    listening(&tab)?;
    // By then the mean interval is short enough for a death within seconds.
    until("a member that is known well", || Ok(agents[0].member("three")?["heartbeat"].as_u64() >= Some(60)))?;

    drop(agents.pop().context("three agents")?);
    tab.until_within(DEATH, "three is dead", &format!("{} === 'dead'", state_of("three")))?;
    tab.until("one dead is counted", "document.getElementById('count-dead').textContent === '1'")?;
    tab.until("the event", &in_log("three is dead"))?;
    tab.until("it is announced", "document.getElementById('said').textContent.includes('three is dead')")?;
    tab.until("the picture says so", "document.getElementById('picture').ariaLabel.includes('2 live, 1 dead')")?;
    tab.holds("two is live", &format!("{} === 'live'", state_of("two")))?;
    stage.picture(&tab, "a-death")?;
    tab.has_nothing_wrong()
}

pub(super) fn restart(stage: &Stage) -> Result<()> {
    let other = stage.start(&Launch::named("other"))?;
    let first = Launch::joining("watched", &other)?;
    let agent = stage.start(&first)?;
    // The next run has to be found where this one was.
    let again = Launch { listen: agent.address()?.to_owned(), http: agent.http()?.to_owned(), ..first };
    let tab = stage.open(&agent.page()?, DESKTOP)?;
    all_live(&tab, &["watched", "other"])?;
    listening(&tab)?;

    drop(agent);
    let alarm = "document.getElementById('alarm')";
    tab.until("the alarm", &format!("!{alarm}.hidden && {alarm}.textContent.includes('watched does not answer')"))?;
    tab.until("the lamp", "document.getElementById('link').dataset.link === 'down'")?;
    tab.holds("what was known stays", &format!("{} === 'live'", state_of("other")))?;
    stage.picture(&tab, "unreachable")?;

    tab.ask("performance.clearResourceTimings()")?;
    let agent: Agent = stage.start(&again)?;
    tab.until("the alarm is over", &format!("{alarm}.hidden"))?;
    listening(&tab)?;
    tab.until("the gap is told", &in_log("Some events were missed; the state was read again"))?;
    all_live(&tab, &["watched", "other"])?;
    other.set("after", "restart")?;
    tab.until("events go on", &in_log("other set after to restart"))?;
    // The new run counts its exchanges anew: they are asked for from the first.
    tab.until(
        "exchanges from the first",
        "performance.getEntriesByType('resource').some((entry) => entry.name.endsWith('/v1/exchanges') && entry.responseStatus === 200)",
    )?;
    drop(agent);
    // Refused connections are no fault of the page, and no script failed over them.
    tab.has_nothing_wrong()
}
