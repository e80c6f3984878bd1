//! Plugins: strategies from shared libraries.

use super::helper::{TINY, example, program, read, read_json, refuses, setup, stderr, stdout, tiny};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Path of the library of the example plugin `rust-clip`, which is a dependency of these tests.
fn clip() -> String {
    example("nas_example_clip").to_str().unwrap().into()
}

/// Creates the project of a C plugin with `plugins new`, replaces `from` by `to` in its source, and builds it.
fn c_plugin(dir: &Path, name: &str, from: &str, to: &str) -> PathBuf {
    program(dir).args(["plugins", "new", name, "--lang", "c"]).assert().success();
    let source = dir.join(name).join("plugin.c");
    let text = fs::read_to_string(&source).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(&source, text.replacen(from, to, 1)).unwrap();
    assert!(Command::new("make").arg("-s").current_dir(dir.join(name)).status().unwrap().success());
    dir.join(name).join(format!("{name}.so"))
}

#[test]
fn plugin_strategies_are_listed_and_described_with_their_origin() {
    let (dir, mut command) = setup("list");
    let clip = clip();
    let listed = stdout(&command.args(["list", "strategies", "--json", "--plugin", &clip]).output().unwrap());
    let lines: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = lines.iter().map(|line| line["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["clip-shared", "fairnas", "ogd", "plain"]);
    assert_eq!(lines[0]["plugin"]["path"], clip);
    assert_eq!(lines[1].get("plugin"), None);
    let described = program(dir.path()).args(["describe", "clip-shared", "--plugin", &clip]).output().unwrap();
    let text = stdout(&described);
    assert!(text.contains(&format!("Plugin: {clip}, version 0.1.0")) && text.contains("max_norm = 1.0"), "{text}");
    assert!(text.contains("SHA-256: "), "{text}");
    let table = stdout(&program(dir.path()).args(["list", "strategies", "--plugin", &clip]).output().unwrap());
    assert!(table.contains(&format!("plugin {clip}")), "{table}");
}

#[test]
fn a_run_with_a_plugin_is_recorded_and_its_configuration_repeats_it() {
    let (dir, _) = setup("run");
    let clip = clip();
    let options = ["--plugin", &clip, "--strategy=clip-shared", "--set=strategy.max_norm=0.1"];
    tiny(dir.path(), "first", &options);
    let manifest = read_json(dir.path(), "first/manifest.json");
    let plugin = &manifest["plugins"][0];
    assert_eq!((plugin["path"].as_str(), plugin["strategies"]["clip-shared"].as_str()), (Some(&*clip), Some("0.1.0")));
    assert_eq!(plugin["sha256"].as_str().unwrap().len(), 64);
    assert!(read(dir.path(), "first/metrics.csv").contains("shared_norm"));
    program(dir.path()).args(["--config=first/config.toml", "--out=second"]).assert().success();
    assert_eq!(read(dir.path(), "first/metrics.csv"), read(dir.path(), "second/metrics.csv"));
    tiny(dir.path(), "plain", &["--plugin", &clip]);
    assert_ne!(read(dir.path(), "first/archs.csv"), read(dir.path(), "plain/archs.csv"));
}

#[test]
fn plugins_of_the_configuration_and_of_options_are_combined() {
    let (dir, _) = setup("config");
    let clip = clip();
    fs::write(dir.path().join("run.toml"), format!("plugins = ['{clip}']\n[strategy]\nname = \"clip-shared\"\n"))
        .unwrap();
    let check = program(dir.path()).args(["config", "check", "run.toml"]).output().unwrap();
    assert!(check.status.success(), "{}", stderr(&check));
    let shown = program(dir.path()).args(["config", "show", "--config=run.toml", "--plugin", &clip]).output().unwrap();
    let text = stdout(&shown);
    assert_eq!(text.matches(&clip).count(), 1, "{text}");
    fs::write(dir.path().join("bad.toml"), "plugins = 'a.so'\n").unwrap();
    refuses(dir.path(), &["--config=bad.toml"], 2, &["plugins", "expected a sequence"]);
}

#[test]
fn a_plugin_that_cannot_be_loaded_exits_with_code_3() {
    let (dir, _) = setup("bad");
    fs::write(dir.path().join("garbage.so"), "garbage").unwrap();
    for arguments in
        [&["--plugin=garbage.so"][..], &["list", "--plugin=garbage.so"], &["config", "show", "--plugin=garbage.so"]]
    {
        refuses(dir.path(), arguments, 3, &["garbage.so: it cannot be loaded as a shared library"]);
    }
    refuses(dir.path(), &["--plugin=none.so"], 3, &["plugin none.so: ", "check the path"]);
    refuses(dir.path(), &["--set=plugins=['none.so']"], 3, &["plugin none.so: "]);
    let clip = clip();
    let arguments = ["--plugin", &clip, "--strategy=clip-shared", "--set=strategy.max_norm=-1.0"];
    refuses(dir.path(), &arguments, 2, &["strategy.max_norm: expected a finite number above 0, found -1"]);
    let arguments = ["--plugin", &clip, "--strategy=clip-shared", "--set=strategy.max_nrom=1.0"];
    refuses(dir.path(), &arguments, 2, &["did you mean `max_norm`?"]);
    refuses(dir.path(), &["--strategy=clip-shraed", "--plugin", &clip], 2, &["did you mean `clip-shared`?"]);
}

#[test]
fn a_check_prints_each_test_and_the_outcome() {
    let (dir, mut command) = setup("check");
    let clip = clip();
    let output = command.args(["plugins", "check", &clip]).output().unwrap();
    let message = stdout(&output);
    assert!(output.status.success(), "{message}{}", stderr(&output));
    for line in ["strategy clip-shared, version 0.1.0", "  space tiny: two equal runs", &format!("{clip} works")] {
        assert!(message.lines().any(|l| l == line), "{line} in {message}");
    }
    let output = program(dir.path()).args(["plugins", "check", "none.so"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("plugin none.so: "), "{}", stderr(&output));
}

#[test]
#[cfg(unix)]
fn a_new_c_project_passes_the_check_and_a_crash_is_reported_with_its_test() {
    let (dir, _) = setup("new");
    let dir = dir.path();
    let whole = c_plugin(dir, "mine", "mine", "mine");
    program(dir).args(["plugins", "check"]).arg(&whole).assert().success();
    refuses(dir, &["plugins", "new", "mine"], 2, &["mine exists already"]);
    refuses(dir, &["plugins", "new", "../x"], 2, &["`../x` is not a valid name"]);

    let crashes = c_plugin(dir, "crashes", "double squares = 0;", "double squares = *(volatile double *)8;");
    let output = program(dir).args(["plugins", "check"]).arg(&crashes).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let message = stderr(&output);
    let place = "after `synthetic steps: random and zero gradients`";
    assert!(message.contains("crashed with signal 11 (segmentation fault)") && message.contains(place), "{message}");

    let prints = c_plugin(dir, "prints", "double squares = 0;", "double squares = 0; printf(\"\\xff step\\n\");");
    program(dir).args(["plugins", "check"]).arg(&prints).assert().success();
    refuses(dir, &["plugins", "new", "plain"], 2, &["`plain` is a name of this project"]);

    let leaves = c_plugin(dir, "leaves", "double squares = 0;", "double squares = 0; exit(0);");
    let output = program(dir).args(["plugins", "check"]).arg(&leaves).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stdout(&output));

    let spoils = c_plugin(dir, "spoils", "gradient[j] *= self->factor;", "gradient[j] = NAN;");
    let arguments = ["--plugin", spoils.to_str().unwrap(), "--strategy=spoils", "--out=out"];
    let output = program(dir).args(TINY).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let words = "plugin strategy `spoils` 0.1.0: after_backward wrote nan into the gradient of stem.weight, element 0";
    assert!(stderr(&output).to_lowercase().contains(words), "{}", stderr(&output));
    let manifest = read_json(dir, "out/manifest.json");
    assert_eq!(manifest["status"], "failed");
}

#[test]
fn a_new_rust_project_contains_all_its_files() {
    let (dir, mut command) = setup("rust");
    command.args(["plugins", "new", "my-way"]).assert().success();
    let text = read(dir.path(), "my-way/src/lib.rs");
    assert!(text.contains("const NAME: &'static str = \"my-way\";") && !text.contains('@'), "{text}");
    assert!(read(dir.path(), "my-way/README.md").contains("libmy_way.so"));
    let modules = read(dir.path(), "my-way/nas-plugin-abi/src/lib.rs");
    for module in modules.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")) {
        read(dir.path(), &format!("my-way/nas-plugin-abi/src/{}.rs", module.trim_end_matches(';')));
    }
}

/// Loading a file that lacks a part of its segments would end the program with SIGBUS.
#[test]
#[cfg(target_os = "linux")]
fn a_truncated_library_exits_with_code_3() {
    let (dir, _) = setup("cut");
    let dir = dir.path();
    let whole = fs::read(c_plugin(dir, "mine", "mine", "mine")).unwrap();
    let list = |length: usize| {
        fs::write(dir.join("cut.so"), &whole[..length]).unwrap();
        program(dir).args(["list", "--plugin=cut.so"]).output().unwrap()
    };
    for length in (0..whole.len()).step_by(whole.len() / 40) {
        let output = list(length);
        // Without its last part, which names symbols for debuggers, the library loads.
        assert!(matches!(output.status.code(), Some(0 | 3)), "{length}: {:?} {}", output.status, stderr(&output));
    }
    assert_eq!(list(whole.len()).status.code(), Some(0));
    list(whole.len() / 2);
    let bench = ["bench", "--strategies=plain,mine", "--plugin=cut.so"];
    let compare = ["compare", "--strategies=plain,mine", "--plugin=cut.so"];
    for arguments in [&["--plugin=cut.so"][..], &["list", "--plugin=cut.so"], &bench, &compare] {
        refuses(dir, arguments, 3, &["cut.so: it has ", "truncated or damaged"]);
    }
    assert!(Command::new("mkfifo").arg(dir.join("pipe.so")).status().unwrap().success());
    refuses(dir, &["--plugin=pipe.so"], 3, &["pipe.so: expected a regular file, found a pipe or a device"]);
}

/// Loading a library whose segments do not fit together would end the process with SIGSEGV.
#[test]
#[cfg(all(target_os = "linux", target_pointer_width = "64", target_endian = "little"))]
fn a_library_with_damaged_headers_is_refused() {
    let (dir, _) = setup("headers");
    let library = fs::read(clip()).unwrap();
    let number = |at: usize| u64::from_le_bytes(library[at..at + 8].try_into().unwrap());
    let (table, count) = (number(32) as usize, usize::from(library[56]));
    // The first segment of a kind: 1 is mapped into memory, 2 is the dynamic section.
    let entry = |kind: u8| (0..count).map(|index| table + 56 * index).find(|at| library[*at] == kind).unwrap();
    let (loaded, dynamic) = (entry(1), entry(2));
    for (at, change, problem) in [
        (loaded + 4, 0, "a segment cannot be read"),
        (loaded + 40, number(loaded + 32) - 1, "a segment is larger in the file than in memory"),
        (loaded + 48, 3, "a segment is not aligned"),
        (dynamic + 16, 0, "a segment is not aligned|a segment lies outside of the memory of the library"),
    ] {
        let mut damaged = library.clone();
        let width = if at == loaded + 4 { 4 } else { 8 };
        damaged[at..at + width].copy_from_slice(&change.to_le_bytes()[..width]);
        fs::write(dir.path().join("damaged.so"), damaged).unwrap();
        let output = program(dir.path()).args(["list", "--plugin=damaged.so"]).output().unwrap();
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{message}");
        assert!(problem.split('|').any(|problem| message.contains(problem)), "{message}");
        assert!(message.contains("the file is truncated or damaged; copy or build it again"), "{message}");
    }
}

#[test]
#[cfg(unix)]
fn another_build_of_a_plugin_neither_reads_its_weights_nor_counts_as_a_seed() {
    let (dir, _) = setup("builds");
    let dir = dir.path();
    let library = c_plugin(dir, "mine", "mine", "mine");
    let options = ["--plugin", library.to_str().unwrap(), "--strategy=mine"];
    tiny(dir, "first", &options);
    program(dir).args(["evaluate", "first", "--arch=00"]).assert().success();
    // A new file: the old one may still be mapped by a process.
    fs::remove_file(&library).unwrap();
    let source = dir.join("mine/plugin.c");
    let text = fs::read_to_string(&source).unwrap();
    fs::write(&source, text.replacen("double squares = 0;", "double squares = 1;", 1)).unwrap();
    assert!(Command::new("make").arg("-s").current_dir(dir.join("mine")).status().unwrap().success());
    for command in [&["evaluate", "first", "--arch=00"][..], &["search", "first", "--budget=2"]] {
        refuses(dir, command, 2, &["first was trained with another build of the plugin", "mine.so: use the original"]);
    }
    tiny(dir, "second", &[&options[..], &["--seed=1"]].concat());
    program(dir).args(["report", "first", "second", "--out=page"]).assert().success();
    assert!(read(dir, "page/report.html").contains("mine:plugin="));
}
