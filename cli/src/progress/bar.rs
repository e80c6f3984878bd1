//! Progress as a bar, for terminals.

use super::Position;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A bar on the last line of the terminal, which goes away when it is dropped.
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar without a position yet.
    pub fn new() -> Self {
        let style = ProgressStyle::with_template("{spinner} {prefix} [{bar:24}] {pos}/{len} {msg}");
        let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar }
    }

    /// Writes a sentence above the bar.
    pub fn say(&self, line: &str) {
        self.bar.println(line);
    }

    /// Moves the bar.
    pub fn show(&self, position: &Position) {
        self.bar.set_prefix(position.phase.clone());
        self.bar.set_length(position.total);
        self.bar.set_position(position.done);
        self.bar.set_message(position.details.clone());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
