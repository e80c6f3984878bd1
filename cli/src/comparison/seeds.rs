//! Pairs of runs with equal seeds, and the number of seeds that a conclusion needs.

use super::VariantRuns;
use crate::archive::ArchivedRun;
use nas_core::metrics::smallest_sign_flip_p;

/// The largest p-value with which a difference counts as significant.
pub const SIGNIFICANCE_LEVEL: f64 = 0.05;

/// The runs of the reference and of a variant that have the same seed, as (reference, variant).
pub fn shared_seeds<'a>(
    variant: &'a VariantRuns,
    reference: &'a VariantRuns,
) -> Vec<(&'a ArchivedRun, &'a ArchivedRun)> {
    let partner = |run: &ArchivedRun| reference.runs.iter().find(|other| other.result.seed == run.result.seed);
    variant.runs.iter().filter_map(|run| Some((partner(run)?, run))).collect()
}

/// A warning if the variants share too few seeds with the first one to conclude anything from a difference.
pub fn note(variants: &[VariantRuns]) -> Option<String> {
    let (reference, others) = variants.split_first()?;
    others.iter().map(|variant| shared_seeds(variant, reference).len()).min().and_then(note_on)
}

fn note_on(n: usize) -> Option<String> {
    let chance = smallest_sign_flip_p(n);
    (chance > SIGNIFICANCE_LEVEL).then(|| match n {
        0 => "No seed in common: differences to the first variant need runs with the same seeds.".into(),
        1 => "One seed shows nothing about the difference between two strategies; use --seeds 6 or more.".into(),
        _ => format!(
            "{n} seeds are too few to conclude: all {n} differences have the same sign by chance in {:.0}% of \
             comparisons, and intervals over so few seeds are too narrow. Use --seeds 6 or more.",
            100.0 * chance
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_seeds_are_enough_to_conclude() {
        assert!(note_on(5).unwrap().contains("6%") && note_on(6).is_none());
        assert!(note_on(0).unwrap().contains("No seed in common") && note_on(1).unwrap().contains("One seed"));
    }
}
