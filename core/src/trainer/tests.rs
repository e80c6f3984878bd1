//! Invariants of the loop, on the tiny space.

use super::{RunError, Session};
use crate::arch::Arch;
use crate::config::RunConfig;
use crate::data::load;
use crate::event::Event;
use crate::network::LayerId;
use crate::registry::StrategyDescriptor;
use crate::result::RunResult;
use crate::strategy::{Path, Sampler, SharingStrategy, Step, StrategyError};
use dfdx::prelude::Cpu;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the test strategy does wrong, or watches.
#[derive(Default)]
struct Scripted {
    script: String,
    seen: Vec<&'static str>,
}

impl SharingStrategy<Cpu> for Scripted {
    fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, StrategyError> {
        self.seen.push("plan");
        let arch = (sampler.draw)().map_err(StrategyError::Other)?;
        let path = |arch| Path { arch, weight: 1.0 };
        match self.script.as_str() {
            "nothing" => Ok(Vec::new()),
            "thousands" => Ok(vec![path(arch); 5000]),
            "outside" => Ok(vec![path(Arch::new([7, 7]))]),
            "infinite" => Ok(vec![Path { arch, weight: f32::INFINITY }]),
            "refuse" => Err(StrategyError::Other("no more".into())),
            _ => Ok(vec![path(arch)]),
        }
    }

    fn weight_sets(&self) -> usize {
        if self.script == "private" { 9 } else { 1 }
    }

    fn bind(&self, arch: &Arch, _: LayerId) -> usize {
        if self.script == "private" { arch.choices()[0] * 3 + arch.choices()[1] } else { 0 }
    }

    fn after_backward(&mut self, step: &mut Step<Cpu>) -> Result<(), StrategyError> {
        self.seen.push("after_backward");
        assert!(step.params.iter().all(|p| p.update.is_none()));
        if self.script == "nan" {
            let zero = step.params[0].gradient.clone() * 0.0;
            step.params[0].gradient = zero / 0.0;
        }
        Ok(())
    }

    fn before_apply(&mut self, step: &mut Step<Cpu>) -> Result<(), StrategyError> {
        self.seen.push("before_apply");
        assert!(step.params.iter().all(|p| p.update.is_some()));
        if self.script == "freeze" {
            step.params.iter_mut().for_each(|p| p.update = None);
        }
        Ok(())
    }

    fn end_arch(&mut self, _: &[Path]) -> Result<(), StrategyError> {
        self.seen.push("end_arch");
        let seen = self.seen.split_off(0);
        assert!(
            self.script == "freely"
                || seen == ["plan", "after_backward", "before_apply", "after_backward", "before_apply", "end_arch"]
        );
        Ok(())
    }
}

inventory::submit! {
    StrategyDescriptor {
        name: "scripted",
        summary: "misbehaves as told",
        reference: "tests",
        options: &String::new,
        cpu: &|options, _| {
            let script = options.get("script").and_then(|s| s.as_str()).unwrap_or_default().to_string();
            Ok(Box::new(Scripted { script, seen: Vec::new() }))
        },
        #[cfg(feature = "cuda")]
        cuda: &|_, _| Err(StrategyError::Other("tests run on the CPU".into())),
    }
}

const BASE: &str = r#"
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

fn session(script: &str, change: impl Fn(&mut RunConfig)) -> Result<Session<Cpu>, RunError> {
    let mut config = RunConfig::from_table(&BASE.parse().unwrap()).unwrap();
    config.strategy.name = "scripted".into();
    config.strategy.options.insert("script".into(), script.into());
    change(&mut config);
    let dataset = Arc::new(load(&config.data.name, &config.data).unwrap());
    Session::new(&config, dataset, &Cpu::default())
}

fn run(script: &str, change: impl Fn(&mut RunConfig)) -> Result<(RunResult, Vec<f64>), RunError> {
    let mut losses = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Step(step) = event {
            losses.push(step.loss);
        }
        Ok(())
    };
    let result = session(script, change)?.run(&mut observer, &AtomicBool::new(false))?;
    Ok((result, losses))
}

