//! Orthogonal gradient descent (DINAS): updates of a shared layer are projected orthogonally to the inputs that earlier
//! architectures sent through it, so that the outputs of those architectures change little.
//!
//! Each layer with weights `W`, `[d, c_out]`, has a projector `P = (I + R^T R / alpha)^-1`. The rows of `R` are
//! recorded input patches of the layer, with `d` elements each. Here alpha is absolute; the options `rule` and
//! `alpha_unit` scale the configured alpha to it. The projection replaces an update `U` by `P U`: it removes most of
//! the update in directions with many or large inputs and leaves directions without inputs unchanged. The recorded
//! outputs `R W` change by `R P U`, whose norm is at most `sqrt(alpha) / 2` times that of `U`. See `docs/dinas.md`.
//!
//! Momentum and weight decay: with `project = "update"`, the projection applies to both. With `project = "gradient"`,
//! the momentum buffer holds projected gradients, and the optimizer adds weight decay without projection.

mod cost;
mod layer_record;
mod layout;
mod linalg;
mod options;
mod projector;
mod recorded_inputs;
mod recording;
mod saved;
mod statistics;
#[cfg(test)]
mod tests;

use layer_record::{LayerRecord, inverse_alpha};
use layout::MatrixLayout;
use nas_core::network::{LayerId, NetworkSpec, Role};
use nas_core::options::{example, parse_options};
use nas_core::registry::StrategyDescriptor;
use nas_core::state::State;
use nas_core::strategy::{LayerInput, ParamStep, Path, Sampler, SharingStrategy, Step, StrategyContext, StrategyError};
use nas_ops::{Backend, OpError, Tensor4};
use options::{OgdOptions, OgdSettings, ProjectionTarget, SampleSelection, StepOrder};
use projector::Projector;
use rayon::prelude::*;
use recorded_inputs::RecordedInputs;
use recording::CapturedInput;
use statistics::{EpochStatistics, group_of};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use toml::Table;

/// Weight set and layer.
type RecordKey = (usize, LayerId);

/// Trains one sampled architecture per step with projected updates.
struct Ogd<D: Backend> {
    settings: OgdSettings,
    spec: Arc<NetworkSpec>,
    device: D,
    /// For each layer of the supernet; `None` for a layer that is not projected.
    layouts: Vec<Option<MatrixLayout>>,
    records: BTreeMap<RecordKey, LayerRecord<D>>,
    statistics: EpochStatistics,
    /// Number of the next step, counted from 0.
    next_step: u64,
    notes: Vec<String>,
}

/// A projected layer in a step. `weight` and `bias` are indices into [`Step::params`].
struct ProjectedLayer {
    key: RecordKey,
    layout: MatrixLayout,
    weight: usize,
    bias: Option<usize>,
}

/// Result of the projection of one layer. `weight` and `bias` are indices into [`Step::params`].
struct Projection<D: Backend> {
    weight: usize,
    bias: Option<usize>,
    /// The values before the projection.
    old: WeightAndBias<D>,
    /// The new values; `None` if the projector is the identity.
    new: Option<WeightAndBias<D>>,
}

impl<D: Backend> Ogd<D> {
    fn new(options: OgdOptions, context: &StrategyContext<D>) -> Result<Self, StrategyError> {
        let settings = OgdSettings::new(options, context.steps_per_arch, context.total_steps)?;
        let spec = context.spec.clone();
        let covered = |layout: &MatrixLayout| settings.options.classifier || !layout.bias;
        let layouts: Vec<_> = spec.layers.iter().map(|layer| MatrixLayout::of(&layer.kind).filter(covered)).collect();
        let names = spec.layers.iter().zip(&layouts).filter(|(_, layout)| layout.is_some());
        let statistics = EpochStatistics::new(names.map(|(layer, _)| group_of(&layer.name).to_string()));
        let notes = cost::notes(context, &settings, &layouts);
        let device = context.device.clone();
        Ok(Self { settings, spec, device, layouts, records: BTreeMap::new(), statistics, next_step: 0, notes })
    }

    fn warming_up(&self) -> bool {
        self.next_step < self.settings.options.warm_up
    }

    /// Records the inputs of a step and projects its updates or gradients, in the configured order.
    fn record_and_project(&mut self, step: &mut Step<D>) -> Result<(), StrategyError> {
        self.statistics.set_epoch(step.epoch);
        if self.warming_up() {
            return Ok(());
        }
        match self.settings.options.order {
            StepOrder::ProjectThenUpdate => {
                self.project(step)?;
                self.record(step)
            }
            StepOrder::UpdateThenProject => {
                self.record(step)?;
                self.project(step)
            }
        }
    }

