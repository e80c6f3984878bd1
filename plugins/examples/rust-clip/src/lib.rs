//! Clips the gradients of the layers of choices: scales them by `min(1, max_norm / ‖g‖)`, where `‖g‖` is their joint
//! norm. The gradients of layers that every architecture has (stem, residual blocks, classifier) do not change.

use nas_plugin_abi::{Context, Error, Host, Model, Needs, Result, Step, Strategy, export_strategies};

/// The strategy `clip-shared`.
pub struct ClipShared {
    max_norm: f64,
    /// For each parameter, whether its layer belongs to a choice.
    belongs_to_choice: Vec<bool>,
    host: Host,
}

impl Strategy for ClipShared {
    const NAME: &'static str = "clip-shared";
    const SUMMARY: &'static str = "plain sampling; clips the joint gradient norm of the layers of choices";
    const OPTIONS: &'static str = "max_norm = 1.0\n";
    const NEEDS: Needs = Needs::WRITES_GRADIENT;

    fn create(context: &Context<'_>) -> Result<Self> {
        let max_norm = context.number("max_norm")?;
        if !(max_norm > 0.0 && max_norm.is_finite()) {
            return Err(Error::invalid(format!(
                "strategy.max_norm: expected a finite number above 0, found {max_norm}"
            )));
        }
        Ok(Self { max_norm, belongs_to_choice: belongs_to_choice(&context.model), host: context.host() })
    }

    fn after_backward(&mut self, step: &mut Step<'_>) -> Result {
        let gradients: Vec<&mut f32> = step
            .params
            .iter_mut()
            .filter(|param| self.belongs_to_choice[param.param])
            .flat_map(|param| param.gradient.iter_mut())
            .collect();
        let norm = gradients.iter().map(|g| f64::from(**g) * f64::from(**g)).sum::<f64>().sqrt();
        if norm > self.max_norm {
            let scale = (self.max_norm / norm) as f32;
            gradients.into_iter().for_each(|g| *g *= scale);
        }
        self.host.metric("shared_norm", norm)
    }
}

/// Parts of the names of the layers that every architecture of a built-in space has.
const FIXED: [&str; 6] = ["stem", "residual", "input0", "input1", "head", "classifier"];

/// For each parameter, whether its layer belongs to a choice, so that only some of the architectures have it.
fn belongs_to_choice(model: &Model) -> Vec<bool> {
    let fixed = |name: &str| name.split('.').any(|part| FIXED.contains(&part));
    model.params.iter().map(|param| !fixed(&model.layers[param.layer].name)).collect()
}

export_strategies!(ClipShared);
