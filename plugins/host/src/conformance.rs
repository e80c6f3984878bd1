//! Conformance test of a strategy, built in or loaded: cases on synthetic steps and on short runs.

use dfdx::tensor::{Cpu, TensorFromVec};
use nas_core::arch::Arch;
use nas_core::config::RunConfig;
use nas_core::data;
use nas_core::event::Event;
use nas_core::network::{LayerKind, NetworkSpec, ParamId};
use nas_core::registry::{StrategyDescriptor, find};
use nas_core::space::{Scale, SearchSpace, Tiny};
use nas_core::strategy::{LayerInput, MAX_PATHS, ParamStep, Path, Sampler, SharingStrategy, Step, StrategyContext};
use nas_core::streams::Streams;
use nas_core::trainer::Session;
use nas_ops::{Backend, Tensor4};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

type Instance = Box<dyn SharingStrategy<Cpu>>;

/// Name and check of a case.
type Case<'a> = (&'a str, &'a dyn Fn() -> Result<(), String>);

/// Checks a registered strategy with its default options. `on_case` gets the name of each case before it runs, so that
/// a crash can be attributed to a case.
///
/// # Errors
/// A case fails. The message names the first one and describes the failure.
pub fn check(strategy: &str, on_case: &mut dyn FnMut(&str)) -> Result<(), String> {
    let descriptor = find::<StrategyDescriptor>(strategy).map_err(to_text)?;
    let model = SyntheticModel::new(descriptor)?;
    let steps = || model.train(&mut model.instance()?, 0..4).map(|_| ());
    let cases: [Case<'_>; 6] = [
        ("synthetic steps: create and destroy", &|| model.instance().map(drop)),
        ("synthetic steps: 200 plans", &|| model.check_plans()),
        ("synthetic steps: random and zero gradients", &steps),
        ("synthetic steps: equal steps give equal updates", &|| model.check_repeatable()),
        ("synthetic steps: saved state", &|| model.check_saved_state()),
        ("space tiny: two equal runs", &|| check_equal_runs(descriptor)),
    ];
    for (name, case) in cases {
        on_case(name);
        case().map_err(|problem| format!("{name}: {problem}"))?;
    }
    Ok(())
}

fn to_text(error: impl std::error::Error) -> String {
    error.to_string()
}

/// The supernet of the space `tiny`. Its steps have pseudo-random weights, gradients and inputs.
struct SyntheticModel {
    descriptor: &'static StrategyDescriptor,
    space: Arc<dyn SearchSpace>,
    spec: Arc<NetworkSpec>,
}

impl SyntheticModel {
    fn new(descriptor: &'static StrategyDescriptor) -> Result<Self, String> {
        let space: Arc<dyn SearchSpace> =
            Arc::new(Tiny::new(Scale { image: [8, 8, 1], classes: 3, width: 4, cells: 1 }));
        let spec = Arc::new(NetworkSpec::supernet(&*space).map_err(to_text)?);
        Ok(Self { descriptor, space, spec })
    }

    fn instance(&self) -> Result<Instance, String> {
        let context = StrategyContext {
            space: self.space.clone(),
            spec: self.spec.clone(),
            device: Cpu::default(),
            total_steps: 8,
            steps_per_arch: 1,
        };
        let options = (self.descriptor.options)().parse().map_err(to_text)?;
        (self.descriptor.cpu)(&options, context).map_err(to_text)
    }

    fn plan(&self, instance: &mut Instance, number: u64) -> Result<Vec<Path>, String> {
        let streams = Streams::new(number);
        let (mut archs, mut rng) = (streams.rng("architectures", 0), streams.rng("strategy", 0));
        let mut draw = || Ok(self.space.sample(&mut archs));
        let mut sampler = Sampler { space: &*self.space, draw: &mut draw, rng: &mut rng };
        let paths = instance.plan(&mut sampler).map_err(to_text)?;
        if paths.is_empty() || paths.len() > MAX_PATHS {
            return Err(format!("planned {} architectures, expected 1 to {MAX_PATHS}", paths.len()));
        }
        for path in &paths {
            self.space.validate(&path.arch).map_err(to_text)?;
            if !path.weight.is_finite() {
                return Err(format!("planned a loss weight of {}", path.weight));
            }
        }
        Ok(paths)
    }

