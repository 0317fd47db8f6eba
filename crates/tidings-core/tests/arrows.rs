//! Who imports whom: the rooms that both dialects share know nothing of any dialect, of the wire or of the node.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms that stay below.
const SHARED: [&str; 4] = ["members", "state", "reconcile", "suspicion"];

/// What none of them may name.
const ABOVE: [&str; 5] = ["dialect", "wire", "node", "knowledge", "farewell"];

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources are here") {
        let path = entry.expect("the sources are here").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.file_name() != Some("tests.rs".as_ref())
        {
            files.push(path);
        }
    }
}

/// The source without comments and without what only the tests see, which stands at the end of a file.
fn code(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules of this crate that `code` names as `crate::module`, also within `use crate::{...}`.
fn named(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => names.push(word(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut begins = true;
                for (place, c) in list.char_indices() {
                    match c {
                        '}' if depth == 0 => break,
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => begins = true,
                        c if begins && !c.is_whitespace() => {
                            names.push(word(&list[place..]));
                            begins = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names
}

#[test]
fn the_shared_rooms_name_neither_dialect_nor_wire_nor_node() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for room in SHARED {
        let mut files = Vec::new();
        rust_files(&source.join(room), &mut files);
        assert!(files.len() >= 3, "{room}: {files:?}");
        for file in files {
            let names = named(&code(&fs::read_to_string(&file).expect("a source is text")));
            let wrong: Vec<&String> = names.iter().filter(|name| ABOVE.contains(&name.as_str())).collect();
            assert!(
                wrong.is_empty(),
                "{} names {wrong:?}; hand it plain values instead, as members::Report and reconcile::Lengths do",
                file.display()
            );
        }
    }
}

#[test]
fn a_name_is_found_however_it_is_imported() {
    let source = "use crate::{id, wire::{tag, size}, node as n};\nlet x = crate::dialect::y();\n// crate::farewell\n\
                  #[cfg(test)]\nmod tests { use crate::knowledge::Moment; }";
    assert_eq!(named(&code(source)), ["id", "wire", "node", "dialect"]);
}
