//! Charts as SVG that takes its colours from the page, so that it is readable in light, dark and on paper.

use std::fmt::Write;

/// Size of a chart in its own units; the page scales it.
const SIZE: (f64, f64) = (560.0, 330.0);
/// Where the axes are: left, right (with room for half of the last number), top, bottom.
const FRAME: (f64, f64, f64, f64) = (58.0, 532.0, 12.0, 280.0);
/// Colours that the page knows.
const COLOURS: usize = 8;

/// Text safe in HTML and SVG.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The colour of the series of this number.
pub fn colour(number: usize) -> String {
    format!("var(--c{})", number % COLOURS)
}

/// One series of a chart.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Its name, which also finds its colour.
    pub label: String,
    /// Number of its colour.
    pub colour: usize,
    /// Positions.
    pub points: Vec<(f64, f64)>,
    /// Smallest and largest value at each position; empty for none.
    pub band: Vec<(f64, f64)>,
}

/// Lines or dots between two axes.
#[derive(Debug, Clone)]
pub struct Chart {
    /// What it shows, for readers who cannot see it.
    pub title: String,
    /// Name of the horizontal axis.
    pub x: String,
    /// Name of the vertical axis.
    pub y: String,
    /// Dots instead of lines.
    pub dots: bool,
    /// What is drawn.
    pub series: Vec<Series>,
}

/// An axis: values to positions.
struct Axis {
    lo: f64,
    hi: f64,
    from: f64,
    to: f64,
    step: f64,
}

impl Axis {
    fn new(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
        let (lo, hi) = if lo < hi { (lo, hi) } else { (lo - 0.5, lo + 0.5) };
        let step = nice((hi - lo) / 5.0);
        Self { lo: (lo / step).floor() * step, hi: (hi / step).ceil() * step, from, to, step }
    }

    fn at(&self, value: f64) -> f64 {
        self.from + (value - self.lo) / (self.hi - self.lo) * (self.to - self.from)
    }

    fn ticks(&self) -> Vec<f64> {
        let count = ((self.hi - self.lo) / self.step).round() as usize;
        (0..=count).map(|i| self.lo + i as f64 * self.step).collect()
    }

