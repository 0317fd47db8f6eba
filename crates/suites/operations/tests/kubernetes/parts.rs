//! Names in one document that stand for something in another.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// All documents of the manifest.
pub(crate) fn documents() -> Vec<Value> {
    let text = tidings_operations::read("kubernetes.yaml").expect("the manifest");
    serde_norway::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).expect("YAML whose keys are texts, none twice"))
        .collect()
}

fn one(kind: &str, name: &str) -> Value {
    let mut found: Vec<Value> = documents();
    found.retain(|document| document["kind"] == kind && document["metadata"]["name"] == name);
    assert_eq!(found.len(), 1, "{kind} {name}");
    found.remove(0)
}

fn pod() -> Value {
    one("StatefulSet", "tidings")["spec"]["template"].clone()
}

/// The number of the container's port of this name.
fn port(name: &Value) -> &'static str {
    let pod = pod();
    let ports = pod["spec"]["containers"][0]["ports"].as_array().expect("ports");
    let port = ports.iter().find(|port| &port["name"] == name).unwrap_or_else(|| panic!("no port {name}"));
    match port["containerPort"].as_u64() {
        Some(7000) => "7000",
        Some(8000) => "8000",
        other => panic!("{other:?} is in no setting"),
    }
}

#[test]
fn every_selector_takes_the_pods() {
    let labels = &pod()["metadata"]["labels"];
    let set = one("StatefulSet", "tidings");
    let policy = one("NetworkPolicy", "tidings");
    let selectors = [
        &one("Service", "tidings")["spec"]["selector"],
        &one("Service", "tidings-http")["spec"]["selector"],
        &set["spec"]["selector"]["matchLabels"],
        &one("PodDisruptionBudget", "tidings")["spec"]["selector"]["matchLabels"],
        &policy["spec"]["podSelector"]["matchLabels"],
        &policy["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"],
    ];
    for selector in selectors {
        let wanted = selector.as_object().expect("labels");
        assert!(!wanted.is_empty() && wanted.iter().all(|(name, value)| &labels[name] == value), "{selector}");
    }
}

#[test]
fn the_headless_service_is_the_seed() {
    let service = one("Service", "tidings");
    assert_eq!(service["spec"]["clusterIP"], "None");
    assert_eq!(service["spec"]["publishNotReadyAddresses"], true);
    assert_eq!(one("StatefulSet", "tidings")["spec"]["serviceName"], service["metadata"]["name"]);
    let config = one("ConfigMap", "tidings");
    let config = config["data"]["agent.toml"].as_str().expect("the file");
    assert!(config.contains(r#"seeds = ["tidings:7000"]"#), "{config}");
}

#[test]
fn ports_have_the_numbers_of_the_settings() {
    let config = one("ConfigMap", "tidings");
    let config = config["data"]["agent.toml"].as_str().expect("the file");
    for name in ["gossip", "http"] {
        let number = port(&name.into());
        assert!(config.contains(&format!("listen = \"0.0.0.0:{number}\"")), "{name}: {config}");
        let service = one("Service", if name == "gossip" { "tidings" } else { "tidings-http" });
        let served = &service["spec"]["ports"][0];
        assert_eq!((port(&served["targetPort"]), served["port"].to_string().as_str()), (number, number));
    }
    let container = &pod()["spec"]["containers"][0];
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        assert_eq!(port(&container[probe]["httpGet"]["port"]), "8000", "{probe}");
        assert_eq!(container[probe]["httpGet"]["path"], "/healthz", "{probe}");
    }
    assert!(container["args"].to_string().contains("--advertise=$(POD_IP):7000"), "{}", container["args"]);
}

#[test]
fn files_are_where_the_agent_looks_for_them() {
    let spec = pod()["spec"].clone();
    let container = &spec["containers"][0];
    let mounted = |volume: &str| {
        let mounts = container["volumeMounts"].as_array().expect("mounts");
        mounts
            .iter()
            .find(|mount| mount["name"] == volume)
            .and_then(|mount| mount["mountPath"].as_str())
            .expect("a path")
    };
    let volume = |name: &str| {
        let volumes = spec["volumes"].as_array().expect("volumes");
        volumes.iter().find(|volume| volume["name"] == name).cloned().expect("a volume")
    };
    assert!(container["args"].to_string().contains(&format!("--config={}/agent.toml", mounted("config"))));
    assert_eq!(volume("config")["configMap"]["name"], one("ConfigMap", "tidings")["metadata"]["name"]);

    let config = one("ConfigMap", "tidings");
    let config = config["data"]["agent.toml"].as_str().expect("the file");
    assert!(config.contains(&format!("token_file = \"{}/token\"", mounted("token"))), "{config}");
    let secret = volume("token")["secret"]["secretName"].as_str().expect("a name").to_string();
    let made = format!("kubectl create secret generic {secret} --from-literal=token=");
    assert!(tidings_operations::read("kubernetes.yaml").expect("the manifest").contains(&made), "{made}");
    // Group and others: the group may read it, for the container's user is in `fsGroup`.
    assert_eq!(volume("token")["secret"]["defaultMode"], 0o440);
}

#[test]
fn there_is_time_to_leave() {
    // leave_timeout, shutdown_timeout and what HTTP may take.
    let longest = Duration::from_secs(5 + 5 + 1);
    let grace = pod()["spec"]["terminationGracePeriodSeconds"].as_u64().map(Duration::from_secs).expect("a time");
    assert!(grace > longest, "{grace:?}");
}
