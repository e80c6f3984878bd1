//! The mobile space of FairNAS: chains of 19 inverted residuals with six choices (Chu et al., ICCV 2021).

use super::{ArchError, Decision, Scale, SearchSpace, SpaceDescriptor, SpaceInfo};
use crate::arch::Arch;
use crate::network::{BuildNetwork, ChoiceSet, ConvUnit, NetworkBuilder, NetworkError, Value};
use crate::options::{did_you_mean, example, parse_options};
use nas_ops::Window;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kernel size and expansion of the choices, in index order.
const CHOICES: [(usize, usize); 6] = [(3, 3), (5, 3), (7, 3), (3, 6), (5, 6), (7, 6)];

/// Names of the choices.
const NAMES: [&str; 6] = ["k3_e3", "k5_e3", "k7_e3", "k3_e6", "k5_e6", "k7_e6"];

/// Layers, channels at width 32, and stride of the first layer of each stage.
const STAGES: [(usize, usize, usize); 6] = [(2, 32, 2), (4, 40, 2), (4, 80, 2), (4, 96, 1), (4, 192, 2), (1, 320, 1)];

/// Width at which the channels are those of the paper.
const WIDTH: usize = 32;

/// Smaller side of the images from which on [`Strides::Auto`] means those of ImageNet, in pixels.
const LARGE_IMAGE: usize = 128;

/// FairNAS-A, the published architecture with the highest accuracy.
const FAIRNAS_A: (&str, [usize; 19]) = ("fairnas_a", [2, 0, 2, 3, 5, 0, 0, 5, 5, 1, 3, 1, 1, 3, 3, 5, 3, 5, 4]);

/// The strides of the first layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Strides {
    /// `imagenet` for images of at least 128 pixels on the smaller side, `cifar` for smaller ones.
    Auto,
    /// The stem and the first layers of the first two stages have stride 1. This project's choice for 32 x 32 pixels.
    Cifar,
    /// Stride 2 in these layers, as in the paper for 224 x 224 pixels.
    Imagenet,
}

/// Options of `fairnas`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FairNasSpaceOptions {
    /// The strides of the first three layers that have stride 2 in the paper.
    strides: Strides,
}

impl Default for FairNasSpaceOptions {
    fn default() -> Self {
        Self { strides: Strides::Auto }
    }
}

/// The space: 6^19 architectures, written as 19 digits. The choices `0` to `5` of a layer are kernels 3, 5, 7 with
/// expansion 3, then with expansion 6. `fairnas_a` is the published architecture FairNAS-A.
///
/// The network is a 3x3 convolution of stride 2 to 32 channels (the stem), a separable convolution to 16 channels, 19
/// inverted residuals in six stages, a 1x1 convolution to 1,280 channels, global average pool and a linear layer, with
/// ReLU6. An inverted residual is a 1x1 convolution that expands the channels, a depthwise convolution and a 1x1
/// convolution without ReLU6. Its input is added if stride is 1 and channels are equal. `width = 32` is the size of the
/// paper; other widths scale all channels. The dropout of 0.2 before the linear layer belongs to the training recipe.
#[derive(Debug, Clone)]
pub struct FairNasSpace {
    info: SpaceInfo,
    options: FairNasSpaceOptions,
}

impl FairNasSpace {
    /// The space at this scale, with default options.
    pub fn new(scale: Scale) -> Self {
        Self::with_options(scale, FairNasSpaceOptions::default())
    }

    fn with_options(scale: Scale, options: FairNasSpaceOptions) -> Self {
        let layers = STAGES.iter().map(|(layers, ..)| layers).sum();
        let decisions = (0..layers).map(|layer| Decision::operation(format!("layer {layer}"), NAMES)).collect();
        Self { info: SpaceInfo { name: "fairnas", decisions, scale }, options }
    }

    /// Channels at the width of the space.
    fn channels(&self, at_32: usize) -> usize {
        (at_32 * self.info.scale.width / WIDTH).max(1)
    }

    /// Stride of the first layers: 1 for small images, otherwise 2.
    fn first_stride(&self) -> usize {
        let [h, w, _] = self.info.scale.image;
        match self.options.strides {
            Strides::Cifar => 1,
            Strides::Auto if h.min(w) < LARGE_IMAGE => 1,
            Strides::Auto | Strides::Imagenet => 2,
        }
    }
}

/// Convolution, batch normalisation, ReLU6.
fn conv_relu6(net: &mut NetworkBuilder<'_>, name: &str, x: Value, unit: ConvUnit) -> Result<Value, NetworkError> {
    let y = net.conv(name, x, unit)?;
    Ok(net.relu6(y))
}

fn depthwise(kernel: usize, stride: usize, channels: usize) -> ConvUnit {
    let window = Window::same(kernel, stride, 1);
    ConvUnit { window, groups: None, ..ConvUnit::conv_bn(1, 1, channels) }
}

fn inverted_residual(
    net: &mut NetworkBuilder<'_>,
    name: &str,
    x: Value,
    choice: usize,
    stride: usize,
    c_out: usize,
) -> Result<Value, NetworkError> {
    let (kernel, expansion) = CHOICES[choice];
    let hidden = expansion * x.channels();
    let name = format!("{name}.{}", NAMES[choice]);
    let y = conv_relu6(net, &format!("{name}.expand"), x, ConvUnit::conv_bn(1, 1, hidden))?;
    let y = conv_relu6(net, &format!("{name}.depthwise"), y, depthwise(kernel, stride, hidden))?;
    let y = net.conv(&format!("{name}.project"), y, ConvUnit::conv_bn(1, 1, c_out))?;
    if stride == 1 && x.channels() == c_out { net.sum(&[x, y]) } else { Ok(y) }
}

