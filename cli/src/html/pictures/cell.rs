//! Selected and trained architectures as graphs (DINAS, figure 2).

use super::super::picture::Picture;
use super::super::svg::{cells, centred, colour, drawing, stand_alone};
use crate::archive::ArchivedRetrain;
use crate::comparison::VariantRuns;
use crate::csv_text::CsvText;
use crate::data::DataIdentity;
use anyhow::Result;
use maud::{Markup, html};
use nas_core::config::RunConfig;
use nas_core::result::StandAloneResult;
use nas_core::space::{Decision, Genotype, SearchSpace};
use nas_core::trainer::build_space;
use serde_json::Value;

/// Radius of a node.
const RADIUS: f64 = 14.0;

/// An architecture as a file of its own; `None` if it cannot be drawn.
pub fn architecture_svg(space: &dyn SearchSpace, text: &str) -> Option<String> {
    Some(stand_alone(&ArchGraph::new(space, text)?.draw(text, "#0072b2")))
}

/// The graph of an architecture.
enum ArchGraph {
    /// A normal and a reduction cell.
    Cells(Genotype),
    /// One cell or a chain of layers.
    Edges(Vec<Edge>),
}

impl ArchGraph {
    fn new(space: &dyn SearchSpace, text: &str) -> Option<Self> {
        space.parse_genotype(text).map(Self::Cells).or_else(|| edges(space, text).map(Self::Edges))
    }

    /// The graph of an architecture in the space of a run.
    fn of_run(config: &RunConfig, manifest: &Value, text: &str) -> Option<Self> {
        // The decisions are the same for any number of classes, and for any size of image that the space accepts.
        let (shape, classes) = DataIdentity::of(manifest).map_or(([32, 32, 3], 10), |data| (data.shape, data.classes));
        Self::new(&*build_space(config, shape, classes).ok()?, text)
    }

    fn picture(&self, name: String, title: String, caption: String, number: usize) -> Result<Picture> {
        let (svg, wide) = (Some(self.draw(&title, &colour(number))), matches!(self, Self::Cells(_)));
        Ok(Picture { name, title, caption, svg, wide, legend: Vec::new(), csv: self.csv()? })
    }

    fn draw(&self, title: &str, colour: &str) -> Markup {
        match self {
            Self::Cells(genotype) => cells(title, genotype, colour),
            Self::Edges(edges) => draw(title, edges, colour),
        }
    }

    /// The edges as CSV.
    fn csv(&self) -> Result<String> {
        let genotype = match self {
            Self::Cells(genotype) => genotype,
            Self::Edges(edges) => {
                let mut csv = CsvText::new(["from", "to", "operation"])?;
                for edge in edges {
                    csv.row([&edge.from.to_string(), &edge.to.to_string(), &edge.op])?;
                }
                return csv.finish();
            }
        };
        let mut csv = CsvText::new(["cell", "from", "to", "operation"])?;
        for (name, cell) in [("normal", &genotype.normal), ("reduce", &genotype.reduce)] {
            for (node, edge) in
                cell.intermediate_nodes().zip(&cell.nodes).flat_map(|(node, edges)| edges.map(|edge| (node, edge)))
            {
                csv.row([name, &edge.from.to_string(), &node.to_string(), edge.op.name()])?;
            }
        }
        csv.finish()
    }
}

/// An operation between two nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edge {
    from: usize,
    to: usize,
    op: String,
}

/// The selected architecture of a variant's first seed; none if no architecture was selected.
pub fn picture(number: usize, variant: &VariantRuns) -> Result<Option<Picture>> {
    let Some(run) = variant.runs.first() else { return Ok(None) };
    let Some(selected) = &run.result.selected else { return Ok(None) };
    let Some(graph) = ArchGraph::of_run(&run.config, &run.manifest, &selected.arch) else { return Ok(None) };
    let title = format!("Selected architecture of {}", variant.label);
    let truth = selected.truth.map(|truth| format!(", stand-alone accuracy {truth:.2} %")).unwrap_or_default();
    let caption = format!(
        "{} (seed {}): shared-weight accuracy {:.2} %{truth}, {} parameters.",
        selected.arch, run.result.seed, selected.valid_accuracy, selected.params
    );
    graph.picture(format!("selected_{number}"), title, caption, number).map(Some)
}

/// The architecture of a stand-alone training, which `names` names; none if it cannot be drawn.
pub fn of_training(number: usize, names: &str, run: &ArchivedRetrain) -> Result<Option<Picture>> {
    let StandAloneResult { arch, params, macs, .. } = &run.result;
    let Some(graph) = ArchGraph::of_run(&run.config, &run.manifest, arch) else { return Ok(None) };
    let caption = format!("{arch}: {params} parameters, {macs} multiply-adds.");
    graph.picture(format!("trained_{number}"), format!("Network of {names}"), caption, number).map(Some)
}

