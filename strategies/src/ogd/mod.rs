//! Orthogonal gradient descent: what an architecture learns is kept away from the inputs that the architectures
//! before it have sent through the layers they share, so that their outputs stay as they were.
//!
//! For each layer with weights `W`, `[d, c_out]`, a projector `P = (I + R^T R / alpha)^-1` is kept, `R` the recorded
//! inputs of the layer, one patch of `d` elements a row. An update `U` of the weights becomes `P U`: in directions that
//! were used much nothing is left of it, in others all. Recorded outputs `R W` then change by
//! `R P U`, at most `sqrt(alpha) / 2` times the norm of `U`. See `docs/dinas.md`.
//!
//! Weight decay and momentum: with `project = "update"`, both are part of what is projected. With
//! `project = "gradient"`, the momentum buffer holds projected gradients, and decay is added unprojected.

mod cost;
mod evidence;
mod layout;
mod linalg;
mod options;
mod projector;
mod records;
mod saved;
mod tally;
#[cfg(test)]
mod tests;

use dfdx::prelude::HasShape;
use evidence::Evidence;
use layout::Layout;
use nas_core::network::{LayerId, NetworkSpec, Role};
use nas_core::options::{example, parse_options};
use nas_core::registry::StrategyDescriptor;
use nas_core::state::State;
use nas_core::strategy::{ParamStep, Path, Sampler, SharingStrategy, Step, StrategyContext, StrategyError};
use nas_ops::{Backend, OpError, Tensor4, reference::sum_of_squares};
use options::{Options, Order, Project, Samples, Settings};
use projector::Projector;
use rayon::prelude::*;
use records::{Record, strength};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tally::{Tally, group_of};
use toml::Table;

/// A layer under a weight set: `(set, layer)`.
type Key = (usize, LayerId);

/// Trains one drawn architecture a step with projected updates.
struct Ogd<D: Backend> {
    settings: Settings,
    spec: Arc<NetworkSpec>,
    device: D,
    /// By layer; `None` where nothing is projected.
    layouts: Vec<Option<Layout>>,
    records: BTreeMap<Key, Record<D>>,
    tally: Tally,
    /// The step to come.
    next_step: u64,
    notes: Vec<String>,
}

/// A layer in a step, and where its parameters are.
struct Layer {
    key: Key,
    layout: Layout,
    weight: usize,
    bias: Option<usize>,
}

/// Squared norms before and after the projection, and what came of it unless it is the identity.
struct Projected<D: Backend> {
    squares: [f64; 2],
    values: Option<Pair<D>>,
}

impl<D: Backend> Ogd<D> {
    fn new(options: Options, context: &StrategyContext<D>) -> Result<Self, StrategyError> {
        let settings = Settings::new(options, context.steps_per_arch, context.total_steps)?;
        let spec = context.spec.clone();
        let covered = |layout: &Layout| settings.options.classifier || !layout.bias;
        let layouts: Vec<_> = spec.layers.iter().map(|layer| Layout::of(&layer.kind).filter(covered)).collect();
        let names = spec.layers.iter().zip(&layouts).filter(|(_, layout)| layout.is_some());
        let tally = Tally::new(names.map(|(layer, _)| group_of(&layer.name).to_string()));
        let notes = cost::notes(context, &settings, &layouts);
        let device = context.device.clone();
        Ok(Self { settings, spec, device, layouts, records: BTreeMap::new(), tally, next_step: 0, notes })
    }

    fn warming_up(&self) -> bool {
        self.next_step < self.settings.options.warm_up
    }

    /// Records and projects, in the order that the options ask for.
    fn act(&mut self, step: &mut Step<D>) -> Result<(), StrategyError> {
        self.tally.enter(step.epoch);
        if self.warming_up() {
            return Ok(());
        }
        match self.settings.options.order {
            Order::ProjectThenUpdate => {
                self.project(step)?;
                self.record(step)
            }
            Order::UpdateThenProject => {
                self.record(step)?;
                self.project(step)
            }
        }
    }

