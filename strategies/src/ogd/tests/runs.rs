//! Whole runs with the trainer.

use crate::test_device::{TestDevice, test_device};
use nas_core::config::RunConfig;
use nas_core::data::load;
use nas_core::event::Event;
use nas_core::result::RunResult;
use nas_core::trainer::{RunError, Session};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const SMALL: &str = "
[space]
name = \"tiny\"
[data]
limit_train = 160
[train]
epochs = 2
batch_size = 16
[eval]
images = 32
[probes]
count = 4
interval = 1
[truth]
samples = \"0\"
";

fn run(strategy: &str) -> RunResult {
    let mut table: toml::Table = SMALL.parse().unwrap();
    table.extend(strategy.parse::<toml::Table>().unwrap());
    let config = RunConfig::from_table(&table).unwrap();
    let dataset = Arc::new(load(&config.data.name, &config.data).unwrap());
    let session: Result<Session<TestDevice>, RunError> = Session::new(&config, dataset, &test_device());
    let mut observer = |_: &Event<'_>| Ok(());
    session.unwrap().run(&mut observer, &AtomicBool::new(false)).unwrap()
}

/// Losses, probes and metrics of a run as text, without the times.
fn reproducible_part(result: &RunResult) -> String {
    let timeless = |(name, _): &(&String, &f64)| !name.starts_with("time.");
    let telemetry: Vec<_> = result.telemetry.iter().filter(timeless).collect();
    format!("{:?} {:?} {telemetry:?}", result.train_loss, result.probes)
}

#[test]
fn runs_with_every_option_are_reproducible() {
    for options in [
        "",
        "rule = \"accumulated\"\nalpha_unit = \"absolute\"",
        "samples = \"batch-mean\"\nmemory = \"all\"\nalpha_schedule = \"exponential\"",
        "samples = \"all\"\nmemory = 0.9\nown_inputs = \"during\"\norder = \"update-then-project\"",
        "project = \"gradient\"\nrefresh = 5\nwarm_up = 3\nclassifier = false",
        "shrink_only = true\nlocation_stride = 1",
        "rule = \"accumulated\"\nalpha = 1e-80",
    ] {
        let strategy = format!("[strategy]\nname = \"ogd\"\n{options}");
        let result = run(&strategy);
        let ratio = result.telemetry["update_norm_ratio"];
        assert!(ratio > 0.0 && ratio < 1.0, "{options}: {ratio}");
        assert!(result.train_loss.is_some_and(f64::is_finite), "{options}");
        assert_eq!(reproducible_part(&result), reproducible_part(&run(&strategy)), "{options}");
    }
}

#[test]
fn a_huge_alpha_equals_plain() {
    let (plain, ogd) = (run("strategy = {}"), run("[strategy]\nname = \"ogd\"\nalpha = 1e13"));
    assert_eq!(plain.train_loss, ogd.train_loss);
    assert_eq!(format!("{:?}", plain.probes), format!("{:?}", ogd.probes));
    assert_eq!(ogd.telemetry["trace_ratio"], 1.0);
}

#[test]
fn metrics_have_fixed_names() {
    let names: Vec<String> = run("[strategy]\nname = \"ogd\"").telemetry.into_keys().collect();
    let groups = ["classifier", "layer0", "layer1", "stem"].map(|group| format!("trace_ratio.{group}"));
    let mut expected: Vec<String> =
        ["alpha", "alpha_increases", "trace_ratio", "update_norm_ratio"].map(String::from).to_vec();
    expected.extend(groups);
    expected.extend(["time.record_s", "time.refresh_s", "time.project_s"].map(String::from));
    expected.sort();
    assert_eq!(names, expected);
}
