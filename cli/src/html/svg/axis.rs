//! Axes with round numbers.

/// A linear axis from values to positions in a drawing.
pub struct Axis {
    /// The value at the start of the axis.
    lo: f64,
    /// The value at the end of the axis.
    hi: f64,
    /// The position of `lo`.
    from: f64,
    /// The position of `hi`.
    to: f64,
    /// The distance between two ticks: 1, 2 or 5 times a power of ten.
    step: f64,
}

impl Axis {
    /// An axis that contains all values and starts and ends at a tick.
    pub fn new(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
        let (lo, hi) = if lo < hi { (lo, hi) } else { (lo - 0.5, lo + 0.5) };
        let step = round_step((hi - lo) / 5.0);
        Self { lo: (lo / step).floor() * step, hi: (hi / step).ceil() * step, from, to, step }
    }

    /// The position of a value.
    pub fn at(&self, value: f64) -> f64 {
        self.from + (value - self.lo) / (self.hi - self.lo) * (self.to - self.from)
    }

    /// The values that get a label.
    pub fn ticks(&self) -> Vec<f64> {
        let count = ((self.hi - self.lo) / self.step).round() as usize;
        (0..=count).map(|i| self.lo + i as f64 * self.step).collect()
    }

    /// A tick as text, with as many decimals as the steps need.
    pub fn label(&self, tick: f64) -> String {
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        // Avoids `-0.0` where rounding left a tick just below zero.
        let tick = if tick.abs() < self.step / 1e6 { 0.0 } else { tick };
        format!("{tick:.decimals$}")
    }
}

/// The next larger number that is 1, 2 or 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10.0_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= step * 0.999);
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_contain_all_values() {
        let axis = Axis::new([0.13, 0.87].into_iter(), 0.0, 100.0);
        let labels: Vec<String> = axis.ticks().into_iter().map(|tick| axis.label(tick)).collect();
        assert_eq!(labels, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!((round_step(0.3), round_step(7.0), round_step(100.0)), (0.5, 10.0, 100.0));
    }

    #[test]
    fn equal_values_get_an_axis_around_them() {
        let axis = Axis::new([5.0].into_iter(), 0.0, 100.0);
        assert!(axis.lo < 5.0 && axis.hi > 5.0);
    }
}