    fn check_plans(&self) -> Result<(), String> {
        let mut instance = self.instance()?;
        (0..200).try_for_each(|number| self.plan(&mut instance, number).map(|_| ()))
    }

    /// Runs the synthetic steps of these numbers. Returns the updates of all parameters.
    fn train(&self, instance: &mut Instance, numbers: std::ops::Range<u64>) -> Result<Vec<Vec<f32>>, String> {
        let mut updates = Vec::new();
        for number in numbers {
            let paths = self.plan(instance, number)?;
            let mut step = self.step(instance, number, paths)?;
            let shapes: Vec<_> = step.params.iter().map(|p| dims(&p.gradient)).collect();
            instance.after_backward(&mut step).map_err(to_text)?;
            for param in &mut step.params {
                param.update = Some(param.gradient.clone() * -0.1);
            }
            instance.before_apply(&mut step).map_err(to_text)?;
            for (param, shape) in step.params.iter_mut().zip(shapes) {
                let name = &self.spec.params[param.param].name;
                let update = param.update.clone().ok_or_else(|| format!("the update of {name} is missing"))?;
                if dims(&update) != shape {
                    return Err(format!("the update of {name} has shape {:?}, expected {shape:?}", dims(&update)));
                }
                if !Cpu::to_host(&update).iter().all(|x| x.is_finite()) {
                    return Err(format!("the update of {name} in step {number} is not finite"));
                }
                updates.push(Cpu::to_host(&update));
                param.weight = param.weight.clone() + update;
            }
            instance.after_update(&step).map_err(to_text)?;
            instance.end_arch(&step.paths).map_err(to_text)?;
            if number % 2 == 1 {
                instance.end_epoch(step.epoch).map_err(to_text)?;
                instance.metrics();
            }
        }
        Ok(updates)
    }

    fn step(&self, instance: &Instance, number: u64, paths: Vec<Path>) -> Result<Step<Cpu>, String> {
        let mut active: BTreeSet<(usize, ParamId)> = BTreeSet::new();
        let mut inputs = Vec::new();
        for (i, path) in paths.iter().enumerate() {
            let program = self.spec.program(&*self.space, &path.arch).map_err(to_text)?;
            for layer in program.layers {
                let set = self.set(instance, &path.arch, layer)?;
                active.extend(self.spec.layers[layer].params.clone().map(|param| (set, param)));
                if instance.capture(layer) > 0 {
                    let (side, channels) = match self.spec.layers[layer].kind {
                        LayerKind::Conv { c_in, .. } => (4, c_in),
                        LayerKind::Norm { channels, .. } => (4, channels),
                        LayerKind::Linear { c_in, .. } => (1, c_in),
                    };
                    let input = pseudo_random(number + layer as u64, (2, side, side, channels));
                    inputs.push(LayerInput { path: i, layer, input });
                }
            }
        }
        let params = active.into_iter().map(|(set, param)| {
            let spec = &self.spec.params[param];
            let [a, b, c, d] = spec.shape;
            // Step 1 has zero gradients.
            let gradient =
                pseudo_random(number * 100 + param as u64, (a, b, c, d)) * if number == 1 { 0.0 } else { 1.0 };
            let weight = pseudo_random(param as u64, (a, b, c, d));
            ParamStep { param, set, layer: spec.layer, role: spec.role, weight, gradient, update: None }
        });
        let losses = vec![1.0; paths.len()];
        let epoch = number as usize / 2;
        Ok(Step { number, epoch, lr: 0.1, losses, params: params.collect(), inputs, paths })
    }

    fn set(&self, instance: &Instance, arch: &Arch, layer: usize) -> Result<usize, String> {
        let set = instance.bind(arch, layer);
        if set >= instance.weight_sets() {
            return Err(format!("bind returned weight set {set}, expected below {}", instance.weight_sets()));
        }
        Ok(set)
    }

