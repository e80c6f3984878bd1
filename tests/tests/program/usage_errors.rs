//! Invalid arguments: exit code 2, a message with the remedy, and no new files.

use super::helper::{TINY, names, program, read, refuses, setup, stderr, stdout};
use std::fs;

#[test]
fn an_unknown_name_is_reported_with_the_nearest_name() {
    let (dir, _) = setup("names");
    for (arguments, words) in [
        (&["--strategy=plan"][..], "--strategy: unknown strategy `plan`, did you mean `plain`?"),
        (
            &["--strategy=mine"],
            "known: fairnas, ogd, plain (--plugin FILE, or the key `plugins`, adds those of a plugin)",
        ),
        (&["--controller=unifrom"], "--controller: unknown controller `unifrom`, did you mean `uniform`?"),
        (&["--space=nasbench"], "--space: unknown space `nasbench`, did you mean `nasbench201`?"),
        (&["bench", "--strategies=plain,plan"], "--strategies: unknown strategy `plan`, did you mean `plain`?"),
        (&["bench", "--spaces=tini"], "--spaces: unknown space `tini`, did you mean `tiny`?"),
        (&["compare", "--strategies=plain:path=3"], "variant plain:path=3: strategy.path=3: unknown option"),
        (&["--data=digit"], "--data: unknown data set `digit`, did you mean `digits`?"),
        (&["--data=mnist"], "--data: unknown data set `mnist`, did you mean `idx`?"),
        (&["--set=train.epoch=3"], "--set train.epoch=3: unknown option `train.epoch`, did you mean `epochs`?"),
        (&["--set=trian.epochs=3"], "did you mean `train`?"),
        (&["--set=strategy.path=3"], "--set strategy.path=3: unknown option `strategy.path`, did you mean `paths`?"),
        (&["--set=data.synthetic.sizes=3", "--data=synthetic"], "unknown field `sizes`, expected one of"),
        (&["--epoch=3"], "a similar argument exists: '--epochs'"),
        (&["run"], "a run has no subcommand: leave out 'run'"),
        (&["cluster", "run"], "error: unrecognized subcommand 'run'\n\nUsage"),
        (&["--set=eval.lr=1"], "unknown option `eval.lr`; its full name is `train.lr` or `controller.lr`"),
        (&["resume", "out", "--lr=0.1"], "'--lr' is an option of a run, which this subcommand does not have"),
        (&["lisst"], "a similar subcommand exists: 'list'"),
        (&["list", "space"], "a similar value exists: 'spaces'"),
        (&["--device=gpu"], "expected `cpu` or `cuda:K`"),
        (&["--tf32"], "tf32: expected false with device `cpu`"),
    ] {
        refuses(dir.path(), arguments, 2, &[words]);
    }
}

#[test]
fn an_option_of_another_strategy_is_reported_with_that_strategy() {
    let (dir, _) = setup("owner");
    let words =
        "--set strategy.alpha=0.3: unknown option `strategy.alpha` of strategy `plain`; it is an option of `ogd`";
    refuses(dir.path(), &["--set=strategy.alpha=0.3"], 2, &[words]);
    let words = "unknown option `controller.population` of controller `uniform`; it is an option of `evolution`";
    refuses(dir.path(), &["--set=controller.population=4"], 2, &[words]);
}

#[test]
fn a_key_without_its_section_is_reported_with_its_full_name() {
    let (dir, _) = setup("section");
    for (key, names) in [("drop_path", "`retrain.drop_path`"), ("lr", "`train.lr` or `controller.lr`")] {
        let words = format!("unknown option `{key}`; its full name is {names}; known: ");
        refuses(dir.path(), &[&format!("--set={key}=1")], 2, &[&words]);
    }
    let words = "unknown option `strategy.lr`; its full name is `train.lr` or `controller.lr`; known: paths";
    refuses(dir.path(), &["compare", "--strategies=plain:lr=0.02"], 2, &[words]);
}

