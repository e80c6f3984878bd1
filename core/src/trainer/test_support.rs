//! A strategy whose behaviour a test chooses, and small runs on the space `tiny`.

use super::{RunError, Session};
use crate::arch::Arch;
use crate::config::RunConfig;
use crate::data::{Dataset, load};
use crate::event::Event;
use crate::network::LayerId;
use crate::result::RunResult;
use crate::state::{HostTensor, State};
use crate::strategy::{Path, Sampler, SharingStrategy, Step, StrategyDescriptor, StrategyError};
use dfdx::prelude::TryMul;
use nas_ops::Backend;
use rand::seq::SliceRandom;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The device of the tests: the first GPU in a build with the feature `cuda`.
#[cfg(feature = "cuda")]
pub type TestDevice = dfdx::tensor::Cuda;
/// The device of the tests.
#[cfg(not(feature = "cuda"))]
pub type TestDevice = dfdx::tensor::Cpu;

/// The device that all tests of this thread share, because dfdx compiles kernels anew for every new GPU.
pub fn test_device() -> TestDevice {
    thread_local!(static DEVICE: TestDevice = TestDevice::default());
    DEVICE.with(Clone::clone)
}

/// Trains one drawn architecture per step, except where its behaviour says otherwise.
#[derive(Default)]
struct TestStrategy {
    behaviour: String,
    /// Hooks called since the last plan ended, for `check_order`.
    calls: Vec<&'static str>,
    /// Mean absolute input of each layer that has been recorded, for `damp`.
    inputs: Vec<Option<f32>>,
}

impl TestStrategy {
    fn new(options: &toml::Table) -> Self {
        let behaviour = options.get("behaviour").and_then(|s| s.as_str()).unwrap_or_default().to_string();
        Self { behaviour, ..Self::default() }
    }

    fn is(&self, behaviour: &str) -> bool {
        self.behaviour == behaviour
    }
}

impl<D: Backend> SharingStrategy<D> for TestStrategy {
    fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, StrategyError> {
        self.calls.push("plan");
        let path = |arch| Path { arch, weight: 1.0 };
        Ok(match self.behaviour.as_str() {
            "empty_plan" => Vec::new(),
            "huge_plan" => vec![path((sampler.draw)()?); 5000],
            "foreign_arch" => vec![path(Arch::new([7, 7]))],
            "infinite_weight" => vec![Path { arch: (sampler.draw)()?, weight: f32::INFINITY }],
            "refuse" => return Err(StrategyError::Other("no more".into())),
            "own_arch" => vec![path(Arch::new([0, 0]))],
            "hide_draw_error" => vec![(sampler.draw)().map_or(path(Arch::new([0, 0])), path)],
            // Three paths that cover every choice of both decisions, as FairNAS plans them.
            "cover" => {
                let mut orders = [[0, 1, 2], [0, 1, 2]];
                orders.iter_mut().for_each(|order| order.shuffle(sampler.rng));
                (0..3).map(|i| Path { arch: Arch::new([orders[0][i], orders[1][i]]), weight: 0.5 }).collect()
            }
            _ => vec![path((sampler.draw)()?)],
        })
    }

    fn weight_sets(&self) -> usize {
        if self.is("private_weights") { 9 } else { 1 }
    }

    fn bind(&self, arch: &Arch, _: LayerId) -> usize {
        if self.is("private_weights") { arch.choices()[0] * 3 + arch.choices()[1] } else { 0 }
    }

    fn capture(&self, _: LayerId) -> usize {
        if self.is("damp") { 8 } else { 0 }
    }

    fn after_backward(&mut self, step: &mut Step<D>) -> Result<(), StrategyError> {
        self.calls.push("after_backward");
        assert!(step.params.iter().all(|p| p.update.is_none()));
        if self.is("nan_gradient") {
            let zero = step.params[0].gradient.clone() * 0.0;
            step.params[0].gradient = zero / 0.0;
        }
        Ok(())
    }

