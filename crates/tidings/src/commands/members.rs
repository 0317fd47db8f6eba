//! `tidings members`, `state` and `forget`.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::Method;
use serde::de::IgnoredAny;

use super::answers::{Keys, Member, Members};
use super::args::ApiArgs;
use super::client::{Client, segment};
use super::error::CommandError;
use super::output::Output;
use super::table::{Table, number, text};
use super::text::visible;

pub(crate) async fn members(api: &ApiArgs) -> Result<(), CommandError> {
    let (document, members) = Client::new(api)?.get::<Members<u64>>("/v1/members").await?;
    let mut output = Output::new();
    if api.json {
        return output.document(&document);
    }
    output.line(&summary(&members))?;
    output.table(&member_table(&members.members))
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
            for member in &members.members {
                add(&member.name, &member.state, &member.keys);
            }
            (document, Some(summary(&members)))
        }
    };
    let mut output = Output::new();
    if api.json {
        return output.document(&document);
    }
    heading.iter().try_for_each(|heading| output.line(heading))?;
    output.table(&table)
}

pub(crate) async fn forget(node: &str, api: &ApiArgs) -> Result<(), CommandError> {
    let path = format!("/v1/nodes/{}/forget", segment(node));
    let (document, IgnoredAny) = Client::new(api)?.call(Method::POST, &path, Bytes::new()).await?;
    let mut output = Output::new();
    if api.json { output.document(&document) } else { output.line(&format!("forgot {}", visible(node))) }
}

/// Who sees whom, and how many are in which state.
fn summary<K>(members: &Members<K>) -> String {
    let count = |state: &str| members.members.iter().filter(|member| member.state == state).count();
    let counts = ["live", "dead", "left"].map(|state| format!("{} {state}", count(state)));
    format!(
        "cluster {}, as {} sees it: {}",
        visible(&members.cluster_id),
        visible(&members.self_name),
        counts.join(", ")
    )
}

/// In whole seconds, and of a long time its two largest units: nobody reads more.
fn time(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds.trunc()).unwrap_or_default();
    let text = humantime::format_duration(seconds).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn member_table(members: &[Member<u64>]) -> Table {
    let mut table = Table::new([
        text("NODE"),
        text("STATE"),
        number("FOR"),
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
            &time(member.since),
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
            {"name":"one","generation_id":1795298149057459107,"address":"127.0.0.1:7101","state":"live","since":93784.5,
             "phi":null,"heartbeat":12,"max_version":1,"last_gc_version":0,"keys":1},
            {"name":"two","generation_id":7,"address":"[::1]:7102","state":"dead","since":61.999,"phi":12.3456,
             "heartbeat":3,"max_version":0,"last_gc_version":0,"keys":0,"later":"is ignored"}]}"#,
        )
        .unwrap();
        assert_eq!(summary(&members), "cluster c\\u{1b}[2J, as one sees it: 1 live, 1 dead, 0 left");
        let lines: Vec<String> = member_table(&members.members).lines(None).collect();
        assert_eq!(
            lines,
            [
                "NODE  STATE      FOR    PHI  KEYS  VERSION  HEARTBEAT  ADDRESS                  GENERATION",
                "one   live   1day 2h      -     1        1         12  127.0.0.1:7101  1795298149057459107",
                "two   dead     1m 1s  12.35     0        0          3  [::1]:7102                        7",
            ]
        );
    }
}
