//! Range checks of a configuration.

use super::{ConfigError, RunConfig, range};

impl RunConfig {
    /// Checks all values whose range does not depend on the data, the space or a component.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.check_tf32()?;
        self.check_counts()?;
        self.check_numbers()?;
        self.check_fingerprint()?;
        self.checkpoint_interval()?;
        self.truth_samples().map(|_| ())
    }

    fn check_tf32(&self) -> Result<(), ConfigError> {
        if self.tf32 && self.device == "cpu" {
            return Err(range(
                "tf32",
                "false with device `cpu`, because CPUs have no TF32 (leave --tf32 out, or choose a GPU with --device cuda:0)",
                "true",
            ));
        }
        Ok(())
    }

    /// Checks the whole numbers.
    fn check_counts(&self) -> Result<(), ConfigError> {
        let t = &self.train;
        let counts = [
            ("train.epochs", t.epochs),
            ("train.batch_size", t.batch_size),
            ("train.steps_per_arch", t.steps_per_arch),
            ("eval.images", self.eval.images),
            ("eval.batch_size", self.eval.batch_size),
            ("eval.recalibrate_images", self.eval.recalibrate_images),
            ("probes.interval", self.probes.interval),
            ("search.proposals", self.search.proposals),
            ("cluster.runs_per_task", self.cluster.runs_per_task),
            ("cluster.poll_seconds", self.cluster.poll_seconds as usize),
        ];
        if let Some((key, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(range(key, "at least 1", 0));
        }
        let limits = [
            ("threads", self.threads, 1024),
            ("train.batch_size", t.batch_size, 1_000_000),
            ("eval.batch_size", self.eval.batch_size, 1_000_000),
            ("probes.count", self.probes.count, 100_000),
            ("probes.interval", self.probes.interval, 1_000_000),
            ("train.epochs", t.epochs, 1_000_000),
            ("train.steps_per_arch", t.steps_per_arch, 1_000_000_000),
            ("search.proposals", self.search.proposals, 100_000),
            ("retrain.warmup_epochs", self.retrain.warmup_epochs, 1_000_000),
            ("cluster.max_running", self.cluster.max_running, 1_000_000),
            ("cluster.runs_per_task", self.cluster.runs_per_task, 1_000_000),
            ("cluster.gpus", self.cluster.gpus, 1_000),
            ("cluster.retries", self.cluster.retries, 1_000),
            ("cluster.poll_seconds", self.cluster.poll_seconds as usize, 86_400),
        ];
        if let Some((key, count, most)) = limits.iter().find(|(_, count, most)| count > most) {
            return Err(range(key, &format!("at most {most}"), count));
        }
        if self.search.start < -1 {
            return Err(range("search.start", "an epoch, or -1", self.search.start));
        }
        Ok(())
    }

    /// Checks the real numbers.
    fn check_numbers(&self) -> Result<(), ConfigError> {
        let (t, r) = (&self.train, &self.retrain);
        for (key, value) in [("train.lr", t.lr), ("train.clip", t.clip)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(range(key, "a positive number", value));
            }
        }
        for (key, value) in [
            ("train.lr_min", t.lr_min),
            ("train.weight_decay", t.weight_decay),
            ("retrain.auxiliary_weight", r.auxiliary_weight),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(range(key, "a number of at least 0", value));
            }
        }
        for (key, value) in [
            ("train.momentum", t.momentum),
            ("retrain.label_smoothing", r.label_smoothing),
            ("retrain.drop_path", r.drop_path),
            ("retrain.weight_average", r.weight_average),
            ("eval.weight_average", self.eval.weight_average),
        ] {
            // Weights are in single precision, in which a number below 1 may be 1.
            if !(0.0..1.0).contains(&value) || value as f32 >= 1.0 {
                return Err(range(key, "a number of at least 0 and below 1", value));
            }
        }
        Ok(())
    }

    fn check_fingerprint(&self) -> Result<(), ConfigError> {
        if let Some(fingerprint) = &self.data.fingerprint
            && (fingerprint.len() != 64 || !fingerprint.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
        {
            let expected = "64 hexadecimal digits (0-9, a-f), as data.fingerprint of a manifest.json";
            return Err(range("data.fingerprint", expected, fingerprint));
        }
        Ok(())
    }
}
