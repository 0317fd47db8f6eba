//! The alert rules and the dashboard: their form, and that every expression is one of Prometheus'.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::parser;
use serde::Deserialize;
use serde_json::Value;
use tidings_operations::read;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Alert>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alert {
    alert: String,
    expr: String,
    #[serde(rename = "for")]
    lasting: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: Annotations,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    summary: String,
    why: String,
    action: String,
}

fn alerts() -> Vec<Alert> {
    let rules: Rules = serde_norway::from_str(&read("alerts.yaml").expect("the rules")).expect("rules");
    assert_eq!(rules.groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["tidings"]);
    rules.groups.into_iter().flat_map(|group| group.rules).collect()
}

#[test]
fn every_alert_can_be_evaluated_and_says_why_and_what_to_do() {
    let alerts = alerts();
    let names: BTreeSet<&str> = alerts.iter().map(|alert| alert.alert.as_str()).collect();
    assert!(names.len() == alerts.len() && names.len() >= 10, "{names:?}");
    for Alert { alert, expr, lasting, labels, annotations } in &alerts {
        parser::parse(expr).unwrap_or_else(|error| panic!("{alert}: {error}"));
        assert!(expr.contains("job=\"tidings\""), "{alert} takes the metrics of any job");
        let unit = lasting.as_deref().map(|lasting| lasting.trim_start_matches(|c: char| c.is_ascii_digit()));
        assert!(unit.is_none_or(|unit| unit == "m"), "{alert}: {lasting:?}");
        assert!(
            matches!(labels["severity"].as_str(), "critical" | "warning") && labels.len() == 1,
            "{alert}: {labels:?}"
        );
        for text in [&annotations.summary, &annotations.why, &annotations.action] {
            assert!(text.len() > 20 && text.matches("{{").count() == text.matches("}}").count(), "{alert}: {text:?}");
        }
    }
}

/// `promtool test rules` plays them; here: that none is left out.
#[test]
fn every_alert_has_a_case_for_it_and_one_against_it() {
    let cases: Value = serde_norway::from_str(&read("alerts-test.yaml").expect("the cases")).expect("YAML");
    let mut fires: BTreeMap<String, Vec<bool>> = BTreeMap::new();
    for case in cases["tests"].as_array().expect("tests") {
        let name = case["name"].as_str().and_then(|name| name.split_once(':')).expect("ALERT: what").0;
        let expected = case["promql_expr_test"][0]["exp_samples"].as_array().expect("samples");
        let own = |sample: &Value| sample["labels"] == format!("{{alertname=\"{name}\"}}");
        assert!(expected.iter().all(own), "{case}");
        fires.entry(name.to_string()).or_default().push(!expected.is_empty());
    }
    let expected: BTreeMap<String, Vec<bool>> =
        alerts().into_iter().map(|alert| (alert.alert, vec![true, false])).collect();
    assert_eq!(fires, expected);
}

fn panels() -> Vec<Value> {
    dashboard()["panels"].as_array().expect("panels").clone()
}

fn dashboard() -> Value {
    serde_json::from_str(&read("grafana-dashboard.json").expect("the dashboard")).expect("JSON")
}

#[test]
fn every_panel_can_be_evaluated_and_is_explained() {
    let variables = [("$__rate_interval", "5m"), ("$job", "tidings"), ("$instance", ".+")];
    let mut ids = BTreeSet::new();
    for panel in panels() {
        let title = panel["title"].as_str().expect("a title").to_string();
        assert!(ids.insert(panel["id"].as_u64()), "{title}: its id is another one's");
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 10), "{title}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            let expr = target["expr"].as_str().expect("an expression");
            assert!(expr.contains("job=\"$job\", instance=~\"$instance\""), "{title}: {expr}");
            let expr = variables.iter().fold(expr.to_string(), |expr, (name, value)| expr.replace(name, value));
            assert!(!expr.contains('$'), "{title}: {expr}");
            parser::parse(&expr).unwrap_or_else(|error| panic!("{title}: {error}"));
        }
    }
    let defined: Vec<Value> = dashboard()["templating"]["list"].as_array().expect("variables").clone();
    let defined: Vec<&str> = defined.iter().filter_map(|variable| variable["name"].as_str()).collect();
    assert_eq!(defined, ["datasource", "job", "instance"]);
}

#[test]
fn panels_lie_beside_each_other_within_the_width() {
    let place = |panel: &Value| {
        ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap_or_else(|| panic!("{side}: {panel}")))
    };
    let panels = panels();
    for (n, panel) in panels.iter().enumerate() {
        let [x, y, w, h] = place(panel);
        assert!(w > 0 && h > 0 && x + w <= 24, "{}", panel["title"]);
        for other in &panels[..n] {
            let [ox, oy, ow, oh] = place(other);
            let apart = x >= ox + ow || ox >= x + w || y >= oy + oh || oy >= y + h;
            assert!(apart, "{} lies upon {}", panel["title"], other["title"]);
        }
    }
}
