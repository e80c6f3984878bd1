//! Truth tables as CSV.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nas_core::config::RunConfig;
use nas_core::space::SearchSpace;
use nas_core::trainer::build_space;
use nas_core::truth::{AccuracyUnit, TruthTable};
use std::sync::{Arc, LazyLock};

static SPACE: LazyLock<Arc<dyn SearchSpace>> = LazyLock::new(|| {
    let table = "space.name = 'macro'".parse().expect("a table");
    let config = RunConfig::from_table(&table).expect("a configuration");
    build_space(&config, [32, 32, 3], 10).expect("a space")
});

fuzz_target!(|bytes: &[u8]| {
    let normalise = |text: &str| SPACE.parse(text).map(|arch| SPACE.format(&arch));
    for unit in [AccuracyUnit::Percent, AccuracyUnit::Fraction] {
        if let Ok(table) = TruthTable::from_csv(bytes, "macro", "table.csv", unit, normalise) {
            assert!(table.iter().all(|(_, entry)| (0.0..=100.0).contains(&entry.accuracy)));
        }
    }
});
