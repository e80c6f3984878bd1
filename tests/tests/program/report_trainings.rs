//! The HTML report of stand-alone trainings.

use super::helper::{SMALL, names, program, read, read_json, refuses, retrain, setup, stderr, tiny};
use super::report::{assert_self_contained, page_text};
use std::fs;
use std::path::Path;

/// The value at a path of keys in `result.json` of a training.
fn figure(dir: &Path, out: &str, keys: [&str; 2]) -> f64 {
    let result = read_json(dir, &format!("{out}/result.json"));
    result[keys[0]][keys[1]].as_f64().unwrap()
}

/// The rows of the first table after a heading, as the text of their cells.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let start = page.find(heading).unwrap_or_else(|| panic!("{heading}"));
    let table = &page[start..start + page[start..].find("</table>").unwrap()];
    let cell = |cell: &str| cell.split_once('>').unwrap().1.to_owned();
    let row = |row: &str| row.split("</t").map(str::to_owned).collect::<Vec<_>>();
    let cells = |text: &str| -> Vec<String> {
        row(text).iter().filter_map(|text| text.rfind("<t").map(|at| cell(&text[at..]))).collect()
    };
    table.split("<tr").skip(1).map(cells).collect()
}

/// Mean and sample deviation of two values, as the report shows them.
fn mean_of_two([a, b]: [f64; 2]) -> String {
    format!("{:.2} ± {:.2}", (a + b) / 2.0, (a - b).abs() / 2.0_f64.sqrt())
}

#[test]
fn stand_alone_trainings_have_figures_curves_and_networks() {
    let (dir, _) = setup("trainings");
    let dir = dir.path();
    let darts = ["--space=darts", "--arch=darts_v2", "--cells=3", "--width=4", "--epochs=2"];
    retrain(dir, "several", &[SMALL, &["--arch=21", "--seeds=2", "--epochs=2"]].concat());
    retrain(dir, "cell", &[SMALL, &darts].concat());
    program(dir).args(["report", "several", "cell", "--out=page"]).assert().success();
    let page = page_text(dir, "page/report.html");
    assert_self_contained(&page);
    assert!(!page.contains("<h2>Summary") && !page.contains("<h2>Pictures") && !page.contains("Not shown"), "{page}");

    let rows = table(&page, "<h2>Stand-alone training</h2>");
    assert_eq!(rows.len(), 3);
    let cell = |row: usize, heading: &str| {
        let column = rows[0].iter().position(|found| found == heading);
        rows[row][column.unwrap_or_else(|| panic!("{heading} in {:?}", rows[0]))].as_str()
    };
    for (heading, keys) in [
        ("accuracy after the last epoch (%)", ["last", "accuracy"]),
        ("highest accuracy (%)", ["best", "accuracy"]),
        ("top-5 accuracy (%)", ["last", "top5_accuracy"]),
    ] {
        let seeds = ["several/seed-0", "several/seed-1"].map(|out| figure(dir, out, keys));
        assert_eq!(cell(1, heading), mean_of_two(seeds), "{heading}");
        assert_eq!(cell(2, heading), format!("{:.2}", figure(dir, "cell", keys)), "{heading}");
    }
    let described = ["training", "architecture", "space", "data", "seeds", "epochs"].map(|heading| cell(1, heading));
    assert_eq!(described, ["several", "21", "tiny", "synthetic", "0, 1", "2"]);
    assert_eq!(["training", "space", "seeds"].map(|heading| cell(2, heading)), ["cell", "darts", "0"]);

    for part in ["Learning curves: training loss", "Network of several", "Network of cell", "reduction cell"] {
        assert!(page.contains(part), "{part}");
    }
    let accuracies = read(dir, "page/figures/training_accuracy.csv");
    let expected = figure(dir, "several/seed-1", ["last", "accuracy"]);
    assert!(accuracies.lines().any(|line| line == format!("several,1,1,{expected}")), "{accuracies}");
    assert_eq!(accuracies.lines().count(), 1 + 3 * 2);
    // The drawn cells are those of the published architecture.
    let edges = read(dir, "page/figures/trained_1.csv");
    assert_eq!(edges.lines().filter(|line| line.starts_with("reduce,")).count(), 8, "{edges}");
}

