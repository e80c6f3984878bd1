//! Progress of a run on stderr.

mod bar;
mod meter;
mod plain;

use crate::args::ProgressMode;
use crate::text::{duration, short};
use bar::Bar;
use indicatif::MultiProgress;
use meter::Meter;
use nas_core::event::{Evaluated, Evaluating, Event, Observer, Phase, Purpose, Start, StepDone};
use plain::Plain;
use std::io::{self, IsTerminal};
use std::time::Instant;

/// The bars of several runs at once, below each other.
#[derive(Debug, Clone, Default)]
pub struct Live(MultiProgress);

impl Live {
    /// Tells a sentence above the bars.
    pub fn say(&self, line: &str) {
        if self.0.println(line).is_err() || !io::stderr().is_terminal() {
            crate::text::say(line);
        }
    }
}

/// Shows the events of a run.
pub struct Progress {
    meter: Meter,
    display: Display,
    /// Which of several runs it is; its notes are then left to its log.
    label: Option<String>,
}

enum Display {
    Bar(Bar),
    Plain(Plain),
    None,
}

/// How far a phase of the run is.
#[derive(Debug, Clone, PartialEq)]
struct Position {
    /// Which phase, with its epoch.
    phase: String,
    done: u64,
    total: u64,
    /// Loss, throughput and the like.
    details: String,
}

impl Progress {
    /// Progress in this way; a bar needs a terminal and is replaced by lines elsewhere.
    pub fn new(mode: ProgressMode) -> Self {
        let display = match mode {
            ProgressMode::None => Display::None,
            ProgressMode::Auto | ProgressMode::Bar if io::stderr().is_terminal() => Display::Bar(Bar::new()),
            _ => Display::Plain(Plain::new(io::stderr(), Instant::now())),
        };
        Self { meter: Meter::default(), display, label: None }
    }

    /// Progress of one of several runs.
    pub fn labelled(label: String, mode: ProgressMode, live: &Live) -> Self {
        let progress = Self::new(mode);
        let display = match progress.display {
            Display::Bar(_) => Display::Bar(Bar::within(&live.0)),
            other => other,
        };
        Self { display, label: Some(label), ..progress }
    }

    /// Tells a sentence.
    pub fn say(&mut self, line: &str) {
        match &mut self.display {
            Display::Bar(bar) => bar.say(line),
            Display::Plain(plain) => plain.say(line),
            Display::None => {}
        }
    }

    /// Shows how many of some pieces of work are done, and for how many seconds the rest will take.
    pub fn count(&mut self, what: &str, done: usize, total: usize, details: &str, left: f64) {
        let details = format!("{details}, {} left", duration(left));
        self.show(&Position { phase: what.into(), done: done as u64, total: total as u64, details });
    }

    /// Warnings are told even where no progress is.
    fn warn(&mut self, text: &str) {
        let label = self.label.as_ref().map(|label| format!("{label}: ")).unwrap_or_default();
        let line = format!("warning: {label}{text}");
        match self.display {
            Display::None => crate::text::say(&line),
            _ => self.say(&line),
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

impl Observer for Progress {
    fn observe(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::Start(start) => {
                self.meter.start(start.clone(), Instant::now());
                if self.label.is_none() {
                    self.say(&summary(start));
                }
            }
            Event::Note(text) => {
                if self.label.is_none() {
                    self.say(text);
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
            Event::Epoch(_) | Event::Probes(_) | Event::Controller(_) | Event::Trained(_) => {}
        }
        if !matches!(event, Event::Step(_)) {
            self.meter.pause(Instant::now());
        }
        Ok(())
    }
}

fn summary(start: &Start) -> String {
    format!(
        "{} architectures, {} shared parameters; {} epochs of {} steps on {} images, evaluation on {}",
        short(start.archs),
        short(start.params as u64),
        start.epochs,
        start.steps_per_epoch,
        start.train_images,
        start.eval_images
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
    Position { phase: meter.epoch(done.epoch), done: meter.steps(), total: meter.total_steps(), details }
}

fn evaluating(meter: &Meter, done: &Evaluating) -> Position {
    let what = match done.phase {
        Phase::Probes => "probes",
        Phase::Controller => "controller",
    };
    let phase = format!("{}, {what}", meter.epoch(done.epoch));
    Position { phase, done: done.done as u64, total: done.total as u64, details: String::new() }
}

fn evaluated(done: &Evaluated<'_>) -> Position {
    let phase = match done.purpose {
        Purpose::Proposal => "proposals",
        Purpose::Truth => "truth samples",
    };
    let details = format!("{:.1} %", done.accuracy);
    Position { phase: phase.into(), done: done.number as u64 + 1, total: done.total as u64, details }
}
