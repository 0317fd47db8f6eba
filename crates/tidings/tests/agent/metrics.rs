//! `/metrics`, read as OpenMetrics.

use std::collections::{BTreeMap, BTreeSet};

use crate::agent::{Agent, head};
use crate::support::eventually;

/// A sample's labels, and its value.
type Samples = Vec<(BTreeMap<String, String>, f64)>;

/// The samples by name; fails where the text is not OpenMetrics.
fn parse(text: &str) -> BTreeMap<String, Samples> {
    let mut samples: BTreeMap<String, Samples> = BTreeMap::new();
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut current = "";
    let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let [keyword, family, text] = rest.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
            match keyword {
                "HELP" => assert!(!text.is_empty(), "{line:?}"),
                "TYPE" => assert!(types.insert(family, text).is_none(), "a family comes once: {line:?}"),
                "UNIT" => assert!(family.ends_with(&format!("_{text}")), "{line:?}"),
                _ => panic!("{line:?}"),
            }
            current = family;
            continue;
        }
        assert!(seen.insert(line.rsplit_once(' ').unwrap().0), "a sample comes once: {line:?}");
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let suffix = name.strip_prefix(current).unwrap_or_else(|| panic!("{line:?} is not under its family"));
        let expected = match types[current] {
            "counter" => "_total",
            "info" => "_info",
            "gauge" => "",
            other => panic!("{other}"),
        };
        assert_eq!(suffix, expected, "{line:?}");
        let value: f64 = value.parse().unwrap();
        assert!(value >= 0.0, "{line:?}");
        samples.entry(name.to_string()).or_default().push((labels_of(labels), value));
    }
    samples
}

/// `a="x",b="y"}`; the values may hold escaped quotes, backslashes and line ends.
fn labels_of(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while rest != "}" {
        let (name, behind) = rest.split_once("=\"").unwrap();
        let mut value = String::new();
        let mut chars = behind.char_indices();
        let end = loop {
            match chars.next().unwrap() {
                (end, '"') => break end,
                (_, '\\') => value.push(match chars.next().unwrap().1 {
                    'n' => '\n',
                    c @ ('\\' | '"') => c,
                    c => panic!("\\{c}"),
                }),
                (_, c) => value.push(c),
            }
        };
        labels.insert(name.to_string(), value);
        rest = &behind[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    labels
}

fn value(samples: &BTreeMap<String, Samples>, name: &str, labels: &[(&str, &str)]) -> f64 {
    let found = samples.get(name).unwrap_or_else(|| panic!("no {name}")).iter();
    let mut matching =
        found.filter(|(held, _)| labels.iter().all(|(label, value)| held.get(*label).is_some_and(|it| it == value)));
    let value = matching.next().unwrap_or_else(|| panic!("no {name} with {labels:?}")).1;
    assert!(matching.next().is_none(), "{name} with {labels:?} is not one");
    value
}

fn scrape(agent: &Agent) -> BTreeMap<String, Samples> {
    let answer = agent.call("GET", "/metrics", b"");
    assert_eq!(answer.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    parse(answer.json.as_str().unwrap())
}

#[test]
fn what_is_counted_is_told_as_openmetrics() {
    let hostile = "a \"quoted\" \\ name";
    let one = Agent::start(hostile, &["--cluster-id", "measured"]);
    let two = Agent::joining("two", &one, &["--cluster-id", "measured", "--set", "k=v"]);
    two.waits_for(hostile, "live");
    let samples = eventually("a phi of the other", || {
        let samples = scrape(&two);
        samples.get("tidings_member_phi").is_some_and(|members| !members.is_empty()).then_some(samples)
    });
    value(&samples, "tidings_member_phi", &[("member", hostile)]);
    assert_eq!(value(&samples, "tidings_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    assert_eq!(value(&samples, "tidings_node_info", &[("node", "two"), ("cluster_id", "measured")]), 1.0);
    assert_eq!(value(&samples, "tidings_members", &[("state", "live")]), 2.0);
    assert_eq!(value(&samples, "tidings_members", &[("state", "dead")]), 0.0);
    assert_eq!(value(&samples, "tidings_key_values", &[]), 1.0);
    assert_eq!(value(&samples, "tidings_event_streams", &[]), 0.0);
    for at_least_once in [
        ("tidings_rounds_total", &[][..]),
        ("tidings_exchanges_total", &[("direction", "dialled"), ("outcome", "completed")]),
        ("tidings_bytes_total", &[("direction", "sent")]),
        ("tidings_bytes_total", &[("direction", "received")]),
        ("tidings_packets_total", &[("direction", "sent"), ("kind", "syn")]),
        ("tidings_events_total", &[("kind", "member-live")]),
        ("tidings_http_requests_total", &[("route", "/v1/members"), ("method", "GET"), ("status", "200")]),
    ] {
        assert!(value(&samples, at_least_once.0, at_least_once.1) >= 1.0, "{at_least_once:?}");
    }
    assert!(value(&samples, "tidings_uptime_seconds", &[]) > 0.0);
    for never in [
        ("tidings_rejected_packets_total", &[("reason", "malformed")][..]),
        ("tidings_entries_skipped_total", &[]),
        ("tidings_deltas_truncated_total", &[]),
        ("tidings_digests_truncated_total", &[]),
        ("tidings_resets_total", &[]),
        ("tidings_events_lost_total", &[]),
    ] {
        assert_eq!(value(&samples, never.0, never.1), 0.0, "{never:?}");
    }
    assert!(value(&samples, "tidings_member_phi_max", &[]) >= 0.0);

    let readme = include_str!("../../README.md");
    let documented: BTreeSet<&str> =
        readme.lines().filter_map(|line| line.strip_prefix("| `tidings_")?.split('`').next()).collect();
    let told: BTreeSet<&str> = samples.keys().map(|name| name.trim_start_matches("tidings_")).collect();
    assert_eq!(documented, told, "the README's table");
}

#[test]
fn requests_are_counted_by_route_whatever_is_asked_for() {
    let agent = Agent::start("one", &[]);
    for number in 0..20 {
        agent.call("GET", &format!("/v1/nodes/{number}/keys"), b"");
        agent.call("GET", &format!("/{number}"), b"");
        let mut other = agent.send(&format!("METHOD{number} /v1/members HTTP/1.0\r\nhost: localhost\r\n\r\n"));
        assert_eq!(head(&mut other).0, 405);
    }
    let samples = scrape(&agent);
    let count = |labels: &[(&str, &str)]| value(&samples, "tidings_http_requests_total", labels);
    assert_eq!(count(&[("route", "/v1/nodes/{name}/keys"), ("method", "GET"), ("status", "404")]), 20.0);
    assert_eq!(count(&[("route", "none"), ("method", "GET"), ("status", "404")]), 20.0);
    assert_eq!(count(&[("route", "/v1/members"), ("method", "other"), ("status", "405")]), 20.0);
    assert_eq!(samples["tidings_http_requests_total"].len(), 3, "{samples:?}");
}
