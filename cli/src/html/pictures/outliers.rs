//! Outliers of scatter plots. Axes with room for them would press all other dots together.

use super::super::svg::Series;

/// Moves outliers onto Tukey's outer fences, three interquartile ranges from the quartiles, and returns their number.
///
/// The fences are the outermost ones of all series, so that no series is moved as a whole.
pub fn move_to_fences(series: &mut [Series]) -> usize {
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

/// The lower and upper fence. `None` if the interquartile range is 0 or infinite, because it then gives no scale.
fn fences(mut values: Vec<f64>) -> Option<(f64, f64)> {
    values.retain(|value| value.is_finite());
    values.sort_unstable_by(f64::total_cmp);
    let quartile = |quarter: usize| values.get(values.len() * quarter / 4).copied();
    let (low, high) = (quartile(1)?, quartile(3)?);
    let reach = 3.0 * (high - low);
    (reach > 0.0 && reach.is_finite()).then_some((low - reach, high + reach))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_outliers_move() {
        let points: Vec<(f64, f64)> =
            (0..40).map(|i| (90.0 + f64::from(i) / 10.0, 80.0 + f64::from(i) / 10.0)).collect();
        let mut series = vec![Series { points: points.clone(), ..Series::default() }];
        assert_eq!((move_to_fences(&mut series), &series[0].points), (0, &points));
        series[0].points.push((10.0, 9.0));
        assert_eq!(move_to_fences(&mut series), 1);
        let (x, y) = series[0].points[40];
        assert!(x > 80.0 && x < 90.0 && y > 70.0 && y < 80.0, "{x} {y}");
        assert_eq!(series[0].points[..40], points);
    }

    #[test]
    fn a_series_far_from_the_others_stays() {
        let points: Vec<(f64, f64)> =
            (0..40).map(|i| (90.0 + f64::from(i) / 10.0, 80.0 + f64::from(i) / 10.0)).collect();
        let far = points.iter().map(|(x, y)| (*x, y - 70.0)).collect();
        let series = [points, far].map(|points| Series { points, ..Series::default() });
        assert_eq!(move_to_fences(&mut series.clone()), 0);
    }

    #[test]
    fn equal_values_have_no_fences() {
        assert_eq!(fences(Vec::new()), None);
        assert_eq!(fences(vec![1.0, 1.0, 1.0, 1.0, 9.0]), None);
    }

    #[test]
    fn values_that_are_not_finite_have_no_effect() {
        assert_eq!(fences(vec![f64::NAN, f64::INFINITY, 1.0, 2.0, 3.0, 4.0]), fences(vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!(fences(vec![f64::MIN, f64::MIN, f64::MAX, f64::MAX]), None);
    }
}
