//! The imports between the top-level modules of the crate have no circle and equal the list in `docs/design.md`.

#![allow(clippy::unwrap_used)] // Helpers of tests: a panic is a failed test.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Imports = BTreeMap<String, BTreeSet<String>>;

/// All source files below `dir` without those of tests.
fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "test_support.rs" {
            found.push(path);
        }
    }
}

/// The code of a file without comments and without test modules, which end a file or are inline.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines();
    lines.map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Modules that follow `crate::` in the code, `crate::{a, b}` included.
fn imported(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![rest],
        };
        for name in names {
            let name: String = name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.insert(name);
        }
    }
    found
}

/// The imports of each top-level module, as the code has them.
fn of_code() -> Imports {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut imports = Imports::new();
    for file in files {
        let relative = file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        let module = relative.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        if module == "lib" {
            continue;
        }
        let mut others = imported(&code(&fs::read_to_string(&file).unwrap()));
        others.remove(&module);
        imports.entry(module).or_default().extend(others);
    }
    imports
}

/// The list of the document: lines `module: import, import` between the markers.
fn of_document() -> Imports {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/design.md");
    let text = fs::read_to_string(path).unwrap();
    let list = text.split("<!-- imports:begin -->").nth(1).and_then(|rest| rest.split("<!-- imports:end -->").next());
    let list = list.unwrap_or_else(|| panic!("{path} has no list between <!-- imports:begin --> and its end"));
    let line = |line: &str| {
        let (module, imports) = line.split_once(':')?;
        let imports = imports.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Some((module.trim().to_owned(), imports.filter(|name| name != "-").collect()))
    };
    list.lines().filter_map(line).collect()
}

#[test]
fn the_document_lists_the_imports_of_the_code() {
    let line = |(module, imports): (&String, &BTreeSet<String>)| {
        let names: Vec<&str> = imports.iter().map(String::as_str).collect();
        format!("{module}: {}\n", if names.is_empty() { "-".into() } else { names.join(", ") })
    };
    let code = of_code();
    let expected: String = code.iter().map(line).collect();
    assert!(of_document() == code, "docs/design.md must list the imports between the modules of core:\n{expected}");
}

#[test]
fn no_circle_connects_top_level_modules() {
    let mut left = of_code();
    // Removes modules whose imports have all been removed; a circle never loses its members.
    loop {
        let free: Vec<String> = left.iter().filter(|(_, imports)| imports.is_empty()).map(|(m, _)| m.clone()).collect();
        if free.is_empty() {
            break;
        }
        for module in &free {
            left.remove(module);
        }
        left.values_mut().for_each(|imports| imports.retain(|import| !free.contains(import)));
    }
    assert!(left.is_empty(), "these modules import each other in a circle, or import from one: {left:?}");
}
