//! How it looks: pictures for people, and what can be measured of them.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::stage::{Stage, many_names};
use crate::tab::{DESKTOP, Look, PHONE, Tab};
use crate::watch::POOR_CONTRAST;

const SIZES: [usize; 3] = [3, 40, 500];

pub(super) fn looks(stage: &Stage) -> Result<()> {
    for members in SIZES {
        let fake = stage.fake(many_names(members))?;
        let tab = stage.open(&fake.page(), DESKTOP)?;
        tab.until("all rows", &format!("document.querySelectorAll('#rows tr').length === {members}"))?;
        tab.until("charts", "/L/.test(document.querySelector('#traffic path.sent')?.getAttribute('d'))")?;
        for (name, look) in [("desktop", DESKTOP), ("phone", PHONE)] {
            for is_dark in [false, true] {
                tab.look(Look { is_dark, ..look })?;
                let at = format!("{members}-members-{name}-{}", if is_dark { "dark" } else { "light" });
                look_at(&tab, look, is_dark).map_err(|error| error.context(at.clone()))?;
                stage.picture(&tab, &at)?;
            }
        }
        tab.has_nothing_wrong()?;
    }
    Ok(())
}

fn look_at(tab: &Tab, look: Look, is_dark: bool) -> Result<()> {
    tab.until("its width", &format!("innerWidth === {}", look.width))?;
    tab.until("nothing sticks out", "document.documentElement.scrollWidth <= innerWidth")?;
    let ground = "getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).map(Number)";
    tab.until("the ground", &format!("({ground}[0] < 60) === {is_dark}"))?;
    // The picture has no text to measure: what is drawn has to stand out from the ground.
    tab.until(
        "the picture is drawn",
        "(() => { const canvas = document.getElementById('picture'); const scale = devicePixelRatio; \
         const { width, height } = canvas.getBoundingClientRect(); \
         if (Math.abs(canvas.width - width * scale) > 2 || Math.abs(canvas.height - height * scale) > 2) return false; \
         const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data; \
         let drawn = 0; for (let i = 3; i < pixels.length; i += 4) drawn += pixels[i] > 200; return drawn > 800; })()",
    )?;
    let found = tab.ask(POOR_CONTRAST)?;
    ensure!(found["seen"].as_u64() > Some(40), "too few texts were looked at: {found}");
    ensure!(found["poor"] == json!([]), "hard to read: {}", found["poor"]);
    Ok(())
}
