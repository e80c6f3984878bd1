//! Matrices as tinted squares.

use super::{centred, coordinate, drawing, upwards};
use maud::{Markup, html};

/// Width and height of the drawing.
const SIZE: (f64, f64) = (360.0, 350.0);
/// The upper left corner of the matrix.
const CORNER: (f64, f64) = (45.0, 10.0);
/// Largest absolute value, so that no difference is infinite.
const LARGEST: f64 = 1e300;
/// The side of the whole matrix.
const SIDE: f64 = 300.0;

/// A square matrix of accuracies, row by row. A higher value has a stronger tint; a missing value has no square. None
/// for a matrix without values.
pub fn heat_map(title: &str, rows: &[Vec<Option<f64>>]) -> Option<Markup> {
    let shown =
        |value: &Option<f64>| value.filter(|value| value.is_finite()).map(|value| value.clamp(-LARGEST, LARGEST));
    let values = rows.iter().flatten().filter_map(shown);
    let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    if lo > hi {
        return None;
    }
    let side = SIDE / rows.len() as f64;
    let centre = |i: usize| (i as f64 + 0.5) * side;
    let content = html! {
        @for (i, row) in rows.iter().enumerate() {
            @let y = CORNER.1 + i as f64 * side;
            text x="38" y=(coordinate(y + side / 2.0 + 4.0)) text-anchor="end" { (i + 1) }
            @for (j, value) in row.iter().take(rows.len()).enumerate().filter_map(|(j, value)| Some((j, shown(value)?))) {
                @let x = CORNER.0 + j as f64 * side;
                @let strength = 0.08 + 0.5 * (value - lo) / (hi - lo).max(1e-9);
                rect x=(coordinate(x)) y=(coordinate(y)) width=(coordinate(side)) height=(coordinate(side))
                    style=(format!("fill:rgba(var(--heat),{strength:.2})")) {}
                (centred(CORNER.0 + centre(j), y + side / 2.0 + 4.0, &label(value)))
            }
            (centred(CORNER.0 + centre(i), 326.0, &(i + 1).to_string()))
        }
        (centred(CORNER.0 + SIDE / 2.0, 345.0, "after training architecture"))
        (upwards(14.0, CORNER.1 + SIDE / 2.0, "accuracy of architecture"))
    };
    Some(html! { div class="square" { (drawing(title, SIZE, &content)) } })
}

/// An accuracy as a whole number.
fn label(value: f64) -> String {
    if value.abs() < 1e6 { format!("{value:.0}") } else { format!("{value:.0e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_value_has_no_square() {
        let svg = heat_map("m", &[vec![Some(90.0), Some(70.0)], vec![None, Some(95.0)]]).unwrap().into_string();
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(heat_map("m", &[]).is_none());
    }

    #[test]
    fn any_numbers_have_a_finite_tint() {
        let rows = [vec![Some(f64::MAX), Some(f64::MIN), Some(1.0)], vec![Some(f64::INFINITY), Some(f64::NAN)]];
        let svg = heat_map("m", &rows).unwrap().into_string();
        assert!(svg.matches("<rect").count() == 2 && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(heat_map("m", &[vec![Some(f64::NAN)]]).is_none());
    }
}
