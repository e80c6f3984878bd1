//! Bootstrap over seeds and architectures, where several seeds may have the same architectures.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bootstrap::{ConfidenceInterval, percentile_interval};

/// Computes the 95% percentile interval of the mean of a statistic over groups of items, such as GT-tau over seeds.
///
/// Groups and items are resampled independently of each other: the pigeonhole bootstrap (Owen, *Annals of Applied
/// Statistics* 1, 2007). `groups[g]` lists the item numbers of group `g`. An item that belongs to several groups is
/// drawn equally often in all of them, because its effect is common to these groups and does not average out.
/// `statistic(group, drawn)` gets positions in `groups[group]`, each repeated as often as it was drawn. `estimate` is
/// the mean over the groups themselves; [`percentile_interval`] treats it and undefined resamples. With a single group,
/// only its items are resampled. The interval then does not cover the variation between groups.
pub fn crossed_interval<R: Rng + ?Sized>(
    estimate: f64,
    groups: &[Vec<usize>],
    resamples: usize,
    rng: &mut R,
    mut statistic: impl FnMut(usize, &[usize]) -> Option<f64>,
) -> Option<ConfidenceInterval> {
    if groups.is_empty() || groups.iter().any(Vec::is_empty) {
        return None;
    }
    let mut items: Vec<usize> = groups.iter().flatten().copied().collect();
    items.sort_unstable();
    items.dedup();
    let mut times = vec![0_usize; items.last()? + 1];
    // Groups and items are drawn in the same resample, from separate generators.
    let mut of_items = ChaCha8Rng::from_seed(rng.random());
    let mut mean_over = |drawn: &[usize]| {
        times.fill(0);
        (0..items.len()).for_each(|_| times[items[of_items.random_range(0..items.len())]] += 1);
        let mut copies_of = vec![0_usize; groups.len()];
        drawn.iter().for_each(|group| copies_of[*group] += 1);
        let mut sum = 0.0;
        for ((group, names), copies) in groups.iter().enumerate().zip(copies_of) {
            if copies > 0 {
                sum += copies as f64 * statistic(group, &repeated(names, &times))?;
            }
        }
        Some(sum / drawn.len() as f64)
    };
    match groups.len() {
        // `percentile_interval` needs at least two groups; a second, equal one changes nothing.
        1 => percentile_interval(estimate, 2, resamples, rng, |_| mean_over(&[0])),
        n => percentile_interval(estimate, n, resamples, rng, mean_over),
    }
}

/// Positions in `names`; the position of name `k` is repeated `times[k]` times.
fn repeated(names: &[usize], times: &[usize]) -> Vec<usize> {
    names.iter().enumerate().flat_map(|(at, &name)| std::iter::repeat_n(at, times[name])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Width of the interval for the mean over groups, where the statistic is the mean of the items.
    fn width(groups: &[Vec<usize>], values: &[Vec<f64>]) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mean = |group: usize, drawn: &[usize]| {
            let sum: f64 = drawn.iter().map(|&at| values[group][at]).sum();
            (!drawn.is_empty()).then(|| sum / drawn.len() as f64)
        };
        let estimate = values.iter().flatten().sum::<f64>() / values.iter().flatten().count() as f64;
        let ConfidenceInterval { lo, hi } = crossed_interval(estimate, groups, 4000, &mut rng, mean).unwrap();
        hi - lo
    }

    /// `count` groups of 40 items. With `shift` 0, all groups have the same items; with 40, groups have no common item.
    fn groups(count: usize, shift: usize) -> Vec<Vec<usize>> {
        (0..count).map(|group| (group * shift..group * shift + 40).collect()).collect()
    }

    #[test]
    fn the_effect_of_common_items_does_not_average_out() {
        let values = vec![(0..40).map(f64::from).collect::<Vec<_>>(); 9];
        let one = width(&groups(1, 0), &values[..1]);
        // The standard error of a mean of 40 values with the variance of 0..40.
        let expected = 2.0 * 1.96 * ((40.0 * 40.0 - 1.0) / 12.0 / 40.0_f64).sqrt();
        assert!((one / expected - 1.0).abs() < 0.05, "{one} {expected}");
        let (same, others) = (width(&groups(9, 0), &values), width(&groups(9, 40), &values));
        assert!((same / one - 1.0).abs() < 0.05, "{same} {one}");
        // A group is drawn k times in nine draws, E[k^2] = 17/9; the variance is the sum of E[k^2] / 81 = 17/81.
        assert!((others / one / (17.0_f64.sqrt() / 9.0) - 1.0).abs() < 0.06, "{others} {one}");
    }

    #[test]
    fn differences_between_groups_widen_it() {
        let flat: Vec<Vec<f64>> = (0..2).map(|group| vec![f64::from(group); 40]).collect();
        assert_eq!(width(&groups(2, 40), &flat), 1.0);
    }

    #[test]
    fn no_items_have_no_interval() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let none =
            |groups: &[Vec<usize>], rng: &mut ChaCha8Rng| crossed_interval(0.0, groups, 10, rng, |_, _| Some(0.0));
        assert_eq!(none(&[], &mut rng), None);
        assert_eq!(none(&[vec![0, 1], vec![]], &mut rng), None);
        assert_eq!(crossed_interval(0.0, &[vec![0, 1]], 10, &mut rng, |_, _| None), None);
    }
}
