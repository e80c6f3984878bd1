//! `comparison.json`, and the last line of `compare --json`.

use super::{Comparison, Estimate, VariantRuns};
use crate::sharding::relative_name;
use anyhow::Result;
use nas_core::result::SCHEMA;
use serde_json::{Map, Value, json};

impl Comparison {
    /// The comparison as one JSON object.
    pub fn json(&self) -> Value {
        let strategies = self.variants.iter().enumerate().map(|(number, variant)| self.variant(number, variant));
        let baseline = |estimate: &Estimate| json!({"label": estimate.label, "figure": estimate.figure.key, "value": value(estimate)});
        json!({
            "type": "comparison",
            "schema": SCHEMA,
            "reference": self.variants.first().map(|variant| &variant.label),
            "budget": self.budget,
            "strategies": strategies.collect::<Vec<_>>(),
            "baselines": self.baselines.iter().map(baseline).collect::<Vec<_>>(),
            "notes": self.notes,
            "seeds_note": self.seeds_note,
        })
    }

    fn variant(&self, number: usize, variant: &VariantRuns) -> Value {
        let own = self.estimates.iter().filter(|estimate| estimate.label == variant.label);
        let figures: Map<String, Value> = own.map(|estimate| (estimate.figure.key.into(), value(estimate))).collect();
        json!({
            "label": variant.label,
            "strategy": variant.runs.first().map(|run| &run.result.strategy),
            "n": variant.runs.len(),
            "seeds": variant.runs.iter().map(|run| run.result.seed).collect::<Vec<_>>(),
            "length": self.lengths.get(number),
            "figures": figures,
            "runs": variant.runs.iter().filter_map(|run| relative_name(&run.path)).collect::<Vec<_>>(),
            "sequence": self.sequences.get(&variant.label),
        })
    }
}

/// The content of `comparison.json`: the comparison, and the command line and version of the program
/// that writes it.
///
/// # Errors
/// A value that JSON cannot express.
pub fn file(comparison: &Comparison) -> Result<String> {
    let mut json = comparison.json();
    let argv = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    json["argv"] = json!(argv.collect::<Vec<_>>());
    json["version"] = json!(env!("CARGO_PKG_VERSION"));
    Ok(serde_json::to_string_pretty(&json)? + "\n")
}

fn value(estimate: &Estimate) -> Value {
    json!({
        "n": estimate.summary.n,
        "mean": estimate.summary.mean,
        "std": estimate.summary.std,
        "lo": estimate.interval.map(|interval| interval.lo),
        "hi": estimate.interval.map(|interval| interval.hi),
        "difference": estimate.difference,
    })
}
