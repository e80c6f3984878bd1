//! The space `darts`: runs, options, named cells, `describe arch`.

use super::helper::{program, read, refuses, setup, stderr, stdout, tiny};
use serde_json::Value;
use std::fs;

/// Options that replace the space of [`tiny`] runs by the smallest networks of cells.
const CELLS: &[&str] = &["--space=darts", "--cells=3", "--width=2", "--probes=2", "--epochs=2"];

fn result(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn fairnas_trains_every_operation_of_every_decision_equally_often() {
    let (dir, _) = setup("darts_fairnas");
    tiny(dir.path(), "out", &[CELLS, &["--strategy=fairnas", "--controller=evolution"]].concat());
    let result = result(&read(dir.path(), "out/result.json"));
    let arch = result["selected"]["arch"].as_str().unwrap();
    assert!(arch.starts_with("Genotype(normal=[('") && arch.ends_with("reduce_concat=range(2, 6))"), "{arch}");
    let steps = result["steps"].as_u64().unwrap();
    assert_eq!(result["subnet_passes"], 7 * steps);
    let counts = result["fairness"]["counts"].as_array().unwrap();
    assert_eq!(counts.len(), 24);
    for (decision, counts) in counts.iter().enumerate() {
        let expected = if decision % 3 == 0 { vec![] } else { vec![steps; 7] };
        assert_eq!(*counts, Value::from(expected), "decision {decision}");
    }
}

/// A longer run of a finished one has the bytes of a run that was long from the start.
#[test]
fn a_resumed_run_of_ogd_and_reinforce_has_the_same_bytes() {
    let (dir, _) = setup("darts_resume");
    let options = [CELLS, &["--strategy=ogd", "--controller=reinforce", "--controller-start=0"]].concat();
    let options = [&options[..], &["--set=controller.samples=3", "--set=space.none=true", "--threads=1"]].concat();
    let output = tiny(dir.path(), "whole", &options);
    assert!(stderr(&output).contains("ogd keeps ") && stderr(&output).contains("memory: at most "), "{output:?}");
    tiny(dir.path(), "short", &[&options[..], &["--epochs=1"]].concat());
    program(dir.path()).args(["resume", "short", "--epochs=2"]).assert().success();
    for file in ["metrics.csv", "archs.csv", "weights.safetensors"] {
        let of = |run: &str| fs::read(dir.path().join(run).join(file)).unwrap();
        assert!(of("whole") == of("short"), "{file} differs");
    }
}

#[test]
fn the_report_draws_the_selected_cells() {
    let (dir, _) = setup("darts_report");
    tiny(dir.path(), "out", CELLS);
    program(dir.path()).args(["report", "out"]).assert().success();
    let report = read(dir.path(), "out/report.html");
    assert!(report.contains("normal cell") && report.contains("reduction cell") && report.contains("c(k-2)"));
    let edges = read(dir.path(), "out/figures/selected_0.csv");
    assert_eq!((edges.lines().count(), edges.lines().next()), (1 + 16, Some("cell,from,to,operation")));
    let evaluated =
        program(dir.path()).args(["evaluate", "out", "--arch=darts_v1", "--arch=darts_v2"]).output().unwrap();
    assert!(evaluated.status.success() && stdout(&evaluated).matches("Genotype(").count() == 2, "{evaluated:?}");
    let problem = "normal has 10 edges, expected 8: two for each of 4 nodes";
    let remedy = "only `nas-train retrain` and `nas-train describe arch` accept";
    refuses(dir.path(), &["evaluate", "out", "--arch=nasnet_a"], 2, &[problem, remedy, "an example is `darts_v2`"]);
}

#[test]
fn wrong_options_of_the_space_are_reported() {
    let (dir, _) = setup("darts_options");
    let with = |options: &[&'static str]| [&["--space=darts", "--data=synthetic"], options].concat();
    for (options, words) in [
        (&["--set=space.nonee=true"][..], "--set space.nonee=true: unknown option `space.nonee`, did you mean `none`?"),
        (&["--set=space.none=3"], "none = 3: invalid type: integer `3`, expected a boolean"),
        (&["--set=space.predecessors=one"], "unknown variant `one`, expected `distinct` or `with_replacement`"),
        (&["--set=stem=imagenet"], "unknown option `stem`; its full name is `space.stem`"),
        (&["--cells=2"], "space darts requires at least 3 cells (--cells), found 2"),
        (&["--set=space.stem=imagenet", "--set=data.synthetic.size=32"], "at least 64 x 64, found 32 x 32"),
        (&["--set=data.synthetic.size=3"], "expected images of at least 4 x 4, found 3 x 3"),
    ] {
        refuses(dir.path(), &with(options), 2, &[words]);
    }
    let words = "unknown option `space.none` of space `tiny`; it is an option of `darts`";
    refuses(dir.path(), &["--space=tiny", "--set=space.none=true"], 2, &[words]);
    // The options of a file belong to its space.
    fs::write(dir.path().join("darts.toml"), "[space]\nname = \"darts\"\nnone = true\nwidth = 4\n").unwrap();
    let shown = program(dir.path()).args(["config", "show", "--config=darts.toml", "--space=tiny"]).output().unwrap();
    assert!(shown.status.success(), "{shown:?}");
    assert!(stdout(&shown).contains("width = 4 # darts.toml") && !stdout(&shown).contains("none ="), "{shown:?}");
}

#[test]
fn describe_arch_prints_costs_and_draws_cells() {
    let (dir, _) = setup("darts_describe");
    let describe =
        |arguments: &[&str]| program(dir.path()).args(["describe", "arch"]).args(arguments).output().unwrap();
    let output = describe(&["darts_v2", "--space=darts", "--cells=20", "--width=36", "--svg=cell.svg"]);
    assert!(output.status.success(), "{output:?}");
    let text = stdout(&output);
    let row = |name: &str, text: &str| -> Vec<u64> {
        let line = text.lines().find(|line| line.starts_with(&format!("{name}  "))).unwrap_or_else(|| panic!("{text}"));
        line[name.len()..].split_whitespace().map(|word| word.parse().unwrap()).collect()
    };
    assert_eq!(row("total", &text), [3_349_342, 528_359_040]);
    assert_eq!(row("total with auxiliary head", &text), [3_825_768, 529_054_848]);
    let stages = ["stem", "stage0", "stage1", "stage2", "classifier"];
    assert_eq!(stages.iter().map(|stage| row(stage, &text)[0]).sum::<u64>(), 3_349_342);
    let svg = read(dir.path(), "cell.svg");
    assert!(svg.starts_with("<svg xmlns=") && svg.matches("sep_conv_3x3").count() == 5, "{svg}");
    // Published cells outside of the space, and spaces without an auxiliary head.
    let size = ["--space=darts", "--cells=14", "--width=48", "--classes=1000", "--image=224"];
    let nasnet = stdout(&describe(&[&["nasnet_a"], &size[..]].concat()));
    assert_eq!(row("total with auxiliary head", &nasnet), [6_800_520, 605_487_744]);
    let mobile = stdout(&describe(&["fairnas_a", "--space=fairnas", "--classes=1000", "--image=224"]));
    assert_eq!(row("total", &mobile), [4_651_352, 388_122_848]);
    let tiny = stdout(&describe(&["21", "--space=tiny"]));
    assert!(tiny.contains("total") && !tiny.contains("auxiliary"), "{tiny}");
    for (arguments, words) in [
        (&["darts_v2"][..], "architecture `darts_v2` is not in space nasbench201: add --space darts"),
        (&["01201201", "--space=tiny"], "is not in space tiny: add --space macro"),
        (&["darts_v2", "--space=darts", "--svg=cell.svg"], "cell.svg exists: choose another file"),
        (&["darts_v9", "--space=darts"], "or one of amoebanet_a, darts_v1, darts_v2, nasnet_a, did you mean"),
        (&["darts_v2", "--space=darts", "--set=space.stem=imagenet"], "at least 64 x 64, found 32 x 32"),
        (&["darts_v2", "--space=darts", "--image=0"], "expected a whole number from 1 to 4096"),
        (&["22", "--space=tiny", "--set=train.epochs=3"], "expected an option of the search space, space.KEY=VALUE"),
        (&["22", "--space=tiny", "--set=stem=cifar"], "expected an option of the search space, space.KEY=VALUE"),
    ] {
        refuses(dir.path(), &[&["describe", "arch"], arguments].concat(), 2, &[words]);
    }
}

#[test]
fn bench_measures_networks_of_cells() {
    let (_dir, mut command) = setup("darts_bench");
    let options =
        ["--space=darts", "--cells=3", "--width=2", "--batch-size=4", "--steps=2", "--warm-up=1", "--rounds=1"];
    let output = command.arg("bench").args(options).arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let case = result(&stdout(&output));
    assert_eq!((&case["space"], case["width"].as_u64()), (&"darts".into(), Some(2)));
    assert!(case["ms_per_subnet_pass"].as_f64().unwrap() > 0.0, "{case}");
}
