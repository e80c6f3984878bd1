//! Networks of cells.

use super::operations::factorised_reduction;
use super::{CellEdge, CellOp, Genotype};
use crate::network::{BuildNetwork, ChoiceSet, ConvUnit, NetworkBuilder, NetworkError, NetworkKind, Value};
use crate::space::Scale;
use nas_ops::{PoolKind, PoolSpec, Window};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Smaller side of the images from which on [`Stem::Auto`] means the ImageNet stem, in pixels.
const LARGE_IMAGE: usize = 128;

/// The layers before the first cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// `imagenet` for images of at least 128 pixels on the smaller side, `cifar` for smaller ones.
    Auto,
    /// A 3x3 convolution to `3 width` channels.
    Cifar,
    /// Three 3x3 convolutions of stride 2 to `width` channels.
    Imagenet,
}

/// The edges and the output of a cell: those of one architecture, or all edges that a space has.
#[derive(Debug, Clone)]
pub struct WiredCell {
    /// The edges of each node from node 2 on.
    pub nodes: Vec<Vec<CellEdge>>,
    /// The nodes of the output.
    pub concat: Vec<usize>,
}

/// The outer structure of a network: `cells` cells, of which number `cells / 3` and `2 cells / 3` (from 0) are
/// reduction cells. A reduction cell doubles the channels, and its edges from its two inputs have stride 2.
#[derive(Debug, Clone, Copy)]
pub struct Outline {
    /// Size of the network.
    pub scale: Scale,
    /// The layers before the first cell.
    pub stem: Stem,
    /// Whether there is an auxiliary head after the second reduction cell.
    pub auxiliary: bool,
}

/// The network of a genotype, published ones included, for training with weights of its own.
///
/// ```text
/// cell k: output of the two cells before -> 1x1 convolutions to C channels -> nodes -> concatenation
/// ```
#[derive(Debug, Clone)]
pub struct CellNetwork {
    cells: [WiredCell; 2],
    outline: Outline,
}

impl CellNetwork {
    /// The network of a genotype with a CIFAR or ImageNet stem and, if `auxiliary`, the auxiliary head.
    pub fn new(genotype: &Genotype, scale: Scale, stem: Stem, auxiliary: bool) -> Self {
        let cells = [&genotype.normal, &genotype.reduce].map(|cell| WiredCell {
            nodes: cell.nodes.iter().map(|edges| edges.to_vec()).collect(),
            concat: cell.concat.clone(),
        });
        Self { cells, outline: Outline { scale, stem, auxiliary } }
    }
}

impl BuildNetwork for CellNetwork {
    fn build_network(&self, net: &mut NetworkBuilder<'_>, _: ChoiceSet<'_>) -> Result<Value, NetworkError> {
        self.outline.build_network(net, &self.cells)
    }
}

impl Outline {
    /// Builds the network of a normal and a reduction cell.
    pub fn build_network(
        &self,
        net: &mut NetworkBuilder<'_>,
        [normal, reduce]: &[WiredCell; 2],
    ) -> Result<Value, NetworkError> {
        let Scale { image, classes, width, cells } = self.scale;
        let input = net.input(image);
        let stem = self.stem_of(image)?;
        let (mut before, mut x) = if stem == Stem::Cifar {
            let x = net.conv("stem", input, ConvUnit::conv_bn(3, 1, 3 * width))?;
            (x, x)
        } else {
            let x = net.conv("stem.0", input, ConvUnit::conv_bn(3, 2, (width / 2).max(1)))?;
            let x = net.conv("stem.1", x, ConvUnit::relu_conv_bn(3, 2, width))?;
            (x, net.conv("stem.2", x, ConvUnit::relu_conv_bn(3, 2, width))?)
        };
        let (mut channels, mut stage) = (width, 0);
        for cell in 0..cells {
            let reduction = cell == cells / 3 || cell == 2 * cells / 3;
            if reduction {
                (channels, stage) = (2 * channels, stage + 1);
            }
            let name = format!("stage{stage}.cell{cell}");
            let here = CellAt { cell: if reduction { reduce } else { normal }, name, channels, reduction };
            (before, x) = (x, here.build(net, before, x)?);
            if self.auxiliary && cell == 2 * cells / 3 {
                net.auxiliary(|net| auxiliary_head(net, x, stem, classes))?;
            }
        }
        let x = net.global_avg_pool(x);
        net.linear("classifier", x, classes)
    }

