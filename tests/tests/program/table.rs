//! `nas-train table`: published results, and own results below them.

use super::data_files::put_classes;
use super::helper::{names, program, read_json, refuses, setup, stderr, stdout, tiny};
use std::fs;
use std::path::Path;

/// Rows of table 1 of the paper: network, accuracy with deviation, parameters and GPU days.
const CIFAR10: [[&str; 4]; 17] = [
    ["DenseNet-BC", "96.54", "25.6", "–"],
    ["PyramidNet-BC", "96.69", "26.0", "–"],
    ["Random search baseline", "96.71 ± 0.15", "3.2", "–"],
    ["NASNet-A + cutout", "97.35", "3.3", "1800"],
    ["NASNet-B", "96.27", "2.6", "1800"],
    ["NASNet-C", "96.41", "3.1", "1800"],
    ["AmoebaNet-A + cutout", "96.66 ± 0.06", "3.2", "3150"],
    ["AmoebaNet-B + cutout", "96.63 ± 0.04", "2.8", "3150"],
    ["Hierarchical Evo", "96.25 ± 0.12", "15.7", "300"],
    ["SNAS", "97.02", "2.9", "1.5"],
    ["GHN", "97.16 ± 0.07", "5.7", "0.8"],
    ["ENAS + cutout", "97.11", "4.6", "0.5"],
    ["DARTS + cutout", "97.24 ± 0.09", "3.4", "4"],
    ["NAT-DARTS", "97.28", "2.7", "–"],
    ["NAONet", "97.02", "28.6", "200"],
    ["NAONet-WS", "96.47", "2.5", "0.3"],
    ["DINAS + cutout", "97.38 ± 0.04", "3.7", "1.5"],
];

/// Rows of table 2 of the paper: network, accuracy, top-5 accuracy, parameters, MACs and GPU days.
const IMAGENET: [[&str; 6]; 16] = [
    ["ResNet-18", "69.8", "89.1", "11.7", "1814", ""],
    ["Inception-v1", "69.8", "89.9", "6.6", "1448", ""],
    ["MobileNet v1", "70.6", "89.5", "4.2", "569", ""],
    ["ShuffleNet v1", "70.9", "89.2", "5.0", "524", ""],
    ["NASNet-A", "74.0", "91.6", "5.3", "564", "3150"],
    ["NASNet-B", "72.8", "91.3", "5.3", "488", "3150"],
    ["NASNet-C", "72.5", "91.0", "4.9", "558", "3150"],
    ["AmoebaNet-A", "74.5", "92.0", "5.1", "555", "1800"],
    ["AmoebaNet-B", "74.0", "91.5", "5.3", "555", "1800"],
    ["GHN", "73.0", "91.3", "6.1", "569", "0.8"],
    ["PNAS", "74.2", "91.9", "5.1", "588", "255"],
    ["BayesNAS", "73.5", "91.1", "3.9", "", "0.2"],
    ["DARTS", "73.1", "91.0", "4.9", "595", "4"],
    ["NAT-DARTS", "73.7", "91.4", "4.0", "441", ""],
    ["SNAS", "72.7", "90.8", "4.3", "522", "1.5"],
    ["DINAS", "74.7", "92.1", "5.2", "587", "1.5"],
];

