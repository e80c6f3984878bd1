//! Horizontal bars.

use super::{colour, coordinate, drawing};
use maud::{Markup, html};

/// Width of the drawing.
const WIDTH: f64 = 560.0;
/// Width of the longest bar, which leaves room for its value.
const LONGEST: f64 = 440.0;
/// Largest value of a part, so that no sum is infinite.
const LARGEST: f64 = 1e300;
/// Height of a bar with its label above.
const HEIGHT: f64 = 44.0;

/// One horizontal bar per label, made of parts in different colours, with the sum beside it. None if all parts are
/// zero. Parts that are negative or not finite count as zero.
pub fn bars(title: &str, unit: &str, bars: &[(String, Vec<f64>)]) -> Option<Markup> {
    let part = |value: &f64| if value.is_finite() { value.clamp(0.0, LARGEST) } else { 0.0 };
    let sum = |parts: &[f64]| parts.iter().map(part).sum::<f64>();
    let largest = bars.iter().map(|(_, parts)| sum(parts)).fold(0.0, f64::max);
    if largest <= 0.0 {
        return None;
    }
    let width = |value: f64| value / largest * LONGEST;
    let content = html! {
        @for (number, (label, parts)) in bars.iter().enumerate() {
            @let y = HEIGHT * number as f64;
            text x="4" y=(y + 15.0) { (label) }
            @for (index, value) in parts.iter().enumerate() {
                @let start = 4.0 + width(sum(&parts[..index]));
                rect x=(coordinate(start)) y=(y + 20.0) width=(coordinate(width(part(value)))) height="18" fill=(colour(index)) {}
            }
            text x=(coordinate(10.0 + width(sum(parts)))) y=(y + 34.0) { (with_unit(sum(parts), unit)) }
        }
    };
    Some(drawing(title, (WIDTH, HEIGHT * bars.len() as f64 + 10.0), &content))
}

fn with_unit(value: f64, unit: &str) -> String {
    if value < 1e9 { format!("{value:.1} {unit}") } else { format!("{value:.1e} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_of_any_numbers_are_drawn_inside_of_the_picture() {
        let parts = [f64::MAX, 1e17, 5e-324, -1.0, f64::INFINITY, f64::NAN];
        let svg = bars("t", "s", &[("a".into(), parts.to_vec()), ("b".into(), vec![1.0])]).unwrap().into_string();
        assert!(!svg.contains("NaN") && !svg.contains("inf") && svg.contains("e300 s"), "{svg}");
        let small = bars("t", "s", &[("a".into(), vec![5e-324])]).unwrap().into_string();
        assert!(small.contains("width=\"440.0\""), "{small}");
        assert!(bars("t", "s", &[("a".into(), vec![f64::NAN, -1.0])]).is_none());
    }
}