    fn label(&self, value: f64) -> String {
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        let zero = if value.abs() < self.step / 1e6 { 0.0 } else { value };
        format!("{zero:.decimals$}")
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn nice(step: f64) -> f64 {
    let power = 10.0_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= step * 0.999);
    factor.unwrap_or(10.0) * power
}

impl Chart {
    /// The drawing; nothing without points.
    pub fn svg(&self) -> Option<String> {
        let (left, right, top, bottom) = FRAME;
        let points = || self.series.iter().flat_map(|series| &series.points);
        points().next()?;
        let bands = self.series.iter().flat_map(|series| &series.band).flat_map(|(lo, hi)| [*lo, *hi]);
        let x = Axis::new(points().map(|(x, _)| *x), left, right);
        let y = Axis::new(points().map(|(_, y)| *y).chain(bands), bottom, top);
        let mut svg = open(&self.title, SIZE);
        for tick in y.ticks() {
            let (at, label) = (y.at(tick), y.label(tick));
            let _ = write!(svg, r#"<line class="grid" x1="{left}" x2="{right}" y1="{at:.1}" y2="{at:.1}"/>"#);
            let _ = write!(svg, r#"<text x="{}" y="{:.1}" text-anchor="end">{label}</text>"#, left - 6.0, at + 4.0);
        }
        for tick in x.ticks() {
            let (at, label) = (x.at(tick), x.label(tick));
            let _ = write!(svg, r#"<text x="{at:.1}" y="{}" text-anchor="middle">{label}</text>"#, bottom + 18.0);
        }
        let _ = write!(svg, r#"<path class="axis" fill="none" d="M{left} {top}V{bottom}H{right}"/>"#);
        let middle = (left + right) / 2.0;
        let _ = write!(svg, r#"<text x="{middle}" y="322" text-anchor="middle">{}</text>"#, escape(&self.x));
        let _ = write!(
            svg,
            r#"<text transform="translate(14 {}) rotate(-90)" text-anchor="middle">{}</text>"#,
            (top + bottom) / 2.0,
            escape(&self.y)
        );
        for series in &self.series {
            svg += &if self.dots { dots(series, &x, &y) } else { line(series, &x, &y) };
        }
        Some(svg + "</svg>")
    }
}

fn line(series: &Series, x: &Axis, y: &Axis) -> String {
    let colour = colour(series.colour);
    let path = |points: &mut dyn Iterator<Item = (f64, f64)>| {
        let points: Vec<String> = points.map(|(px, py)| format!("{:.1} {:.1}", x.at(px), y.at(py))).collect();
        points.join("L")
    };
    let mut svg = String::new();
    if !series.band.is_empty() {
        let both = || series.points.iter().zip(&series.band);
        let upper = path(&mut both().map(|(p, band)| (p.0, band.1)));
        let lower = path(&mut both().rev().map(|(p, band)| (p.0, band.0)));
        let _ = write!(svg, r#"<path class="band" fill="{colour}" d="M{upper}L{lower}Z"/>"#);
    }
    let path = path(&mut series.points.iter().copied());
    let _ = write!(svg, r#"<path class="line" stroke="{colour}" d="M{path}"/>"#);
    svg
}

fn dots(series: &Series, x: &Axis, y: &Axis) -> String {
    let colour = colour(series.colour);
    let dot = |(px, py): &(f64, f64)| {
        format!(r#"<circle class="dot" r="3" fill="{colour}" cx="{:.1}" cy="{:.1}"/>"#, x.at(*px), y.at(*py))
    };
    series.points.iter().map(dot).collect()
}

/// A square matrix, row by row; the stronger the tint the higher the value.
pub fn heat_map(title: &str, rows: &[Vec<Option<f64>>]) -> Option<String> {
    let values = || rows.iter().flatten().flatten();
    let (lo, hi) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(*v), hi.max(*v)));
    let n = rows.len();
    if n == 0 || lo > hi {
        return None;
    }
    let side = 300.0 / n as f64;
    let mut svg = open(title, (360.0, 350.0)).replacen("<svg", "<svg class=\"square\"", 1);
    for (i, row) in rows.iter().enumerate() {
        let y = 10.0 + i as f64 * side;
        let _ = write!(svg, r#"<text x="38" y="{:.1}" text-anchor="end">{}</text>"#, y + side / 2.0 + 4.0, i + 1);
        for (j, value) in row.iter().enumerate() {
            let Some(value) = value else { continue };
            let (x, strength) = (45.0 + j as f64 * side, 0.08 + 0.5 * (value - lo) / (hi - lo).max(1e-9));
            let _ = write!(
                svg,
                r#"<rect x="{x:.1}" y="{y:.1}" width="{side:.1}" height="{side:.1}" style="fill:rgba(var(--heat),{strength:.2})"/>"#
            );
            let _ = write!(
                svg,
                r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{value:.0}</text>"#,
                x + side / 2.0,
                y + side / 2.0 + 4.0
            );
        }
        let x = 45.0 + (i as f64 + 0.5) * side;
        let _ = write!(svg, r#"<text x="{x:.1}" y="326" text-anchor="middle">{}</text>"#, i + 1);
    }
    let _ = write!(svg, r#"<text x="195" y="345" text-anchor="middle">after training architecture</text>"#);
    let _ = write!(
        svg,
        r#"<text transform="translate(14 160) rotate(-90)" text-anchor="middle">accuracy of architecture</text></svg>"#
    );
    Some(svg)
}

/// Horizontal bars of parts, one bar a label.
pub fn bars(title: &str, unit: &str, bars: &[(String, Vec<f64>)]) -> Option<String> {
    let longest = bars.iter().map(|(_, parts)| parts.iter().sum::<f64>()).fold(0.0, f64::max);
    if longest <= 0.0 {
        return None;
    }
    let height = 44.0 * bars.len() as f64 + 10.0;
    let mut svg = open(title, (SIZE.0, height));
    for (number, (label, parts)) in bars.iter().enumerate() {
        let y = 44.0 * number as f64;
        let _ = write!(svg, r#"<text x="4" y="{}">{}</text>"#, y + 15.0, escape(label));
        let mut x = 4.0;
        for (part, value) in parts.iter().enumerate() {
            let width = value / longest * 440.0;
            let fill = colour(part);
            let _ = write!(svg, r#"<rect x="{x:.1}" y="{}" width="{width:.1}" height="18" fill="{fill}"/>"#, y + 20.0);
            x += width;
        }
        let sum: f64 = parts.iter().sum();
        let _ = write!(svg, r#"<text x="{:.1}" y="{}">{sum:.1} {unit}</text>"#, x + 6.0, y + 34.0);
    }
    Some(svg + "</svg>")
}

/// Opens a drawing with a name.
pub fn open(title: &str, (width, height): (f64, f64)) -> String {
    let title = escape(title);
    format!(r#"<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}"><title>{title}</title>"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_all_values() {
        let axis = Axis::new([0.13, 0.87].into_iter(), 0.0, 100.0);
        let labels: Vec<String> = axis.ticks().into_iter().map(|tick| axis.label(tick)).collect();
        assert_eq!(labels, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!((nice(0.3), nice(7.0), nice(100.0)), (0.5, 10.0, 100.0));
        let flat = Axis::new([5.0].into_iter(), 0.0, 100.0);
        assert!(flat.lo < 5.0 && flat.hi > 5.0);
    }

    #[test]
    fn labels_cannot_break_out_of_the_drawing() {
        let series = Series { label: "a<b".into(), points: vec![(0.0, 1.0), (1.0, 2.0)], ..Series::default() };
        let chart = |series| Chart { title: "\"x\" < y".into(), x: "a&b".into(), y: "y".into(), dots: false, series };
        let svg = chart(vec![series]).svg().unwrap();
        assert!(svg.contains("a&amp;b") && svg.contains("&quot;x&quot; &lt; y") && svg.ends_with("</svg>"), "{svg}");
        assert_eq!(chart(Vec::new()).svg(), None);
    }

    #[test]
    fn a_heat_map_leaves_out_what_is_not_known() {
        let svg = heat_map("m", &[vec![Some(90.0), Some(70.0)], vec![None, Some(95.0)]]).unwrap();
        assert_eq!(svg.matches("<rect").count(), 3);
        assert_eq!(heat_map("m", &[]), None);
    }
}