    /// Takes in what went into the layers.
    fn record(&mut self, step: &Step<D>) -> Result<(), StrategyError> {
        let started = Instant::now();
        let (samples, stride) = (self.settings.samples, self.settings.options.location_stride);
        let mut seen = Vec::new();
        for input in &step.inputs {
            let Some(layout) = self.layouts.get(input.layer).copied().flatten() else { continue };
            let Some(path) = step.paths.get(input.path) else { continue };
            let set = SharingStrategy::<D>::bind(self, &path.arch, input.layer);
            let (_, h, w, c) = *input.input.shape();
            seen.push(((set, input.layer), layout, D::to_host(&input.input), [h, w, c]));
        }
        let evidence = seen
            .into_par_iter()
            .map(|(key, layout, images, dims)| Ok((key, Evidence::of_images(&layout, images, dims, samples, stride)?)));
        let alpha = self.settings.alpha_at(step.number);
        for (key, evidence) in evidence.collect::<Result<Vec<_>, OpError>>()? {
            self.records.entry(key).or_default().observe(evidence, alpha, &self.settings);
        }
        self.tally.seconds[0] += started.elapsed().as_secs_f64();
        Ok(())
    }

    fn project(&mut self, step: &mut Step<D>) -> Result<(), StrategyError> {
        let layers = self.layers(step);
        self.refresh(&layers, step.number)?;
        let started = Instant::now();
        let (mut before, mut after) = (0.0, 0.0);
        for layer in &layers {
            let Some(Projected { squares, values }) = self.projected(layer, step)? else { continue };
            before += squares[0];
            after += squares[1];
            let Some((weight, bias)) = values else { continue };
            self.write(&mut step.params[layer.weight], weight);
            if let (Some(place), Some(value)) = (layer.bias, bias) {
                self.write(&mut step.params[place], value);
            }
        }
        if before > 0.0 {
            self.tally.norm_ratio.push((after / before).sqrt());
        }
        self.tally.seconds[2] += started.elapsed().as_secs_f64();
        Ok(())
    }

    /// The layers of a step that are projected.
    fn layers(&self, step: &Step<D>) -> Vec<Layer> {
        let mut places: BTreeMap<Key, [Option<usize>; 2]> = BTreeMap::new();
        for (place, param) in step.params.iter().enumerate() {
            let [weight, bias] = places.entry((param.set, param.layer)).or_default();
            match param.role {
                Role::Weight => *weight = Some(place),
                Role::Bias => *bias = Some(place),
                Role::Scale | Role::Shift => {}
            }
        }
        let layer = |(key, [weight, bias]): (Key, [Option<usize>; 2])| {
            let layout = self.layouts.get(key.1).copied().flatten()?;
            Some(Layer { key, layout, weight: weight?, bias: bias.filter(|_| layout.bias) })
        };
        places.into_iter().filter_map(layer).collect()
    }

    /// Brings the projectors of layers up to date where that is due, and notes their traces.
    fn refresh(&mut self, layers: &[Layer], step: u64) -> Result<(), StrategyError> {
        let started = Instant::now();
        let (settings, alpha) = (&self.settings, self.settings.alpha_at(step));
        let records = layers.iter().filter_map(|layer| Some((layer.key, self.records.get(&layer.key)?)));
        let due = records.filter(|(_, record)| record.is_due(step, alpha, settings));
        let evidence = due.map(|(key, record)| (key, record.evidence(settings))).collect::<Vec<_>>();
        let solve = |evidence: &Evidence| Projector::new(evidence, strength(evidence, alpha, settings));
        let solved =
            evidence.into_par_iter().map(|(key, evidence)| Ok((key, evidence.as_deref().map(solve).transpose()?)));
        for (key, projector) in solved.collect::<Result<Vec<_>, OpError>>()? {
            self.tally.jitter_events += u64::from(projector.as_ref().is_some_and(|p| p.raised > 1.0));
            let projector = projector.map(|projector| projector.into_device(&self.device)).transpose()?;
            self.records.entry(key).or_default().refresh(projector, step, alpha);
        }
        for layer in layers {
            let projector = self.records.get(&layer.key).and_then(|record| record.projector.as_ref());
            let group = group_of(&self.spec.layers[layer.key.1].name);
            self.tally.trace(group, projector.map_or(1.0, |projector| projector.trace_ratio));
        }
        self.tally.seconds[1] += started.elapsed().as_secs_f64();
        Ok(())
    }

