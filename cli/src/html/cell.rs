//! The architecture found, as a graph (DINAS, figure 2).

use super::figures::{Picture, quoted};
use super::svg::{colour, escape, open};
use crate::comparison::VariantRuns;
use nas_core::space::SearchSpace;
use nas_core::trainer::build_space;
use std::fmt::Write;

/// An operation between two nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edge {
    from: usize,
    to: usize,
    op: String,
}

/// The selected architecture of a variant's first seed; none if there is none.
pub fn picture(number: usize, variant: &VariantRuns) -> Option<Picture> {
    let run = variant.runs.first()?;
    let best = run.result.selected.as_ref()?;
    // The decisions do not depend on the images.
    let space = build_space(&run.config, [32, 32, 3], 10).ok()?;
    let edges = edges(&*space, &best.arch)?;
    let title = format!("Found by {}", variant.label);
    let truth = best.truth.map(|truth| format!(", {truth:.2} % by the truth table")).unwrap_or_default();
    let caption = format!(
        "{} (seed {}): {:.2} % with shared weights{truth}, {} parameters.",
        best.arch, run.result.seed, best.valid_accuracy, best.params
    );
    let mut csv = String::from("from,to,operation\n");
    edges.iter().for_each(|edge| csv += &format!("{},{},{}\n", edge.from, edge.to, quoted(&edge.op)));
    let svg = Some(draw(&title, &edges, colour(number)));
    Some(Picture { name: format!("found_{number}"), title, caption, svg, legend: Vec::new(), csv })
}

/// Decisions called `edge TO<-FROM` make a graph of nodes; others are layers of a chain.
fn edges(space: &dyn SearchSpace, text: &str) -> Option<Vec<Edge>> {
    let arch = space.parse(text).ok()?;
    let edge = |(number, (decision, choice)): (usize, (&nas_core::space::Decision, &usize))| {
        let ends = decision.name.strip_prefix("edge ").and_then(|ends| ends.split_once("<-"));
        let ends = ends.and_then(|(to, from)| Some((from.parse().ok()?, to.parse().ok()?)));
        let (from, to) = ends.unwrap_or((number, number + 1));
        Edge { from, to, op: decision.choices[*choice].clone() }
    };
    Some(space.decisions().iter().zip(arch.choices()).enumerate().map(edge).collect())
}

/// Nodes in a row; a longer way is a higher arc. What passes nothing on is dashed.
fn draw(title: &str, edges: &[Edge], colour: String) -> String {
    let nodes = edges.iter().map(|edge| edge.to).max().unwrap_or(0) + 1;
    let gap = if nodes > 4 { 120.0 } else { 165.0 };
    let at = |node: usize| 30.0 + node as f64 * gap;
    let longest = edges.iter().map(|edge| edge.to - edge.from).max().unwrap_or(1);
    let middle = 40.0 + 62.0 * (longest - 1) as f64;
    let mut svg = open(title, (at(nodes - 1) + 30.0, middle + 75.0));
    let mut below = 0;
    for edge in edges {
        let (a, b, span) = (at(edge.from), at(edge.to), edge.to - edge.from);
        // Ways over two nodes go above and below in turn, so that their names do not meet.
        let under = span == 2 && below % 2 == 1;
        below += usize::from(span == 2);
        let bend = match span {
            1 => 0.0,
            _ if under => 110.0,
            _ => -(span as f64 - 1.0) * 82.0,
        };
        let dash = if edge.op == "none" { r#" stroke-dasharray="3 5" opacity=".5""# } else { "" };
        let (from, to, centre) = (a + 14.0, b - 14.0, (a + b) / 2.0);
        let _ = write!(
            svg,
            r#"<path class="line" stroke="{colour}"{dash} d="M{from} {middle}Q{centre} {:.0} {to} {middle}"/>"#,
            middle + bend
        );
        let y = middle + bend / 2.0 - 6.0;
        let name = escape(edge.op.trim_start_matches("nor_"));
        let _ = write!(svg, r#"<text x="{centre}" y="{y:.0}" text-anchor="middle">{name}</text>"#);
    }
    for node in 0..nodes {
        let name = if node == 0 {
            "in".into()
        } else if node == nodes - 1 {
            "out".into()
        } else {
            node.to_string()
        };
        let x = at(node);
        let _ = write!(svg, r#"<circle class="axis" fill="none" cx="{x}" cy="{middle}" r="14"/>"#);
        let _ = write!(svg, r#"<text x="{x}" y="{}" text-anchor="middle">{name}</text>"#, middle + 4.5);
    }
    svg + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;
    use nas_core::config::RunConfig;

    fn edges_of(space: &str, text: &str) -> Option<Vec<Edge>> {
        let mut config = RunConfig::from_table(&toml::Table::new()).unwrap();
        config.space.name = space.into();
        edges(&*build_space(&config, [32, 32, 3], 10).unwrap(), text)
    }

    #[test]
    fn cells_are_graphs_and_chains_are_chains() {
        let cell = edges_of("nasbench201", "|none~0|+|skip_connect~0|none~1|+|none~0|nor_conv_3x3~1|none~2|").unwrap();
        let ends: Vec<(usize, usize)> = cell.iter().map(|edge| (edge.from, edge.to)).collect();
        assert_eq!(ends, [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]);
        assert_eq!(cell[4].op, "nor_conv_3x3");
        let chain = edges_of("tiny", "20").unwrap();
        assert_eq!(chain[1], Edge { from: 1, to: 2, op: "skip".into() });
        assert_eq!(edges_of("tiny", "9"), None);
    }
}
