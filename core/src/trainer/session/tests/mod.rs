//! Whole runs on the space `tiny`.

mod plans;
mod state;

use super::Session;
use crate::config::{BnMode, RunConfig};
use crate::event::Event;
use crate::result::RunResult;
use crate::trainer::RunError;
use crate::trainer::test_support::TestDevice;
use crate::trainer::test_support::{run, session};
use std::sync::atomic::{AtomicBool, Ordering};

/// With plans as long as an epoch, nothing happens between an architecture's last step and the end of the epoch.
#[test]
fn an_architectures_own_steps_do_not_count_as_forgetting() {
    let (result, _) = run("", |c| c.train.steps_per_arch = 4).unwrap();
    let forgetting = result.probes.unwrap().forgetting.unwrap();
    assert_eq!((forgetting.accuracy, forgetting.n > 0), (0.0, true));
    let (result, _) = run("", |c| c.train.steps_per_arch = 1).unwrap();
    assert_ne!(result.probes.unwrap().forgetting.unwrap().accuracy, 0.0);
}

#[test]
fn hooks_come_in_order_and_counts_add_up() {
    let (result, losses) = run("check_order", |_| {}).unwrap();
    assert_eq!((result.epochs, result.steps, result.subnet_passes, result.images), (3, 12, 12, 12 * 32));
    assert_eq!(losses.len(), 12);
    let fairness = result.fairness.unwrap();
    assert_eq!(fairness.mean, 4.0);
    assert!(result.selected.is_some() && result.truth.is_none());
    let single_step = result.probes.unwrap().single_step_disturbance.unwrap();
    assert!(single_step.n > 0 && single_step.abs_loss >= single_step.loss.abs());
}

#[test]
fn measurements_and_selection_change_no_training_step() {
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
fn gradients_and_losses_that_are_not_finite_stop_the_run() {
    let error = run("nan_gradient", |_| {}).unwrap_err();
    assert!(matches!(error, RunError::Diverged { what: "the gradient norm", step: 0, .. }), "{error}");
    let error = run("", |c| c.train.lr = 1e30).unwrap_err();
    assert!(matches!(error, RunError::Diverged { step: 1.., .. }), "{error}");
    assert!(error.to_string().contains("lower learning rate"), "{error}");
}

#[test]
fn private_weights_do_not_disturb_each_other() {
    let (result, _) = run("private_weights", |c| c.probes.single_step_every = 1).unwrap();
    let single_step = result.probes.unwrap().single_step_disturbance.unwrap();
    assert!(single_step.n > 0);
    assert_eq!((single_step.abs_loss, single_step.accuracy), (0.0, 0.0));
}

#[test]
fn an_interrupted_run_returns_its_measurements() {
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

/// The modes differ in evaluation only. The evaluator's own tests compare each mode with values computed independently.
#[test]
fn batch_norm_modes_share_the_training_and_differ_in_evaluation() {
    let first_loss = |session: &Session<TestDevice>| {
        let arch = session.space().nth(8);
        session.supernet().evaluate_first_batch(&arch).unwrap().loss
    };
    let mut losses = Vec::new();
    for bn in [BnMode::Batch, BnMode::Recalibrate, BnMode::Running] {
        let mut session = session("", |c| c.eval.bn = bn).unwrap();
        let result = session.run(&mut |_: &Event<'_>| Ok(()), &AtomicBool::new(false)).unwrap();
        losses.push((result.train_loss, first_loss(&session)));
    }
    let [batch, recalibrate, running] = losses[..] else { panic!("three modes") };
    assert_eq!((batch.0, batch.0), (recalibrate.0, running.0));
    assert!(batch.1 != recalibrate.1 && batch.1 != running.1 && recalibrate.1 != running.1, "{losses:?}");
}

/// Training and single-step measurements use the weights, evaluations the average.
#[test]
fn an_average_of_the_weights_is_evaluated_and_not_trained() {
    let trained = |decay: f64| {
        let mut session = session("", |c| c.eval.weight_average = decay).unwrap();
        let result = session.run(&mut |_: &Event<'_>| Ok(()), &AtomicBool::new(false)).unwrap();
        (session, result)
    };
    let ((plain, expected), (averaged, result)) = (trained(0.0), trained(0.9));
    let of_weights =
        |result: &RunResult| (result.train_loss, result.probes.as_ref().unwrap().single_step_disturbance.clone());
    assert_eq!(of_weights(&result), of_weights(&expected));
    let state = averaged.save().unwrap();
    assert_eq!(state.section("training"), plain.save().unwrap().section("training"));

    let (arch, never) = (averaged.space().nth(8), AtomicBool::new(false));
    let evaluate = |session: &Session<TestDevice>| {
        session.evaluate_with_loss(std::slice::from_ref(&arch), &never, &mut |_| ()).unwrap().unwrap()[0]
    };
    let with = |section: &str| session("", |_| ()).unwrap().with_weights(&state.section(section)).unwrap();
    assert_eq!(evaluate(&averaged), evaluate(&with("evaluated")));
    assert_eq!(evaluate(&plain), evaluate(&with("training/model")));
    assert_ne!(evaluate(&averaged), evaluate(&plain));
}

#[test]
fn impossible_configurations_are_refused_before_the_run() {
    let message = |change: fn(&mut RunConfig)| session("", change).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(message(|c| c.probes.count = 10).contains("probes.count: expected at most 9"));
    assert!(message(|c| c.space.name = "tinny".into()).contains("did you mean `tiny`"));
    assert!(message(|c| c.strategy.name = "tests".into()).contains("did you mean `test`"));
    assert!(message(|c| c.space.width = 1_000_000).contains("at most 4096"));
    assert!(message(|c| c.truth.table = "cifar10_test".into()).contains("space tiny has no embedded table"));
}