    /// What becomes of the weights of a layer; `None` where there is nothing to project.
    fn projected(&self, layer: &Layer, step: &Step<D>) -> Result<Option<Projected<D>>, OpError> {
        let read = |place: usize| self.chosen(&step.params[place]).cloned();
        let Some(old) = read(layer.weight).map(|weight| (weight, layer.bias.and_then(read))) else { return Ok(None) };
        let before = squares(&old);
        let Some(projector) = self.records.get(&layer.key).and_then(Record::restriction) else {
            return Ok(Some(Projected { squares: [before; 2], values: None }));
        };
        let joined = projector.apply(layer.layout.join(&old.0, old.1.as_ref())?)?;
        let mut new = layer.layout.split(joined, &old.0)?;
        let after = squares(&new);
        if self.settings.options.shrink_only && before > 0.0 {
            new = shrunk(old, (after / before).sqrt())?;
        }
        Ok(Some(Projected { squares: [before, after], values: Some(new) }))
    }

    fn chosen<'a>(&self, param: &'a ParamStep<D>) -> Option<&'a Tensor4<D>> {
        match self.settings.options.project {
            Project::Update => param.update.as_ref(),
            Project::Gradient => Some(&param.gradient),
        }
    }

    fn write(&self, param: &mut ParamStep<D>, value: Tensor4<D>) {
        match self.settings.options.project {
            Project::Update => param.update = Some(value),
            Project::Gradient => param.gradient = value,
        }
    }
}

/// A weight and, where it has one, its bias.
type Pair<D> = (Tensor4<D>, Option<Tensor4<D>>);

fn squares<D: Backend>((weight, bias): &Pair<D>) -> f64 {
    let squares = |x: &Tensor4<D>| sum_of_squares(&D::to_host(x));
    squares(weight) + bias.as_ref().map_or(0.0, squares)
}

fn shrunk<D: Backend>((weight, bias): Pair<D>, factor: f64) -> Result<Pair<D>, OpError> {
    use dfdx::prelude::TryMul;
    let shrink = |x: Tensor4<D>| x.try_mul(factor as f32).map_err(OpError::device("ogd"));
    Ok((shrink(weight)?, bias.map(shrink).transpose()?))
}

impl<D: Backend> SharingStrategy<D> for Ogd<D> {
    fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, StrategyError> {
        let arch = (sampler.draw)().map_err(StrategyError::Other)?;
        Ok(vec![Path { arch, weight: 1.0 }])
    }

    fn capture(&self, layer: LayerId) -> usize {
        let covered = self.layouts.get(layer).is_some_and(Option::is_some);
        match self.settings.samples {
            _ if self.warming_up() || !covered => 0,
            Samples::First(images) => images,
            Samples::BatchMean | Samples::All => usize::MAX,
        }
    }

    fn after_backward(&mut self, step: &mut Step<D>) -> Result<(), StrategyError> {
        match self.settings.options.project {
            Project::Gradient => self.act(step),
            Project::Update => Ok(()),
        }
    }

    fn before_apply(&mut self, step: &mut Step<D>) -> Result<(), StrategyError> {
        match self.settings.options.project {
            Project::Gradient => Ok(()),
            Project::Update => self.act(step),
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

    fn telemetry(&self) -> Vec<(String, f64)> {
        let mut numbers = vec![("alpha".into(), self.settings.alpha_at(self.next_step.saturating_sub(1)))];
        numbers.extend(self.tally.telemetry());
        numbers
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
    let options: Options = parse_options("strategy", options)?;
    Ok(Box::new(Ogd::new(options, &context)?))
}

inventory::submit! {
    StrategyDescriptor {
        name: "ogd",
        summary: "updates orthogonal to what earlier architectures sent through the layers they share (DINAS)",
        reference: "Niu et al., Disturbance-immune Weight Sharing for Neural Architecture Search, Neural Networks 2021",
        options: &|| example(&Options::default()),
        cpu: &build,
        #[cfg(feature = "cuda")]
        cuda: &build,
    }
}
