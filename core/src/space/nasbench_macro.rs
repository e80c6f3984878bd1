//! NAS-Bench-Macro: chains of eight layers with three choices each (Su et al., CVPR 2021).

use super::{ArchError, Decision, Scale, SearchSpace, SpaceDescriptor, SpaceInfo};
use crate::arch::Arch;
use crate::network::{BuildNetwork, ChoiceSet, ConvUnit, NetworkBuilder, NetworkError, Value};

/// The choices of a layer, in index order, by their names in the benchmark's code.
const OPS: [&str; 3] = ["id", "ir_3x3_t3", "ir_5x5_t6"];

/// Layers of each stage.
const STAGES: [usize; 3] = [2, 3, 3];

/// The space: 3^8 = 6,561 architectures, written as eight digits.
///
/// The network is a 3x3 convolution to `width` channels with BN and ReLU (the stem), three stages of 2, 3 and 3 layers,
/// a 1x1 convolution to `40 width` channels with BN and ReLU, global average pool and a linear layer. The first layer
/// of each stage has stride 2 and doubles the channels. The benchmark uses `width = 32` on 32 x 32 images. The depth is
/// fixed, so `cells` must be 1.
///
/// A layer is one of
/// - `0`, identity; at stride 2 a 1x1 convolution of that stride and BN;
/// - `1`, inverted residual with kernel 3 and expansion 3;
/// - `2`, inverted residual with kernel 5 and expansion 6.
///
/// An inverted residual of expansion `t` is a 1x1 convolution to `t c_in` channels, BN, ReLU, a depthwise convolution
/// (with the stride), BN, ReLU, a 1x1 convolution and BN. At stride 1 the input of the layer is added. Every ReLU runs
/// as the input ReLU of the convolution after it. This holds for the stem too: only the convolutions of the first layer
/// read its output, and that layer has no residual.
///
/// The benchmark's `params` are [`Program::params`](crate::network::Program::params) of the stand-alone network. Its
/// `flops` are [`Program::macs`](crate::network::Program::macs): one FLOP is one multiply-add of a convolution or of
/// the linear layer. Batch normalisation, bias, activations, pooling and additions do not count.
#[derive(Debug, Clone)]
pub struct NasBenchMacro {
    info: SpaceInfo,
}

impl NasBenchMacro {
    /// The space at this scale.
    pub fn new(scale: Scale) -> Self {
        let decision = |i| Decision::operation(format!("layer {i}"), OPS);
        let decisions = (0..STAGES.iter().sum()).map(decision).collect();
        Self { info: SpaceInfo { name: "macro", decisions, scale } }
    }

    /// Builds one choice of one layer. With `relu`, the layer applies the ReLU of `x` first.
    fn layer(
        net: &mut NetworkBuilder<'_>,
        name: &str,
        x: Value,
        op: usize,
        stride: usize,
        relu: bool,
    ) -> Result<Value, NetworkError> {
        let c_out = stride * x.channels();
        let (kernel, expansion) = match op {
            0 if stride == 1 => return Ok(x),
            0 => return net.conv(name, x, ConvUnit { relu, ..ConvUnit::conv_bn(1, stride, c_out) }),
            1 => (3, 3),
            _ => (5, 6),
        };
        let hidden = expansion * x.channels();
        let y = net.conv(&format!("{name}.expand"), x, ConvUnit { relu, ..ConvUnit::conv_bn(1, 1, hidden) })?;
        let depthwise = ConvUnit { groups: None, ..ConvUnit::relu_conv_bn(kernel, stride, hidden) };
        let y = net.conv(&format!("{name}.depthwise"), y, depthwise)?;
        let y = net.conv(&format!("{name}.project"), y, ConvUnit::relu_conv_bn(1, 1, c_out))?;
        if stride == 1 { net.sum(&[x, y]) } else { Ok(y) }
    }
}

impl SearchSpace for NasBenchMacro {
    fn info(&self) -> &SpaceInfo {
        &self.info
    }

    fn parse(&self, text: &str) -> Result<Arch, ArchError> {
        super::parse_digits(self, text)
    }

    fn format(&self, arch: &Arch) -> String {
        super::format_digits(arch)
    }

    /// The digits with the identities of each stage moved to its end: after the first layer of a stage, an identity has
    /// no effect. Architectures that compute the same function, up to the names of their weights, have the same form.
    /// There are 3,969 forms, and the truth table contains one training of each.
    fn canonical(&self, arch: &Arch) -> String {
        let mut rest = arch.choices();
        let mut choices = Vec::with_capacity(rest.len());
        for layers in STAGES {
            let (stage, later) = rest.split_at(layers.min(rest.len()));
            let mut stage = stage.to_vec();
            if let Some(same_size) = stage.get_mut(1..) {
                same_size.sort_by_key(|choice| *choice == 0);
            }
            choices.extend(stage);
            rest = later;
        }
        self.format(&Arch::new(choices))
    }
}

