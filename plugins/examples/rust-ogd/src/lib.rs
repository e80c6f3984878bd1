//! Orthogonal gradient descent as a plugin.
//!
//! Each layer with weights `W`, `[d, c_out]`, has the Gram matrix `S = R^T R` of earlier inputs. The rows of `R` are
//! input patches of `d` elements. The strategy replaces an update `U` by `(I + s S)^-1 U` with `s = g d / (alpha
//! trace)`, where `g` is the number of groups and `trace` the sum of `trace(S)` over the groups. This removes most of
//! the update in directions that earlier inputs use. The built-in `ogd` computes the same with its default options.

mod gram;
mod patches;

use gram::Gram;
use nas_plugin_abi::{Context, Error, LayerKind, Model, Needs, Path, Result, Role, Step, Strategy, export_strategies};
use std::collections::BTreeMap;

/// Gram matrices by layer index.
type GramByLayer = BTreeMap<usize, Gram>;

/// The strategy `plugin-ogd`.
pub struct Ogd {
    model: Model,
    alpha: f64,
    samples: usize,
    stride: usize,
    /// Whether the inputs of all earlier architectures are protected, or only those of the previous one.
    all: bool,
    memory: GramByLayer,
    /// Inputs of the architecture that is being trained.
    pending: GramByLayer,
}

impl Strategy for Ogd {
    const NAME: &'static str = "plugin-ogd";
    const SUMMARY: &'static str = "updates orthogonal to the inputs of earlier architectures, as a plugin";
    const REFERENCE: &'static str =
        "Niu et al., Disturbance-immune Weight Sharing for Neural Architecture Search, Neural Networks 2021";
    const OPTIONS: &'static str = "alpha = 0.3\nsamples = 8\nlocation_stride = 2\nmemory = \"previous\"\n";
    const NEEDS: Needs = Needs::INPUT.and(Needs::WRITES_UPDATE);

    fn create(context: &Context<'_>) -> Result<Self> {
        let (alpha, samples, stride) =
            (context.number("alpha")?, context.count("samples")?, context.count("location_stride")?);
        let memory = context.text("memory")?;
        if !(alpha > 0.0 && alpha.is_finite()) {
            return Err(Error::invalid(format!("strategy.alpha: expected a finite number above 0, found {alpha}")));
        }
        if samples == 0 || !(1..=1024).contains(&stride) {
            return Err(Error::invalid(format!(
                "expected strategy.samples of at least 1 and strategy.location_stride of 1 to 1024, found {samples} \
                 and {stride}"
            )));
        }
        if !["previous", "all"].contains(&memory.as_str()) {
            return Err(Error::invalid(format!("strategy.memory: expected previous or all, found {memory}")));
        }
        let (model, all) = (context.model.clone(), memory == "all");
        let (memory, pending) = (GramByLayer::new(), GramByLayer::new());
        Ok(Self { model, alpha, samples, stride, all, memory, pending })
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
            return Err(Error::invalid(format!("the saved state has {} excess bytes", state.len())));
        }
        (self.memory, self.pending) = (memory, pending);
        Ok(())
    }
}

impl Ogd {
    /// Projects the updates of all active layers with protected inputs. The bias is a row of the weight matrix.
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