    /// Adds the inputs of the projected layers to their records.
    fn record(&mut self, step: &Step<D>) -> Result<(), StrategyError> {
        let started = Instant::now();
        let (samples, stride) = (self.settings.samples, self.settings.options.location_stride);
        let captured = step.inputs.iter().filter_map(|LayerInput { path, layer, input }| {
            let layout = self.layouts.get(*layer).copied().flatten()?;
            let set = SharingStrategy::<D>::bind(self, &step.paths.get(*path)?.arch, *layer);
            Some(CapturedInput { key: (set, *layer), layout, input })
        });
        let recorded = recording::record(captured.collect(), samples, stride)?;
        let alpha = self.settings.alpha_at(step.number);
        for (key, inputs) in recorded {
            self.records.entry(key).or_default().record(inputs, alpha, &self.settings);
        }
        self.statistics.record_s += started.elapsed().as_secs_f64();
        Ok(())
    }

    /// Projects the updates or gradients of a step, after bringing the projectors up to date.
    fn project(&mut self, step: &mut Step<D>) -> Result<(), StrategyError> {
        let layers = self.projected_layers(step);
        self.refresh(&layers, step.number)?;
        let started = Instant::now();
        let projections = layers.iter().filter_map(|layer| self.project_layer(layer, step).transpose());
        let projections = projections.collect::<Result<Vec<_>, _>>()?;
        let (mut before, mut after) = (0.0, 0.0);
        for (projection, norms) in projections.iter().zip(squared_norms(&projections)?) {
            let Projection { weight, bias, old, new } = projection;
            before += norms[0];
            after += norms[1];
            let Some(new) = new else { continue };
            let (values, values_of_bias) = match self.settings.options.shrink_only && norms[0] > 0.0 {
                true => scaled(old.clone(), (norms[1] / norms[0]).sqrt())?,
                false => new.clone(),
            };
            self.set_target(&mut step.params[*weight], values);
            if let (Some(place), Some(value)) = (*bias, values_of_bias) {
                self.set_target(&mut step.params[place], value);
            }
        }
        if before > 0.0 {
            self.statistics.norm_ratio.push((after / before).sqrt());
        }
        self.statistics.project_s += started.elapsed().as_secs_f64();
        Ok(())
    }

    /// The projected layers among those of a step.
    fn projected_layers(&self, step: &Step<D>) -> Vec<ProjectedLayer> {
        let mut places: BTreeMap<RecordKey, [Option<usize>; 2]> = BTreeMap::new();
        for (place, param) in step.params.iter().enumerate() {
            let [weight, bias] = places.entry((param.set, param.layer)).or_default();
            match param.role {
                Role::Weight => *weight = Some(place),
                Role::Bias => *bias = Some(place),
                Role::Scale | Role::Shift => {}
            }
        }
        let layer = |(key, [weight, bias]): (RecordKey, [Option<usize>; 2])| {
            let layout = self.layouts.get(key.1).copied().flatten()?;
            Some(ProjectedLayer { key, layout, weight: weight?, bias: bias.filter(|_| layout.bias) })
        };
        places.into_iter().filter_map(layer).collect()
    }

    /// Computes the projectors of `layers` that need a refresh, and adds the trace ratios of all to the statistics.
    fn refresh(&mut self, layers: &[ProjectedLayer], step: u64) -> Result<(), StrategyError> {
        let started = Instant::now();
        let (settings, alpha) = (&self.settings, self.settings.alpha_at(step));
        let records = layers.iter().filter_map(|layer| Some((layer.key, self.records.get(&layer.key)?)));
        let changed = records.filter(|(_, record)| record.needs_refresh(step, alpha, settings));
        let inputs = changed.map(|(key, record)| (key, record.protected_inputs(settings))).collect::<Vec<_>>();
        let solve = |inputs: &RecordedInputs| Projector::new(inputs, inverse_alpha(inputs, alpha, settings));
        let solved = inputs.into_par_iter().map(|(key, inputs)| Ok((key, inputs.as_deref().map(solve).transpose()?)));
        for (key, projector) in solved.collect::<Result<Vec<_>, OpError>>()? {
            let increased = projector.as_ref().is_some_and(|p| p.alpha_increase > 1.0);
            self.statistics.alpha_increases += u64::from(increased);
            let projector = projector.map(|projector| projector.into_device(&self.device)).transpose()?;
            self.records.entry(key).or_default().set_projector(projector, step, alpha);
        }
        for layer in layers {
            let projector = self.records.get(&layer.key).and_then(|record| record.projector.as_ref());
            let group = group_of(&self.spec.layers[layer.key.1].name);
            self.statistics.push_trace_ratio(group, projector.map_or(1.0, |projector| projector.trace_ratio));
        }
        self.statistics.refresh_s += started.elapsed().as_secs_f64();
        Ok(())
    }

    /// Projects the update or gradient of one layer. `None` if the step has none for this layer.
    fn project_layer(&self, layer: &ProjectedLayer, step: &Step<D>) -> Result<Option<Projection<D>>, OpError> {
        let read = |place: usize| self.target(&step.params[place]).cloned();
        let Some(old) = read(layer.weight).map(|weight| (weight, layer.bias.and_then(read))) else { return Ok(None) };
        let ProjectedLayer { weight, bias, .. } = *layer;
        let new = match self.records.get(&layer.key).and_then(LayerRecord::active_projector) {
            Some(projector) => {
                let joined = projector.apply(layer.layout.join(&old.0, old.1.as_ref())?)?;
                Some(layer.layout.split(joined, &old.0)?)
            }
            None => None,
        };
        Ok(Some(Projection { weight, bias, old, new }))
    }