    /// The stem for images `[h, w, c]`.
    fn stem_of(&self, [h, w, _]: [usize; 3]) -> Result<Stem, NetworkError> {
        let stem = match self.stem {
            Stem::Auto if h.min(w) >= LARGE_IMAGE => Stem::Imagenet,
            Stem::Auto => Stem::Cifar,
            stem => stem,
        };
        let (least, reason) = match stem {
            Stem::Imagenet => (64, "the ImageNet stem and two reduction cells divide height and width by 32"),
            _ => (4, "two reduction cells divide height and width by 4"),
        };
        if h.min(w) >= least {
            return Ok(stem);
        }
        let remedy = if stem == Stem::Imagenet {
            "; choose larger images (--data, data.image_size), or set space.stem = \"cifar\""
        } else {
            ""
        };
        let problem = format!("expected images of at least {least} x {least}, found {h} x {w}: {reason}{remedy}");
        Err(NetworkError::Layer { layer: "stem".into(), problem })
    }
}

/// A cell at its place in a network.
struct CellAt<'a> {
    cell: &'a WiredCell,
    name: String,
    channels: usize,
    reduction: bool,
}

impl CellAt<'_> {
    fn build(&self, net: &mut NetworkBuilder<'_>, before: Value, last: Value) -> Result<Value, NetworkError> {
        let Self { cell, name, channels, .. } = self;
        let unit = ConvUnit::relu_conv_bn(1, 1, *channels);
        let first = format!("{name}.input0");
        let mut nodes = if before.size[..2] == last.size[..2] {
            vec![net.conv(&first, before, unit)?]
        } else {
            // The last cell was a reduction cell, or the last layer of the ImageNet stem.
            vec![factorised_reduction(net, &first, before, *channels)?]
        };
        nodes.push(net.conv(&format!("{name}.input1"), last, unit)?);
        for edges in &cell.nodes {
            let mut terms = Vec::new();
            for (number, edge) in edges.iter().enumerate() {
                terms.push(self.edge(net, &nodes, edges, number, *edge)?);
            }
            nodes.push(net.sum(&terms)?);
        }
        let output: Vec<Value> = cell.concat.iter().map(|node| nodes[*node]).collect();
        net.concat(&output)
    }

    /// Builds one edge of the next node. Weights belong to the cell, the node, the predecessor and the operation. Two
    /// equal edges share them in a supernet, and have their own in a network that stands alone.
    fn edge(
        &self,
        net: &mut NetworkBuilder<'_>,
        nodes: &[Value],
        edges: &[CellEdge],
        number: usize,
        edge: CellEdge,
    ) -> Result<Value, NetworkError> {
        let mut name = format!("{}.node{}.from{}", self.name, nodes.len(), edge.from);
        if edges[..number].contains(&edge) && net.kind() == NetworkKind::StandAlone {
            name += ".again";
        }
        let stride = if self.reduction && edge.from < super::genotype::INPUTS { 2 } else { 1 };
        let y = edge.op.build(net, &name, nodes[edge.from], stride)?;
        // As in DARTS, drop path spares identities.
        let identity = edge.op == CellOp::SkipConnect && stride == 1;
        Ok(if identity { y } else { net.drop_path(y) })
    }
}

/// The auxiliary head of DARTS: ReLU, average pool to 2x2, 1x1 convolution to 128 channels, 2x2 convolution to 768
/// channels, ReLU, linear layer.
///
/// The pool of DARTS has a 5x5 window and stride 3 for images of 8x8 (CIFAR), stride 2 for 7x7 (ImageNet). For other
/// sizes, the window and the stride are those that give 2x2. As in the public code of DARTS, the ImageNet head has no
/// batch normalisation after its second convolution.
fn auxiliary_head(net: &mut NetworkBuilder<'_>, x: Value, stem: Stem, classes: usize) -> Result<Value, NetworkError> {
    let [h, w, _] = x.size;
    if h < 2 || w < 2 {
        let problem = format!(
            "expected at least 2 x 2 pixels after the second reduction cell, found {h} x {w}: \
             choose larger images, or no head (retrain.auxiliary_weight = 0)"
        );
        return Err(NetworkError::Layer { layer: "auxiliary".into(), problem });
    }
    let kernel = [h, w].map(|size| size.div_ceil(2).max(5).min(size - 1));
    let window = Window { kernel, stride: [h - kernel[0], w - kernel[1]], padding: [0; 2], dilation: [1; 2] };
    let x = net.relu(x);
    let x = net.pool(x, PoolSpec { kind: PoolKind::Average, window })?;
    let x = net.conv("auxiliary.conv0", x, ConvUnit::conv_bn(1, 1, 128))?;
    let unit = ConvUnit { window: Window::valid(2, 1), ..ConvUnit::relu_conv_bn(2, 1, 768) };
    let x = net.conv("auxiliary.conv1", x, ConvUnit { norm: stem == Stem::Cifar, ..unit })?;
    let x = net.relu(x);
    net.linear("auxiliary.classifier", x, classes)
}