#[test]
fn assignments_without_effect_are_rejected() {
    let (dir, _) = setup("no_effect");
    for (arguments, words) in [
        (
            &["--set=retrain.drop_path=0.1"][..],
            "--set retrain.drop_path=0.1 has no effect on a run; use it with `nas-train retrain`",
        ),
        (&["retrain", "--arch=1", "--set=strategy.name=ogd"], "has no effect on `retrain`"),
        (&["retrain", "--arch=1", "--set=eval.bn=batch"], "has no effect on `retrain`"),
        (&["disturbance", "--set=probes.count=3"], "has no effect on `disturbance`"),
        (&["bench", "--set=train.epochs=3"], "has no effect on `bench`"),
        (&["truth", "--out=t.csv", "--set=retrain.drop_path=0.1"], "has no effect on `truth`"),
        (&["compare", "--strategies=plain", "--set=strategy.name=ogd"], "has no effect on `compare`"),
        (&["search", "run", "--set=controller.samples=9"], "--budget is the number of proposals"),
        (
            &["--set=train.lr_min=0.01"],
            "--set train.lr_min=0.01 has no effect, because train.lr_schedule is constant; leave it out",
        ),
        (&["compare", "--strategies=plain,ogd:train.lr_min=0.01"], "train.lr_min=0.01 has no effect, because"),
    ] {
        refuses(dir.path(), arguments, 2, &[words]);
    }
    // A file may have the sections of several commands.
    fs::write(dir.path().join("all.toml"), "[retrain]\ndrop_path = 0.1\n[probes]\ncount = 2\n").unwrap();
    program(dir.path()).args(TINY).args(["--config=all.toml", "--out=out"]).assert().success();
}

#[test]
fn a_renamed_key_is_reported_with_its_new_name() {
    let (dir, _) = setup("renamed");
    let words = "--set strategy.alpha-schedule=step: unknown option `strategy.alpha-schedule`; use `alpha_schedule`";
    refuses(dir.path(), &["--strategy=ogd", "--set=strategy.alpha-schedule=step"], 2, &[words]);
    fs::write(dir.path().join("old.toml"), "[probes]\nimmediate_every = 5\n").unwrap();
    let words = "old.toml: unknown option `probes.immediate_every`; use `single_step_every`";
    refuses(dir.path(), &["--config=old.toml"], 2, &[words]);
    refuses(dir.path(), &["config", "check", "old.toml"], 2, &[words]);
    fs::write(dir.path().join("old.toml"), "[strategy]\nname = \"ogd\"\nalpha-schedule = \"step\"\n").unwrap();
    refuses(dir.path(), &["config", "check", "old.toml"], 2, &["use `alpha_schedule`"]);
}

