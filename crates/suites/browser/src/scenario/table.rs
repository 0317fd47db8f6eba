//! The table of members, by pointer and by keys.

use anyhow::{Result, ensure};

use crate::stage::{Stage, many_names};
use crate::tab::{DESKTOP, Tab};

const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';
const ESCAPE: char = '\u{e00c}';
const END: char = '\u{e010}';
const HOME: char = '\u{e011}';
const LEFT: char = '\u{e012}';
const RIGHT: char = '\u{e014}';
const DOWN: char = '\u{e015}';
const SPACE: char = ' ';

const ROWS: &str = "document.querySelectorAll('#rows tr').length";
const FIRST: &str = "document.querySelector('#rows tr').dataset.name";
const CHOSEN: &str = "document.querySelector('#rows tr[aria-selected=true]')?.dataset.name";

fn rows_are(tab: &Tab, count: usize) -> Result<()> {
    tab.until(&format!("{count} rows"), &format!("{ROWS} === {count}")).map(drop)
}

pub(super) fn search(stage: &Stage) -> Result<()> {
    let fake = stage.fake(many_names(500))?;
    let tab = stage.open(&fake.page(), DESKTOP)?;
    rows_are(&tab, 500)?;
    tab.holds("by name", &format!("{FIRST} === 'cache-001'"))?;

    tab.write("#search", "web-07")?;
    rows_are(&tab, 10)?;
    tab.holds("it is said", "document.getElementById('members-count').textContent === '10 of 500'")?;
    tab.press([' ', 'd', 'e', 'a', 'd'])?;
    let dead = "[...document.querySelectorAll('#rows tr')].every((row) => row.dataset.state === 'dead')";
    tab.until("both words count", &format!("{ROWS} < 10 && {dead}"))?;
    tab.press(" nobody".chars())?;
    tab.until("none is said", "!document.getElementById('members-empty').hidden")?;
    tab.press([ESCAPE])?;
    rows_are(&tab, 500)?;

    let phis = "[...document.querySelectorAll('#rows tr')].map((row) => row.cells[2].textContent)";
    tab.click("th[data-sort=phi] button")?;
    let falling = format!("{phis}.slice(0, 400).every((phi, i, all) => i === 0 || +all[i - 1] >= +phi)");
    tab.until("the highest phi first", &format!("{falling} && +{phis}[0] > 9"))?;
    tab.holds("heads say so", "document.querySelector('th[data-sort=phi]').ariaSort === 'descending'")?;
    tab.click("th[data-sort=phi] button")?;
    tab.until("the lowest phi first", &format!("+{phis}[0] < 1 && {phis}[499] === 'self'"))?;
    tab.click("th[data-sort=state] button")?;
    tab.until("the dead first", "document.querySelector('#rows tr').dataset.state === 'dead'")?;
    tab.has_nothing_wrong()
}

/// Fails unless the focus can be seen: it has an outline.
fn focus_shows(tab: &Tab) -> Result<()> {
    let style = "getComputedStyle(document.activeElement)";
    tab.holds(
        "the focus shows",
        &format!("document.activeElement !== document.body && {style}.outlineStyle === 'solid' && parseFloat({style}.outlineWidth) >= 2"),
    )
}

pub(super) fn keyboard(stage: &Stage) -> Result<()> {
    let fake = stage.fake(many_names(12))?;
    let tab = stage.open(&fake.page(), DESKTOP)?;
    rows_are(&tab, 12)?;

    tab.press([TAB])?;
    tab.holds("the way past the picture comes first", "document.activeElement.className === 'skip'")?;
    focus_shows(&tab)?;
    tab.press([ENTER])?;
    tab.until("it leads to the members", "location.hash === '#members'")?;

    tab.press(['/'])?;
    tab.until("the search has the focus", "document.activeElement.id === 'search'")?;
    focus_shows(&tab)?;
    tab.press("queue".chars())?;
    rows_are(&tab, 2)?;
    tab.press([DOWN, DOWN])?;
    focus_shows(&tab)?;
    tab.press([ENTER])?;
    tab.until("the second is chosen", &format!("{CHOSEN} === 'queue-002'"))?;
    tab.until("its keys show", "document.getElementById('keys-of').textContent === 'queue-002'")?;

    tab.press(['/', ESCAPE])?;
    rows_are(&tab, 12)?;
    tab.press([DOWN, END])?;
    tab.holds("at the last row", "document.activeElement.textContent === 'web-003'")?;
    tab.press([HOME])?;
    tab.holds("at the first row", "document.activeElement.textContent === 'cache-001'")?;

    // Every stop on the way round shows itself, and the parts are all on it.
    tab.ask("document.querySelector('.skip').focus()")?;
    let mut stops = Vec::new();
    for _ in 0..60 {
        tab.press([TAB])?;
        if tab.ask("return document.activeElement === document.body")? == true {
            break;
        }
        focus_shows(&tab)?;
        stops.push(tab.ask("const at = document.activeElement; return at.id || at.closest('[id]')?.id")?.to_string());
    }
    for part in ["picture", "search", "rows", "keys-search", "show-members", "log"] {
        ensure!(stops.iter().any(|stop| stop.contains(part)), "{part} cannot be reached: {stops:?}");
    }
    ensure!(stops.iter().filter(|stop| stop.contains("\"rows\"")).count() == 1, "each row is a stop: {stops:?}");

    tab.ask("document.getElementById('picture').focus()")?;
    tab.press([HOME])?;
    tab.until("the first in the picture", &format!("{CHOSEN} === 'cache-001'"))?;
    tab.press([RIGHT, RIGHT, LEFT])?;
    tab.until("one further", &format!("{CHOSEN} === 'cache-002'"))?;
    tab.until("it is said", "document.getElementById('said').textContent.startsWith('cache-002, dead, phi ')")?;

    tab.ask("document.getElementById('show-keys').focus()")?;
    tab.until("a key's event", "!!document.querySelector('#log li[data-kind=key-changed]')")?;
    tab.press([SPACE])?;
    tab.until("no key's event", "!document.querySelector('#log li[data-kind=key-changed]')")?;
    tab.has_nothing_wrong()
}