fn printed(dir: &Path, arguments: &[&str]) -> String {
    let output = program(dir).arg("table").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

/// The cells of the lines of a Markdown table.
fn cells(markdown: &str) -> Vec<Vec<&str>> {
    let line = |line: &'_ str| line.starts_with("| ");
    markdown
        .lines()
        .filter(|text| line(text))
        .map(|text| text.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn every_row_of_the_table_of_cifar10_is_printed() {
    let (dir, _) = setup("cifar10");
    let markdown = printed(dir.path(), &["cifar10", "--format=markdown"]);
    let [header, rows @ ..] = &cells(&markdown)[..] else { panic!("{markdown}") };
    let column = |title: &str| header.iter().position(|found| *found == title).unwrap();
    let columns = ["network", "accuracy (%)", "parameters (M)", "search (GPU days)"].map(column);
    let found: Vec<[&str; 4]> = rows.iter().map(|row| columns.map(|at| row[at])).collect();
    assert_eq!(found, CIFAR10);
    assert!(rows.iter().all(|row| row[column("numbers")] == "quoted"));
    assert!(!header.contains(&"MACs (M)"), "the paper states no MACs for CIFAR-10");
    // The text has the same rows, and the reasons of differences to other publications.
    let text = printed(dir.path(), &["cifar10"]);
    for (row, line) in CIFAR10.iter().zip(text.lines().skip(1)) {
        assert!(row.iter().all(|cell| line.contains(cell)), "{row:?} in {line}");
    }
    assert!(text.contains("\nquoted: numbers as printed in Niu et al. 2021, table 1"), "{text}");
}

#[test]
fn every_row_of_the_table_of_imagenet_is_printed() {
    let (dir, _) = setup("imagenet");
    let csv = printed(dir.path(), &["imagenet", "--format=csv"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let column = |key: &str| header.iter().position(|found| found == key).unwrap();
    let columns = ["method", "accuracy", "top5_accuracy", "params_m", "macs_m", "gpu_days"].map(column);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let found: Vec<[&str; 6]> = rows.iter().map(|row| columns.map(|at| &row[at])).collect();
    assert_eq!(found, IMAGENET);
    let dinas = rows.last().unwrap();
    assert_eq!(["error", "top5_error", "origin"].map(|key| &dinas[column(key)]), ["25.3", "7.9", "quoted"]);
    let text = printed(dir.path(), &["imagenet"]);
    for (row, line) in IMAGENET.iter().zip(text.lines().skip(1)) {
        assert!([0, 1, 3, 4, 5].iter().all(|&at| line.contains(row[at])), "{row:?} in {line}");
    }
}

#[test]
fn published_cells_are_built_beside_the_published_numbers() {
    let (dir, _) = setup("computed");
    // `describe arch` has the exact counts, which tests compare with PyTorch.
    for (table, network, arch, options) in [
        ("cifar10", "DARTS + cutout", "darts_v2", ["--cells=20", "--width=36", "--classes=10", "--image=32"]),
        ("imagenet", "AmoebaNet-A", "amoebanet_a", ["--cells=14", "--width=48", "--classes=1000", "--image=224"]),
    ] {
        let described = program(dir.path()).args(["describe", "arch", arch, "--space=darts"]).args(options).output();
        let described = stdout(&described.unwrap());
        let total = described.lines().find_map(|line| line.strip_prefix("total  ")).unwrap();
        let exact = total.split_whitespace().map(|count| format!("{:.2}", count.parse::<f64>().unwrap() / 1e6));
        let markdown = printed(dir.path(), &[table, "--format=markdown"]);
        let rows = cells(&markdown);
        let row = rows.iter().find(|row| row[0] == network).unwrap();
        let columns = ["computed parameters (M)", "computed MACs (M)"];
        let found = columns.map(|title| row[rows[0].iter().position(|found| *found == title).unwrap()]);
        assert_eq!(found.to_vec(), exact.collect::<Vec<_>>(), "{network}");
    }
}

#[test]
fn own_trainings_follow_with_mean_and_deviation() {
    let (dir, _) = setup("measured");
    let dir = dir.path();
    put_classes(&dir.join("data/train"), 9);
    put_classes(&dir.join("data/test"), 9);
    let small = ["--space=tiny", "--data=folder", "--data-dir=data", "--set=data.image_size=8", "--batch-size=4"];
    let retrain = |out: &str, options: &[&str]| {
        let arguments = [&["retrain", "--epochs=2", "--out", out], &small[..], options].concat();
        let output = program(dir).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    };
    retrain("several", &["--arch=21", "--seeds=3"]);
    retrain("again", &["--arch=21", "--seed=9"]);
    retrain("other", &["--arch=11"]);
    let csv = printed(dir, &["imagenet", "several", "again", "other", "--format=csv"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let field = |row: usize, key: &str| &rows[row][header.iter().position(|found| found == key).unwrap()];
    assert_eq!(rows.len(), IMAGENET.len() + 2);
    let accuracy = |out: &str| {
        let result = read_json(dir, &format!("{out}/result.json"));
        result["last"]["accuracy"].as_f64().unwrap()
    };
    let all = ["several/seed-0", "several/seed-1", "several/seed-2", "again"].map(accuracy);
    let mean = all.iter().sum::<f64>() / 4.0;
    let deviation = (all.iter().map(|accuracy| (accuracy - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
    let group = ["method", "origin", "trainings", "accuracy", "deviation"].map(|key| field(16, key));
    assert_eq!(group, ["several", "measured", "4", &format!("{mean:.2}"), &format!("{deviation:.2}")]);
    let single = ["method", "trainings", "accuracy", "deviation", "params_m"].map(|key| field(17, key));
    assert_eq!(single, ["other", "1", &format!("{:.2}", accuracy("other")), "", ""]);
    for part in ["architecture 11", "18 images of 8 x 8 pixels in 2 classes", "18 test images"] {
        assert!(field(17, "comment").contains(part), "{}", field(17, "comment"));
    }
    // A section that stand-alone trainings do not use has no influence on what counts as the same training.
    fs::write(dir.join("shared.toml"), "[probes]\ncount = 7").unwrap();
    retrain("tenth", &["--arch=21", "--seed=10", "--config=shared.toml"]);
    let csv = printed(dir, &["imagenet", "several", "again", "tenth", "--format=csv"]);
    assert!(csv.contains("several,") && !csv.contains("tenth,"), "{csv}");
    let text = printed(dir, &["imagenet", "several"]);
    assert!(text.contains("\nmeasured: stand-alone trainings by this program"), "{text}");
    // Other directories are refused, and the same training under two names.
    fs::create_dir(dir.join("copy")).unwrap();
    for file in names(&dir.join("other")).into_iter().filter(|name| name != "checkpoints") {
        fs::copy(dir.join("other").join(&file), dir.join("copy").join(&file)).unwrap();
    }
    refuses(
        dir,
        &["table", "imagenet", "other", "copy"],
        2,
        &["copy is the same training as other", "name one of them"],
    );
    refuses(
        dir,
        &["table", "cifar10", "other"],
        2,
        &["other was trained on the data set folder", "takes trainings on cifar10"],
    );
    refuses(dir, &["table", "imagenet", "data"], 2, &["data: not a run directory: it has no manifest.json"]);
    tiny(dir, "search", &[]);
    refuses(dir, &["table", "imagenet", "search"], 2, &["search holds no stand-alone training"]);
}

#[test]
fn other_tables_and_formats_are_refused() {
    let (dir, _) = setup("tables");
    refuses(dir.path(), &["table", "cifar100"], 2, &["cifar10", "imagenet"]);
    refuses(dir.path(), &["table"], 2, &["<TABLE>"]);
    refuses(dir.path(), &["table", "cifar10", "--format=html"], 2, &["text", "csv", "markdown"]);
}
