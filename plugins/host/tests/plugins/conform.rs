//! The conformance test, applied to built-in strategies, examples in Rust and a project in C.

use super::helper::{compile, example};
use nas_plugin_host::{conformance, load};

fn check_passes(name: &str) {
    let mut cases = 0;
    conformance::check(name, &mut |_| cases += 1).unwrap_or_else(|problem| panic!("{name}: {problem}"));
    assert_eq!(cases, 6);
}

#[test]
fn built_in_strategies_pass() {
    for name in ["plain", "fairnas", "ogd"] {
        check_passes(name);
    }
}

#[test]
fn examples_in_rust_pass() {
    for library in ["nas_example_clip", "nas_example_sampling", "nas_example_ogd"] {
        for strategy in &load(&example(library)).unwrap().strategies {
            check_passes(strategy.name);
        }
    }
}

#[test]
#[cfg(unix)]
fn a_project_in_c_passes_and_its_defects_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let load_project = |name: &str, change: &dyn Fn(&str) -> String| {
        for (path, text) in nas_plugin_host::template::c(name) {
            std::fs::write(dir.path().join(path), change(&text)).unwrap();
        }
        let (_dir, library) = compile(&dir.path().join("plugin.c"), dir.path(), &["-std=c99"]);
        load(&library).unwrap();
    };
    load_project("from-template", &|text| text.into());
    check_passes("from-template");
    load_project("counts-in-a-static", &|text| {
        text.replace(
            "gradient[j] *= self->factor;",
            "static int n; gradient[j] *= self->factor / (float)(++n % 7 + 1);",
        )
    });
    let problem = conformance::check("counts-in-a-static", &mut |_| ()).unwrap_err();
    assert_eq!(
        problem,
        "synthetic steps: equal steps give equal updates: two instances differ on the same steps: use only the random \
         numbers of the host, and no clock"
    );
}