impl SearchSpace for FairNasSpace {
    fn info(&self) -> &SpaceInfo {
        &self.info
    }

    fn parse(&self, text: &str) -> Result<Arch, ArchError> {
        let (name, choices) = FAIRNAS_A;
        match text.trim() {
            given if given == name => Ok(Arch::new(choices)),
            given if given.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                let hint = did_you_mean(given, [name].into_iter());
                Err(self.error(text, format!("expected 19 digits or `{name}`{hint}")))
            }
            _ => super::parse_digits(self, text),
        }
    }

    fn format(&self, arch: &Arch) -> String {
        super::format_digits(arch)
    }
}

impl BuildNetwork for FairNasSpace {
    fn build_network(&self, net: &mut NetworkBuilder<'_>, choices: ChoiceSet<'_>) -> Result<Value, NetworkError> {
        let first_stride = self.first_stride();
        let input = net.input(self.info.scale.image);
        let width = self.channels(WIDTH);
        let x = conv_relu6(net, "stem.conv", input, ConvUnit::conv_bn(3, first_stride, width))?;
        let x = conv_relu6(net, "stem.depthwise", x, depthwise(3, 1, width))?;
        let mut x = net.conv("stem.pointwise", x, ConvUnit::conv_bn(1, 1, self.channels(16)))?;
        let mut decision = 0;
        for (stage, (layers, channels, stride)) in STAGES.into_iter().enumerate() {
            for layer in 0..layers {
                let stride = match (stage, layer) {
                    (0 | 1, 0) => first_stride,
                    (_, 0) => stride,
                    _ => 1,
                };
                let (name, c_out) = (format!("stage{stage}.layer{layer}"), self.channels(channels));
                let mut terms = Vec::new();
                for choice in choices.of(decision, CHOICES.len()) {
                    terms.push(inverted_residual(net, &name, x, choice, stride, c_out)?);
                }
                x = net.sum(&terms)?;
                decision += 1;
            }
        }
        let x = conv_relu6(net, "head", x, ConvUnit::conv_bn(1, 1, self.channels(1280)))?;
        let x = net.global_avg_pool(x);
        net.linear("classifier", x, self.info.scale.classes)
    }
}

inventory::submit! {
    SpaceDescriptor {
        name: "fairnas",
        summary: "6^19 chains of inverted residuals with kernels 3, 5, 7 and expansions 3, 6",
        reference: "Chu et al., FairNAS: Rethinking Evaluation Fairness of Weight Sharing NAS, ICCV 2021",
        width: WIDTH,
        cells: 1,
        options: || example(&FairNasSpaceOptions::default()),
        build: |scale, options| {
            let scale = super::without_cells("fairnas", scale)?;
            Ok(Box::new(FairNasSpace::with_options(scale, parse_options("space", options)?)))
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::NetworkSpec;

    fn space(side: usize, width: usize, classes: usize) -> FairNasSpace {
        FairNasSpace::new(Scale { image: [side, side, 3], classes, width, cells: 1 })
    }

    /// `core/tests/fixtures/fairnas/generate.py` wrote the file.
    #[test]
    fn costs_equal_pytorch() {
        let mut rows = 0;
        for line in include_str!("../../tests/fixtures/fairnas/counts.csv").lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            let number = |i: usize| fields[i].parse::<usize>().unwrap();
            let space = space(number(3), number(1), number(2));
            let arch = space.parse(fields[0]).unwrap();
            let (spec, program) = NetworkSpec::stand_alone(&space, ChoiceSet::One(&arch)).unwrap();
            assert_eq!((program.params, program.macs), (number(4) as u64, number(5) as u64), "{line}");
            assert_eq!(spec.param_count(), number(4));
            rows += 1;
        }
        assert_eq!(rows, 10);
    }

    /// The paper reports 4.6 million parameters and 392 million multiply-adds for ImageNet. The latter, whose counting
    /// rule it does not state, is 1% more than ours.
    #[test]
    fn fairnas_a_has_the_published_size() {
        let space = space(224, 32, 1000);
        let (_, program) =
            NetworkSpec::stand_alone(&space, ChoiceSet::One(&space.parse("fairnas_a").unwrap())).unwrap();
        assert!((program.params as f64 / 1e6 - 4.6).abs() < 0.06, "{}", program.params);
        assert!((program.macs as f64 / 1e6 - 392.0).abs() < 4.0, "{}", program.macs);
    }

    #[test]
    fn the_notation_is_19_digits_or_a_name() {
        let space = space(32, 4, 10);
        let text = "2023500551311335354";
        assert_eq!(space.format(&space.parse("fairnas_a").unwrap()), text);
        assert_eq!(space.parse(text).unwrap(), space.parse(" fairnas_a ").unwrap());
        for (text, problem) in [
            ("fairnas_b", "expected 19 digits or `fairnas_a`, did you mean `fairnas_a`?"),
            ("012", "expected 19 choices, found 3"),
            ("6023500551311335354", "layer 0 has choices 0 to 5, found 6"),
        ] {
            let error = space.parse(text).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn the_supernet_holds_architectures_of_all_sizes() {
        for (side, width) in [(1, 1), (8, 2), (33, 4), (224, 3)] {
            let space = space(side, width, 10);
            let supernet = NetworkSpec::supernet(&space).unwrap();
            for arch in ["fairnas_a", "0000000000000000000", "5555555555555555555"] {
                supernet.program(&space, &space.parse(arch).unwrap()).unwrap();
            }
        }
    }
}
