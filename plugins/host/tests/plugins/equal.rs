//! Plugins that implement built-in strategies give the same results.

use super::helper::{example, run};
use dfdx::tensor::Cpu;
use nas_core::registry::{StrategyBuilder, StrategyDescriptor, add_strategies, find};
use nas_core::strategy::{Path, Sampler, SharingStrategy, Step, StrategyContext, StrategyError};
use nas_ops::Backend;
use nas_plugin_host::load;
use std::cell::RefCell;
use toml::Table;

#[test]
fn plugin_plain_equals_plain_bit_for_bit() {
    load(&example("nas_example_sampling")).unwrap();
    for (options, train) in [("", ""), ("paths = 3", ""), ("paths = 2", "steps_per_arch = 2\nlr_schedule = \"cosine\"")]
    {
        let (built_in, losses) = run(&format!("name = \"plain\"\n{options}"), train).unwrap();
        let (plugin, plugin_losses) = run(&format!("name = \"plugin-plain\"\n{options}"), train).unwrap();
        assert_eq!(losses, plugin_losses);
        assert_eq!(losses.len(), 12);
        assert_eq!(
            (built_in.selected, built_in.probes, built_in.train_loss),
            (plugin.selected, plugin.probes, plugin.train_loss)
        );
    }
}

#[test]
fn plugin_fairnas_passes_the_fairness_audit() {
    load(&example("nas_example_sampling")).unwrap();
    let (result, _) = run("name = \"plugin-fairnas\"", "").unwrap();
    let fairness = result.fairness.unwrap();
    assert_eq!((fairness.min, fairness.max), (12, 12), "every choice has had all 12 updates");
    assert_eq!(result.subnet_passes, 36);
}

thread_local! {
    /// Parameter and update of every step of the run on this thread.
    static UPDATES: RefCell<Vec<(usize, Vec<f32>)>> = const { RefCell::new(Vec::new()) };
}

/// A strategy that also stores its updates in [`UPDATES`].
struct RecordUpdates(Box<dyn SharingStrategy<Cpu>>);

impl SharingStrategy<Cpu> for RecordUpdates {
    fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, StrategyError> {
        self.0.plan(sampler)
    }

    fn capture(&self, layer: usize) -> usize {
        self.0.capture(layer)
    }

    fn before_apply(&mut self, step: &mut Step<Cpu>) -> Result<(), StrategyError> {
        self.0.before_apply(step)?;
        let update =
            |param: &nas_core::strategy::ParamStep<Cpu>| (param.param, Cpu::to_host(param.update.as_ref().unwrap()));
        UPDATES.with_borrow_mut(|updates| updates.extend(step.params.iter().map(update)));
        Ok(())
    }

    fn after_update(&mut self, step: &Step<Cpu>) -> Result<(), StrategyError> {
        self.0.after_update(step)
    }

    fn end_arch(&mut self, paths: &[Path]) -> Result<(), StrategyError> {
        self.0.end_arch(paths)
    }
}

/// Registers the strategy `name` with recorded updates, under the name `recorded`.
fn register_recorded(name: &'static str, recorded: &'static str) {
    let inner = find::<StrategyDescriptor>(name).unwrap();
    let build =
        move |options: &Table, context: StrategyContext<Cpu>| -> Result<Box<dyn SharingStrategy<Cpu>>, StrategyError> {
            Ok(Box::new(RecordUpdates((inner.cpu)(options, context)?)))
        };
    let cpu: StrategyBuilder<Cpu> = Box::leak(Box::new(build));
    let descriptor = StrategyDescriptor {
        name: recorded,
        summary: "for tests",
        reference: "",
        options: &String::new,
        cpu,
        #[cfg(feature = "cuda")]
        cuda: inner.cuda,
    };
    add_strategies(vec![descriptor]).unwrap();
}

#[test]
fn plugin_ogd_equals_ogd() {
    load(&example("nas_example_ogd")).unwrap();
    register_recorded("ogd", "recorded-ogd");
    register_recorded("plugin-ogd", "recorded-plugin-ogd");
    // The options of the plugin. The built-in strategy chooses the same values by default.
    for (options, train) in [("", ""), ("alpha = 0.08\nmemory = \"all\"", "steps_per_arch = 3")] {
        UPDATES.take();
        let (_, losses) = run("name = \"recorded-ogd\"", train).unwrap();
        let built_in = UPDATES.take();
        let (_, plugin_losses) = run(&format!("name = \"recorded-plugin-ogd\"\n{options}"), train).unwrap();
        let from_plugin = UPDATES.take();
        let (_, plain_losses) = run("name = \"plain\"", train).unwrap();
        assert_ne!(losses, plain_losses, "the projection changes the training");
        assert_eq!((losses.len(), plugin_losses.len(), built_in.len()), (12, 12, from_plugin.len()));
        for ((param, built_in), (other, from_plugin)) in built_in.iter().zip(&from_plugin) {
            assert_eq!(param, other);
            let norm = built_in.iter().map(|x| x * x).sum::<f32>().sqrt();
            let distance = built_in.iter().zip(from_plugin).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt();
            assert!(distance <= 1e-4 * norm, "parameter {param}: {distance} of {norm}");
        }
    }
}
