//! What `docs/operations` says of agents is so: its settings are taken, and its metrics exist.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[expect(dead_code, reason = "other suites use the rest")]
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use support::{Running, eventually, field, run};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

/// What an agent serves at `/metrics`.
fn metrics_of(ready: &str) -> String {
    let url = format!("http://{}/metrics", field(ready, "http"));
    ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap()
}

/// A label, an operator, a value.
type Matcher = (String, String, String);

/// Metrics that are named somewhere, each with the labels that are asked of it.
fn named(text: &str) -> Vec<(String, Vec<Matcher>)> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts = text.match_indices("tidings_").map(|(at, _)| at);
    starts
        .filter(|&at| !text[..at].ends_with(is_part))
        .map(|at| {
            let name = text[at..].split(|c| !is_part(c)).next().unwrap();
            let rest = &text[at + name.len()..];
            let selector =
                rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(labels, _)| labels);
            (name.to_string(), selector.split(',').filter_map(label).collect())
        })
        .collect()
}

fn label(text: &str) -> Option<Matcher> {
    let text = text.replace('\\', "");
    let (name, value) = text.trim().split_once(['=', '!'])?;
    let operator = text.trim()[name.len()..].split('"').next()?.to_string();
    Some((name.to_string(), operator, value.split('"').nth(1)?.to_string()))
}

#[test]
fn every_metric_and_label_that_is_named_exists() {
    let start = |name: &str, more: &[&str]| {
        let own =
            ["agent", "--name", name, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--gossip-interval", "100ms"];
        let mut process = Running::start(&[&own, more].concat());
        let ready = process.line("agent", |line| line.starts_with("event=ready"));
        (process, ready)
    };
    let (_one, ready) = start("one", &[]);
    let (_two, _) = start("two", &["--seed", field(&ready, "address")]);
    // By then each has a phi of the other.
    let served = eventually("a phi", || Some(metrics_of(&ready)).filter(|text| text.contains("tidings_member_phi{")));

    let samples: BTreeSet<&str> = served.lines().filter(|line| !line.starts_with('#')).collect();
    let mut checked = 0;
    for file in ["alerts.yaml", "grafana-dashboard.json", "../operations.md"] {
        for (name, labels) in named(&read(file)) {
            let of_name: Vec<&&str> = samples
                .iter()
                .filter(|line| line.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(['{', ' '])))
                .collect();
            assert!(!of_name.is_empty(), "{file} names {name}, which no agent has:\n{served}");
            // The two that Prometheus adds.
            for (label, operator, value) in labels.iter().filter(|(name, ..)| name != "job" && name != "instance") {
                let pattern = operator.ends_with('~') && value.contains(['.', '*', '+']);
                for value in value.split('|').filter(|_| !pattern) {
                    let wanted = format!("{label}=\"{value}\"");
                    assert!(
                        of_name.iter().any(|line| line.contains(&wanted)),
                        "{file}: no {name} has {wanted}: {of_name:#?}"
                    );
                }
            }
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn names_and_labels_are_read_from_expressions() {
    let label = |name: &str, operator: &str, value: &str| (name.into(), operator.into(), value.into());
    let text = r#"rate(tidings_a_total{job="x", kind!="a", b=~\"c|d\"}[5m]) / not_tidings_b + tidings_c."#;
    let labels = vec![label("job", "=", "x"), label("kind", "!=", "a"), label("b", "=~", "c|d")];
    assert_eq!(named(text), [("tidings_a_total".to_string(), labels), ("tidings_c".to_string(), Vec::new())]);
}

/// The agent takes the file: it prints what it makes of it.
fn printed(file: &Path, more: &[&str]) -> String {
    let (code, out, err) = run(&[&["agent", "--print-config", "--config", file.to_str().unwrap()], more].concat());
    assert_eq!(code, Some(0), "{err}");
    out
}

#[test]
fn the_file_for_systemd_is_taken() {
    let out = printed(&folder().join("agent.toml"), &["--name", "host", "--advertise", "host:7000"]);
    for setting in ["cluster_id = \"production\"", "listen = \"0.0.0.0:7000\"", "/etc/tidings/http-token"] {
        assert!(out.contains(setting), "{setting}: {out}");
    }
    let unit = read("tidings.service");
    assert!(unit.contains("agent --config /etc/tidings/agent.toml --name %H --advertise %H:7000\n"), "{unit}");
}

#[test]
fn the_file_in_the_kubernetes_manifest_is_taken() {
    let manifest = read("kubernetes.yaml");
    let (_, block) = manifest.split_once("  agent.toml: |\n").unwrap();
    let lines = block.lines().map_while(|line| if line.is_empty() { Some("") } else { line.strip_prefix("    ") });
    let text = lines.collect::<Vec<_>>().join("\n");
    let file = std::env::temp_dir().join(format!("tidings-kubernetes-{}.toml", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let out = printed(&file, &["--name=tidings-0", "--advertise=10.0.0.7:7000"]);
    std::fs::remove_file(&file).unwrap();
    for setting in
        ["tidings:7000", "10.0.0.7:7000", "0.0.0.0:8000", "/etc/tidings-token/token", "format = \"json\"", "67108864"]
    {
        assert!(out.contains(setting), "{setting}: {out}");
    }
}
