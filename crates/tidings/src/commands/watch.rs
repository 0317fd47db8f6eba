//! `tidings watch`: a line for each event, and no gap unless it says so, whatever becomes of the connection.

use std::time::{Duration, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::answers::{Members, Value};
use super::args::WatchArgs;
use super::client::{Client, segment};
use super::error::CommandError;
use super::output::Output;
use super::sse::{Event, Parser};
use super::text::{cut, visible};

/// An agent sends something every 15 s, if only that it is there.
const PATIENCE: Duration = Duration::from_secs(45);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Ends only with an error that another try would not mend.
pub(crate) async fn watch(args: &WatchArgs) -> Result<(), CommandError> {
    let client = Client::new(&args.api)?;
    let mut stream = Stream {
        path: path(args),
        from: now(&client).await?,
        client,
        output: Output::new(),
        json: args.api.json,
        open: false,
    };
    let mut lost = false;
    let mut pause = FIRST_PAUSE;
    loop {
        let error = stream.follow(lost).await;
        let was_open = std::mem::take(&mut stream.open);
        if !error.is_worth_another_try() || !(was_open || lost) {
            return Err(error);
        }
        if was_open {
            eprintln!("tidings: {error}. Trying again until the agent is there");
            pause = FIRST_PAUSE;
        }
        lost = true;
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

fn path(args: &WatchArgs) -> String {
    let filters = [("member", &args.member), ("key_prefix", &args.key_prefix)];
    let filters = filters.iter().filter_map(|(name, value)| Some(format!("{name}={}", segment(value.as_deref()?))));
    let query = filters.collect::<Vec<_>>().join("&");
    if query.is_empty() { "/v1/events".to_string() } else { format!("/v1/events?{query}") }
}

/// The id of the last event there was, so that nothing is missed from now on, even if the connection is lost before
/// another one comes.
async fn now(client: &Client) -> Result<String, CommandError> {
    let members = client.get::<Members<u64>>("/v1/members").await?.1;
    let own = members.own().ok_or_else(|| client.not_an_agent("its own node is not among the members"))?;
    Ok(format!("{}-{}", own.generation_id, members.sequence))
}

struct Stream {
    client: Client,
    path: String,
    /// The id of the last event that was told.
    from: String,
    output: Output,
    json: bool,
    /// Whether the agent has answered since the last loss.
    open: bool,
}

impl Stream {
    /// Tells of events until something goes wrong.
    async fn follow(&mut self, again: bool) -> CommandError {
        match self.try_to_follow(again).await {
            Ok(()) => self.client.interrupted("it ended the stream of events"),
            Err(error) => error,
        }
    }

    async fn try_to_follow(&mut self, again: bool) -> Result<(), CommandError> {
        let mut response = self.client.events(&self.path, &self.from).await?;
        self.open = true;
        if again {
            eprintln!("tidings: the agent is there again");
        }
        let mut parser = Parser::default();
        while let Some(piece) = self.client.next_piece(&mut response, PATIENCE).await? {
            let events = parser.take(&piece).map_err(|_| self.client.not_an_agent("it sends no events"))?;
            events.iter().try_for_each(|event| self.tell(event))?;
            if let Some(id) = parser.last_id() {
                self.from = id.to_string();
            }
        }
        Ok(())
    }

    fn tell(&mut self, event: &Event) -> Result<(), CommandError> {
        let not_an_event = |error| self.client.not_an_agent(format!("event {}: {error}", visible(&event.name)));
        if self.json {
            let line = for_programs(event).map_err(not_an_event)?;
            return self.output.line(&line);
        }
        let line = for_people(event).map_err(not_an_event)?;
        let columns = self.output.columns().unwrap_or(usize::MAX);
        self.output.line(&cut(&line, columns))
    }
}

/// The event's data, with its kind and its id.
fn for_programs(event: &Event) -> Result<String, serde_json::Error> {
    let mut fields: Map<String, Json> = serde_json::from_str(&event.data)?;
    fields.insert("event".into(), event.name.as_str().into());
    if let Some(id) = &event.id {
        fields.insert("id".into(), id.as_str().into());
    }
    serde_json::to_string(&fields)
}

fn for_people(event: &Event) -> Result<String, serde_json::Error> {
    if event.name == "lagged" {
        let Lagged { missed } = serde_json::from_str(&event.data)?;
        let missed = missed.map_or_else(|| "some".to_string(), |missed| missed.to_string());
        return Ok(format!("lagged: {missed} events are missing here; 'tidings state' shows what is so now"));
    }
    let data: Data = serde_json::from_str(&event.data)?;
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(data.at_ms));
    let at = at.map_or_else(|| data.at_ms.to_string(), |at| humantime::format_rfc3339_millis(at).to_string());
    let mut line = format!("{at}  {:<16} {}", visible(&event.name), visible(&data.name));
    if let Some(address) = &data.address {
        line.push_str(&format!("  {}, generation {}", visible(address), data.generation_id.unwrap_or(0)));
    }
    if let Some(refused) = &data.refused {
        line.push_str(&format!("; refused to {}, generation {}", visible(&refused.address), refused.generation_id));
        line.push_str(
            &refused.tls_name.as_deref().map(|name| format!(", certified as {}", visible(name))).unwrap_or_default(),
        );
    }
    if let Some(key) = &data.key {
        line.push_str(&format!("  {}", visible(key)));
        if event.name != "key-deleted" {
            line.push_str(&format!(" = {}", visible(data.value.as_deref().unwrap_or_default())));
        }
        if let Some(previous) = &data.previous {
            line.push_str(&format!(" (before: {})", visible(&previous.value)));
        }
    }
    Ok(line)
}

#[derive(Deserialize)]
struct Lagged {
    missed: Option<u64>,
}

#[derive(Deserialize)]
struct Data {
    name: String,
    at_ms: u64,
    generation_id: Option<u64>,
    address: Option<String>,
    key: Option<String>,
    value: Option<String>,
    previous: Option<Value>,
    refused: Option<Refused>,
}

/// Who went by the name of another.
#[derive(Deserialize)]
struct Refused {
    generation_id: u64,
    address: String,
    tls_name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> Event {
        Event { name: name.into(), data: data.into(), id: Some("7-8".into()) }
    }

    #[test]
    fn people_read_who_what_and_when() {
        let cases = [
            (
                event("member-live", r#"{"name":"two","generation_id":7,"address":"h:1","at_ms":1795298149057}"#),
                "2026-11-21T21:55:49.057Z  member-live      two  h:1, generation 7",
            ),
            (
                event(
                    "key-changed",
                    r#"{"name":"two","key":"a\u001b","value":"","version":3,"status":"set",
                        "previous":{"value":"x","version":2,"status":"set"},"at_ms":0}"#,
                ),
                "1970-01-01T00:00:00.000Z  key-changed      two  a\\u{1b} = \"\" (before: x)",
            ),
            (
                event(
                    "name-refused",
                    r#"{"name":"n1","generation_id":7,"address":"h:1","at_ms":0,
                        "refused":{"generation_id":9,"address":"evil:1","tls_name":"evil.example"}}"#,
                ),
                "1970-01-01T00:00:00.000Z  name-refused     n1  h:1, generation 7; refused to evil:1, generation 9, certified \
                 as evil.example",
            ),
            (
                event("key-deleted", r#"{"name":"t","key":"k","value":"","version":3,"previous":null,"at_ms":0}"#),
                "1970-01-01T00:00:00.000Z  key-deleted      t  k",
            ),
            (
                event("lagged", r#"{"missed":null,"sequence":9}"#),
                "lagged: some events are missing here; 'tidings state' shows what is so now",
            ),
        ];
        for (event, line) in cases {
            assert_eq!(for_people(&event).unwrap(), line);
        }
        assert!(for_people(&event("member-live", "[]")).is_err());
    }

    #[test]
    fn programs_read_one_object() {
        let line = for_programs(&event("lagged", r#"{"missed":3,"sequence":18446744073709551615}"#)).unwrap();
        assert_eq!(line, r#"{"event":"lagged","id":"7-8","missed":3,"sequence":18446744073709551615}"#);
        assert!(for_programs(&event("lagged", "3")).is_err());
    }
}
