//! Progress as lines, for logs.

use super::Position;
use std::io::Write;
use std::time::{Duration, Instant};

/// Time between two lines.
const EVERY: Duration = Duration::from_secs(10);

/// Writes a line now and then, and at the end of each phase.
pub struct Plain<W = std::io::Stderr> {
    out: W,
    last: Instant,
}

impl<W: Write> Plain<W> {
    /// Lines to `out`.
    pub fn new(out: W, now: Instant) -> Self {
        Self { out, last: now }
    }

    /// Writes a sentence. If nobody reads it, there is nobody to tell.
    pub fn say(&mut self, line: &str) {
        let _ = writeln!(self.out, "{line}");
    }

    /// Writes the position, if it is the end of the run's steps, proposals or truth samples, or time.
    pub fn show(&mut self, position: &Position, now: Instant) {
        let Position { phase, done, total, details } = position;
        let within_epoch = phase.contains(',');
        if now - self.last >= EVERY || (done == total && !within_epoch) {
            let colon = if details.is_empty() { "" } else { ": " };
            self.say(&format!("{phase}, {done}/{total}{colon}{details}"));
            self.last = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_every_ten_seconds_and_at_ends() {
        let start = Instant::now();
        let mut plain = Plain::new(Vec::new(), start);
        let mut show = |phase: &str, done, seconds| {
            let position = Position { phase: phase.into(), done, total: 4, details: "loss 1".into() };
            plain.show(&position, start + Duration::from_secs(seconds));
        };
        show("epoch 1/2", 1, 1);
        show("epoch 1/2", 2, 11);
        show("epoch 1/2, probes", 4, 12);
        show("epoch 2/2", 3, 13);
        show("epoch 2/2", 4, 14);
        let lines = String::from_utf8(plain.out).unwrap();
        assert_eq!(lines, "epoch 1/2, 2/4: loss 1\nepoch 2/2, 4/4: loss 1\n");
    }
}
