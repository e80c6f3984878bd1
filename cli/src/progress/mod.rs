//! Display of a run's progress on standard error.

mod bar;
mod meter;
mod plain;

use crate::args::ProgressMode;
use crate::text::{counted, duration, eprint_line, printable, short};
use bar::Bar;
use indicatif::MultiProgress;
use meter::Meter;
use nas_core::event::{Evaluated, Evaluating, Event, Observer, Phase, Purpose, RunSize, StepDone};
use nas_core::network::NetworkKind;
use plain::Plain;
use std::io::{self, IsTerminal};
use std::time::Instant;

/// The progress bars of parallel runs, below each other.
#[derive(Debug, Clone)]
pub struct ProgressBars {
    bars: MultiProgress,
    mode: ProgressMode,
}

impl ProgressBars {
    /// Bars for runs with this kind of display.
    pub fn new(mode: ProgressMode) -> Self {
        Self { bars: MultiProgress::default(), mode }
    }

    /// Prints a line above the bars, with `--progress none` too.
    pub fn print_line(&self, line: &str) {
        if self.bars.println(printable(line)).is_err() || !io::stderr().is_terminal() {
            eprint_line(line);
        }
    }

    /// Prints a line above the bars, except with `--progress none`.
    pub fn print_progress(&self, line: &str) {
        if self.mode != ProgressMode::None {
            self.print_line(line);
        }
    }
}

/// Displays the events of a run.
pub struct ProgressDisplay {
    meter: Meter,
    display: Display,
    /// Name of the run if there are several. The notes of such a run go to its log only.
    label: Option<String>,
}

enum Display {
    Bar(Bar),
    Plain(Plain),
    None,
}

/// The position within a phase of the run.
#[derive(Debug, Clone, PartialEq)]
struct Position {
    /// The phase and the unit of its count: `epoch 3/40, step`.
    phase: String,
    done: u64,
    total: u64,
    /// Loss, training speed and remaining time; may be empty.
    details: String,
    /// Whether plain progress prints a line at the end of the phase. The phases within an epoch are too many for that.
    prints_end: bool,
}

impl ProgressDisplay {
    /// A display of this kind. Without a terminal, plain lines replace the bar.
    pub fn new(mode: ProgressMode) -> Self {
        let display = match mode {
            ProgressMode::None => Display::None,
            ProgressMode::Auto | ProgressMode::Bar if io::stderr().is_terminal() => Display::Bar(Bar::new()),
            _ => Display::Plain(Plain::new(io::stderr(), Instant::now())),
        };
        Self { meter: Meter::default(), display, label: None }
    }

    /// A display for one of several parallel runs.
    pub fn labelled(label: String, mode: ProgressMode, bars: &ProgressBars) -> Self {
        let progress = Self::new(mode);
        let display = match progress.display {
            Display::Bar(_) => Display::Bar(Bar::within(&bars.bars)),
            other => other,
        };
        Self { display, label: Some(label), ..progress }
    }

    /// Prints a line, except with `--progress none`.
    pub fn print_line(&mut self, line: &str) {
        match &mut self.display {
            Display::Bar(bar) => bar.print_line(line),
            Display::Plain(plain) => plain.print_line(line),
            Display::None => {}
        }
    }

    /// Shows that `done` of `total` jobs are finished and that the remaining ones take about `left` seconds, if that is
    /// known. `details` may be empty.
    pub fn count(&mut self, what: &str, done: usize, total: usize, details: &str, left: Option<f64>) {
        let left = left.filter(|_| done < total).map(|left| format!("{} left", duration(left)));
        let parts = [details, left.as_deref().unwrap_or_default()];
        let details = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
        let (done, total) = (done as u64, total as u64);
        self.show(&Position { phase: what.into(), done, total, details, prints_end: true });
    }

    /// Prints a warning, with `--progress none` too.
    fn warn(&mut self, text: &str) {
        let label = self.label.as_ref().map(|label| format!("{label}: ")).unwrap_or_default();
        let line = format!("warning: {label}{text}");
        match self.display {
            Display::None => eprint_line(&line),
            _ => self.print_line(&line),
        }
    }

    fn show(&mut self, position: &Position) {
        let labelled = self.label.as_ref().map(|label| {
            let phase = format!("{label}: {}", position.phase);
            Position { phase, ..position.clone() }
        });
        let position = labelled.as_ref().unwrap_or(position);
        match &mut self.display {
            Display::Bar(bar) => bar.show(position),
            Display::Plain(plain) => plain.show(position, Instant::now()),
            Display::None => {}
        }
    }
}

impl Observer for ProgressDisplay {
    fn observe(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::Start(size) => {
                self.meter.start(size.clone(), Instant::now());
                if self.label.is_none() {
                    self.print_line(&summary(size));
                }
            }
            Event::Note(text) => {
                if self.label.is_none() {
                    self.print_line(text);
                }
            }
            Event::Warning(text) => self.warn(text),
            Event::Step(done) => {
                self.meter.step(done, Instant::now());
                let position = trained(&self.meter, done);
                self.show(&position);
            }
            Event::Evaluating(done) => self.show(&evaluating(&self.meter, done)),
            Event::Evaluated(done) => self.show(&evaluated(done)),
            Event::Epoch(_)
            | Event::StandAloneEpoch(_)
            | Event::Probes(_)
            | Event::Controller(_)
            | Event::Trained(_) => {}
        }
        if !matches!(event, Event::Step(_)) {
            self.meter.pause(Instant::now());
        }
        Ok(())
    }
}

fn summary(size: &RunSize) -> String {
    let params = short(size.params as u64);
    let (trained, evaluated) = match size.network.kind {
        NetworkKind::StandAlone => (format!("{params} parameters"), "images"),
        NetworkKind::Supernet => {
            (format!("{} architectures, {params} shared parameters", short(size.archs)), "validation images")
        }
    };
    format!(
        "{trained} ({:.1} MB); {} of {} on {} training images; evaluation on {} {evaluated}",
        4.0 * size.params as f64 / 1e6,
        counted(size.epochs, "epoch"),
        counted(size.steps_per_epoch, "step"),
        size.train_images,
        size.eval.positions.len()
    )
}

fn trained(meter: &Meter, done: &StepDone) -> Position {
    let mut details = format!("loss {:.3}", done.loss);
    if let Some(rate) = meter.images_per_s() {
        details += &format!(", {rate:.0} images/s");
    }
    if let Some(left) = meter.seconds_left().filter(|left| *left > 0.0) {
        details += &format!(", {} left", duration(left));
    }
    let phase = format!("{}, step", meter.epoch(done.epoch));
    Position { phase, done: meter.finished_steps(), total: meter.total_steps(), details, prints_end: true }
}

fn evaluating(meter: &Meter, done: &Evaluating) -> Position {
    let unit = match done.phase {
        Phase::Probes => "probe architecture",
        Phase::Controller => "controller sample",
    };
    let phase = format!("{}, {unit}", meter.epoch(done.epoch));
    let (done, total) = (done.done as u64, done.total as u64);
    Position { phase, done, total, details: String::new(), prints_end: false }
}

fn evaluated(done: &Evaluated<'_>) -> Position {
    let phase = match done.purpose {
        Purpose::Proposal => "proposal",
        Purpose::Truth => "truth sample",
    };
    let details = format!("accuracy {:.1} %", done.accuracy);
    let (done, total) = (done.number as u64 + 1, done.total as u64);
    Position { phase: phase.into(), done, total, details, prints_end: true }
}
