//! Horizontal bars.

use super::{colour, coordinate, drawing};
use maud::{Markup, html};

/// Width of the drawing.
const WIDTH: f64 = 560.0;
/// Width of the longest bar, which leaves room for its value.
const LONGEST: f64 = 440.0;
/// Height of a bar with its label above.
const HEIGHT: f64 = 44.0;

/// One horizontal bar per label, made of parts in different colours, with the sum beside it. None if all parts are zero.
pub fn bars(title: &str, unit: &str, bars: &[(String, Vec<f64>)]) -> Option<Markup> {
    let sum = |parts: &[f64]| parts.iter().sum::<f64>();
    let largest = bars.iter().map(|(_, parts)| sum(parts)).fold(0.0, f64::max);
    if largest <= 0.0 {
        return None;
    }
    let scale = LONGEST / largest;
    let content = html! {
        @for (number, (label, parts)) in bars.iter().enumerate() {
            @let y = HEIGHT * number as f64;
            text x="4" y=(y + 15.0) { (label) }
            @for (part, value) in parts.iter().enumerate() {
                @let start = 4.0 + sum(&parts[..part]) * scale;
                rect x=(coordinate(start)) y=(y + 20.0) width=(coordinate(value * scale)) height="18" fill=(colour(part)) {}
            }
            text x=(coordinate(10.0 + sum(parts) * scale)) y=(y + 34.0) { (format!("{:.1} {unit}", sum(parts))) }
        }
    };
    Some(drawing(title, (WIDTH, HEIGHT * bars.len() as f64 + 10.0), &content))
}