    fn before_apply(&mut self, step: &mut Step<D>) -> Result<(), StrategyError> {
        self.calls.push("before_apply");
        assert!(step.params.iter().all(|p| p.update.is_some()));
        if self.is("freeze") {
            step.params.iter_mut().for_each(|p| p.update = None);
        }
        if self.is("damp") {
            // Smaller updates where earlier steps had large inputs: the history matters, as in OGD.
            for param in &mut step.params {
                let factor = 1.0 / (1.0 + self.inputs.get(param.layer).copied().flatten().unwrap_or(0.0));
                param.update = param.update.take().map(|update| update.try_mul(factor).unwrap());
            }
            for input in &step.inputs {
                let values = D::to_host(&input.input);
                let mean = values.iter().map(|x| x.abs()).sum::<f32>() / values.len() as f32;
                self.inputs.resize(self.inputs.len().max(input.layer + 1), None);
                self.inputs[input.layer] = Some(self.inputs[input.layer].map_or(mean, |old| 0.5 * (old + mean)));
            }
        }
        Ok(())
    }

    fn end_arch(&mut self, _: &[Path]) -> Result<(), StrategyError> {
        self.calls.push("end_arch");
        let calls = std::mem::take(&mut self.calls);
        if self.is("check_order") {
            let step = ["after_backward", "before_apply"];
            assert_eq!(calls, [&["plan"][..], &step, &step, &["end_arch"]].concat());
        }
        Ok(())
    }

    fn save(&self) -> Result<State, StrategyError> {
        let mut state = State::default();
        state.put("layers", &self.inputs.iter().map(Option::is_some).collect::<Vec<_>>())?;
        let values: Vec<f32> = self.inputs.iter().copied().flatten().collect();
        state.tensors.insert("inputs".into(), HostTensor { shape: vec![values.len()], values });
        Ok(state)
    }

    fn load(&mut self, state: &State) -> Result<(), StrategyError> {
        let layers: Vec<bool> = state.get("layers")?;
        let values = &state.tensor("inputs", &[layers.iter().filter(|known| **known).count()])?.values;
        let mut values = values.iter().copied();
        self.inputs = layers.into_iter().map(|known| if known { values.next() } else { None }).collect();
        Ok(())
    }
}

inventory::submit! {
    StrategyDescriptor {
        name: "test",
        summary: "behaves as a test chooses",
        reference: "tests",
        options: &String::new,
        cpu: &|options, _| Ok(Box::new(TestStrategy::new(options))),
        #[cfg(feature = "cuda")]
        cuda: &|options, _| Ok(Box::new(TestStrategy::new(options))),
    }
}

const CONFIG: &str = r#"
[space]
name = "tiny"
width = 4
[data]
name = "synthetic"
limit_train = 128
limit_valid = 60
synthetic = { classes = 3, size = 8, samples = 400 }
[train]
epochs = 3
batch_size = 32
steps_per_arch = 2
[eval]
images = 60
[probes]
count = 4
interval = 1
single_step_every = 2
"#;

/// A configuration of 3 epochs of 4 steps with this behaviour of the strategy.
pub fn config(behaviour: &str, change: impl Fn(&mut RunConfig)) -> RunConfig {
    let mut config = RunConfig::from_table(&CONFIG.parse().unwrap()).unwrap();
    config.strategy.name = "test".into();
    config.strategy.options.insert("behaviour".into(), behaviour.into());
    change(&mut config);
    config
}

/// The data set of a configuration.
pub fn dataset(config: &RunConfig) -> Arc<Dataset> {
    Arc::new(load(&config.data.name, &config.data).unwrap())
}

/// A session of [`config`].
pub fn session(behaviour: &str, change: impl Fn(&mut RunConfig)) -> Result<Session<TestDevice>, RunError> {
    let config = config(behaviour, change);
    Session::new(&config, dataset(&config), &test_device())
}

/// Runs a session of [`config`]; returns its result and the loss of every step.
pub fn run(behaviour: &str, change: impl Fn(&mut RunConfig)) -> Result<(RunResult, Vec<f64>), RunError> {
    let mut losses = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Step(step) = event {
            losses.push(step.loss);
        }
        Ok(())
    };
    let result = session(behaviour, change)?.run(&mut observer, &AtomicBool::new(false))?;
    Ok((result, losses))
}
