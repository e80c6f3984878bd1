//! Progress as a bar on a terminal.

use super::Position;
use crate::text::printable;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::time::Duration;

/// A progress bar on the last line of the terminal. Dropping it removes it.
pub struct Bar {
    bar: ProgressBar,
    /// Whether a position has been shown. Before the first position, the bar is only a spinner.
    started: bool,
}

impl Bar {
    /// A bar without a position.
    pub fn new() -> Self {
        Self::on(ProgressBar::new(0))
    }

    /// A bar below the other bars of `bars`.
    pub fn within(bars: &MultiProgress) -> Self {
        Self::on(bars.add(ProgressBar::new(0)))
    }

    fn on(bar: ProgressBar) -> Self {
        bar.set_style(style("{spinner}"));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, started: false }
    }

    /// Prints a line above the bar.
    pub fn print_line(&self, line: &str) {
        self.bar.println(printable(line));
    }

    /// Moves the bar to `position`.
    pub fn show(&mut self, position: &Position) {
        self.bar.set_prefix(printable(&position.phase).into_owned());
        self.bar.set_message(printable(&position.details).into_owned());
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
