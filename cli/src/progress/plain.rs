//! Progress as plain lines, for log files.

use super::Position;
use crate::text::printable;
use std::io::Write;
use std::time::{Duration, Instant};

/// Smallest time between two lines within a phase.
const EVERY: Duration = Duration::from_secs(10);

/// Prints a line every 10 seconds and at the end of each phase.
pub struct Plain<W = std::io::Stderr> {
    out: W,
    last: Instant,
}

impl<W: Write> Plain<W> {
    /// Prints to `out`; the first line follows 10 seconds after `now`.
    pub fn new(out: W, now: Instant) -> Self {
        Self { out, last: now }
    }

    /// Prints a line. A closed output is ignored.
    pub fn print_line(&mut self, line: &str) {
        let _ = writeln!(self.out, "{}", printable(line));
    }

    /// Prints the position if 10 seconds have passed, or if it ends the steps, proposals or truth samples of the run.
    pub fn show(&mut self, position: &Position, now: Instant) {
        let Position { phase, done, total, details, prints_end } = position;
        if now - self.last >= EVERY || (done == total && *prints_end) {
            let colon = if details.is_empty() { "" } else { ": " };
            self.print_line(&format!("{phase} {done}/{total}{colon}{details}"));
            self.last = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_printed_every_ten_seconds_and_at_the_end_of_a_phase() {
        let start = Instant::now();
        let mut plain = Plain::new(Vec::new(), start);
        let mut show = |phase: &str, done, prints_end, seconds| {
            let position = Position { phase: phase.into(), done, total: 4, details: "loss 1".into(), prints_end };
            plain.show(&position, start + Duration::from_secs(seconds));
        };
        show("epoch 1/2, step", 1, true, 1);
        show("epoch 1/2, step", 2, true, 11);
        show("epoch 1/2, probe architecture", 4, false, 12);
        show("epoch 2/2, step", 3, true, 13);
        show("epoch 2/2, step", 4, true, 14);
        let lines = String::from_utf8(plain.out).unwrap();
        assert_eq!(lines, "epoch 1/2, step 2/4: loss 1\nepoch 2/2, step 4/4: loss 1\n");
    }
}
