//! Orthogonal gradient descent as a plugin, through the captured inputs of layers.
//!
//! For each layer with weights `W`, `[d, c_out]`, the Gram matrix `S = R^T R` of earlier inputs is kept, `R` one patch
//! of `d` elements a row. An update `U` becomes `(I + s S)^-1 U` with `s = d / (alpha trace(S))`: directions that were
//! used much are left alone. This is what the built-in `ogd` computes with its defaults, in its plainest form.

mod gram;
mod patches;

use gram::Gram;
use nas_plugin_abi::{Context, Error, LayerKind, Model, Needs, Path, Result, Role, Step, Strategy, export_strategies};
use std::collections::BTreeMap;

/// Gram matrices by layer.
type Memory = BTreeMap<usize, Gram>;

/// The strategy `foreign-ogd`.
pub struct Ogd {
    model: Model,
    alpha: f64,
    samples: usize,
    stride: usize,
    /// Whether all earlier architectures count, or the previous one alone.
    all: bool,
    memory: Memory,
    /// Inputs of the architecture being trained.
    pending: Memory,
}

impl Strategy for Ogd {
    const NAME: &'static str = "foreign-ogd";
    const SUMMARY: &'static str = "updates orthogonal to earlier inputs, as a plugin";
    const REFERENCE: &'static str =
        "Niu et al., Disturbance-immune Weight Sharing for Neural Architecture Search, Neural Networks 2021";
    const OPTIONS: &'static str = "alpha = 0.3\nsamples = 8\nlocation-stride = 2\nmemory = \"previous\"\n";
    const NEEDS: Needs = Needs::INPUT.and(Needs::WRITES_UPDATE);

    fn create(context: &Context<'_>) -> Result<Self> {
        let (alpha, samples, stride) =
            (context.number("alpha")?, context.count("samples")?, context.count("location-stride")?);
        let memory = context.text("memory")?;
        if !(alpha > 0.0 && alpha.is_finite()) {
            return Err(Error::invalid(format!("strategy.alpha: expected a number above 0, found {alpha}")));
        }
        if samples == 0 || !(1..=1024).contains(&stride) {
            return Err(Error::invalid(format!(
                "expected samples of at least 1 and a location-stride of 1 to 1024, found {samples} and {stride}"
            )));
        }
        if !["previous", "all"].contains(&memory.as_str()) {
            return Err(Error::invalid(format!("strategy.memory: expected previous or all, found {memory}")));
        }
        let (model, all) = (context.model.clone(), memory == "all");
        Ok(Self { model, alpha, samples, stride, all, memory: Memory::new(), pending: Memory::new() })
    }

    fn capture(&self, layer: usize) -> bool {
        self.model.layers[layer].kind != LayerKind::Norm
    }

    fn before_apply(&mut self, step: &mut Step<'_>) -> Result {
        self.project(step)?;
        for input in &step.inputs {
            let layer = &self.model.layers[input.layer];
            let gram = self.pending.entry(input.layer).or_insert_with(|| Gram::new(layer));
            patches::each(layer, input, self.samples, self.stride, |block, patch| gram.add(block, patch));
        }
        Ok(())
    }

    fn end_arch(&mut self, _: &[Path<'_>]) -> Result {
        let pending = std::mem::take(&mut self.pending);
        if self.all {
            for (layer, gram) in pending {
                match self.memory.get_mut(&layer) {
                    Some(memory) => memory.merge(&gram),
                    None => drop(self.memory.insert(layer, gram)),
                }
            }
        } else {
            self.memory = pending;
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        gram::write(&self.memory, &mut bytes);
        gram::write(&self.pending, &mut bytes);
        Ok(bytes)
    }

    fn load(&mut self, mut state: &[u8]) -> Result {
        let memory = gram::read(&self.model, &mut state)?;
        let pending = gram::read(&self.model, &mut state)?;
        if !state.is_empty() {
            return Err(Error::invalid(format!("{} bytes of state too many", state.len())));
        }
        (self.memory, self.pending) = (memory, pending);
        Ok(())
    }
}

impl Ogd {
    /// Projects the updates of every active layer that has a memory, bias and weight together.
    fn project(&self, step: &mut Step<'_>) -> Result {
        for (layer, gram) in &self.memory {
            let place = |role| {
                let of = |param: usize| (self.model.params[param].layer, self.model.params[param].role);
                step.params.iter().position(|active| of(active.param) == (*layer, role))
            };
            let (Some(weight), bias) = (place(Role::Weight), place(Role::Bias)) else { continue };
            let mut rows = step.params[weight].update.to_vec();
            rows.extend(bias.iter().flat_map(|bias| step.params[*bias].update.iter()));
            let rows = gram
                .project(&rows, self.alpha)
                .map_err(|problem| Error::new(format!("layer {}: {problem}", self.model.layers[*layer].name)))?;
            let (of_weight, of_bias) = rows.split_at(step.params[weight].update.len());
            step.params[weight].update.copy_from_slice(of_weight);
            if let Some(bias) = bias {
                step.params[bias].update.copy_from_slice(of_bias);
            }
        }
        Ok(())
    }
}

export_strategies!(Ogd);
