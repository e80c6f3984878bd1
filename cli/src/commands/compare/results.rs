//! Reading the finished runs back, and writing and printing the comparison.

use super::ComparisonJob;
use super::variant::Variant;
use crate::archive::{Archived, ArchivedSequence};
use crate::comparison::{self, Comparison, RunLength, VariantRuns};
use crate::exit::chained;
use crate::html::HtmlReport;
use crate::planned_run::PlannedRun;
use crate::text::print;
use anyhow::Result;

impl ComparisonJob<'_> {
    /// Computes the comparison from the files of the finished runs; none if the first variant has no finished run.
    ///
    /// Runs made now and runs made before an interruption thus enter the comparison in the same way.
    pub fn collect(
        &self,
        planned: &[PlannedRun],
        lengths: Vec<RunLength>,
        sequence_notes: Vec<String>,
    ) -> Result<Option<Comparison>> {
        let (mut variants, mut shown_lengths, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for (variant, length) in self.variants.iter().zip(&lengths) {
            let mut runs = Vec::new();
            for planned in planned.iter().filter(|planned| planned.label == variant.label) {
                match Archived::read(&planned.dir) {
                    Ok(Archived::Run(run)) => runs.push(*run),
                    Ok(Archived::Sequence(_) | Archived::Retrain(_)) => {}
                    Err(error) => {
                        notes.push(format!("{} with seed {}: {}", planned.label, planned.seed, chained(&error)))
                    }
                }
            }
            if !runs.is_empty() {
                variants.push(VariantRuns { label: variant.label.clone(), runs });
                shown_lengths.push(length.clone());
            }
        }
        if variants.first().is_none_or(|variant| variant.label != self.variants[0].label) {
            return Ok(None);
        }
        let probed = self.settings[0].config.probes.count > 0;
        for (variant, length) in variants.iter().zip(&shown_lengths) {
            notes.extend(length.notes(&variant.label, &lengths[0], probed));
            let mut passes = variant.runs.iter().map(|run| run.result.subnet_passes);
            if let Some(other) = passes.find(|passes| *passes != length.passes) {
                let (label, planned) = (&variant.label, length.passes);
                notes.push(format!("{label}: {planned} sub-net passes were planned, a run has {other}."));
            }
        }
        notes.extend(sequence_notes);
        Ok(Some(Comparison::new(variants, shown_lengths, Some(self.args.budget.key().into()), notes)))
    }

    /// Writes the files and the report, and prints the tables.
    pub fn write(&self, mut comparison: Comparison) -> Result<()> {
        let sequences = self.sequences();
        let name = |(label, sequence): &(String, ArchivedSequence)| {
            Some((label.clone(), sequence.path.file_name()?.to_string_lossy().into_owned()))
        };
        comparison.sequences = sequences.iter().filter_map(name).collect();
        comparison.write(&self.out)?;
        HtmlReport { comparison: &comparison, sequences, trainings: Vec::new(), problems: Vec::new() }
            .write(&self.out)?;
        self.print(&comparison)
    }

    /// The finished sequences with their variants' labels.
    fn sequences(&self) -> Vec<(String, ArchivedSequence)> {
        let read = |variant: &Variant| match Archived::read(&self.out.join("sequences").join(variant.slug())) {
            Ok(Archived::Sequence(sequence)) => Some((variant.label.clone(), *sequence)),
            _ => None,
        };
        self.variants.iter().filter(|_| self.args.sequence > 0).filter_map(read).collect()
    }

    fn print(&self, comparison: &Comparison) -> Result<()> {
        if !self.args.run.json {
            return print(&comparison::tables(comparison, &self.out));
        }
        for variant in &comparison.variants {
            for run in &variant.runs {
                let mut line = serde_json::to_value(&run.result)?;
                line["variant"] = variant.label.clone().into();
                print(&line.to_string())?;
            }
        }
        print(&comparison.json().to_string())
    }
}
