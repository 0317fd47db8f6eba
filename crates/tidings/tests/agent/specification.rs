//! The OpenAPI document, as a judge of every answer.

use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("../../src/agent/openapi.json");

pub(crate) fn document() -> &'static Value {
    static PARSED: OnceLock<Value> = OnceLock::new();
    PARSED.get_or_init(|| serde_json::from_str(DOCUMENT).unwrap())
}

/// Fails unless the document says that this request may be answered so.
pub(crate) fn check(method: &str, path: &str, status: u16, content_type: &str, body: &Value) {
    let path = path.split('?').next().unwrap_or_default();
    let responses = template(path).map(|template| &document()["paths"][template][method.to_lowercase()]["responses"]);
    let response = match responses {
        // No such path, or not with this method: nothing but that can be told.
        None | Some(Value::Null) => {
            assert!(matches!(status, 400 | 401 | 404 | 405 | 421), "{method} {path}: {status}");
            &document()["components"]["responses"]["Unknown"]
        }
        Some(responses) => resolved(&responses[status.to_string()]),
    };
    let media = &response["content"][content_type];
    assert!(media.is_object(), "{method} {path}: {status} with {content_type} is not documented: {body}");
    matches(&media["schema"], body);
}

/// Fails unless `value` is as the schema of this name says.
pub(crate) fn is_a(name: &str, value: &Value) {
    matches(&json!({"$ref": format!("#/components/schemas/{name}")}), value);
}

fn matches(schema: &Value, value: &Value) {
    let mut schema = schema.clone();
    schema["components"] = document()["components"].clone();
    let validator: Validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{error} at {}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}: {value}");
}

fn resolved(response: &'static Value) -> &'static Value {
    match response["$ref"].as_str() {
        Some(reference) => document().pointer(reference.trim_start_matches('#')).unwrap(),
        None => response,
    }
}

/// The path in the document that a path is one of.
fn template(path: &str) -> Option<&'static str> {
    let paths = document()["paths"].as_object().unwrap();
    let is_one_of = |template: &str| {
        let (mut wanted, mut given) = (template.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                // A key may hold slashes.
                (Some("{key}"), Some(_)) | (None, None) => return true,
                (Some(wanted), Some(given)) if wanted == given || wanted == "{name}" => {}
                _ => return false,
            }
        }
    };
    paths.keys().map(String::as_str).find(|template| is_one_of(template))
}

#[test]
fn the_document_is_sound() {
    for name in document()["components"]["schemas"].as_object().unwrap().keys() {
        let mut schema = json!({"$ref": format!("#/components/schemas/{name}")});
        schema["components"] = document()["components"].clone();
        jsonschema::validator_for(&schema).unwrap();
    }
    let paths = document()["paths"].as_object().unwrap();
    let mut ids = Vec::new();
    for operation in paths.values().flat_map(|path| path.as_object().unwrap().values()) {
        ids.push(operation["operationId"].as_str().unwrap());
        for response in operation["responses"].as_object().unwrap().values() {
            assert!(resolved(response)["content"].is_object(), "{response}");
        }
    }
    let readme = include_str!("../../README.md");
    for (path, operations) in paths {
        for method in operations.as_object().unwrap().keys() {
            let row = format!("| `{} {path}` |", method.to_uppercase());
            assert!(readme.contains(&row), "{row} is not in the README");
        }
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), count > 12), (count, true));
}

#[test]
fn a_wrong_answer_would_be_noticed() {
    let good = json!({"k": {"value": "v", "version": 1, "status": "set"}});
    check("GET", "/v1/nodes/one/keys", 200, "application/json", &good);
    let wrong: [(&str, u16, &str, Value); 5] = [
        ("/v1/nodes/one/keys", 200, "text/plain", good.clone()),
        ("/v1/nodes/one/keys", 202, "application/json", good.clone()),
        ("/v1/nodes/one/keys", 200, "application/json", json!({"k": {"value": "v", "version": -1, "status": "set"}})),
        ("/v1/nodes/one/keys", 200, "application/json", json!({"k": {"value": "v", "version": 1}})),
        ("/v2/members", 200, "application/json", good),
    ];
    for (path, status, content_type, body) in wrong {
        let checked = std::panic::catch_unwind(|| check("GET", path, status, content_type, &body));
        assert!(checked.is_err(), "{path} {status} {content_type} {body}");
    }
}
