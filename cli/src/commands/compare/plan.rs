//! The runs and sequences that a comparison consists of, and which of them are missing.

use super::ComparisonJob;
use super::preflight::Preflight;
use super::variant::Variant;
use crate::comparison::RunLength;
use crate::planned_run::PlannedRun;
use crate::run_kind::RunKind;
use crate::settings::Settings;
use crate::sharding::run_directory;
use anyhow::Result;

impl ComparisonJob<'_> {
    /// All runs, ordered by seed, then by variant. An interrupted comparison thus has equal seeds of all variants.
    pub fn plan_runs(&self, lengths: &[RunLength], preflights: &[Preflight]) -> Vec<PlannedRun> {
        let first = self.settings[0].config.seed;
        let mut planned = Vec::new();
        for seed in first..first + u64::from(self.args.seeds) {
            let variants = self.variants.iter().zip(&self.settings).zip(lengths).zip(preflights);
            for (((variant, settings), length), preflight) in variants {
                let mut settings = settings.with_seed(seed);
                length.apply(&mut settings.config);
                let name = format!("{}-s{seed}", variant.slug());
                let dir = run_directory(&self.out.join("runs"), &name, seed - first);
                let tensorboard = self.args.run.tensorboard.as_ref().map(|dir| dir.join(name));
                let (label, truth) = (variant.label.clone(), preflight.truth.clone());
                let data = self.data.identity.clone();
                planned.push(PlannedRun {
                    label,
                    seed,
                    settings,
                    dir,
                    tensorboard,
                    data,
                    truth,
                    kind: RunKind::Supernet,
                });
            }
        }
        planned
    }

    /// One sequence with the first seed for each variant whose strategy trains given architectures; none with
    /// `--sequence 0`.
    pub fn plan_sequences(&self, preflights: &[Preflight]) -> Vec<PlannedRun> {
        let plan = |((variant, settings), _): ((&Variant, &Settings), &Preflight)| {
            let (label, mut settings) = (variant.label.clone(), settings.clone());
            settings.config.train.epochs = self.args.sequence_epochs as usize;
            settings.config.train.max_steps = 0;
            let (seed, dir) = (settings.config.seed, self.out.join("sequences").join(variant.slug()));
            let kind = RunKind::Sequence(self.args.sequence);
            let data = self.data.identity.clone();
            PlannedRun { label, seed, settings, dir, tensorboard: None, data, truth: None, kind }
        };
        let all = self.variants.iter().zip(&self.settings).zip(preflights);
        all.filter(|(_, preflight)| preflight.accepts_sequence).map(plan).collect()
    }

    /// The planned runs that are not finished yet.
    pub fn missing(&self, planned: &[PlannedRun]) -> Result<Vec<PlannedRun>> {
        let mut missing = Vec::new();
        for run in planned {
            if !run.is_done(&self.bars)? {
                missing.push(run.clone());
            }
        }
        Ok(missing)
    }
}
