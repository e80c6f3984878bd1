//! Measurement of one case in this process, and the median of several rounds.

use super::case::Case;
use crate::args::BenchArgs;
use crate::data::LoadedData;
use crate::device::compute;
use crate::settings::{Origin, Settings};
use crate::signal::cancel;
use anyhow::Result;
use nas_core::config::RunConfig;
use nas_core::registry::TrainingDevice;
use nas_core::trainer::{Session, Timing, peak_rss_mb, time_steps};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};

/// The measured times of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Always `bench`, for readers of the JSON lines.
    r#type: String,
    space: String,
    strategy: String,
    width: usize,
    cells: usize,
    batch: usize,
    threads: usize,
    device: String,
    tf32: bool,
    /// Number of timed steps in a round.
    steps: u64,
    rounds: usize,
    /// Median of the rounds, in milliseconds; `ms_min` and `ms_max` are the fastest and slowest round.
    ms_per_subnet_pass: f64,
    ms_min: f64,
    ms_max: f64,
    images_per_s: f64,
    peak_rss_mb: Option<f64>,
    /// The architecture of each sub-net pass, the same in every round.
    architectures: Vec<String>,
}

/// Measures a case; `None` if it was interrupted.
///
/// # Errors
/// An option is out of range, the data cannot be read, or a step fails.
pub fn measure(args: &BenchArgs, case: &Case) -> Result<Option<Measured>> {
    let cancel = cancel()?;
    let mut settings = Settings::resolve(&case.run(&args.run))?;
    let (steps, warm_up) = (usize::try_from(args.steps)?, usize::try_from(args.warm_up)?);
    let random = *settings.origin("data.name") == Origin::Default;
    only_steps(&mut settings.config, warm_up + steps, random);
    let measured = compute!(&settings.config, |device| on(&settings, &device, warm_up, steps, cancel))?;
    Ok((!cancel.load(Ordering::Relaxed)).then_some(measured))
}

/// Changes the configuration to `steps` steps on one batch, without probes and truth. `random` selects random images.
fn only_steps(config: &mut RunConfig, steps: usize, random: bool) {
    let batch = config.train.batch_size;
    if random {
        config.data.name = "synthetic".into();
        config.data.synthetic.size = 32;
        let samples = ((batch as f64 / config.data.train_fraction).ceil() + 1.0) as usize;
        config.data.synthetic.samples = samples.max(config.data.synthetic.classes);
    }
    config.data.limit_train = Some(batch);
    config.train.epochs = steps;
    config.probes.count = 0;
    config.probes.single_step_every = 0;
    config.truth.samples = "0".into();
}

fn on<D: TrainingDevice>(
    settings: &Settings,
    device: &D,
    warm_up: usize,
    steps: usize,
    cancel: &AtomicBool,
) -> Result<Measured> {
    let config = &settings.config;
    let data = LoadedData::read(settings, cancel, |_| ())?;
    let session = Session::new(config, data.dataset, device).map_err(|error| settings.explain(error.into()))?;
    let space = session.space().clone();
    let Timing { steps, subnet_passes, images, seconds, archs } = time_steps(session, warm_up, steps, cancel)?;
    let ms = seconds * 1e3 / subnet_passes.max(1) as f64;
    Ok(Measured {
        r#type: "bench".into(),
        space: config.space.name.clone(),
        strategy: config.strategy.name.clone(),
        width: space.scale().width,
        cells: space.scale().cells,
        batch: (images / subnet_passes.max(1)) as usize,
        threads: rayon::current_num_threads(),
        device: config.device.clone(),
        tf32: config.tf32,
        steps,
        rounds: 1,
        ms_per_subnet_pass: ms,
        ms_min: ms,
        ms_max: ms,
        images_per_s: images as f64 / seconds,
        peak_rss_mb: peak_rss_mb(),
        architectures: archs.iter().map(|arch| space.format(arch)).collect(),
    })
}

impl Measured {
    /// The median round by time; of an even number of rounds, the slower of the two in the middle.
    pub fn median(mut rounds: Vec<Self>) -> Option<Self> {
        rounds.sort_by(|a, b| a.ms_per_subnet_pass.total_cmp(&b.ms_per_subnet_pass));
        let (first, last) = (rounds.first()?.ms_min, rounds.last()?.ms_max);
        let count = rounds.len();
        Some(Self { rounds: count, ms_min: first, ms_max: last, ..rounds.swap_remove(count / 2) })
    }

    /// The row of the table.
    pub fn row(&self) -> [String; 10] {
        [
            self.space.clone(),
            self.strategy.clone(),
            self.width.to_string(),
            self.cells.to_string(),
            self.batch.to_string(),
            self.threads.to_string(),
            format!("{:.2}", self.ms_per_subnet_pass),
            format!("{:.2} to {:.2}", self.ms_min, self.ms_max),
            format!("{:.0}", self.images_per_s),
            self.peak_rss_mb.map_or("-".into(), |mib| format!("{mib:.0} MiB")),
        ]
    }
}