/// Plans of a whole epoch end with it, so nothing comes between their last step and its end.
#[test]
fn own_steps_are_no_forgetting() {
    let (result, _) = run("freely", |c| c.train.steps_per_arch = 4).unwrap();
    let forgetting = result.probes.unwrap().forgetting.unwrap();
    assert_eq!((forgetting.accuracy, forgetting.n > 0), (0.0, true));
    let (result, _) = run("freely", |c| c.train.steps_per_arch = 1).unwrap();
    assert_ne!(result.probes.unwrap().forgetting.unwrap().accuracy, 0.0);
}

#[test]
fn hooks_come_in_order_and_counts_add_up() {
    let (result, losses) = run("", |_| {}).unwrap();
    assert_eq!((result.epochs, result.steps, result.subnet_passes, result.images), (3, 12, 12, 12 * 32));
    assert_eq!(losses.len(), 12);
    let fairness = result.fairness.unwrap();
    assert_eq!(fairness.mean, 4.0);
    assert!(result.selected.is_some() && result.truth.is_none());
    let single_step = result.probes.unwrap().single_step_disturbance.unwrap();
    assert!(single_step.n > 0 && single_step.abs_loss >= single_step.loss.abs());
}

#[test]
fn probes_and_final_choice_change_no_training_step() {
    let (_, with) = run("", |_| {}).unwrap();
    let (_, without) = run("", |c| {
        c.probes.count = 0;
        c.probes.single_step_every = 0;
        c.search.proposals = 3;
    })
    .unwrap();
    assert_eq!(with, without);
}

#[test]
fn training_lowers_the_loss_and_frozen_weights_do_not() {
    let long = |c: &mut RunConfig| c.train.epochs = 12;
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (_, trained) = run("", long).unwrap();
    assert!(mean(&trained[40..]) < mean(&trained[..8]) - 0.05, "{trained:?}");
    let (result, _) = run("freeze", long).unwrap();
    assert_eq!(result.probes.unwrap().disturbance.unwrap().mean, 0.0);
}

#[test]
fn impossible_plans_name_the_strategy_and_the_problem() {
    let problems = [
        ("nothing", "0 architectures for one step"),
        ("thousands", "5000 architectures for one step"),
        ("outside", "choices 0 to 2, found 7"),
        ("infinite", "a loss weight of inf"),
        ("refuse", "no more"),
    ];
    for (script, problem) in problems {
        let error = run(script, |_| {}).unwrap_err().to_string();
        assert!(error.contains("scripted") && error.contains(problem), "{script}: {error}");
    }
}

#[test]
fn gradients_and_losses_that_are_no_numbers_stop_the_run() {
    let error = run("nan", |_| {}).unwrap_err();
    assert!(matches!(error, RunError::Diverged { what: "the gradient norm", step: 0, .. }), "{error}");
    let error = run("", |c| c.train.lr = 1e30).unwrap_err();
    assert!(matches!(error, RunError::Diverged { step: 1.., .. }), "{error}");
    assert!(error.to_string().contains("lower learning rate"), "{error}");
}

#[test]
fn private_weights_do_not_disturb_each_other() {
    let (result, _) = run("private", |c| c.probes.single_step_every = 1).unwrap();
    let single_step = result.probes.unwrap().single_step_disturbance.unwrap();
    assert!(single_step.n > 0);
    assert_eq!((single_step.abs_loss, single_step.accuracy), (0.0, 0.0));
}

#[test]
fn cancelling_ends_with_what_was_measured() {
    let cancel = AtomicBool::new(false);
    let mut observer = |event: &Event<'_>| {
        if let Event::Step(step) = event {
            cancel.store(step.step == 5, Ordering::Relaxed);
        }
        Ok(())
    };
    let result = session("", |_| {}).unwrap().run(&mut observer, &cancel).unwrap();
    assert!(result.interrupted);
    assert_eq!((result.epochs, result.steps), (1, 6));
    assert!(result.selected.is_none() && result.probes.unwrap().mean_accuracy.is_some());
}

#[test]
fn an_observer_that_fails_ends_the_run() {
    let mut observer = |_: &Event<'_>| Err(std::io::Error::other("disk full"));
    let error = session("", |_| {}).unwrap().run(&mut observer, &AtomicBool::new(false)).unwrap_err();
    assert_eq!(error.to_string(), "cannot record results: disk full");
}

