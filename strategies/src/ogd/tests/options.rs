//! Options: defaults, ranges, words.

use super::super::options::{Memory, Options, Samples, Settings};
use nas_core::options::{example, parse_options};

fn settings(text: &str, steps_per_arch: usize) -> Result<Settings, String> {
    let options = parse_options("strategy", &text.parse().unwrap()).map_err(|e| e.to_string())?;
    Settings::new(options, steps_per_arch, 100).map_err(|e| e.to_string())
}

#[test]
fn auto_depends_on_the_regime() {
    let (short, long) = (settings("", 1).unwrap(), settings("", 20).unwrap());
    assert_eq!((short.memory, short.alpha), (Memory::Previous, 0.3));
    assert_eq!((long.memory, long.alpha), (Memory::ALL, 0.08));
    let accumulated = settings("rule = \"accumulated\"", 1).unwrap();
    assert_eq!((accumulated.memory, accumulated.alpha), (Memory::ALL, 1.0));
}

#[test]
fn the_example_reads_back() {
    let text = example(&Options::default());
    assert_eq!(settings(&text, 1).unwrap().options, Options::default());
    assert!(text.contains("own-inputs = \"after\"") && text.contains("alpha = \"auto\""), "{text}");
    assert!(text.contains("samples = 8\n"), "{text}");
}

#[test]
fn words_and_numbers() {
    assert_eq!(settings("samples = 3", 1).unwrap().samples, Samples::First(3));
    assert_eq!(settings("samples = \"3\"", 1).unwrap().samples, Samples::First(3));
    assert_eq!(settings("samples = \"batch-mean\"", 1).unwrap().samples, Samples::BatchMean);
    assert_eq!(settings("samples = \"all\"", 1).unwrap().samples, Samples::All);
    assert_eq!(settings("memory = 0.9", 1).unwrap().memory, Memory::Fading(0.9));
    assert_eq!(settings("alpha = 2", 1).unwrap().alpha, 2.0);
}

#[test]
fn alpha_moves_as_told() {
    let at = |schedule: &str, step| {
        let text = format!("alpha = 1.0\nalpha-end = 0.01\nalpha-schedule = \"{schedule}\"");
        settings(&text, 1).unwrap().alpha_at(step)
    };
    assert_eq!([0, 50, 100].map(|step| at("constant", step)), [1.0; 3]);
    assert_eq!([0, 50, 100].map(|step| (at("linear", step) * 1e3).round()), [1000.0, 505.0, 10.0]);
    assert_eq!([0, 50, 100, 200].map(|step| (at("exponential", step) * 1e3).round()), [1000.0, 100.0, 10.0, 10.0]);
}

#[test]
fn what_is_out_of_range_is_named() {
    let number = "expected auto or a positive, finite number, found";
    for (text, message) in [
        ("alpha = 0", format!("strategy option strategy.alpha: {number} 0")),
        ("alpha = -1.5", format!("strategy option strategy.alpha: {number} -1.5")),
        ("alpha = nan", format!("strategy option strategy.alpha: {number} NaN")),
        ("alpha = inf", format!("strategy option strategy.alpha: {number} inf")),
        ("alpha = \"much\"", format!("strategy option strategy.alpha: {number} \"much\"")),
        ("alpha-end = 0", "strategy option strategy.alpha-end: expected a positive, finite number, found 0".into()),
        ("memory = 1.0", "strategy option strategy.memory: expected auto, previous, all, or a number between".into()),
        ("memory = \"some\"", "strategy option strategy.memory: expected auto, previous, all,".into()),
        ("samples = 0", "strategy option strategy.samples: expected batch-mean, all, or 1 to 1000000 images".into()),
        ("samples = 1.5", "strategy option strategy.samples: expected batch-mean, all, or 1 to 1000000".into()),
        ("location-stride = 0", "strategy option strategy.location-stride: expected 1 to 1024, found 0".into()),
        ("refresh = 0", "strategy option strategy.refresh: expected at least 1 step, found 0".into()),
        ("order = \"update-then-project\"", "strategy option strategy.order: expected project-then-update".into()),
        ("rule = \"other\"", "section `strategy`: rule = \"other\": unknown variant `other`, expected".into()),
        ("own-input = \"after\"", "unknown option `strategy.own-input`, did you mean `own-inputs`?".into()),
        ("alpha = true", "section `strategy`: alpha = true: invalid type: boolean `true`, expected a number".into()),
        ("refresh = -1", "section `strategy`: refresh = -1: invalid value".into()),
    ] {
        let error = settings(text, 1).unwrap_err();
        assert!(error.starts_with(&message), "{text}: {error}");
    }
}
