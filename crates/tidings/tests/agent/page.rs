//! The page as it is served; what it shows and does in a browser is the crate tidings-browser's.

use serde_json::{Value, json};

use crate::agent::Agent;

#[test]
fn the_page_is_one_document_whose_policy_lets_its_own_script_run_and_no_other() {
    let agent = Agent::start("one", &[]);
    let load = || {
        let mut response = ureq::get(format!("http://{}/", agent.http())).call().unwrap();
        let headers = response.headers().clone();
        let header = move |name: &str| headers.get(name).unwrap().to_str().unwrap().to_string();
        assert!(header("content-type").starts_with("text/html"));
        assert_eq!((header("cache-control").as_str(), header("referrer-policy").as_str()), ("no-store", "no-referrer"));
        (header("content-security-policy"), response.body_mut().read_to_string().unwrap())
    };
    let (policy, document) = load();
    let (_, after) = policy.split_once("script-src 'nonce-").unwrap();
    let (nonce, _) = after.split_once('\'').unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains(&format!("style-src 'nonce-{nonce}'")),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(policy.contains("require-trusted-types-for 'script'; trusted-types 'none'"), "{policy}");
    for tag in ["<script", "<style"] {
        let with_nonce = document.split(tag).skip(1).filter(|rest| rest.starts_with([' ', '>']));
        let with_nonce: Vec<bool> =
            with_nonce.map(|rest| rest.split('>').next().unwrap().contains(&format!("nonce=\"{nonce}\""))).collect();
        assert_eq!(with_nonce, [true], "{tag}");
    }
    assert_ne!(load().0, policy, "a nonce is for one answer alone");
}

#[test]
fn the_page_is_told_through_which_node_it_looks() {
    let agent = Agent::start("one", &[]);
    let mut response = ureq::get(format!("http://{}/page.json", agent.http())).call().unwrap();
    let page: Value = serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap();
    assert_eq!(page, json!({"nodes": [{"name": "one", "api": ""}]}));
}
