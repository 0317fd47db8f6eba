//! Names, keys and values come from other nodes, and may be anything.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::agent::Launch;
use crate::fake::{HOSTILE, Names};
use crate::stage::Stage;
use crate::tab::{DESKTOP, Tab};

/// Nothing of it ran, and nothing became an element.
fn stayed_text(tab: &Tab) -> Result<()> {
    tab.holds("nothing ran", "watched.ran === 0")?;
    tab.holds("nothing became markup", "!document.querySelector('main img, main svg[onload], main script')")?;
    tab.has_nothing_wrong()
}

pub(super) fn hostile(stage: &Stage) -> Result<()> {
    let agent = stage.start(&Launch::named("target"))?;
    for (i, text) in HOSTILE.iter().enumerate() {
        agent.set(text, HOSTILE[(i + 1) % HOSTILE.len()])?;
    }
    let tab = stage.open(&agent.page()?, DESKTOP)?;
    tab.until("all key-values", &format!("document.querySelectorAll('#key-rows tr').length === {}", HOSTILE.len()))?;
    tab.until("their events", &format!("document.querySelectorAll('#log li').length >= {}", HOSTILE.len()))?;
    let cells = tab.text("#key-rows")?;
    for text in &HOSTILE[..3] {
        ensure!(cells.contains(text), "{text:?} is not shown as it is: {cells}");
    }
    for seen in ["⟨U+202E⟩", "⟨U+2066⟩", "⟨U+0000⟩", "⟨U+0007⟩"] {
        ensure!(cells.contains(seen), "what cannot be seen is not shown as {seen}: {cells}");
    }
    stayed_text(&tab)?;
    stage.picture(&tab, "hostile")?;

    // Even a script of the page's own cannot put markup into it, and none without the nonce runs.
    let markup =
        tab.ask("try { document.body.innerHTML = '<p>'; return 'taken' } catch (error) { return error.name }")?;
    ensure!(markup == "TypeError", "markup was {markup}");
    let script = "const script = document.createElement('script'); script.type = 'module'; \
                  try { script.text = 'watched.ran += 1' } catch { return 'refused' } return 'taken'";
    ensure!(tab.ask(script)? == json!("refused"), "a script was taken");
    drop(tab);

    // Such names no agent takes, but a peer of another make may bear them.
    let texts = HOSTILE.map(str::to_owned);
    let key_values = vec![(texts[0].clone(), texts[1].clone()), (texts[3].clone(), texts[4].clone())];
    let fake = stage.fake(Names { members: texts.into(), key_values })?;
    let tab = stage.open(&fake.page(), DESKTOP)?;
    tab.until("all members", &format!("document.querySelectorAll('#rows tr').length === {}", HOSTILE.len()))?;
    tab.until("an event of each kind", "document.querySelectorAll('#log li').length === 7")?;
    for row in 1..=HOSTILE.len() {
        tab.click(&format!("#rows tr:nth-child({row})"))?;
        tab.until(
            "it is chosen",
            &format!("document.querySelector('#rows tr:nth-child({row})').ariaSelected === 'true'"),
        )?;
    }
    tab.until("its key-values", "document.querySelectorAll('#key-rows tr').length === 2")?;
    stayed_text(&tab)
}
