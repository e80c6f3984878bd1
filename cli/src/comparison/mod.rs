//! The statistics of a comparison of variants, and their files. Nothing here runs a training.
//!
//! A *variant* is a strategy with options, trained with several seeds. For every variant and figure, an
//! [`Estimate`] holds the mean over the seeds, its interval, and the paired difference to the first variant, the
//! reference.

mod baselines;
mod csv_files;
mod difference;
mod directory;
mod estimate;
mod gt_tau;
mod json;
mod length;
mod main_figures;
mod seeds;
mod terminal;
mod text;

pub use difference::FigureDifference;
pub use directory::{is_comparison, lock_path};
pub use estimate::Estimate;
pub use length::RunLength;
pub use main_figures::{is_main, main_figures};
pub use terminal::tables;
pub use text::{difference_text, is_best, value_text};

use crate::archive::ArchivedRun;
use crate::files;
use crate::text::counted;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::Path;

/// The runs of one variant, by ascending seed.
#[derive(Debug, Clone)]
pub struct VariantRuns {
    /// The variant as the user wrote it, for example `ogd:alpha=0.3`.
    pub label: String,
    /// One run per seed.
    pub runs: Vec<ArchivedRun>,
}

/// The variants of a comparison with their runs and statistics.
pub struct Comparison {
    /// The variants; the first one is the reference of all differences.
    pub variants: Vec<VariantRuns>,
    /// The planned length of each variant's runs; empty for a report of runs that were not planned together.
    pub lengths: Vec<RunLength>,
    /// The quantity that is equal for all runs: `passes`, `steps` or `time`.
    pub budget: Option<String>,
    /// One estimate per variant and figure, costs included.
    pub estimates: Vec<Estimate>,
    /// Figures of predictors that need no shared weights. Their labels stand in parentheses.
    pub baselines: Vec<Estimate>,
    /// Remarks that the reader of the figures needs.
    pub notes: Vec<String>,
    /// A warning if there are too few seeds to conclude.
    pub seeds_note: Option<String>,
    /// For each variant with a disturbance matrix, the name of its directory below `sequences/`.
    pub sequences: BTreeMap<String, String>,
}

impl Comparison {
    /// Computes the statistics of some runs.
    pub fn new(
        variants: Vec<VariantRuns>,
        lengths: Vec<RunLength>,
        budget: Option<String>,
        notes: Vec<String>,
    ) -> Self {
        let estimates = estimate::estimates(&variants);
        let baselines = variants.first().map(baselines::estimates).unwrap_or_default();
        let seeds_note = seeds::note(&variants);
        Self { variants, lengths, budget, estimates, baselines, notes, seeds_note, sequences: BTreeMap::new() }
    }

    /// The number of seeds of each variant in words: `3 seeds`, or `1 to 3 seeds` if it is not the same for all.
    pub fn seeds(&self) -> String {
        let counts = || self.variants.iter().map(|variant| variant.runs.len());
        let (least, most) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
        if least == most { counted(most, "seed") } else { format!("{least} to {most} seeds") }
    }

    /// The labels of all variants, then those of all baselines.
    pub fn labels(&self) -> Vec<&str> {
        let mut labels: Vec<&str> = self.variants.iter().map(|variant| variant.label.as_str()).collect();
        for baseline in &self.baselines {
            if !labels.contains(&baseline.label.as_str()) {
                labels.push(&baseline.label);
            }
        }
        labels
    }

    /// The estimate of a figure for a variant or baseline.
    pub fn estimate(&self, label: &str, key: &str) -> Option<&Estimate> {
        let all = self.estimates.iter().chain(&self.baselines);
        all.into_iter().find(|estimate| estimate.label == label && estimate.figure.key == key)
    }

    /// Writes `runs.csv`, `comparison.csv`, `costs.csv` and `comparison.json` into a directory.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        for (name, text) in [
            ("runs.csv", csv_files::runs(self)?),
            ("comparison.csv", csv_files::figures(self)?),
            ("costs.csv", csv_files::costs(self)?),
            ("comparison.json", json::file(self)?),
        ] {
            files::write(&dir.join(name), &text)?;
        }
        Ok(())
    }
}
