//! Files that are not plugins, and a plugin that is built with the header of version 1.0.

use super::helper::{compile, example, here, run};
use nas_core::registry::{StrategyDescriptor, find};
use nas_plugin_host::load;
use std::fs;
use std::path::Path;

/// The error message of loading a file, with `FILE` for its path.
fn load_error(path: &Path) -> String {
    let message = load(path).unwrap_err().to_string();
    message
        .strip_prefix("plugin ")
        .unwrap()
        .replace(&fs::canonicalize(path).unwrap_or(path.into()).display().to_string(), "FILE")
}

#[test]
fn missing_files_directories_and_garbage_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let dir = fs::canonicalize(dir.path()).unwrap();
    fs::create_dir_all(&dir).unwrap();
    let missing = dir.join("missing.so");
    assert_eq!(load_error(&missing), "FILE: No such file or directory (os error 2); check the path");
    assert_eq!(load_error(&dir), "FILE: it is a directory, expected a shared library");
    let garbage = dir.join("garbage.so");
    fs::write(&garbage, "garbage, garbage, garbage, garbage, garbage, garbage, garbage").unwrap();
    let message = load_error(&garbage);
    assert!(message.starts_with("FILE: it cannot be loaded as a shared library: ") && message.len() > 60, "{message}");
    fs::write(&garbage, "").unwrap();
    assert!(load_error(&garbage).starts_with("FILE: it cannot be loaded as a shared library: "));
    fs::remove_dir_all(dir).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_library_for_another_machine_is_an_error() {
    let mut bytes = fs::read(example("nas_example_clip")).unwrap();
    // The machine of an ELF file is at byte 18; 243 is RISC-V.
    bytes[18..20].copy_from_slice(&243_u16.to_le_bytes());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("riscv.so");
    fs::write(&path, bytes).unwrap();
    let this = std::env::consts::ARCH;
    let expected = format!("FILE: it is built for riscv64, this program is built for {this}: build it for {this}");
    assert_eq!(load_error(&path), expected);
}

/// Loading a file that lacks a part of its segments would end the process with SIGBUS.
#[test]
#[cfg(target_os = "linux")]
fn truncated_libraries_are_errors() {
    let (_dir, library) = compile(&here("tests/frozen/compat.c"), &here("tests/frozen"), &["-std=c11"]);
    let bytes = fs::read(library).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut refused = 0;
    for length in (0..bytes.len()).step_by(97) {
        let path = dir.path().join(format!("{length}.so"));
        fs::write(&path, &bytes[..length]).unwrap();
        // Without its last part, which names symbols for debuggers, the library loads.
        let message = load(&path).map_or_else(|error| error.to_string(), |_| String::new());
        refused += usize::from(message.contains("truncated") || message.contains("too short"));
    }
    assert!(refused > bytes.len() / 97 / 2, "{refused}");
}

#[test]
#[cfg(unix)]
fn libraries_that_are_not_plugins_of_this_version_are_errors() {
    let bad = here("tests/plugins/bad.c");
    let include = here("../include");
    let message = |case: &str| {
        let (_dir, library) = compile(&bad, &include, &[case]);
        load_error(&library)
    };
    assert_eq!(
        message("-DNO_SYMBOL"),
        "FILE: it does not export the function nas_plugin_v1, so it is not a plugin for nas-train; see docs/plugins.md"
    );
    assert_eq!(
        message("-DMAJOR_2"),
        "FILE: it is built for version 2 of the plugin interface, this program has version 1: build it with the \
         header or crate of version 1"
    );
    assert_eq!(message("-DNULL_TABLE"), "FILE: nas_plugin_v1 returned no table: no license found");
    assert!(message("-DUNDEFINED").contains("undefined symbol: no_such_function"));
}

#[test]
#[cfg(unix)]
fn a_plugin_built_with_the_header_of_version_1_0_works() {
    let (_dir, library) = compile(&here("tests/frozen/compat.c"), &here("tests/frozen"), &["-std=c11"]);
    let plugin = load(&library).unwrap();
    assert_eq!(plugin.sha256.len(), 64);
    let (result, _) = run("name = \"compat\"\nfactor = 0.25", "").unwrap();
    assert_eq!(result.telemetry["first_gradient"], 0.25);
    assert!(load(&library).unwrap().path == plugin.path, "a file is loaded only once");
}

#[test]
fn loading_a_file_twice_has_no_effect() {
    let path = example("nas_example_clip");
    let first = load(&path).unwrap();
    assert!(std::ptr::eq(first, load(&path).unwrap()));
    let descriptor = find::<StrategyDescriptor>("clip-shared").unwrap();
    assert_eq!((descriptor.options)(), "max_norm = 1.0\n");
    assert_eq!(first.strategies[0].version, "0.1.0");
}
