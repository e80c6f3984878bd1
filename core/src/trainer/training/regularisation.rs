//! Regularisation and warm-up of a stand-alone training.

use crate::config::RetrainConfig;
use crate::network::DropPath;
use crate::streams::Streams;

/// Label smoothing, auxiliary loss, drop path and warm-up of a training. The default has none of them.
#[derive(Debug, Clone, Default)]
pub struct Regularisation {
    /// Share of the target probability that is spread evenly over all classes.
    pub label_smoothing: f64,
    /// Weight of the loss of the auxiliary head.
    pub auxiliary_weight: f64,
    /// Target probability `p` of drop path. Epoch `e` of `E`, from 0, uses `p e / E`.
    drop_path: f64,
    /// Steps over which the learning rate rises.
    warmup_steps: u64,
    /// The source of the random factors of drop path; none for a training without it.
    streams: Option<Streams>,
}

impl Regularisation {
    /// The regularisation of `nas-train retrain`, with epochs of `steps_per_epoch` steps.
    pub fn new(config: &RetrainConfig, steps_per_epoch: usize, streams: Streams) -> Self {
        Self {
            label_smoothing: config.label_smoothing,
            auxiliary_weight: config.auxiliary_weight,
            drop_path: config.drop_path,
            warmup_steps: (config.warmup_epochs * steps_per_epoch) as u64,
            streams: (config.drop_path > 0.0).then_some(streams),
        }
    }

    /// Drop path of a step, with the random stream `drop path` of that step. Its probability rises from epoch to epoch,
    /// from 0 in the first one: `p epoch / epochs` as in DARTS.
    pub fn drop_path(&self, step: u64, epoch: usize, epochs: u64) -> Option<DropPath> {
        let probability = self.drop_path * epoch as f64 / epochs.max(1) as f64;
        let rng = self.streams.as_ref()?.rng("drop path", step);
        (probability > 0.0).then(|| DropPath::new(probability, rng))
    }

    /// Factor of the learning rate in a step: `(step + 1) / n` in the first `n` steps of a warm-up of `n` steps, then
    /// 1.
    pub fn warmup(&self, step: u64) -> f64 {
        match step + 1 < self.warmup_steps {
            true => (step + 1) as f64 / self.warmup_steps as f64,
            false => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rate_rises_over_the_warmup() {
        let config = RetrainConfig { warmup_epochs: 2, ..RetrainConfig::default() };
        let regularisation = Regularisation::new(&config, 2, Streams::new(0));
        let factors = [0, 1, 2, 3, 4].map(|step| regularisation.warmup(step));
        assert_eq!(factors, [0.25, 0.5, 0.75, 1.0, 1.0]);
        assert_eq!(Regularisation::default().warmup(0), 1.0);
    }

    #[test]
    fn drop_path_starts_in_the_second_epoch() {
        let config = RetrainConfig { drop_path: 0.2, ..RetrainConfig::default() };
        let regularisation = Regularisation::new(&config, 2, Streams::new(0));
        assert!(regularisation.drop_path(0, 0, 10).is_none());
        let half = format!("{:?}", regularisation.drop_path(100, 5, 10).unwrap());
        assert!(half.starts_with("DropPath { probability: 0.1,"), "{half}");
        assert!(Regularisation::default().drop_path(20, 1, 10).is_none());
    }
}
