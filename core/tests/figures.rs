//! The catalogue of figures agrees with the result of a run and with `docs/output.md`.

use nas_core::figures::{Direction, FIGURES, Figure, METRICS};
use nas_core::result::{
    Baselines, Disturbance, Fairness, Forgetting, Probes, RankStability, RunResult, SCHEMA, Selected,
    SingleStepDisturbance, Truth,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A result in which every number is different.
fn result() -> RunResult {
    let mut next = 0;
    let mut count = || {
        next += 1;
        next
    };
    macro_rules! number {
        () => {
            count() as f64 + 0.5
        };
    }
    RunResult {
        r#type: "result".into(),
        schema: SCHEMA,
        strategy: "plain".into(),
        controller: "uniform".into(),
        space: "tiny".into(),
        data: "digits".into(),
        seed: 1000,
        device: "cpu".into(),
        threads: 1001,
        interrupted: false,
        epochs: 1002,
        steps: count(),
        subnet_passes: count(),
        images: count(),
        eval_images: 1003,
        wall_s: number!(),
        train_s: number!(),
        images_per_s: Some(number!()),
        peak_rss_mb: Some(number!()),
        selected: Some(Selected {
            arch: "12".into(),
            valid_accuracy: number!(),
            params: 1004,
            macs: 1005,
            truth: Some(number!()),
        }),
        train_loss: Some(number!()),
        probes: Some(Probes {
            n: 1006,
            mean_accuracy: Some(number!()),
            disturbance: Some(Disturbance { interval: 1007, mean: number!(), second_half: Some(number!()) }),
            rank_stability: Some(RankStability { interval: 1008, mean: number!() }),
            single_step_disturbance: Some(SingleStepDisturbance {
                accuracy: number!(),
                loss: number!(),
                abs_loss: number!(),
                n: 1009,
            }),
            by_shared_layers: Vec::new(),
            forgetting: Some(Forgetting { accuracy: number!(), n: 1010 }),
        }),
        truth: Some(Truth {
            table: "table".into(),
            sha256: "0".into(),
            n: 1011,
            gt_tau: Some(number!()),
            gt_tau_lo: Some(number!()),
            gt_tau_hi: Some(number!()),
            spearman: Some(number!()),
            gt_tau_top10: Some(number!()),
            n_top10: 1012,
            gt_tau_top50: Some(number!()),
            n_top50: 1013,
            precision_at_5: Some(number!()),
            predicted_best: Some(number!()),
            regret: Some(number!()),
            baselines: Baselines { params: Some(number!()), macs: Some(number!()) },
        }),
        fairness: Some(Fairness { min: count(), max: count(), mean: number!(), counts: Vec::new() }),
        telemetry: BTreeMap::new(),
    }
}

fn at_path<'a>(json: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(json, |value, key| value.get(key))
}

#[test]
fn every_path_leads_to_the_value_of_its_figure() {
    let result = result();
    let json = serde_json::to_value(&result).unwrap();
    let mut values = BTreeSet::new();
    for figure in FIGURES {
        let value = (figure.value)(&result);
        assert!(value.is_some(), "{} has no value", figure.key);
        assert_eq!(at_path(&json, figure.path).and_then(Value::as_f64), value, "{}", figure.key);
        assert!(values.insert(value.unwrap().to_bits()), "{} has the value of another figure", figure.key);
    }
}

#[test]
fn a_figure_that_does_not_apply_has_no_value() {
    let result = RunResult {
        images_per_s: None,
        peak_rss_mb: None,
        selected: None,
        train_loss: None,
        probes: None,
        truth: None,
        fairness: None,
        ..result()
    };
    let left: Vec<&str> = FIGURES.iter().filter(|f| (f.value)(&result).is_some()).map(|f| f.key).collect();
    assert_eq!(left, ["steps", "subnet_passes", "images", "train_s", "wall_s"]);
}

fn is_snake_case(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn keys_are_unique_and_in_snake_case() {
    for figure in FIGURES {
        assert!(is_snake_case(figure.key), "{}", figure.key);
        assert!(figure.path.split('.').all(is_snake_case), "{}", figure.path);
        assert!(std::ptr::eq(Figure::find(figure.key).unwrap(), figure), "two figures have the key {}", figure.key);
    }
    let mut metrics = BTreeSet::new();
    for metric in METRICS {
        let key = metric.key.trim_end_matches(".GROUP").trim_end_matches("_K");
        assert!(is_snake_case(key), "{}", metric.key);
        assert!(metrics.insert((metric.split, metric.key)), "two metrics have the key {}", metric.key);
    }
}

#[test]
fn definitions_are_sentences() {
    let definitions = FIGURES.iter().map(|f| f.definition).chain(METRICS.iter().map(|m| m.definition));
    for definition in definitions {
        assert!(definition.ends_with('.') && definition.matches(". ").count() == 0, "{definition}");
    }
}

fn figure_row(figure: &Figure) -> String {
    let better = match figure.direction {
        Direction::Neither => "-",
        direction => direction.key(),
    };
    let Figure { key, unit, path, definition, .. } = figure;
    format!("| `{key}` | {unit} | {better} | `{path}` | {definition} |\n")
}

fn tables() -> [(&'static str, String); 3] {
    let head = "| key | unit | better | in `result.json` | definition |\n|---|---|---|---|---|\n";
    let figures = |costs: bool| {
        let rows = FIGURES.iter().filter(|figure| figure.is_cost == costs).map(figure_row);
        format!("{head}{}", rows.collect::<String>())
    };
    let row =
        |m: &nas_core::figures::Metric| format!("| `{}` | `{}` | {} | {} |\n", m.split, m.key, m.unit, m.definition);
    let metrics: String = METRICS.iter().map(row).collect();
    let metrics = format!("| split | metric | unit | definition |\n|---|---|---|---|\n{metrics}");
    [("figures", figures(false)), ("costs", figures(true)), ("metrics", metrics)]
}

/// Compares the tables of the document with the catalogue. With `UPDATE_DOCS=1`, writes them instead.
#[test]
fn the_document_holds_the_tables_of_the_catalogue() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/output.md");
    let mut text = std::fs::read_to_string(path).unwrap();
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    for (name, table) in tables() {
        let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->\n"));
        let start = text.find(&begin).unwrap_or_else(|| panic!("{path} has no line {begin}")) + begin.len();
        let stop = start + text[start..].find(&end).unwrap_or_else(|| panic!("{path} has no line {end}"));
        if update {
            text.replace_range(start..stop, &table);
        }
        assert!(
            update || text[start..stop] == table,
            "the table `{name}` of docs/output.md differs from the catalogue nas_core::figures; write it with \
             `UPDATE_DOCS=1 cargo test -p nas-core --test figures`"
        );
    }
    if update {
        std::fs::write(path, text).unwrap();
    }
}