    /// The quantity that is projected; `None` for an update that does not exist yet.
    fn target<'a>(&self, param: &'a ParamStep<D>) -> Option<&'a Tensor4<D>> {
        match self.settings.options.project {
            ProjectionTarget::Update => param.update.as_ref(),
            ProjectionTarget::Gradient => Some(&param.gradient),
        }
    }

    fn set_target(&self, param: &mut ParamStep<D>, value: Tensor4<D>) {
        match self.settings.options.project {
            ProjectionTarget::Update => param.update = Some(value),
            ProjectionTarget::Gradient => param.gradient = value,
        }
    }
}

/// The weight of a layer and its bias, if it has one.
type WeightAndBias<D> = (Tensor4<D>, Option<Tensor4<D>>);

/// The squared norm of each projected quantity, before and after the projection.
fn squared_norms<D: Backend>(projections: &[Projection<D>]) -> Result<Vec<[f64; 2]>, OpError> {
    let versions = projections.iter().flat_map(|p| [Some(&p.old), p.new.as_ref()]).flatten();
    let squares = D::sums_of_squares(&versions.flat_map(tensors).collect::<Vec<_>>())?;
    let mut squares = squares.into_iter();
    let mut norm = |version: &WeightAndBias<D>| squares.by_ref().take(tensors(version).count()).sum::<f64>();
    let both = |p: &Projection<D>| {
        let before = norm(&p.old);
        [before, p.new.as_ref().map_or(before, &mut norm)]
    };
    Ok(projections.iter().map(both).collect())
}

fn tensors<D: Backend>((weight, bias): &WeightAndBias<D>) -> impl Iterator<Item = &Tensor4<D>> {
    std::iter::once(weight).chain(bias)
}

fn scaled<D: Backend>((weight, bias): WeightAndBias<D>, factor: f64) -> Result<WeightAndBias<D>, OpError> {
    use dfdx::prelude::TryMul;
    let scale = |x: Tensor4<D>| x.try_mul(factor as f32).map_err(OpError::device("ogd"));
    Ok((scale(weight)?, bias.map(scale).transpose()?))
}

impl<D: Backend> SharingStrategy<D> for Ogd<D> {
    fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, StrategyError> {
        let arch = (sampler.draw)()?;
        Ok(vec![Path { arch, weight: 1.0 }])
    }

    fn check_independent_of_length(&self) -> Result<(), StrategyError> {
        self.settings.check_independent_of_length()
    }

    fn capture(&self, layer: LayerId) -> usize {
        let covered = self.layouts.get(layer).is_some_and(Option::is_some);
        match self.settings.samples {
            _ if self.warming_up() || !covered => 0,
            SampleSelection::First(images) => images,
            SampleSelection::BatchMean | SampleSelection::All => usize::MAX,
        }
    }

    fn after_backward(&mut self, step: &mut Step<D>) -> Result<(), StrategyError> {
        match self.settings.options.project {
            ProjectionTarget::Gradient => self.record_and_project(step),
            ProjectionTarget::Update => Ok(()),
        }
    }

    fn before_apply(&mut self, step: &mut Step<D>) -> Result<(), StrategyError> {
        match self.settings.options.project {
            ProjectionTarget::Gradient => Ok(()),
            ProjectionTarget::Update => self.record_and_project(step),
        }
    }

    fn after_update(&mut self, step: &Step<D>) -> Result<(), StrategyError> {
        self.next_step = step.number + 1;
        Ok(())
    }

    fn end_arch(&mut self, _: &[Path]) -> Result<(), StrategyError> {
        for record in self.records.values_mut() {
            record.end_arch(&self.settings);
        }
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn metrics(&self) -> Vec<(String, f64)> {
        let mut metrics = vec![("alpha".into(), self.settings.alpha_at(self.next_step.saturating_sub(1)))];
        metrics.extend(self.statistics.metrics());
        metrics
    }

    fn save(&self) -> Result<State, StrategyError> {
        Ok(self.to_state()?)
    }

    fn load(&mut self, state: &State) -> Result<(), StrategyError> {
        Ok(self.set_state(state)?)
    }
}

fn build<D: Backend>(
    options: &Table,
    context: StrategyContext<D>,
) -> Result<Box<dyn SharingStrategy<D>>, StrategyError> {
    let options: OgdOptions = parse_options("strategy", options)?;
    Ok(Box::new(Ogd::new(options, &context)?))
}

inventory::submit! {
    StrategyDescriptor {
        name: "ogd",
        summary: "updates orthogonal to the inputs of earlier architectures in shared layers (DINAS)",
        reference: "Niu et al., Disturbance-immune Weight Sharing for Neural Architecture Search, Neural Networks 2021",
        options: &|| example(&OgdOptions::default()),
        cpu: &build,
        #[cfg(feature = "cuda")]
        cuda: &build,
    }
}
