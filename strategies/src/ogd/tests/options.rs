//! Options of `ogd`: defaults, ranges, accepted words.

use super::super::options::{MemoryPolicy, OgdOptions, OgdSettings, SampleSelection};
use nas_core::options::{example, parse_options};

fn settings(text: &str, steps_per_arch: usize) -> Result<OgdSettings, String> {
    let options = parse_options("strategy", &text.parse().unwrap()).map_err(|e| e.to_string())?;
    OgdSettings::new(options, steps_per_arch, 100).map_err(|e| e.to_string())
}

#[test]
fn auto_depends_on_the_rule_and_the_steps_per_architecture() {
    let (one_step, several_steps) = (settings("", 1).unwrap(), settings("", 20).unwrap());
    assert_eq!((one_step.memory, one_step.alpha), (MemoryPolicy::Previous, 0.3));
    assert_eq!((several_steps.memory, several_steps.alpha), (MemoryPolicy::ALL, 0.08));
    let accumulated = settings("rule = \"accumulated\"", 1).unwrap();
    assert_eq!((accumulated.memory, accumulated.alpha), (MemoryPolicy::ALL, 1.0));
}

#[test]
fn the_example_configuration_parses_to_the_defaults() {
    let text = example(&OgdOptions::default());
    assert_eq!(settings(&text, 1).unwrap().options, OgdOptions::default());
    assert!(text.contains("own_inputs = \"after\"") && text.contains("alpha = \"auto\""), "{text}");
    assert!(text.contains("samples = 8\n"), "{text}");
}

#[test]
fn options_accept_words_and_numbers() {
    assert_eq!(settings("samples = 3", 1).unwrap().samples, SampleSelection::First(3));
    assert_eq!(settings("samples = \"3\"", 1).unwrap().samples, SampleSelection::First(3));
    assert_eq!(settings("samples = \"batch-mean\"", 1).unwrap().samples, SampleSelection::BatchMean);
    assert_eq!(settings("samples = \"all\"", 1).unwrap().samples, SampleSelection::All);
    assert_eq!(settings("memory = 0.9", 1).unwrap().memory, MemoryPolicy::Decaying(0.9));
    assert_eq!(settings("alpha = 2", 1).unwrap().alpha, 2.0);
}

#[test]
fn alpha_follows_its_schedule() {
    let at = |schedule: &str, step| {
        let text = format!("alpha = 1.0\nalpha_end = 0.01\nalpha_schedule = \"{schedule}\"");
        settings(&text, 1).unwrap().alpha_at(step)
    };
    assert_eq!([0, 50, 100].map(|step| at("constant", step)), [1.0; 3]);
    assert_eq!([0, 50, 100].map(|step| (at("linear", step) * 1e3).round()), [1000.0, 505.0, 10.0]);
    assert_eq!([0, 50, 100, 200].map(|step| (at("exponential", step) * 1e3).round()), [1000.0, 100.0, 10.0, 10.0]);
}

#[test]
fn invalid_values_are_errors_that_name_the_option() {
    let number = "expected auto or a positive, finite number, found";
    for (text, message) in [
        ("alpha = 0", format!("strategy.alpha: {number} 0")),
        ("alpha = -1.5", format!("strategy.alpha: {number} -1.5")),
        ("alpha = nan", format!("strategy.alpha: {number} NaN")),
        ("alpha = inf", format!("strategy.alpha: {number} inf")),
        ("alpha = \"much\"", format!("strategy.alpha: {number} \"much\"")),
        ("alpha_end = 0", "strategy.alpha_end: expected a positive, finite number, found 0".into()),
        ("memory = 1.0", "strategy.memory: expected auto, previous, all, or a number between".into()),
        ("memory = \"some\"", "strategy.memory: expected auto, previous, all,".into()),
        ("samples = 0", "strategy.samples: expected batch-mean, all, or 1 to 1000000 images".into()),
        ("samples = 1.5", "strategy.samples: expected batch-mean, all, or 1 to 1000000".into()),
        ("location_stride = 0", "strategy.location_stride: expected 1 to 1024, found 0".into()),
        ("refresh = 0", "strategy.refresh: expected at least 1 step, found 0".into()),
        ("order = \"update-then-project\"", "strategy.order: expected project-then-update".into()),
        ("rule = \"other\"", "section `strategy`: rule = \"other\": unknown variant `other`, expected".into()),
        ("own_input = \"after\"", "unknown option `strategy.own_input`, did you mean `own_inputs`?".into()),
        (
            "alpha-schedule = \"linear\"",
            "unknown option `strategy.alpha-schedule`, did you mean `alpha_schedule`?".into(),
        ),
        ("own-inputs = \"after\"", "unknown option `strategy.own-inputs`, did you mean `own_inputs`?".into()),
        ("alpha = true", "section `strategy`: alpha = true: invalid type: boolean `true`, expected a number".into()),
        ("refresh = -1", "section `strategy`: refresh = -1: invalid value".into()),
    ] {
        let error = settings(text, 1).unwrap_err();
        assert!(error.starts_with(&message), "{text}: {error}");
    }
}
