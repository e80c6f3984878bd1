//! A search space of kernel sizes: three residual layers, each with a kernel of size 1, 3 or 5.

use nas_core::arch::Arch;
use nas_core::network::{BuildNetwork, ChoiceSet, ConvUnit, NetworkBuilder, NetworkError, Value};
use nas_core::registry::SpaceDescriptor;
use nas_core::space::{ArchError, Decision, Scale, SearchSpace, SpaceInfo};

const LAYERS: usize = 3;
const KERNELS: [usize; 3] = [1, 3, 5];

/// 27 architectures. The text form is the three kernel sizes: `1-5-3`.
struct Kernels {
    info: SpaceInfo,
}

impl Kernels {
    fn new(scale: Scale) -> Self {
        let choices = || KERNELS.iter().map(|k| format!("{k}x{k}"));
        let decision = |layer| Decision::operation(format!("layer {layer}"), choices());
        Self { info: SpaceInfo { name: "kernels", decisions: (0..LAYERS).map(decision).collect(), scale } }
    }
}

impl SearchSpace for Kernels {
    fn info(&self) -> &SpaceInfo {
        &self.info
    }

    fn parse(&self, text: &str) -> Result<Arch, ArchError> {
        let choice = |part: &str| KERNELS.iter().position(|k| k.to_string() == part);
        let choices: Option<Vec<usize>> = text.trim().split('-').map(choice).collect();
        let choices = choices.ok_or_else(|| self.error(text, "expected kernel sizes of 1, 3 or 5".into()))?;
        let arch = Arch::new(choices);
        self.validate(&arch).map_err(|error| self.error(text, error.problem))?;
        Ok(arch)
    }

    fn format(&self, arch: &Arch) -> String {
        arch.choices().iter().map(|choice| KERNELS[*choice].to_string()).collect::<Vec<_>>().join("-")
    }
}

impl BuildNetwork for Kernels {
    fn build_network(&self, net: &mut NetworkBuilder<'_>, choices: ChoiceSet<'_>) -> Result<Value, NetworkError> {
        let image = net.input(self.info.scale.image);
        let mut x = net.conv("stem", image, ConvUnit::conv_bn(3, 2, self.info.scale.width))?;
        for layer in 0..LAYERS {
            let mut terms = vec![x];
            for choice in choices.of(layer, KERNELS.len()) {
                let k = KERNELS[choice];
                terms.push(net.conv(
                    &format!("layer{layer}.{k}x{k}"),
                    x,
                    ConvUnit::relu_conv_bn(k, 1, x.channels()),
                )?);
            }
            x = net.sum(&terms)?;
        }
        let x = net.global_avg_pool(x);
        net.linear("classifier", x, self.info.scale.classes)
    }
}

inventory::submit! {
    SpaceDescriptor {
        name: "kernels",
        summary: "27 architectures: three residual layers with kernels of size 1, 3 or 5",
        reference: "this example",
        width: 8,
        cells: 1,
        options: String::new,
        build: |scale, _| Ok(Box::new(Kernels::new(scale))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nas_core::network::NetworkSpec;

    #[test]
    fn every_architecture_parses_from_its_text_and_has_a_network() {
        let space = Kernels::new(Scale { image: [8, 8, 1], classes: 10, width: 4, cells: 1 });
        assert_eq!(space.count(), 27);
        for arch in (0..27).map(|index| space.nth(index)) {
            assert_eq!(space.parse(&space.format(&arch)).unwrap(), arch);
            NetworkSpec::stand_alone(&space, ChoiceSet::One(&arch)).unwrap();
        }
        assert!(space.parse("1-2-3").unwrap_err().to_string().contains("expected kernel sizes of 1, 3 or 5"));
        assert!(space.parse("1-3").unwrap_err().to_string().contains("expected 3 choices, found 2"));
    }
}