/// The edges of an architecture. Decisions named `edge TO<-FROM` form a cell; any other decision is a layer of a chain.
fn edges(space: &dyn SearchSpace, text: &str) -> Option<Vec<Edge>> {
    let arch = space.parse(text).ok()?;
    let edge = |(number, (decision, choice)): (usize, (&Decision, &usize))| {
        let ends = decision.name.strip_prefix("edge ").and_then(|ends| ends.split_once("<-"));
        let ends = ends.and_then(|(to, from)| Some((from.parse().ok()?, to.parse().ok()?)));
        let (from, to) = ends.unwrap_or((number, number + 1));
        Edge { from, to, op: decision.choices[*choice].clone() }
    };
    Some(space.decisions().iter().zip(arch.choices()).enumerate().map(edge).collect())
}

/// Draws the nodes in a row. An edge over more nodes has a higher arc; an edge without operation is dashed.
fn draw(title: &str, edges: &[Edge], colour: &str) -> Markup {
    let nodes = edges.iter().map(|edge| edge.to).max().unwrap_or(0) + 1;
    let gap = if nodes > 4 { 120.0 } else { 165.0 };
    let x = |node: usize| 30.0 + node as f64 * gap;
    let longest = edges.iter().map(|edge| edge.to - edge.from).max().unwrap_or(1);
    let middle = 40.0 + 62.0 * (longest - 1) as f64;
    let content = html! {
        @for (edge, bend) in edges.iter().zip(bends(edges)) {
            @let (start, end) = (x(edge.from) + RADIUS, x(edge.to) - RADIUS);
            @let centre = (start + end) / 2.0;
            @let is_none = edge.op == "none";
            path class="line" stroke=(colour) stroke-dasharray=[is_none.then_some("3 5")] opacity=[is_none.then_some(".5")]
                d=(format!("M{start} {middle}Q{centre} {:.0} {end} {middle}", middle + bend)) {}
            (centred(centre, middle + bend / 2.0 - 6.0, edge.op.trim_start_matches("nor_")))
        }
        @for node in 0..nodes {
            circle class="axis" fill="none" cx=(x(node)) cy=(middle) r=(RADIUS) {}
            (centred(x(node), middle + 4.5, &name(node, nodes)))
        }
    };
    drawing(title, (x(nodes - 1) + 30.0, middle + 75.0), &content)
}

fn name(node: usize, nodes: usize) -> String {
    match node {
        0 => "in".into(),
        last if last == nodes - 1 => "out".into(),
        other => other.to_string(),
    }
}

/// The height of the control point of each edge's curve, negative above the nodes. Edges over two nodes alternate
/// between above and below, so that their labels do not overlap.
fn bends(edges: &[Edge]) -> Vec<f64> {
    let mut over_two = 0;
    let bend = |edge: &Edge| match edge.to - edge.from {
        1 => 0.0,
        2 => {
            over_two += 1;
            if over_two % 2 == 0 { 110.0 } else { -82.0 }
        }
        span => -(span as f64 - 1.0) * 82.0,
    };
    edges.iter().map(bend).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges_of(space: &str, text: &str) -> Option<Vec<Edge>> {
        let mut config = RunConfig::from_table(&toml::Table::new()).unwrap();
        config.space.name = space.into();
        edges(&*build_space(&config, [32, 32, 3], 10).unwrap(), text)
    }

    #[test]
    fn a_cell_is_a_graph_and_a_list_of_layers_is_a_chain() {
        let cell = edges_of("nasbench201", "|none~0|+|skip_connect~0|none~1|+|none~0|nor_conv_3x3~1|none~2|").unwrap();
        let ends: Vec<(usize, usize)> = cell.iter().map(|edge| (edge.from, edge.to)).collect();
        assert_eq!(ends, [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]);
        assert_eq!(cell[4].op, "nor_conv_3x3");
        let chain = edges_of("tiny", "20").unwrap();
        assert_eq!(chain[1], Edge { from: 1, to: 2, op: "skip".into() });
        assert_eq!(edges_of("tiny", "9"), None);
    }

    #[test]
    fn edges_over_two_nodes_alternate_between_above_and_below() {
        let cell = edges_of("nasbench201", "|none~0|+|skip_connect~0|none~1|+|none~0|nor_conv_3x3~1|none~2|").unwrap();
        assert_eq!(bends(&cell), [0.0, -82.0, 0.0, -164.0, 110.0, 0.0]);
    }
}
