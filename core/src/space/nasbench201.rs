//! NAS-Bench-201: cells of four nodes and six edges, each edge with one of five operations (Dong and Yang, ICLR 2020).

use super::{ArchError, Decision, Scale, SearchSpace, SpaceDescriptor, SpaceInfo, index_list};
use crate::arch::Arch;
use crate::network::{BuildNetwork, ChoiceSet, ConvUnit, NetworkBuilder, NetworkError, Value};
use crate::quote::quote;
use nas_ops::{PoolKind, PoolSpec, Window};

/// The operations of an edge, in index order.
const OPS: [&str; 5] = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];

/// Edges as (target, source) nodes, in the order of the text and of the truth table.
const EDGES: [(usize, usize); 6] = [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)];

/// The space: 5^6 = 15,625 architectures, written `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`.
///
/// The network is a 3x3 convolution to `width` channels (the stem), three stages of `cells` cells with `width`,
/// `2 width` and `4 width` channels, then batch normalisation, ReLU, global average pool and a linear layer. A residual
/// block of stride 2 joins two stages. All cells have the same architecture, and each has its own weights. The
/// benchmark uses `width = 16` and `cells = 5`.
///
/// Images may have any size. The benchmark uses 32 x 32 and 16 x 16, so it does not define the blocks between stages
/// for odd sizes; see `residual`.
#[derive(Debug, Clone)]
pub struct NasBench201 {
    info: SpaceInfo,
}

impl NasBench201 {
    /// The space at this scale.
    pub fn new(scale: Scale) -> Self {
        let decision = |(to, from): &(usize, usize)| Decision::operation(format!("edge {to}<-{from}"), OPS);
        Self { info: SpaceInfo { name: "nasbench201", decisions: EDGES.iter().map(decision).collect(), scale } }
    }

    fn cell(net: &mut NetworkBuilder<'_>, name: &str, x: Value, choices: ChoiceSet<'_>) -> Result<Value, NetworkError> {
        let mut nodes = vec![x];
        for target in 1..4 {
            let mut incoming = Vec::new();
            for (edge, (_, source)) in EDGES.iter().enumerate().filter(|(_, (to, _))| *to == target) {
                for op in choices.of(edge, OPS.len()) {
                    let name = format!("{name}.edge{target}{source}.{}", OPS[op]);
                    incoming.push(Self::edge(net, &name, nodes[*source], op)?);
                }
            }
            nodes.push(net.sum(&incoming)?);
        }
        Ok(nodes[3])
    }

    fn edge(net: &mut NetworkBuilder<'_>, name: &str, x: Value, op: usize) -> Result<Value, NetworkError> {
        match op {
            0 => Ok(net.zeros(x.size)),
            1 => Ok(x),
            2 => net.conv(name, x, ConvUnit::relu_conv_bn(1, 1, x.channels())),
            3 => net.conv(name, x, ConvUnit::relu_conv_bn(3, 1, x.channels())),
            _ => net.pool(x, PoolSpec { kind: PoolKind::Average, window: Window::same(3, 1, 1) }),
        }
    }

    /// The fixed block between stages: halves the image, doubles the channels.
    ///
    /// An odd size is rounded up, as the convolution of stride 2 does. The average pool of the shortcut then begins
    /// with the first row or column alone: `nn.AvgPool2d(2, 2, padding=(h % 2, w % 2), count_include_pad=False)` in
    /// PyTorch.
    fn residual(net: &mut NetworkBuilder<'_>, name: &str, x: Value) -> Result<Value, NetworkError> {
        let channels = 2 * x.channels();
        let main = net.conv(&format!("{name}.conv_a"), x, ConvUnit::relu_conv_bn(3, 2, channels))?;
        let main = net.conv(&format!("{name}.conv_b"), main, ConvUnit::relu_conv_bn(3, 1, channels))?;
        let padding = [x.size[0] % 2, x.size[1] % 2];
        let window = Window { padding, ..Window::valid(2, 2) };
        let short = net.pool(x, PoolSpec { kind: PoolKind::Average, window })?;
        let short = net.conv(&format!("{name}.shortcut"), short, ConvUnit::plain(1, 1, channels))?;
        net.sum(&[main, short])
    }

