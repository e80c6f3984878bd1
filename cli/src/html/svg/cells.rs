//! Cells as graphs, like figure 2 of DINAS.

use super::{centred, coordinate, drawing};
use maud::{Markup, html};
use nas_core::space::{CellEdge, CellGenotype, CellOp, Genotype};

/// Size of a node.
const NODE: (f64, f64) = (46.0, 28.0);
/// Width of the gap after a node, in which the edges turn.
const GAP: f64 = 56.0;
/// Width of the straight end of an edge, which has the name of the operation.
const LABEL: f64 = 108.0;
/// Distance of two nodes in one column, so that the four labels between them have space.
const ROW: f64 = 66.0;
/// Distance of the ends of a node's two edges from its middle.
const PORT: f64 = 9.0;
/// Height of the title of a cell.
const TITLE: f64 = 34.0;

/// The normal cell and below it the reduction cell.
pub fn cells(title: &str, genotype: &Genotype, colour: &str) -> Markup {
    let [normal, reduce] = [&genotype.normal, &genotype.reduce].map(CellLayout::new);
    let middle = TITLE + normal.height();
    let content = html! {
        @for (name, layout, top) in [("normal cell", &normal, 0.0), ("reduction cell", &reduce, middle)] {
            g transform={ "translate(0 " (coordinate(top)) ")" } {
                text x="8" y="22" font-weight="600" { (name) }
                g transform={ "translate(0 " (TITLE) ")" } { (layout.draw(colour)) }
            }
        }
    };
    drawing(title, (normal.width().max(reduce.width()), middle + TITLE + reduce.height()), &content)
}

/// The positions of the nodes of a cell.
///
/// Each node has a row of its own, and its column is its longest distance from an input. An edge turns in the gap after
/// the node that it comes from, and then follows the row of its target, so no edge crosses another node.
struct CellLayout<'a> {
    cell: &'a CellGenotype,
    /// Column of each node, inputs included.
    columns: Vec<usize>,
}

impl<'a> CellLayout<'a> {
    fn new(cell: &'a CellGenotype) -> Self {
        let mut columns = vec![0; cell.intermediate_nodes().start];
        for edges in &cell.nodes {
            let last = edges.iter().map(|edge| columns[edge.from]).max().unwrap_or(0);
            columns.push(last + 1);
        }
        Self { cell, columns }
    }

    fn height(&self) -> f64 {
        self.cell.nodes.len() as f64 * ROW
    }

    fn width(&self) -> f64 {
        self.output() + NODE.0 + 8.0
    }

    /// The left side of a column of nodes.
    fn x(column: usize) -> f64 {
        8.0 + column as f64 * (NODE.0 + GAP + LABEL)
    }

    /// The left side of the output.
    fn output(&self) -> f64 {
        let last = self.columns.iter().max().copied().unwrap_or(0);
        Self::x(last) + NODE.0 + GAP
    }

    /// Left side and middle of a node.
    fn position(&self, node: usize) -> (f64, f64) {
        let inputs = self.cell.intermediate_nodes().start;
        let y = match node.checked_sub(inputs) {
            Some(row) => (row as f64 + 0.5) * ROW,
            None => self.height() * (node + 1) as f64 / (inputs + 1) as f64,
        };
        (Self::x(self.columns[node]), y)
    }

    fn draw(&self, colour: &str) -> Markup {
        let middle = self.height() / 2.0;
        html! {
            @for (node, edges) in self.cell.intermediate_nodes().zip(&self.cell.nodes) {
                // The edge from the upper node ends above the other.
                @let swapped = self.position(edges[0].from).1 > self.position(edges[1].from).1;
                @for (edge, side) in edges.iter().zip(if swapped { [1.0, -1.0] } else { [-1.0, 1.0] }) {
                    (self.edge(node, edge, side, colour))
                }
            }
            @for node in &self.cell.concat {
                @let (x, y) = self.position(*node);
                @let turn = (x + NODE.0).max(self.output() - GAP);
                path class="line axis" d=(path((x + NODE.0, y), turn, (self.output(), middle), self.output())) {}
            }
            @for node in 0..self.columns.len() {
                @let (x, y) = self.position(node);
                (node_box(x, y, &match node { 0 => "c(k-2)".into(), 1 => "c(k-1)".into(), n => n.to_string() }))
            }
            (node_box(self.output(), middle, "c(k)"))
        }
    }

    /// An edge, which ends `side` of the middle of its target: above (-1) or below (1).
    fn edge(&self, node: usize, edge: &CellEdge, side: f64, colour: &str) -> Markup {
        let ((from_x, from_y), (x, y)) = (self.position(edge.from), self.position(node));
        let (start, end) = ((from_x + NODE.0, from_y), (x, y + side * PORT));
        let is_none = edge.op == CellOp::None;
        let baseline = end.1 + if side < 0.0 { -4.0 } else { 13.0 };
        html! {
            path class="line" stroke=(colour) stroke-dasharray=[is_none.then_some("3 5")]
                d=(path(start, start.0, (start.0 + GAP, end.1), end.0)) {}
            (centred(x - LABEL / 2.0, baseline, edge.op.name()))
        }
    }
}

/// A line from `start` to column `turn`, a turn to `end`, and a line to column `last`.
fn path(start: (f64, f64), turn: f64, end: (f64, f64), last: f64) -> String {
    let half = (turn + end.0) / 2.0;
    let [x, y, turn, half, end_x, end_y, last] = [start.0, start.1, turn, half, end.0, end.1, last].map(coordinate);
    format!("M{x} {y}H{turn}C{half} {y} {half} {end_y} {end_x} {end_y}H{last}")
}

fn node_box(x: f64, middle: f64, name: &str) -> Markup {
    let (width, height) = NODE;
    html! {
        rect class="axis node" x=(coordinate(x)) y=(coordinate(middle - height / 2.0)) width=(width) height=(height) rx="6" {}
        (centred(x + width / 2.0, middle + 4.5, name))
    }
}
