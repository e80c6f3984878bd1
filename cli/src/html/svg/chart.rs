//! Line charts and scatter plots.

use super::axis::Axis;
use super::{centred, colour, coordinate, drawing, upwards};
use maud::{Markup, html};

/// Width and height of a chart.
const SIZE: (f64, f64) = (560.0, 330.0);
/// The edges of the plot area: left, right, top, bottom. Right of it is room for half of the last label.
const FRAME: (f64, f64, f64, f64) = (58.0, 532.0, 12.0, 280.0);
/// Where the title of the horizontal axis stands.
const X_TITLE: f64 = 322.0;

/// One series of a chart.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// The label in the legend.
    pub label: String,
    /// The number of the colour.
    pub colour: usize,
    /// Horizontal and vertical value of each point.
    pub points: Vec<(f64, f64)>,
    /// Smallest and largest vertical value at each point, drawn as a shaded band. Empty for no band.
    pub band: Vec<(f64, f64)>,
}

impl Series {
    fn retain_finite(&mut self) {
        let finite = |(a, b): (f64, f64)| a.is_finite() && b.is_finite();
        let bands = self.band.iter().copied().map(Some).chain(std::iter::repeat(None));
        let drawn = self.points.iter().copied().zip(bands);
        let drawn = drawn.filter(|(point, band)| finite(*point) && band.is_none_or(finite));
        let (points, bands): (Vec<_>, Vec<_>) = drawn.unzip();
        (self.points, self.band) = (points, bands.into_iter().flatten().collect());
    }
}

/// How the points of a chart are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// As a line through all points; a single point as a dot.
    Lines,
    /// As separate dots.
    Dots,
}

/// Several series over two axes.
#[derive(Debug, Clone)]
pub struct Chart {
    /// The title for screen readers.
    pub title: String,
    /// The title of the horizontal axis.
    pub x: String,
    /// The title of the vertical axis.
    pub y: String,
    /// How the points are drawn.
    pub marks: Marks,
    /// The series, the first one lowest.
    pub series: Vec<Series>,
}

impl Chart {
    /// The drawing; none without points. Points and bands that are not finite are left out.
    pub fn svg(mut self) -> Option<Markup> {
        self.series.iter_mut().for_each(Series::retain_finite);
        let (left, right, top, bottom) = FRAME;
        let points = || self.series.iter().flat_map(|series| &series.points);
        points().next()?;
        let bands = self.series.iter().flat_map(|series| &series.band).flat_map(|(lo, hi)| [*lo, *hi]);
        let x = Axis::new(points().map(|(x, _)| *x), left, right);
        let y = Axis::new(points().map(|(_, y)| *y).chain(bands), bottom, top);
        let content = html! {
            @for tick in y.ticks() {
                @let at = coordinate(y.at(tick));
                line class="grid" x1=(left) x2=(right) y1=(at) y2=(at) {}
                text x=(left - 6.0) y=(coordinate(y.at(tick) + 4.0)) text-anchor="end" { (y.label(tick)) }
            }
            @for tick in x.ticks() { (centred(x.at(tick), bottom + 18.0, &x.label(tick))) }
            path class="axis" fill="none" d={ "M" (left) " " (top) "V" (bottom) "H" (right) } {}
            (centred((left + right) / 2.0, X_TITLE, &self.x))
            (upwards(14.0, (top + bottom) / 2.0, &self.y))
            @for series in &self.series {
                @match self.marks {
                    Marks::Lines => (lines(series, &x, &y)),
                    Marks::Dots => (dots(series, &x, &y)),
                }
            }
        };
        Some(drawing(&self.title, SIZE, &content))
    }
}

fn lines(series: &Series, x: &Axis, y: &Axis) -> Markup {
    let path = |points: &mut dyn Iterator<Item = (f64, f64)>| {
        let points: Vec<String> = points.map(|(px, py)| format!("{:.1} {:.1}", x.at(px), y.at(py))).collect();
        points.join("L")
    };
    let banded = || series.points.iter().zip(&series.band);
    let upper = path(&mut banded().map(|(point, band)| (point.0, band.1)));
    let lower = path(&mut banded().rev().map(|(point, band)| (point.0, band.0)));
    let line = path(&mut series.points.iter().copied());
    html! {
        @if !series.band.is_empty() {
            path class="band" fill=(colour(series.colour)) d={ "M" (upper) "L" (lower) "Z" } {}
        }
        // A line needs two points.
        @if series.points.len() == 1 { (dots(series, x, y)) }
        @if !series.points.is_empty() { path class="line" stroke=(colour(series.colour)) d={ "M" (line) } {} }
    }
}

fn dots(series: &Series, x: &Axis, y: &Axis) -> Markup {
    html! {
        @for (px, py) in &series.points {
            circle class="dot" r="3" fill=(colour(series.colour)) cx=(coordinate(x.at(*px))) cy=(coordinate(y.at(*py))) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_escaped() {
        let series = Series { label: "a<b".into(), points: vec![(0.0, 1.0), (1.0, 2.0)], ..Series::default() };
        let chart = |series| {
            let (title, x, y) = ("\"x\" < y".into(), "a&b".into(), "y".into());
            Chart { title, x, y, marks: Marks::Lines, series }
        };
        let svg = chart(vec![series]).svg().unwrap().into_string();
        assert!(svg.contains("a&amp;b") && svg.contains("&quot;x&quot; &lt; y") && svg.ends_with("</svg>"), "{svg}");
        assert!(chart(Vec::new()).svg().is_none());
    }

    #[test]
    fn points_that_are_not_finite_are_left_out() {
        let band = vec![(0.0, 1.0), (0.0, f64::INFINITY), (1.0, 2.0)];
        let points = vec![(0.0, 0.5), (1.0, 1.0), (2.0, f64::NAN)];
        let mut series = Series { points, band, ..Series::default() };
        series.retain_finite();
        assert_eq!((series.points, series.band), (vec![(0.0, 0.5)], vec![(0.0, 1.0)]));
    }
}
