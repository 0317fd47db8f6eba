//! `tidings members` and `tidings state`.

use super::answers::{Keys, Member, Members};
use super::args::ApiArgs;
use super::client::{Client, segment};
use super::error::CommandError;
use super::output::Output;
use super::table::{Table, number, text};
use super::text::visible;

pub(crate) async fn members(all: bool, api: &ApiArgs) -> Result<(), CommandError> {
    let (document, members) = Client::new(api)?.get::<Members<u64>>("/v1/members").await?;
    let mut output = Output::new();
    if api.json {
        return output.document(&document);
    }
    output.line(&summary(&members, " (--all shows them)"))?;
    let shown = if all { members.members.iter().collect() } else { members.foremost() };
    output.table(&member_table(&shown))
}

pub(crate) async fn state(node: Option<&str>, api: &ApiArgs) -> Result<(), CommandError> {
    let client = Client::new(api)?;
    let mut table =
        Table::new([text("NODE"), text("STATE"), text("KEY"), text("VALUE"), number("VERSION"), text("STATUS")]);
    let mut add = |name: &str, state: &str, keys: &Keys| {
        for (key, held) in keys {
            table.row([name, state, key, &held.value, &held.version.to_string(), &held.status]);
        }
    };
    let (document, heading) = match node {
        Some(name) => {
            let (document, keys) = client.get::<Keys>(&format!("/v1/nodes/{}/keys", segment(name))).await?;
            add(name, "-", &keys);
            (document, None)
        }
        None => {
            let (document, members) = client.get::<Members<Keys>>("/v1/state").await?;
            for member in members.foremost() {
                add(&member.name, &member.state, &member.keys);
            }
            (document, Some(summary(&members, "")))
        }
    };
    let mut output = Output::new();
    if api.json {
        return output.document(&document);
    }
    heading.iter().try_for_each(|heading| output.line(heading))?;
    output.table(&table)
}

/// Who sees whom, and how many are in which state: former runs of what was restarted are told apart from the dead.
fn summary<K>(members: &Members<K>, about_former: &str) -> String {
    let foremost = members.foremost();
    let count = |state: &str| foremost.iter().filter(|member| member.state == state).count();
    let counts = ["live", "dead", "left"].map(|state| format!("{} {state}", count(state)));
    let former = match members.members.len() - foremost.len() {
        0 => String::new(),
        1 => format!("; and a former run{about_former}"),
        former => format!("; and {former} former runs{about_former}"),
    };
    format!(
        "cluster {}, as {} sees it: {}{former}",
        visible(&members.cluster_id),
        visible(&members.self_name),
        counts.join(", ")
    )
}

fn member_table(members: &[&Member<u64>]) -> Table {
    let mut table = Table::new([
        text("NODE"),
        text("STATE"),
        number("PHI"),
        number("KEYS"),
        number("VERSION"),
        number("HEARTBEAT"),
        text("ADDRESS"),
        number("GENERATION"),
    ]);
    for member in members {
        table.row([
            &member.name,
            &member.state,
            &member.phi.map_or_else(|| "-".to_string(), |phi| format!("{phi:.2}")),
            &member.keys.to_string(),
            &member.max_version.to_string(),
            &member.heartbeat.to_string(),
            &member.address,
            &member.generation_id.to_string(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_counted_and_listed() {
        let members: Members<u64> = serde_json::from_str(
            r#"{"cluster_id":"c\u001b[2J","self":"one","sequence":5,"members":[
            {"name":"one","generation_id":1795298149057459107,"address":"127.0.0.1:7101","state":"live","phi":null,
             "heartbeat":12,"max_version":1,"last_gc_version":0,"keys":1},
            {"name":"two","generation_id":6,"address":"h:3","state":"dead","phi":null,
             "heartbeat":9,"max_version":0,"last_gc_version":0,"keys":0},
            {"name":"two","generation_id":7,"address":"[::1]:7102","state":"dead","phi":12.3456,"heartbeat":3,
             "max_version":0,"last_gc_version":0,"keys":0,"later":"is ignored"}]}"#,
        )
        .unwrap();
        let expected = "cluster c\\u{1b}[2J, as one sees it: 1 live, 1 dead, 0 left; and a former run (see)";
        assert_eq!(summary(&members, " (see)"), expected);
        let all: Vec<_> = members.members.iter().collect();
        assert_eq!(member_table(&all).lines(None).count(), 4);
        let lines: Vec<String> = member_table(&members.foremost()).lines(None).collect();
        assert_eq!(
            lines,
            [
                "NODE  STATE    PHI  KEYS  VERSION  HEARTBEAT  ADDRESS                  GENERATION",
                "one   live       -     1        1         12  127.0.0.1:7101  1795298149057459107",
                "two   dead   12.35     0        0          3  [::1]:7102                        7",
            ]
        );
    }
}
