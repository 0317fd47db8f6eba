//! Every field is one of Kubernetes', of its type, and none that it demands is missing.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::parts::documents;

/// What is wrong with a document; nothing if it is one of the schema.
///
/// The types take unknown fields without a word, and make up what is missing. Both show when what was read is written
/// again and compared.
fn faults(document: &Value) -> Vec<String> {
    let kind = (document["apiVersion"].as_str().unwrap_or_default(), document["kind"].as_str().unwrap_or_default());
    let again = match kind {
        ("v1", "Service") => round_trip::<Service>(document),
        ("v1", "ConfigMap") => round_trip::<ConfigMap>(document),
        ("apps/v1", "StatefulSet") => round_trip::<StatefulSet>(document),
        ("policy/v1", "PodDisruptionBudget") => round_trip::<PodDisruptionBudget>(document),
        ("networking.k8s.io/v1", "NetworkPolicy") => round_trip::<NetworkPolicy>(document),
        other => Err(format!("{other:?} is no kind that this test knows; add its type here")),
    };
    match again {
        Ok(again) => differences("", document, &again),
        Err(error) => vec![error],
    }
}

fn round_trip<T: DeserializeOwned + Serialize>(document: &Value) -> Result<Value, String> {
    let typed: T = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
    serde_json::to_value(typed).map_err(|error| error.to_string())
}

/// Where the two differ. An order of fields is none.
fn differences(at: &str, written: &Value, kept: &Value) -> Vec<String> {
    match (written, kept) {
        (Value::Object(written), Value::Object(kept)) => {
            let unknown = written.keys().filter(|name| !kept.contains_key(*name));
            let missing = kept.keys().filter(|name| !written.contains_key(*name));
            let mut found: Vec<String> = unknown.map(|name| format!("{at}/{name}: no such field")).collect();
            found.extend(missing.map(|name| format!("{at}/{name}: missing")));
            for (name, value) in written {
                found.extend(
                    kept.get(name).map(|kept| differences(&format!("{at}/{name}"), value, kept)).into_iter().flatten(),
                );
            }
            found
        }
        (Value::Array(written), Value::Array(kept)) if written.len() == kept.len() => {
            let items = written.iter().zip(kept).enumerate();
            items.flat_map(|(n, (written, kept))| differences(&format!("{at}/{n}"), written, kept)).collect()
        }
        _ if written == kept => Vec::new(),
        _ => vec![format!("{at}: {written} was read as {kept}")],
    }
}

#[test]
fn every_document_is_one_of_kubernetes() {
    let documents = documents();
    assert!(documents.len() >= 6, "{}", documents.len());
    for document in &documents {
        let faults = faults(document);
        assert!(faults.is_empty(), "{} {}: {faults:#?}", document["kind"], document["metadata"]["name"]);
    }
}

#[test]
fn what_is_none_of_kubernetes_is_found() {
    type Break = (fn(&mut Value), &'static str);
    let breaks: [Break; 8] = [
        (
            |set| set["spec"]["template"]["spec"]["terminationGraceSeconds"] = 3.into(),
            "terminationGraceSeconds: no such",
        ),
        (|set| set["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = Value::Null, "livenesProbe: no such"),
        (|set| set["spec"]["template"]["spec"]["containers"][0]["ports"][0]["port"] = 3.into(), "port: no such"),
        (|set| set["spec"]["replicas"] = "3".into(), "invalid type: string"),
        (
            |set| set["spec"]["template"]["spec"]["containers"] = Value::Object(serde_json::Map::new()),
            "invalid type: map",
        ),
        (|set| drop(set["spec"].as_object_mut().map(|spec| spec.remove("selector"))), "/spec/selector: missing"),
        (|set| set["apiVersion"] = "apps/v1beta1".into(), "is no kind"),
        (|set| set["metadata"]["labels"]["a"] = 1.into(), "invalid type: integer"),
    ];
    let all = documents();
    let set = all.iter().find(|document| document["kind"] == "StatefulSet").expect("there is one");
    for (break_it, found) in breaks {
        let mut broken = set.clone();
        break_it(&mut broken);
        let faults = faults(&broken);
        assert!(faults.iter().any(|fault| fault.contains(found)), "{found:?} is not among {faults:#?}");
    }
}
