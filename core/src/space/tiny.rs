//! A chain of two decisions, for tests and first steps: every run over it takes milliseconds.

use super::{ArchError, Decision, Scale, SearchSpace, SpaceDescriptor};
use crate::arch::Arch;
use crate::network::{ConvUnit, Pick, Value, Wire, WireError, Wiring};

const OPS: [&str; 3] = ["skip", "conv1x1", "conv3x3"];

/// Nine architectures: after a stem of stride 2, two layers that are each skip, 1x1 or 3x3 convolution (at index 0, 1,
/// 2), then global average pool and linear. Written as two digits, for instance `21`.
#[derive(Debug, Clone)]
pub struct Tiny {
    scale: Scale,
    decisions: Vec<Decision>,
}

impl Tiny {
    /// The space at this scale; `cells` has no meaning here.
    pub fn new(scale: Scale) -> Self {
        let decision =
            |i| Decision { name: format!("layer {i}"), choices: OPS.iter().map(ToString::to_string).collect() };
        Self { scale, decisions: (0..2).map(decision).collect() }
    }
}

impl SearchSpace for Tiny {
    fn name(&self) -> &str {
        "tiny"
    }

    fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    fn scale(&self) -> &Scale {
        &self.scale
    }

    fn parse(&self, text: &str) -> Result<Arch, ArchError> {
        super::parse_digits(self, text)
    }

    fn format(&self, arch: &Arch) -> String {
        super::format_digits(arch)
    }
}

impl Wire for Tiny {
    fn wire(&self, net: &mut Wiring<'_>, pick: Pick<'_>) -> Result<Value, WireError> {
        let input = net.input(self.scale.image);
        let mut x = net.conv("stem", input, ConvUnit::conv_bn(3, 2, self.scale.width))?;
        for layer in 0..2 {
            let mut terms = Vec::new();
            for op in pick.of(layer, OPS.len()) {
                let name = format!("layer{layer}.{}", OPS[op]);
                terms.push(match op {
                    0 => x,
                    1 => net.conv(&name, x, ConvUnit::relu_conv_bn(1, 1, x.channels()))?,
                    _ => net.conv(&name, x, ConvUnit::relu_conv_bn(3, 1, x.channels()))?,
                });
            }
            x = net.sum(&terms)?;
        }
        let x = net.global_avg_pool(x)?;
        net.linear("classifier", x, self.scale.classes)
    }
}

inventory::submit! {
    SpaceDescriptor {
        name: "tiny",
        summary: "nine architectures of two layers, for tests and first steps",
        reference: "this project",
        width: 8,
        cells: 1,
        build: |scale| super::without_cells("tiny", scale).map(|scale| Box::new(Tiny::new(scale)) as _),
    }
}