impl BuildNetwork for NasBenchMacro {
    fn build_network(&self, net: &mut NetworkBuilder<'_>, choices: ChoiceSet<'_>) -> Result<Value, NetworkError> {
        let input = net.input(self.info.scale.image);
        let mut x = net.conv("stem", input, ConvUnit::conv_bn(3, 1, self.info.scale.width))?;
        let mut decision = 0;
        for (stage, layers) in STAGES.into_iter().enumerate() {
            for layer in 0..layers {
                let stride = if layer == 0 { 2 } else { 1 };
                let mut terms = Vec::new();
                for op in choices.of(decision, OPS.len()) {
                    let name = format!("stage{stage}.layer{layer}.{}", OPS[op]);
                    terms.push(Self::layer(net, &name, x, op, stride, decision == 0)?);
                }
                x = net.sum(&terms)?;
                decision += 1;
            }
        }
        let x = net.conv("head", x, ConvUnit::conv_bn(1, 1, 40 * self.info.scale.width))?;
        let x = net.relu(x);
        let x = net.global_avg_pool(x);
        net.linear("classifier", x, self.info.scale.classes)
    }
}

inventory::submit! {
    SpaceDescriptor {
        name: "macro",
        summary: "6,561 chains of eight mobile layers with three choices; truth table for CIFAR-10",
        reference: "Su et al., Prioritized Architecture Sampling with Monto-Carlo Tree Search, CVPR 2021",
        width: 32,
        cells: 1,
        options: String::new,
        build: |scale, _| super::without_cells("macro", scale).map(|scale| Box::new(NasBenchMacro::new(scale)) as _),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::NetworkSpec;
    use crate::truth::NASBENCH_MACRO;
    use std::collections::HashMap;

    fn space(width: usize, side: usize) -> NasBenchMacro {
        NasBenchMacro::new(Scale { image: [side, side, 3], classes: 10, width, cells: 1 })
    }

    #[test]
    fn costs_equal_the_benchmark_for_every_architecture() {
        let space = space(32, 32);
        for index in 0..space.count() {
            let arch = space.nth(index);
            let (spec, program) = NetworkSpec::stand_alone(&space, ChoiceSet::One(&arch)).unwrap();
            let row = index as usize;
            assert_eq!(space.format(&arch), NASBENCH_MACRO.arch_text(row).unwrap());
            assert_eq!(program.params as f64, NASBENCH_MACRO.value("params", row).unwrap(), "{arch:?}");
            assert_eq!(program.macs as f64, NASBENCH_MACRO.value("flops", row).unwrap(), "{arch:?}");
            assert_eq!(spec.param_count() as u64, program.params);
        }
    }

    #[test]
    fn equal_canonical_forms_have_equal_truth() {
        let space = space(32, 32);
        let mut accuracies = HashMap::new();
        for index in 0..space.count() {
            let arch = space.nth(index);
            let canonical = space.canonical(&arch);
            assert_eq!(space.canonical(&space.parse(&canonical).unwrap()), canonical);
            let accuracy = NASBENCH_MACRO.value("mean_acc", index as usize).unwrap();
            assert_eq!(*accuracies.entry(canonical).or_insert(accuracy), accuracy, "{arch:?}");
        }
        assert_eq!(accuracies.len(), 3969);
        assert_eq!(space.canonical(&space.parse("00010201").unwrap()), "00010210");
    }

    #[test]
    fn reads_and_writes_eight_digits() {
        let space = space(4, 8);
        let arch = space.parse(" 01201201\n").unwrap();
        assert_eq!(arch.choices(), [0, 1, 2, 0, 1, 2, 0, 1]);
        assert_eq!(space.format(&arch), "01201201");
        assert_eq!(space.index(&arch), u64::from_str_radix("01201201", 3).unwrap());
        for wrong in ["", "0120120", "012012012", "01201203", "0120120x", "-1201201"] {
            let error = space.parse(wrong).unwrap_err().to_string();
            assert!(error.ends_with("an example is `22222222`"), "{error}");
        }
    }

    /// With images of one pixel, the smallest possible size, and with larger ones.
    #[test]
    fn the_supernet_holds_every_architecture_at_every_size() {
        for space in [space(1, 1), space(3, 8)] {
            let supernet = NetworkSpec::supernet(&space).unwrap();
            for index in (0..space.count()).step_by(7) {
                supernet.program(&space, &space.nth(index)).unwrap();
            }
        }
    }
}
