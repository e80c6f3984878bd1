//! Dots so far from all others that an axis with room for them would show nothing else.

use super::svg::Series;

/// Moves dots beyond Tukey's outer fences, three interquartile ranges from the quartiles of all series, onto them.
/// Returns how many those were.
pub fn bring_nearer(series: &mut [Series]) -> usize {
    let values = |of: fn(&(f64, f64)) -> f64| series.iter().flat_map(|s| &s.points).map(of).collect::<Vec<f64>>();
    let (Some(x), Some(y)) = (fences(values(|point| point.0)), fences(values(|point| point.1))) else { return 0 };
    let mut moved = 0;
    for point in series.iter_mut().flat_map(|series| &mut series.points) {
        let inside = (point.0.clamp(x.0, x.1), point.1.clamp(y.0, y.1));
        moved += usize::from(*point != inside);
        *point = inside;
    }
    moved
}

/// The fences; none where half of the values are equal, which says nothing about the others.
fn fences(mut values: Vec<f64>) -> Option<(f64, f64)> {
    values.sort_unstable_by(f64::total_cmp);
    let quartile = |quarter: usize| values.get(values.len() * quarter / 4).copied();
    let (low, high) = (quartile(1)?, quartile(3)?);
    let reach = 3.0 * (high - low);
    (reach > 0.0).then_some((low - reach, high + reach))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_far_from_all_others_moves() {
        let points: Vec<(f64, f64)> =
            (0..40).map(|i| (90.0 + f64::from(i) / 10.0, 80.0 + f64::from(i) / 10.0)).collect();
        let mut series = vec![Series { points: points.clone(), ..Series::default() }];
        assert_eq!((bring_nearer(&mut series), &series[0].points), (0, &points));
        series[0].points.push((10.0, 9.0));
        assert_eq!(bring_nearer(&mut series), 1);
        let (x, y) = series[0].points[40];
        assert!(x > 80.0 && x < 90.0 && y > 70.0 && y < 80.0, "{x} {y}");
        assert_eq!(series[0].points[..40], points);
    }

    #[test]
    fn equal_or_no_values_have_no_fences() {
        assert_eq!(fences(Vec::new()), None);
        assert_eq!(fences(vec![1.0, 1.0, 1.0, 1.0, 9.0]), None);
    }
}
