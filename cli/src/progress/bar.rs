//! Progress as a bar, for terminals.

use super::Position;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::time::Duration;

/// A bar on the last line of the terminal, which goes away when it is dropped.
pub struct Bar {
    bar: ProgressBar,
    /// Whether there has been a position; until then there is only a sign of life.
    started: bool,
}

impl Bar {
    /// A bar without a position yet.
    pub fn new() -> Self {
        Self::on(ProgressBar::new(0))
    }

    /// One of several bars.
    pub fn within(bars: &MultiProgress) -> Self {
        Self::on(bars.add(ProgressBar::new(0)))
    }

    fn on(bar: ProgressBar) -> Self {
        bar.set_style(style("{spinner}"));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, started: false }
    }

    /// Writes a sentence above the bar.
    pub fn say(&self, line: &str) {
        self.bar.println(line);
    }

    /// Moves the bar.
    pub fn show(&mut self, position: &Position) {
        self.bar.set_prefix(position.phase.clone());
        self.bar.set_message(position.details.clone());
        self.bar.update(|state| {
            state.set_len(position.total);
            state.set_pos(position.done);
        });
        if !self.started {
            self.bar.set_style(style("{spinner} {prefix} [{bar:24}] {pos}/{len} {msg}"));
            self.started = true;
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