#[test]
fn trainings_stand_beside_supernets_and_count_once() {
    let (dir, _) = setup("beside");
    let dir = dir.path();
    tiny(dir, "run", &[]);
    retrain(dir, "net", &["--from=run", "--epochs=2"]);
    retrain(dir, "failed", &["--from=run", "--epochs=1"]);
    let manifest = read(dir, "failed/manifest.json").replace("\"finished\"", "\"failed\"");
    fs::write(dir.join("failed/manifest.json"), manifest).unwrap();
    fs::create_dir(dir.join("copy")).unwrap();
    for file in names(&dir.join("net")).into_iter().filter(|name| name != "checkpoints") {
        fs::copy(dir.join("net").join(&file), dir.join("copy").join(&file)).unwrap();
    }
    let output = program(dir).args(["report", "run", "net", "copy", "net", "failed", "--out=page"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let page = page_text(dir, "page/report.html");
    assert_self_contained(&page);
    for part in ["<h2>Summary</h2>", "<h2>Stand-alone training</h2>", "<h2>Pictures</h2>", "Rank stability"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("Not shown: copy: copy is the same training as net, with the same seed"), "{page}");
    assert!(page.contains("Not shown: failed: the run failed"), "{page}");
    assert_eq!(table(&page, "<h2>Stand-alone training</h2>").len(), 2);
    // The same data set is required, as for supernets.
    let other = [SMALL, &["--arch=21", "--set=data.synthetic.seed=5"]].concat();
    retrain(dir, "other", &other);
    refuses(
        dir,
        &["report", "net", "other", "--out=x"],
        2,
        &["net has", "other has", "make a report of each data set"],
    );
}

#[test]
fn published_results_stand_beside_trainings_of_cells_on_cifar10() {
    let (dir, _) = setup("published");
    let dir = dir.path();
    let darts = ["--space=darts", "--arch=darts_v2", "--cells=3", "--width=4", "--seeds=2"];
    retrain(dir, "own", &[SMALL, &darts].concat());
    // The images of CIFAR-10 have 180 MB, so the name is changed, and the digests of the files are removed.
    let replace = |file: &str, from: &str, to: &str| {
        let text = read(dir, file);
        assert!(text.contains(from), "{from} in {text}");
        fs::write(dir.join(file), text.replace(from, to)).unwrap();
    };
    for seed in ["own/seed-0", "own/seed-1"] {
        replace(&format!("{seed}/result.json"), "\"synthetic\"", "\"cifar10\"");
        replace(&format!("{seed}/manifest.json"), "\"files\"", "\"no_files\"");
    }
    program(dir).args(["report", "own"]).assert().success();
    let page = page_text(dir, "own/report.html");
    assert_self_contained(&page);
    let rows = table(&page, "Published results on CIFAR-10");
    let column = |heading: &str| rows[0].iter().position(|found| found == heading).unwrap();
    let [network, numbers, accuracy] = ["network", "numbers", "accuracy (%)"].map(column);
    assert_eq!(rows.len(), 1 + 17 + 1);
    assert!(rows[1..18].iter().all(|row| row[numbers] == "quoted"), "{rows:?}");
    assert_eq!([&rows[17][network], &rows[17][accuracy]], ["DINAS + cutout", "97.38 ± 0.04"]);
    let seeds = ["own/seed-0", "own/seed-1"].map(|out| figure(dir, out, ["last", "accuracy"]));
    assert_eq!([&rows[18][network], &rows[18][numbers]], ["own", "measured"]);
    assert_eq!(rows[18][accuracy], mean_of_two(seeds));
    assert!(page.contains("<tr class=\"measured\">") && page.contains("not measured by this program"), "{page}");
}
