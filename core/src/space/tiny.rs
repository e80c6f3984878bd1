//! A chain of two decisions for tests and first steps. A run over it takes milliseconds.

use super::{ArchError, Decision, Scale, SearchSpace, SpaceDescriptor, SpaceInfo};
use crate::arch::Arch;
use crate::network::{BuildNetwork, ChoiceSet, ConvUnit, NetworkBuilder, NetworkError, Value};

const OPS: [&str; 3] = ["skip", "conv1x1", "conv3x3"];

/// The space: nine architectures, written as two digits, for example `21`.
///
/// The network is a 3x3 convolution of stride 2 (the stem), two layers, global average pool and a linear layer. Each
/// layer is `0` (identity), `1` (1x1 convolution) or `2` (3x3 convolution).
#[derive(Debug, Clone)]
pub struct Tiny {
    info: SpaceInfo,
}

impl Tiny {
    /// The space at this scale. The depth is fixed, so `cells` is not used.
    pub fn new(scale: Scale) -> Self {
        let decision = |i| Decision::operation(format!("layer {i}"), OPS);
        Self { info: SpaceInfo { name: "tiny", decisions: (0..2).map(decision).collect(), scale } }
    }
}

impl SearchSpace for Tiny {
    fn info(&self) -> &SpaceInfo {
        &self.info
    }

    fn parse(&self, text: &str) -> Result<Arch, ArchError> {
        super::parse_digits(self, text)
    }

    fn format(&self, arch: &Arch) -> String {
        super::format_digits(arch)
    }
}

impl BuildNetwork for Tiny {
    fn build_network(&self, net: &mut NetworkBuilder<'_>, choices: ChoiceSet<'_>) -> Result<Value, NetworkError> {
        let input = net.input(self.info.scale.image);
        let mut x = net.conv("stem", input, ConvUnit::conv_bn(3, 2, self.info.scale.width))?;
        for layer in 0..2 {
            let mut terms = Vec::new();
            for op in choices.of(layer, OPS.len()) {
                let name = format!("layer{layer}.{}", OPS[op]);
                terms.push(match op {
                    0 => x,
                    1 => net.conv(&name, x, ConvUnit::relu_conv_bn(1, 1, x.channels()))?,
                    _ => net.conv(&name, x, ConvUnit::relu_conv_bn(3, 1, x.channels()))?,
                });
            }
            x = net.sum(&terms)?;
        }
        let x = net.global_avg_pool(x);
        net.linear("classifier", x, self.info.scale.classes)
    }
}

inventory::submit! {
    SpaceDescriptor {
        name: "tiny",
        summary: "nine architectures of two layers, for tests and first steps",
        reference: "this project",
        width: 8,
        cells: 1,
        options: String::new,
        build: |scale, _| super::without_cells("tiny", scale).map(|scale| Box::new(Tiny::new(scale)) as _),
    }
}
