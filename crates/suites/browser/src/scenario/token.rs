//! An agent that asks for a token.

use anyhow::{Result, ensure};

use crate::agent::{HTTP_TIMEOUT, Launch, call};
use crate::stage::Stage;
use crate::tab::DESKTOP;

const TOKEN: &str = "a-token-of-the-suite-0123456789";

pub(super) fn token(stage: &Stage) -> Result<()> {
    let agent = stage.start(&Launch { token: Some(TOKEN.to_owned()), ..Launch::named("guarded") })?;
    let (status, _) = call("GET", &format!("{}v1/members", agent.page()?), "", HTTP_TIMEOUT)?;
    ensure!(status == 401, "the agent asks for no token: {status}");

    let tab = stage.open(&agent.page()?, DESKTOP)?;
    let asks = "document.getElementById('asks').open";
    tab.until("the question", asks)?;
    tab.holds("its field has the focus", "document.activeElement.id === 'token'")?;
    stage.picture(&tab, "token")?;
    tab.write("#token", "a-wrong-one")?;
    tab.click("#asks button")?;
    tab.until("the question again, and why", &format!("{asks} && document.getElementById('asks-answer').textContent"))?;
    tab.holds("nothing is shown", "document.querySelectorAll('#rows tr').length === 0")?;

    tab.write("#token", TOKEN)?;
    tab.click("#asks button")?;
    tab.until("the member", "document.querySelector('#rows tr')?.dataset.name === 'guarded'")?;
    tab.until("the stream is open", "document.getElementById('link').dataset.link === 'up'")?;
    tab.holds("the question is gone", &format!("!{asks}"))?;

    // A write bears it too, and it stays for this tab, but nowhere else.
    tab.write("#set-key", "k")?;
    tab.write("#set-value", "v")?;
    tab.click("#setter button")?;
    tab.until("the key", "document.querySelector('#key-rows tr[data-key=k]')?.cells[1].textContent === 'v'")?;
    tab.go(&agent.page()?)?;
    tab.until("the member again", "document.querySelector('#rows tr')?.dataset.name === 'guarded'")?;
    tab.holds("it was not asked for again", &format!("!{asks}"))?;
    tab.holds("it is not kept for longer", "localStorage.length === 0 && document.cookie === ''")?;
    tab.holds("it is in no address", "!location.href.includes('token-of')")?;
    tab.has_nothing_wrong()?;

    let other = stage.open(&agent.page()?, DESKTOP)?;
    other.until("another browser is asked", asks)?;
    Ok(())
}
