//! Dots so far from most others that an axis with room for them would show nothing else.

use super::svg::Series;

/// Moves dots beyond Tukey's outer fences, three interquartile ranges from the quartiles, onto them; the fences are the
/// outermost of all series, so that none is moved as a whole. Returns how many dots moved.
pub fn bring_nearer(series: &mut [Series]) -> usize {
    let outermost = |of: fn(&(f64, f64)) -> f64| {
        let each = series.iter().filter(|s| !s.points.is_empty()).map(|s| fences(s.points.iter().map(of).collect()));
        each.reduce(|a, b| a.zip(b).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1)))).flatten()
    };
    let (Some(x), Some(y)) = (outermost(|point| point.0), outermost(|point| point.1)) else { return 0 };
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
        let far = points.iter().map(|(x, y)| (*x, y - 70.0)).collect();
        series.push(Series { points: far, ..Series::default() });
        series[0].points.truncate(40);
        assert_eq!(bring_nearer(&mut series), 0, "a series that is far as a whole stays where it is");
    }

    #[test]
    fn equal_or_no_values_have_no_fences() {
        assert_eq!(fences(Vec::new()), None);
        assert_eq!(fences(vec![1.0, 1.0, 1.0, 1.0, 9.0]), None);
    }
}