    /// The canonical form of the benchmark: the function that node 3 computes from the input, as nested text.
    ///
    /// `#` stands for zeros: the operation `none`, or any operation on a node that is zero. `skip_connect` is replaced
    /// by its argument, and the terms of a sum are sorted. The 15,625 architectures have 6,466 canonical forms. The
    /// benchmark keeps `#` in sums, so a few architectures that compute the same function have different forms.
    fn expression(arch: &Arch) -> String {
        let mut nodes = vec!["0".to_string()];
        for target in 1..4 {
            let incoming = EDGES.iter().zip(arch.choices()).filter(|((to, _), _)| *to == target);
            let mut terms: Vec<String> = incoming
                .map(|((_, source), op)| match (*op, nodes[*source].as_str()) {
                    (0, _) | (_, "#") => "#".into(),
                    (1, x) => x.into(),
                    (op, x) => format!("({x})@{}", OPS[op]),
                })
                .collect();
            terms.sort();
            nodes.push(terms.join("+"));
        }
        nodes.swap_remove(3)
    }
}

impl SearchSpace for NasBench201 {
    fn info(&self) -> &SpaceInfo {
        &self.info
    }

    fn parse(&self, text: &str) -> Result<Arch, ArchError> {
        let fail = |problem: String| self.error(text, problem);
        if index_list(text).is_some() {
            let reason = "libraries number the operations differently";
            return Err(fail(format!("expected the names of the operations, found numbers, but {reason}")));
        }
        let groups: Vec<&str> = text.trim().split('+').collect();
        if groups.len() != 3 {
            return Err(fail(format!("expected 3 nodes joined by `+`, found {}", groups.len())));
        }
        let mut choices = Vec::with_capacity(EDGES.len());
        for (node, group) in groups.iter().enumerate() {
            let inner = group.strip_prefix('|').and_then(|g| g.strip_suffix('|'));
            let inner = inner.ok_or_else(|| fail(format!("`{}` is not enclosed in `|`", quote(group))))?;
            let edges: Vec<&str> = inner.split('|').collect();
            if edges.len() != node + 1 {
                return Err(fail(format!("node {} needs {} edges, found {}", node + 1, node + 1, edges.len())));
            }
            for (source, edge) in edges.iter().enumerate() {
                let (op, from) = edge
                    .split_once('~')
                    .ok_or_else(|| fail(format!("`{}` is not of the form `operation~node`", quote(edge))))?;
                if from != source.to_string() {
                    return Err(fail(format!("`{}` must come from node {source}", quote(edge))));
                }
                let known = OPS.iter().position(|name| *name == op);
                choices.push(known.ok_or_else(|| {
                    fail(format!("unknown operation `{}`, expected one of {}", quote(op), OPS.join(", ")))
                })?);
            }
        }
        Ok(Arch::new(choices))
    }

    fn format(&self, arch: &Arch) -> String {
        let mut text = String::new();
        for ((target, source), choice) in EDGES.iter().zip(arch.choices()) {
            text += match (*target, *source) {
                (1, 0) => "|",
                (_, 0) => "+|",
                _ => "",
            };
            text += &format!("{}~{source}|", OPS[*choice]);
        }
        text
    }

    fn canonical(&self, arch: &Arch) -> String {
        Self::expression(arch)
    }
}

impl BuildNetwork for NasBench201 {
    fn build_network(&self, net: &mut NetworkBuilder<'_>, choices: ChoiceSet<'_>) -> Result<Value, NetworkError> {
        let input = net.input(self.info.scale.image);
        let mut x = net.conv("stem", input, ConvUnit::conv_bn(3, 1, self.info.scale.width))?;
        for stage in 0..3 {
            if stage > 0 {
                x = Self::residual(net, &format!("stage{stage}.residual"), x)?;
            }
            for cell in 0..self.info.scale.cells {
                x = Self::cell(net, &format!("stage{stage}.cell{cell}"), x, choices)?;
            }
        }
        let x = net.norm("head.bn", x)?;
        let x = net.relu(x);
        let x = net.global_avg_pool(x);
        net.linear("classifier", x, self.info.scale.classes)
    }
}

inventory::submit! {
    SpaceDescriptor {
        name: "nasbench201",
        summary: "15,625 cells of six edges with five operations; truth tables for CIFAR-10, CIFAR-100, ImageNet16-120 and digits",
        reference: "Dong and Yang, NAS-Bench-201, ICLR 2020",
        width: 8,
        cells: 1,
        options: String::new,
        build: |scale, _| Ok(Box::new(NasBench201::new(scale))),
    }
}
