//! `search`, `evaluate` and `--init`: the weights of a finished run.

use super::helper::{TINY, names, program, read, read_json, refuses, setup, stderr, stdout, tiny};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn output(dir: &Path, arguments: &[&str]) -> String {
    let output = program(dir).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

fn rows(dir: &Path, file: &str) -> Vec<(String, f64, u64, u64)> {
    let mut reader = csv::Reader::from_path(dir.join(file)).unwrap();
    let field = |row: &csv::StringRecord, place: usize| row[place].to_owned();
    let row = |row: csv::StringRecord| {
        let number = |place| field(&row, place).parse().unwrap();
        (field(&row, 0), field(&row, 1).parse().unwrap(), number(3), number(4))
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// The metadata of the safetensors file of a run: the length of the header as eight bytes, then the header as JSON.
fn about_weights(dir: &Path) -> Value {
    let bytes = fs::read(dir.join("weights.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    serde_json::from_str(header["__metadata__"]["nas_train"].as_str().unwrap()).unwrap()
}

#[test]
fn weights_name_the_evaluation_images_and_the_scale() {
    let (dir, _) = setup("about");
    let dir = dir.path();
    tiny(dir, "out", &[]);
    let about = about_weights(&dir.join("out"));
    assert_eq!((&about["space"], &about["width"], &about["cells"]), (&"tiny".into(), &8.into(), &1.into()));
    let result = read_json(dir, "out/result.json");
    let eval = &about["eval"];
    assert_eq!(eval["positions"].as_array().unwrap().len() as u64, result["eval_images"].as_u64().unwrap());
    let mean: Vec<f64> = eval["mean"].as_array().unwrap().iter().map(|mean| mean.as_f64().unwrap()).collect();
    assert!(mean.len() == 3 && mean.iter().all(|mean| (1.0..255.0).contains(mean)), "{mean:?}");
}

#[test]
fn evaluations_repeat_the_accuracies_of_the_run() {
    check_evaluations(&[]);
    check_evaluations(&["--set=eval.weight_average=0.5"]);
}

fn check_evaluations(options: &[&str]) {
    let (dir, _) = setup("evaluate");
    let dir = dir.path();
    tiny(dir, "out", options);
    let result = read_json(dir, "out/result.json");
    let last = result["epochs"].as_u64().unwrap() - 1;
    let archs = read(dir, "out/archs.csv");
    let probes: Vec<(&str, f64)> = archs
        .lines()
        .filter(|line| line.contains(&format!(",{last},probe,")))
        .map(|line| line.split(',').collect::<Vec<_>>())
        .map(|fields| (fields[3], fields[4].parse().unwrap()))
        .collect();
    assert_eq!(probes.len(), 4);
    let list: String = probes.iter().map(|(arch, _)| format!("{arch}\n")).collect();
    fs::write(dir.join("list.csv"), format!("arch\n{list}")).unwrap();
    let lines = output(dir, &["evaluate", "out", "--archs=list.csv", "--json"]);
    for (line, (arch, accuracy)) in lines.lines().zip(&probes) {
        let found: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&found["arch"], &found["accuracy"]), (&(*arch).into(), &(*accuracy).into()));
    }
    let table = output(dir, &["evaluate", "out", "--arch", probes[0].0]);
    assert!(table.contains(&format!("{:.2} %", probes[0].1)), "{table}");

    fs::write(dir.join("list.csv"), format!("arch\n{list}99\n")).unwrap();
    refuses(dir, &["evaluate", "out", "--archs=list.csv"], 2, &["list.csv, line 6: architecture `99` is not in"]);
    refuses(dir, &["evaluate", "out"], 2, &["requires --arch ARCH, --archs FILE.csv or --ranking"]);
    for arch in ["99", "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"] {
        let message = format!("error: --arch: architecture `{arch}` is not in space tiny");
        refuses(dir, &["evaluate", "out", "--arch", arch], 2, &[&message, "an example is `22`"]);
    }
    refuses(dir, &["evaluate", "out", "--arch=00", "--test"], 2, &["data set `synthetic` has no test images"]);
    let config = read(dir, "out/config.toml");
    fs::write(dir.join("out/config.toml"), config.replace("samples = 200", "samples = 201")).unwrap();
    for command in [&["evaluate", "out", "--arch=00"][..], &["search", "out", "--out=x"]] {
        refuses(dir, command, 2, &["out was trained on synthetic with 200 images", "use the original data"]);
    }
    fs::write(dir.join("out/config.toml"), config).unwrap();
    let weights = dir.join("out/weights.safetensors");
    let bytes = fs::read(&weights).unwrap();
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for damaged in [&bytes[..bytes.len() / 2], &flipped] {
        fs::write(&weights, damaged).unwrap();
        for command in [&["evaluate", "out", "--arch=00"][..], &["search", "out", "--out=x"]] {
            refuses(dir, command, 4, &["out/weights.safetensors: its checksum is not the one in manifest.json"]);
        }
    }
    fs::remove_file(&weights).unwrap();
    refuses(
        dir,
        &["evaluate", "out", "--arch=00"],
        4,
        &["out: weights.safetensors is missing: restore it, or repeat the run"],
    );
}

#[test]
fn the_ranking_of_a_run_is_measured_again_with_other_settings() {
    let (dir, _) = setup("ranking");
    let dir = dir.path();
    let run = |out: &str, options: &[&str]| {
        let space = ["--space=nasbench201", "--width=4", "--cells=1", "--truth-samples=12", "--probes=0"];
        tiny(dir, out, &[&space[..], options].concat());
        read_json(dir, &format!("{out}/result.json"))["truth"].take()
    };
    let ranking = |run: &str, options: &[&str]| {
        let line = output(dir, &[&["evaluate", run, "--ranking", "--json"][..], options].concat());
        serde_json::from_str::<Value>(&line).unwrap()
    };
    let (batch, running) = (run("batch", &[]), run("running", &["--bn=running"]));
    let found = ranking("batch", &[]);
    assert_eq!((&found["truth"], &found["bn"], &found["test"]), (&batch, &"batch".into(), &false.into()));
    assert_eq!(ranking("running", &[])["truth"], running);
    let changed = ["--set=eval.images=30", "--set=eval.bn=recalibrate", "--set=truth.samples=20"];
    let found = ranking("running", &changed);
    let figures = [&found["eval_images"], &found["truth"]["n"], &found["bn"]];
    assert_eq!(figures, [&json!(30), &json!(20), &json!("recalibrate")]);
    let table = output(dir, &["evaluate", "batch", "--ranking"]);
    assert!(table.contains("40 validation images") && table.contains("GT-tau of parameters"), "{table}");
    assert_eq!(ranking("batch", &["--set=eval.bn=recalibrate"])["truth"]["n"], 12);

    refuses(
        dir,
        &["evaluate", "batch", "--ranking", "--set=eval.bn=running"],
        2,
        &["has no running averages of batch-norm statistics"],
    );
    refuses(dir, &["evaluate", "batch", "--ranking", "--set=truth.samples=0"], 2, &["--set truth.samples=N"]);
    refuses(dir, &["evaluate", "batch", "--ranking", "--set=train.lr=1"], 2, &["expected a setting of the evaluation"]);
    refuses(dir, &["evaluate", "batch", "--arch=0", "--set=truth.samples=9"], 2, &["has no effect without --ranking"]);
    let images = ["evaluate", "batch", "--arch=0", "--set=eval.recalibrate_images=9"];
    refuses(dir, &images, 2, &["because eval.bn is not recalibrate; add --set eval.bn=recalibrate"]);
    refuses(dir, &["evaluate", "batch", "--arch=0", "--ranking"], 2, &["cannot be used with"]);
    tiny(dir, "out", &[]);
    refuses(dir, &["evaluate", "out", "--ranking", "--set=truth.samples=9"], 2, &["--set truth.table=FILE.csv"]);
}

#[test]
fn a_search_obeys_its_limits_and_repeats_itself() {
    let (dir, _) = setup("search");
    let dir = dir.path();
    tiny(dir, "out", &[]);
    output(dir, &["search", "out", "--controller=uniform", "--budget=200", "--out=all"]);
    let all = rows(dir, "all/candidates.csv");
    assert_eq!(all.len(), 9);
    let mut macs: Vec<u64> = all.iter().map(|row| row.3).collect();
    macs.sort_unstable();
    let limit = format!("--max-macs={}", macs[4]);
    for controller in ["uniform", "evolution", "reinforce"] {
        let (first, second) = (format!("{controller}-1"), format!("{controller}-2"));
        for out in [&first, &second] {
            let out = format!("--out={out}");
            output(dir, &["search", "out", "--controller", controller, "--budget=60", "--seed=3", &limit, &out]);
        }
        let found = rows(dir, &format!("{first}/candidates.csv"));
        assert!(!found.is_empty() && found.iter().all(|row| row.3 <= macs[4]), "{controller}");
        for file in ["candidates.csv", "front.csv"] {
            assert_eq!(read(dir, &format!("{first}/{file}")), read(dir, &format!("{second}/{file}")), "{controller}");
        }
        let front = rows(dir, &format!("{first}/front.csv"));
        assert!(front.is_sorted_by(|a, b| a.3 < b.3 && a.1 < b.1), "{front:?}");
    }
    let found = program(dir).args(["search", "out"]).output().unwrap();
    assert!(stdout(&found).contains("Search by evolution with the weights of out"));
    assert!(stderr(&found).ends_with("proposal 1000/1000\n"), "{}", stderr(&found));
    assert_eq!(names(&dir.join("out/search-evolution-s0")), ["candidates.csv", "front.csv", "search.json"]);
    refuses(dir, &["search", "out"], 2, &["out/search-evolution-s0 is not empty"]);
    output(dir, &["report", "out", "--out=page"]);
    let front = read(dir, "page/figures/front.csv");
    assert_eq!(front.lines().count(), read(dir, "out/search-evolution-s0/front.csv").lines().count());
    assert!(read(dir, "page/report.html").contains("nas-train search out"));
    refuses(
        dir,
        &["search", "out", "--max-params=1", "--out=x"],
        2,
        &["--max-params", "parameters of the smallest architecture, 00,"],
    );
    refuses(
        dir,
        &["search", "out", "--controller=evolve", "--out=x"],
        2,
        &["--controller: unknown controller `evolve`, did you mean `evolution`?"],
    );
    refuses(dir, &["search", "out", "--set=train.lr=1", "--out=x"], 2, &["expected an option of the controller"]);
}

#[test]
fn a_run_starts_from_the_weights_of_another() {
    let (dir, _) = setup("init");
    let dir = dir.path();
    tiny(dir, "first", &["--epochs=20"]);
    let loss = |out: &str| -> f64 {
        let metrics = read(dir, &format!("{out}/metrics.csv"));
        metrics.lines().nth(1).unwrap().rsplit(',').next().unwrap().parse().unwrap()
    };
    tiny(dir, "second", &["--init=first", "--seed=1"]);
    tiny(dir, "fresh", &["--seed=1"]);
    assert!(loss("second") < loss("fresh"), "{} {}", loss("second"), loss("fresh"));
    let other = [TINY, &["--init=first", "--width=9", "--out=x"]].concat();
    refuses(dir, &other, 2, &["--init: ", "the same space", "first/weights.safetensors", "has the shape"]);
    refuses(dir, &[TINY, &["--init=none", "--out=x"]].concat(), 2, &["--init: ", "none: not a run directory"]);
    let weights = dir.join("first/weights.safetensors");
    let bytes = fs::read(&weights).unwrap();
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&weights, flipped).unwrap();
    refuses(dir, &[TINY, &["--init=first", "--out=x"]].concat(), 4, &["--init: ", "its checksum is not the one"]);
    // A run that was killed after it wrote its weights has no checksums.
    fs::write(&weights, &bytes[..bytes.len() - 64]).unwrap();
    let manifest = read(dir, "first/manifest.json");
    fs::write(dir.join("first/manifest.json"), manifest.replace("\"files\"", "\"no_files\"")).unwrap();
    refuses(dir, &[TINY, &["--init=first", "--out=x"]].concat(), 4, &["--init: ", "first/weights.safetensors: "]);
    fs::write(dir.join("first/manifest.json"), manifest).unwrap();
    fs::write(&weights, bytes).unwrap();

    // The checkpoint replaces the initial weights, so a resumed run does not read them.
    fs::remove_dir_all(dir.join("first")).unwrap();
    output(dir, &["resume", "second", "--epochs=4"]);
}
