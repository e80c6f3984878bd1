//! Axes with round numbers.

/// Largest absolute value of an axis. Far beyond any measurement, and small enough that no difference is infinite.
const LARGEST: f64 = 1e300;
/// Smallest range of an axis, as a share of its largest absolute value. Ticks of a smaller range would be equal
/// numbers.
const SMALLEST_RANGE: f64 = 1e-9;
/// Number of digits before or after the point from which a tick is written as a power of ten.
const LONGEST: usize = 7;

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
    /// An axis that contains all finite values and starts and ends at a tick.
    pub fn new(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let values = values.filter(|value| value.is_finite()).map(|value| value.clamp(-LARGEST, LARGEST));
        let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
        let (lo, hi) = if lo <= hi { (lo, hi) } else { (0.0, 0.0) };
        let smallest = SMALLEST_RANGE * lo.abs().max(hi.abs());
        let (lo, hi) = match hi - lo {
            0.0 => (lo - smallest.max(0.5), hi + smallest.max(0.5)),
            range if range < smallest => (lo - smallest, hi + smallest),
            range if range < f64::MIN_POSITIVE * 10.0 => (lo - 0.5, hi + 0.5),
            _ => (lo, hi),
        };
        let step = round_step((hi - lo) / 5.0);
        Self { lo: (lo / step).floor() * step, hi: (hi / step).ceil() * step, from, to, step }
    }

    /// The position of a value.
    pub fn at(&self, value: f64) -> f64 {
        let value = value.clamp(-LARGEST, LARGEST);
        self.from + (value - self.lo) / (self.hi - self.lo) * (self.to - self.from)
    }

    /// The values that get a label.
    pub fn ticks(&self) -> Vec<f64> {
        let count = ((self.hi - self.lo) / self.step).round() as usize;
        (0..=count).map(|i| self.lo + i as f64 * self.step).collect()
    }

    /// A tick as text, with as many decimals as the steps need.
    pub fn label(&self, tick: f64) -> String {
        let power = |value: f64| value.abs().max(f64::MIN_POSITIVE).log10().floor();
        // Avoids `-0.0` where rounding left a tick just below zero.
        let tick = if tick.abs() < self.step / 1e6 { 0.0 } else { tick };
        let decimals = (-power(self.step)).max(0.0) as usize;
        let digits = power(self.lo).max(power(self.hi)).max(0.0) as usize;
        if tick == 0.0 || decimals < LONGEST && digits < LONGEST {
            return format!("{tick:.*}", decimals.min(LONGEST));
        }
        let decimals = (power(tick) - power(self.step)).max(0.0) as usize;
        format!("{tick:.decimals$e}")
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
    #[test]
    fn an_axis_of_any_finite_values_has_few_finite_ticks() {
        let odd =
            [0.0, 1.0, -1.0, 5e-324, 1e-320, 1e-300, 0.1, 1e9, 1e17, 1e38, 1e300, f64::MAX, f64::MIN, f64::INFINITY];
        for (a, b) in odd.iter().flat_map(|a| odd.iter().map(move |b| (*a, *b))) {
            for values in [[a, b], [a, a.next_up()], [a, f64::NAN]] {
                let axis = Axis::new(values.into_iter(), 0.0, 100.0);
                let ticks = axis.ticks();
                assert!((2..=20).contains(&ticks.len()), "{values:?}: {} ticks", ticks.len());
                for tick in ticks {
                    let label = axis.label(tick);
                    assert!(
                        axis.at(tick).is_finite() && label.len() < 24 && !label.contains("NaN"),
                        "{values:?}: {label}"
                    );
                }
                for value in values.into_iter().filter(|value| value.is_finite()) {
                    assert!((-1.0..=101.0).contains(&axis.at(value)), "{values:?}: {}", axis.at(value));
                }
            }
        }
        let loss = Axis::new([2.3, 1.5e17].into_iter(), 0.0, 100.0);
        assert_eq!(
            loss.ticks().into_iter().map(|tick| loss.label(tick)).collect::<Vec<_>>(),
            ["0", "5e16", "1.0e17", "1.5e17"]
        );
    }
}
