//! A run or a sequence, from its settings to its result.

mod device;
mod signal;

pub use device::Device;
#[cfg(feature = "cuda")]
pub use device::cuda;
pub(crate) use device::on_device;
pub use signal::cancel;

use crate::args::{DisturbanceArgs, RunArgs};
use crate::exit::ExitStatus;
use crate::progress::Progress;
use crate::record::{OutDir, Recorder};
use crate::settings::Settings;
use crate::summary::Outcome;
use crate::text::print;
use anyhow::{Context, Result};
use nas_core::config::RunConfig;
use nas_core::data::Dataset;
use nas_core::event::{Event, Observer};
use nas_core::registry::Target;
use nas_core::trainer::{RunError, Sequence, Session};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Makes a run.
///
/// # Errors
/// Whatever keeps it from starting or makes it stop; see [`ExitStatus`].
pub fn run(args: &RunArgs) -> Result<ExitStatus> {
    start(args, None)
}

/// Trains architectures one after another and shows what each does to those before it.
///
/// # Errors
/// As [`run`].
pub fn disturbance(args: &DisturbanceArgs) -> Result<ExitStatus> {
    start(&args.run, Some(args.sequence))
}

fn start(args: &RunArgs, sequence: Option<usize>) -> Result<ExitStatus> {
    let settings = Settings::resolve(args)?;
    let job = Job {
        out: OutDir::plan(args.out.as_deref(), &settings.config)?,
        progress: Progress::new(args.progress),
        cancel: cancel()?,
        json: args.json,
        tensorboard: args.tensorboard.clone(),
        sequence,
        settings,
    };
    let device = Device::parse(&job.settings.config.device)?;
    on_threads(job.settings.config.threads, || on_device!(device, |make| job.on(make()?)))
}

/// A run that is about to start.
struct Job {
    settings: Settings,
    out: OutDir,
    progress: Progress,
    cancel: &'static AtomicBool,
    json: bool,
    tensorboard: Option<PathBuf>,
    /// How many architectures to train one after another; a run otherwise.
    sequence: Option<usize>,
}

impl Job {
    fn on<D: Target>(self, device: D) -> Result<ExitStatus> {
        match self.sequence {
            None => self.execute(|config, data| Session::new(config, data, &device), Session::run),
            Some(n) => self.execute(|config, data| Sequence::new(config, data, &device, n), Sequence::run),
        }
    }

    fn execute<S, R: Outcome>(
        mut self,
        prepare: impl FnOnce(&RunConfig, Arc<Dataset>) -> Result<S, RunError>,
        work: impl FnOnce(S, &mut dyn Observer, &AtomicBool) -> Result<R, RunError>,
    ) -> Result<ExitStatus> {
        let config = &self.settings.config;
        self.progress.say(&format!("reading data set {}", config.data.name));
        let dataset = self.settings.dataset()?;
        let session = prepare(config, dataset).map_err(|error| self.settings.explain(error.into()))?;
        if self.cancel.load(Ordering::Relaxed) {
            return Ok(ExitStatus::Interrupted);
        }
        let mut recorder = Recorder::create(self.out, &self.settings, self.tensorboard.as_deref())?;
        self.progress.say(&format!("writing to {}", recorder.dir().display()));
        let outcome = work(session, &mut both(&mut recorder, &mut self.progress), self.cancel);
        drop(self.progress);
        match outcome {
            Ok(result) => finish(&result, recorder, self.json),
            Err(error) => {
                let error = error.into();
                recorder.fail(&error);
                Err(error)
            }
        }
    }
}

/// Records first: what is shown has been written.
pub fn both<'a>(recorder: &'a mut Recorder, progress: &'a mut Progress) -> impl Observer + use<'a> {
    |event: &Event<'_>| {
        recorder.observe(event)?;
        progress.observe(event)
    }
}

fn finish(result: &impl Outcome, recorder: Recorder, json: bool) -> Result<ExitStatus> {
    let dir = recorder.dir().to_path_buf();
    // Printed even if it could not be written, and the other way round.
    let written = recorder.finish(result);
    let printed = match json {
        true => serde_json::to_string(result).map_err(Into::into).and_then(|line| print(&line)),
        false => print(&result.summary(&dir)),
    };
    written.and(printed)?;
    Ok(if result.interrupted() { ExitStatus::Interrupted } else { ExitStatus::Success })
}

/// Does `work` on one of `threads` new threads, 0 for one a core, which share out its operations.
///
/// A thread outside of them would have to wake one for every operation.
///
/// # Errors
/// Threads that cannot be started, or those of `work`.
pub fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.with_context(|| format!("cannot start the threads of --threads {threads}"))?.install(work)
}
