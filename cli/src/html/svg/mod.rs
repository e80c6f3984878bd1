//! Drawings as SVG. Their colours come from the style sheet of the page, so they suit light and dark screens and paper.

mod axis;
mod bars;
mod cells;
mod chart;
mod heat_map;

pub use bars::bars;
pub use cells::cells;
pub use chart::{Chart, Marks, Series};
pub use heat_map::heat_map;

use maud::{Markup, html};

/// Number of series colours in the style sheet.
const COLOURS: usize = 8;

/// The colour of a series. Series beyond the last colour start again with the first one.
pub fn colour(number: usize) -> String {
    format!("var(--c{})", number % COLOURS)
}

/// A drawing of this size in its own units; the page scales it. The title is for screen readers.
pub fn drawing(title: &str, (width, height): (f64, f64), content: &Markup) -> Markup {
    html! {
        svg viewBox={ "0 0 " (width) " " (height) } role="img" aria-label=(title) { title { (title) } (content) }
    }
}

/// A drawing as a file of its own, in the colours of the page on a light screen.
pub fn stand_alone(drawing: &Markup) -> String {
    const STYLE: &str = "svg{background:#fff;font:13px sans-serif}text{fill:#1b1f24}.axis{stroke:#667}\
                         .line{fill:none;stroke-width:2}.node{fill:#f4f6f9}";
    let text = drawing.0.replacen("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 1);
    text.replacen('>', &format!("><style>{STYLE}</style>"), 1)
}

/// Text whose middle is at a position.
pub fn centred(x: f64, y: f64, text: &str) -> Markup {
    html! { text x=(coordinate(x)) y=(coordinate(y)) text-anchor="middle" { (text) } }
}

/// Text from bottom to top whose middle is at a position.
pub fn upwards(x: f64, y: f64, text: &str) -> Markup {
    html! { text transform={ "translate(" (x) " " (y) ") rotate(-90)" } text-anchor="middle" { (text) } }
}

/// A coordinate with one decimal: a tenth of a unit is less than a pixel.
pub fn coordinate(value: f64) -> String {
    format!("{value:.1}")
}