#[test]
fn values_out_of_range_are_rejected() {
    let (dir, _) = setup("numbers");
    let whole = "expected a whole number of at least 1";
    for (arguments, words) in [
        (&["--epochs=0"][..], whole),
        (&["--epochs", "-3"], whole),
        (&["--epochs=2.5"], whole),
        (&["--batch-size=0"], whole),
        (&["--steps-per-arch=0"], whole),
        (&["--limit-train=0"], whole),
        (&["--limit-valid", "-1"], whole),
        (&["--width=0"], whole),
        (&["--cells=0"], whole),
        (&["--interval=0"], whole),
        (&["--probes", "-1"], "at least 0"),
        (&["--seed", "-1"], "at least 0"),
        (&["--lr=0"], "expected a number above 0"),
        (&["--lr", "-0.1"], "expected a number above 0"),
        (&["--lr=nan"], "expected a number above 0"),
        (&["--lr-schedule=step"], "[possible values: constant, linear, cosine]"),
        (&["--truth-samples=many"], "expected a whole number of at least 0, or `all`"),
        (&["--set=train.epochs=0"], "--set train.epochs=0: train.epochs: expected at least 1, found 0"),
        (&["--set=train.epochs=-1"], "--set train.epochs=-1: section `train`: epochs = -1"),
        (&["--set=train.momentum=1.0"], "train.momentum: expected a number of at least 0 and below 1, found 1"),
        (&["--set=train"], "expected section.key=value"),
        (&["--set=seed=99999999999999999999"], "--set seed=99999999999999999999: 99999999999999999999 is out of range"),
        (&["--seed=99999999999999999999"], "expected a whole number of at most 9223372036854775807"),
        (&["--set=data.limit_train=0"], "data.limit_train: expected 1 to 719, the number of training images, found 0"),
        (
            &["--set=data.train_fraction=1.5"],
            "data.train_fraction: expected a number between 0 and 1, both excluded, found 1.5",
        ),
        (&["--set=data.train_fraction=0.0"], "between 0 and 1"),
        (&["--width=5000"], "--width: space.width: expected at most 4096, found 5000"),
        (
            &["--limit-train=100000"],
            "--limit-train: data.limit_train: expected 1 to 719, the number of training images, found 100000",
        ),
        (
            &["--space=tiny", "--probes=10"],
            "--probes: probes.count: expected at most 9, the architectures of space tiny",
        ),
        (&["--space=macro", "--cells=5"], "space macro has a fixed depth: expected space.cells = 1, found 5"),
        (&["disturbance", "--probes=7"], "--probes has no effect on `disturbance`"),
        (&["disturbance", "--strategy=fairnas"], "strategy fairnas plans architectures of its own"),
        (&["bench", "--epochs=7"], "--epochs has no effect on `bench`"),
        (&["--controller=evolution", "--set=controller.population=0"], "controller.population: expected at least 1"),
        (
            &["--truth-samples=20000", "--width=2", "--truth=cifar10_test"],
            "expected `all` (--truth-samples all) or at most 15625",
        ),
        (
            &["--truth-samples=251"],
            "expected `all` (--truth-samples all) or at most 250, the architectures of nasbench201/digits_alone",
        ),
        (&["--batch-size=9223372036854775807"], "--batch-size: train.batch_size: expected at most 1000000"),
        (&["--interval=9223372036854775807"], "--interval: probes.interval: expected at most 1000000"),
        (&["disturbance", "--sequence=9223372036854775807"], "--sequence: expected 2 to 10000"),
        (&["disturbance", "--space=fairnas", "--sequence=1000000000000"], "--sequence: expected 2 to 10000"),
        (
            &["truth", "--out=t.csv", "--seed=9223372036854775807", "--seeds=2"],
            "--seed: the largest seed of the runs is 9223372036854775808, expected at most",
        ),
        (&["compare", "--strategies=plain", "--sequence=18446744073709551615"], "--sequence: expected 2 to 10000"),
        (&["compare", "--strategies=plain", "--seeds=65536"], "expected a whole number from 1 to 65535"),
        (
            &["compare", "--strategies=plain", "--seed=9223372036854775807"],
            "the largest seed of the runs is 9223372036854775809, expected at most",
        ),
        (&["--controller=evolution", "--set=controller.population=9223372036854775807"], "expected at most 1000000"),
        (&["--threads=5000"], "--threads: threads: expected at most 1024"),
    ] {
        refuses(dir.path(), arguments, 2, &[words]);
    }
}

#[test]
fn a_build_without_cuda_explains_how_to_build_with_it() {
    let (dir, _) = setup("cuda");
    refuses(dir.path(), &["--device=cuda:0"], 2, &["built without CUDA", "--features cuda"]);
}

#[test]
fn a_directory_with_files_is_not_overwritten() {
    let (dir, _) = setup("out");
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("notes.txt"), "mine").unwrap();
    let arguments = || TINY.iter().copied().chain(["--out=out"]).collect::<Vec<_>>();
    refuses(dir.path(), &arguments(), 2, &["the run directory out is not empty; choose a new or empty directory"]);
    assert_eq!((names(&out), read(&out, "notes.txt")), (vec!["notes.txt".into()], "mine".into()));
    fs::remove_file(out.join("notes.txt")).unwrap();
    program(dir.path()).args(arguments()).assert().success();
}

#[test]
fn a_run_directory_that_cannot_be_created_is_reported() {
    let (dir, mut command) = setup("file");
    fs::write(dir.path().join("file"), "").unwrap();
    refuses(dir.path(), &["--out=file"], 2, &["the run directory file is a file"]);
    let output = command.args(TINY).args(["--json", "--out=file/below"]).output().unwrap();
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    let message = stderr(&output);
    assert!(message.contains("error: cannot create the run directory file/below"), "{message}");
    assert!(message.contains("--out DIR"), "{message}");
}