    fn check_repeatable(&self) -> Result<(), String> {
        let first = self.train(&mut self.instance()?, 0..4)?;
        let second = self.train(&mut self.instance()?, 0..4)?;
        let problem = "two instances differ on the same steps: use only the random numbers of the host, and no clock";
        compare_bits(&first, &second, problem)
    }

    fn check_saved_state(&self) -> Result<(), String> {
        let mut first = self.instance()?;
        self.train(&mut first, 0..3)?;
        let state = first.save().map_err(to_text)?;
        let mut second = self.instance()?;
        second.load(&state).map_err(to_text)?;
        if second.save().map_err(to_text)? != state {
            return Err("an instance that loads a state and saves it gives a different state".into());
        }
        let (first, second) = (self.train(&mut first, 3..6)?, self.train(&mut second, 3..6)?);
        let problem = "an instance that loads the state of another continues differently: save the missing state";
        compare_bits(&first, &second, problem)
    }
}

fn compare_bits(first: &[Vec<f32>], second: &[Vec<f32>], problem: &str) -> Result<(), String> {
    let bits = |updates: &[Vec<f32>]| updates.iter().flatten().map(|x| x.to_bits()).collect::<Vec<_>>();
    if bits(first) == bits(second) { Ok(()) } else { Err(problem.into()) }
}

fn dims(tensor: &Tensor4<Cpu>) -> (usize, usize, usize, usize) {
    *dfdx::shapes::HasShape::shape(tensor)
}

/// Pseudo-random numbers between -1 and 1.
fn pseudo_random(seed: u64, shape: (usize, usize, usize, usize)) -> Tensor4<Cpu> {
    let len = shape.0 * shape.1 * shape.2 * shape.3;
    let number = |i: usize| ((i as f32 + 1.0) * 12.9898 + seed as f32 * 78.233).sin();
    Cpu::default().tensor_from_vec((0..len).map(number).collect(), shape)
}

/// Compares two runs of the trainer on the space `tiny` with the same seed.
fn check_equal_runs(descriptor: &StrategyDescriptor) -> Result<(), String> {
    let (first, second) = (run(descriptor)?, run(descriptor)?);
    if first != second {
        return Err("two runs with the same seed differ: use only the random numbers of the host, and no clock".into());
    }
    Ok(())
}

/// The reproducible results of a run, as bits.
#[derive(Debug, PartialEq)]
struct RunTrace {
    losses: Vec<u64>,
    /// Metrics of the strategy, except times.
    telemetry: Vec<(String, u64)>,
}

fn run(descriptor: &StrategyDescriptor) -> Result<RunTrace, String> {
    let config = format!(
        "[strategy]\nname = \"{}\"\n{}\n[space]\nname = \"tiny\"\nwidth = 4\n\
         [data]\nname = \"synthetic\"\nlimit_train = 64\nlimit_valid = 40\n[data.synthetic]\nsamples = 200\nsize = 8\n\
         [train]\nepochs = 3\nbatch_size = 16\nsteps_per_arch = 2\n[eval]\nimages = 40\nbatch_size = 20\n\
         [probes]\ncount = 3\ninterval = 1\nsingle_step_every = 3\n[search]\nproposals = 1\n[truth]\nsamples = \"0\"\n",
        descriptor.name,
        (descriptor.options)()
    );
    let config = RunConfig::from_table(&config.parse().map_err(to_text)?).map_err(to_text)?;
    let dataset = Arc::new(data::load(&config.data.name, &config.data).map_err(to_text)?);
    let mut session = Session::new(&config, dataset, &Cpu::default()).map_err(to_text)?;
    let mut losses = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Step(done) = event {
            losses.push(done.loss.to_bits());
        }
        Ok(())
    };
    let result = session.run(&mut observer, &AtomicBool::new(false)).map_err(to_text)?;
    let telemetry = result.telemetry.into_iter().filter(|(name, _)| !name.starts_with("time."));
    Ok(RunTrace { losses, telemetry: telemetry.map(|(name, value)| (name, value.to_bits())).collect() })
}
