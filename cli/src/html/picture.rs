//! A drawing of the report with its caption, legend and data.

use super::svg::colour;
use maud::{Markup, html};

/// A drawing with its data.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Name of the data file below `figures/`, without `.csv`.
    pub name: String,
    /// The heading.
    pub title: String,
    /// What the drawing shows and how it was computed.
    pub caption: String,
    /// The drawing; none if no run has such data.
    pub svg: Option<Markup>,
    /// Whether the drawing needs the width of the page.
    pub wide: bool,
    /// Labels and colour numbers of the series.
    pub legend: Vec<(String, usize)>,
    /// The data as CSV.
    pub csv: String,
}

impl Picture {
    /// The picture for the page; none without a drawing.
    pub fn figure(&self) -> Option<Markup> {
        let svg = self.svg.as_ref()?;
        Some(html! {
            figure class=[self.wide.then_some("wide")] {
                figcaption {
                    b { (self.title) }
                    (self.caption) " "
                    a class="data" href={ "figures/" (self.name) ".csv" } { "data" }
                }
                @if !self.legend.is_empty() {
                    div class="legend" {
                        @for (label, number) in &self.legend {
                            span { i style={ "background:" (colour(*number)) } {} (label) }
                        }
                    }
                }
                (svg)
            }
        })
    }
}