#[test]
fn every_batch_norm_mode_evaluates() {
    use crate::config::BnMode;
    for bn in [BnMode::Batch, BnMode::Recalibrate, BnMode::Running] {
        let (result, _) = run("", |c| c.eval.bn = bn).unwrap();
        let accuracy = result.probes.unwrap().mean_accuracy.unwrap();
        assert!((0.0..=100.0).contains(&accuracy), "{bn:?}: {accuracy}");
    }
}

#[test]
fn what_cannot_be_is_refused_before_anything_starts() {
    let message = |change: fn(&mut RunConfig)| session("", change).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(message(|c| c.probes.count = 10).contains("probes.count: expected at most 9"));
    assert!(message(|c| c.space.name = "tinny".into()).contains("did you mean `tiny`"));
    assert!(message(|c| c.strategy.name = "scripte".into()).contains("did you mean `scripted`"));
    assert!(message(|c| c.space.width = 1_000_000).contains("at most 4096"));
    assert!(message(|c| c.truth.table = "cifar10_test".into()).contains("space tiny has no embedded table"));
}

fn sequence(script: &str, n: usize) -> Result<crate::result::SequenceResult, RunError> {
    let mut config = RunConfig::from_table(&BASE.parse().unwrap()).unwrap();
    config.strategy.name = "watcher".into();
    config.strategy.options.insert("script".into(), script.into());
    config.train.epochs = 2;
    let dataset = Arc::new(load(&config.data.name, &config.data).unwrap());
    let sequence = super::Sequence::new(&config, dataset, &Cpu::default(), n)?;
    sequence.run(&mut |_: &Event<'_>| Ok(()), &AtomicBool::new(false))
}

/// Trains what is drawn, or insists on an architecture of its own; with `freeze`, changes nothing.
struct Watcher(String);

impl SharingStrategy<Cpu> for Watcher {
    fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, StrategyError> {
        let drawn = (sampler.draw)().map_err(StrategyError::Other)?;
        let arch = if self.0 == "stubborn" { Arch::new([0, 0]) } else { drawn };
        Ok(vec![Path { arch, weight: 1.0 }])
    }

    fn before_apply(&mut self, step: &mut Step<Cpu>) -> Result<(), StrategyError> {
        if self.0 == "freeze" {
            step.params.iter_mut().for_each(|p| p.update = None);
        }
        Ok(())
    }
}

inventory::submit! {
    StrategyDescriptor {
        name: "watcher",
        summary: "plain, frozen or stubborn",
        reference: "tests",
        options: &String::new,
        cpu: &|options, _| Ok(Box::new(Watcher(options["script"].as_str().unwrap_or_default().into()))),
        #[cfg(feature = "cuda")]
        cuda: &|_, _| Err(StrategyError::Other("tests run on the CPU".into())),
    }
}

#[test]
fn a_sequence_fills_the_upper_triangle_of_its_matrix() {
    let result = sequence("", 4).unwrap();
    assert_eq!((result.sequence, result.epochs_each, result.archs.len()), (4, 2, 4));
    for (i, row) in result.matrix.iter().enumerate() {
        assert!(row.iter().enumerate().all(|(j, value)| value.is_some() == (j >= i)));
    }
    assert_eq!(result.steps.len(), 6);
    let step = &result.steps[0];
    assert_eq!((step.trained, step.earlier), (1, 0));
    assert_eq!(step.change, result.matrix[0][1].unwrap() - result.matrix[0][0].unwrap());
    assert!(result.steps.iter().all(|step| step.shared <= 2));
}

#[test]
fn frozen_weights_have_no_drop() {
    let result = sequence("freeze", 3).unwrap();
    assert_eq!((result.drop, result.change_per_task), (Some(0.0), Some(0.0)));
}

#[test]
fn a_sequence_needs_two_architectures_and_a_strategy_that_trains_them() {
    for n in [0, 1, 10] {
        assert!(sequence("", n).unwrap_err().to_string().contains("--sequence: expected 2 to 9"));
    }
    assert!(sequence("stubborn", 3).unwrap_err().to_string().contains("plans architectures of its own"));
}

#[test]
fn shared_layers_leave_out_what_all_have() {
    let session = session("", |_| {}).unwrap();
    let shared = |a: [usize; 2], b: [usize; 2]| session.shared_layers(&Arch::new(a), &Arch::new(b)).unwrap();
    assert_eq!((shared([1, 2], [1, 2]), shared([1, 2], [1, 1]), shared([0, 0], [0, 0])), (2, 1, 0));
}
