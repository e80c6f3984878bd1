//! Training steps on a small supernet.

use super::super::options::SampleSelection;
use super::super::recorded_inputs::RecordedInputs;
use super::harness::Harness;
use super::{distance, f64s, norm, rows, times};
use crate::test_device::TestDevice;
use dfdx::prelude::TensorFromVec;
use nas_core::network::Role;

/// Records all inputs of the previous architecture, with an alpha close to a hard projection.
const EXACT: &str = "alpha = 1e-7\nsamples = \"all\"\nlocation_stride = 1\nmemory = \"previous\"";

/// Records architecture A with learning rate 0, then trains architecture B. Returns how far the scores of A and B move.
fn score_changes(options: Option<&str>, steps: u64) -> (f64, f64) {
    let mut harness = Harness::new(options);
    let batch = harness.batch(6, 1);
    harness.step("21", &batch, 0.0);
    harness.end_arch();
    let [a, b] = ["21", "12"].map(|arch| harness.scores(arch, &batch.0));
    for i in 0..steps {
        harness.step("12", &harness.batch(6, 2 + i), 0.1);
    }
    (distance(&harness.scores("21", &batch.0), &a), distance(&harness.scores("12", &batch.0), &b))
}

#[test]
fn with_a_tiny_alpha_the_previous_outputs_do_not_change() {
    let (previous, current) = score_changes(Some(EXACT), 4);
    let (plain_previous, _) = score_changes(None, 4);
    assert!(previous < 1e-4, "{previous}");
    assert!(plain_previous > 0.05, "{plain_previous}");
    assert!(current > 0.05, "the current architecture has to learn: {current}");
}

#[test]
fn previous_outputs_change_more_with_a_larger_alpha() {
    let changes = ["1e-6", "1e-3", "1e-1", "1e2"].map(|alpha| score_changes(Some(&EXACT.replace("1e-7", alpha)), 4).0);
    assert!(changes.windows(2).all(|pair| pair[0] < pair[1]), "{changes:?}");
}

#[test]
fn gradients_can_be_projected_instead_of_updates() {
    // No weight decay, which the optimizer would add without projection.
    let options = format!("{EXACT}\nproject = \"gradient\"");
    let mut harness = Harness::new(Some(&options));
    harness.optimizer.weight_decay = 0.0;
    let batch = harness.batch(6, 1);
    harness.step("21", &batch, 0.0);
    harness.end_arch();
    // No momentum, because the gradient of the recording step was not projected.
    harness.optimizer.momentum = 0.0;
    let before = harness.scores("21", &batch.0);
    harness.step("12", &harness.batch(6, 2), 0.1);
    assert!(distance(&harness.scores("21", &batch.0), &before) < 1e-4);
}

#[test]
fn outputs_on_recorded_inputs_change_within_the_bound() {
    let alpha = 0.05;
    let mut harness = Harness::new(Some(&format!("alpha = {alpha}\nsamples = 4\nmemory = \"previous\"")));
    let (recorded, _) = harness.step("22", &harness.batch(8, 1), 0.05);
    harness.end_arch();
    let (projected, unprojected) = harness.step("22", &harness.batch(8, 2), 0.05);
    let layouts = harness.strategy.as_ref().unwrap().layouts.clone();
    let mut compared = 0;
    for captured in &recorded.inputs {
        let layout = layouts[captured.layer].unwrap();
        let rows = rows(&layout, &captured.input, SampleSelection::First(4), 2);
        let inputs = RecordedInputs::new(&layout, &rows);
        let update = |step: &nas_core::strategy::Step<TestDevice>| {
            let of = |role| step.params.iter().find(|p| p.layer == captured.layer && p.role == role);
            let (weight, bias) = (of(Role::Weight).unwrap(), of(Role::Bias).and_then(|p| p.update.as_ref()));
            f64s(&layout.join(weight.update.as_ref().unwrap(), bias).unwrap().as_vec())
        };
        let absolute = alpha * inputs.count * inputs.energy();
        let change = |update: &[f64]| norm(&times(&f64s(&rows), update, layout.inputs));
        let (allowed, free) = (absolute.sqrt() / 2.0 * norm(&update(&unprojected)), change(&update(&unprojected)));
        let found = change(&update(&projected));
        assert!(found <= allowed * (1.0 + 1e-3), "layer {}: {found} > {allowed}", captured.layer);
        assert!(found < free, "layer {}: {found} >= {free}", captured.layer);
        compared += 1;
    }
    assert_eq!(compared, 4);
}

#[test]
fn a_huge_alpha_equals_plain_bit_for_bit() {
    let train = |options: Option<&str>| {
        let mut harness = Harness::new(options);
        for (i, arch) in ["21", "12", "22", "01", "22"].iter().enumerate() {
            harness.step(arch, &harness.batch(8, i as u64), 0.05);
            harness.end_arch();
        }
        harness.weights()
    };
    let plain = train(None);
    for memory in ["previous", "all"] {
        assert_eq!(train(Some(&format!("alpha = 1e12\nmemory = \"{memory}\""))), plain, "{memory}");
    }
    assert_ne!(train(Some("")), plain);
}

#[test]
fn the_first_architecture_trains_as_in_plain() {
    // No architecture came before it, and by default its own inputs enter the projector only after its last step.
    let train = |options: Option<&str>| {
        let mut harness = Harness::new(options);
        (0..3).for_each(|i| drop(harness.step("21", &harness.batch(8, i), 0.05)));
        harness.weights()
    };
    assert_eq!(train(Some("alpha = 0.001")), train(None));
    assert_ne!(train(Some("alpha = 0.001\nown_inputs = \"during\"")), train(None));
}

#[test]
fn the_order_decides_whether_the_first_step_is_projected() {
    let ratio = |order: &str| {
        let mut harness = Harness::new(Some(&format!("own_inputs = \"during\"\norder = \"{order}\"")));
        harness.step("21", &harness.batch(8, 1), 0.05);
        harness.metric("update_norm_ratio")
    };
    assert_eq!(ratio("project-then-update"), 1.0);
    assert!(ratio("update-then-project") < 0.9);
}

#[test]
fn layers_that_the_previous_architecture_lacks_are_not_restricted() {
    let mut harness = Harness::new(Some("memory = \"previous\"\nalpha = 0.001"));
    for (arch, group, free) in [("21", "layer0", true), ("12", "layer0", true), ("12", "layer0", false)] {
        harness.strategy.as_mut().unwrap().statistics.set_epoch(1);
        harness.strategy.as_mut().unwrap().statistics.set_epoch(0);
        harness.step(arch, &harness.batch(8, 1), 0.05);
        harness.end_arch();
        assert_eq!(harness.metric(&format!("trace_ratio.{group}")) == 1.0, free, "{arch}");
    }
}

#[test]
fn only_active_layers_change() {
    let mut harness = Harness::new(Some("memory = \"all\""));
    let before = harness.weights();
    harness.step("10", &harness.batch(8, 1), 0.05);
    let spec = harness.network.spec().clone();
    for (i, (before, after)) in before.iter().zip(harness.weights()).enumerate() {
        let name = &spec.params[i].name;
        let active = ["stem", "layer0.conv1x1", "classifier"].iter().any(|layer| name.starts_with(layer));
        assert_eq!(*before != after, active, "{name}");
    }
    assert_eq!(harness.strategy.as_ref().unwrap().records.len(), 3);
}

#[test]
fn shrink_only_keeps_the_direction_and_takes_the_projected_length() {
    let options = "alpha = 0.01\nmemory = \"previous\"";
    let second = |options: &str| {
        let mut harness = Harness::new(Some(options));
        harness.step("22", &harness.batch(8, 1), 0.05);
        harness.end_arch();
        harness.step("22", &harness.batch(8, 2), 0.05)
    };
    let (projected, free) = second(options);
    let (shrunk, _) = second(&format!("{options}\nshrink_only = true"));
    let update =
        |step: &nas_core::strategy::Step<TestDevice>, i: usize| f64s(&step.params[i].update.as_ref().unwrap().as_vec());
    let biased = |layer| free.params.iter().any(|p| p.layer == layer && p.role == Role::Bias);
    for (i, param) in free.params.iter().enumerate().filter(|(_, p)| !biased(p.layer)) {
        let (free, shrunk, projected) = (update(&free, i), update(&shrunk, i), update(&projected, i));
        let cosine = free.iter().zip(&shrunk).map(|(a, b)| a * b).sum::<f64>() / (norm(&free) * norm(&shrunk));
        assert!(cosine > 1.0 - 1e-6, "layer {}", param.layer);
        assert!((norm(&shrunk) / norm(&projected) - 1.0).abs() < 1e-4, "layer {}", param.layer);
        assert!(norm(&shrunk) < 0.95 * norm(&free), "layer {}", param.layer);
    }
}

#[test]
fn warm_up_neither_records_nor_projects() {
    let mut harness = Harness::new(Some("warm_up = 2\nalpha = 0.001"));
    for i in 0..2 {
        let (step, _) = harness.step("22", &harness.batch(8, i), 0.05);
        harness.end_arch();
        assert!(step.inputs.is_empty());
    }
    assert_eq!(harness.metric("update_norm_ratio"), 1.0);
    let (step, _) = harness.step("22", &harness.batch(8, 2), 0.05);
    harness.end_arch();
    assert_eq!(step.inputs.len(), 4);
    harness.step("22", &harness.batch(8, 3), 0.05);
    assert!(harness.metric("update_norm_ratio") < 1.0);
}

#[test]
fn a_projector_is_computed_at_most_every_refresh_steps() {
    let run = |refresh: u64| {
        let mut harness = Harness::new(Some(&format!("memory = \"all\"\nrefresh = {refresh}")));
        for i in 0..5 {
            harness.step("22", &harness.batch(8, i), 0.01);
            harness.end_arch();
        }
        let stem = harness.strategy.as_ref().unwrap().records[&(0, 0)].clone();
        (stem.last_refresh.unwrap().step, stem.outdated)
    };
    // The first computation is in step 1, because step 0 has no earlier inputs.
    assert_eq!((run(1), run(3), run(100)), ((4, true), (4, true), (1, true)));
}

#[test]
fn the_classifier_can_be_excluded() {
    let mut harness = Harness::new(Some("classifier = false"));
    let (step, _) = harness.step("22", &harness.batch(8, 1), 0.05);
    assert_eq!(step.inputs.len(), 3);
    let notes = harness.strategy.as_ref().unwrap().notes.join("\n");
    assert!(notes.contains("does not project the linear layers"), "{notes}");
}

#[test]
fn a_tiny_alpha_is_increased_and_counted() {
    let options = "alpha = 1e-300\nsamples = \"all\"\nlocation_stride = 1\nmemory = \"all\"";
    let mut harness = Harness::new(Some(options));
    // In images of a single value, the stem has four different patches of nine elements. Their Gram matrix is singular.
    let (_, labels) = harness.batch(8, 1);
    let values = (0..8 * 64).map(|i| 1.0 + (i / 64) as f32).collect::<Vec<_>>();
    let batch = (harness.network.device().tensor_from_vec(values, (8, 8, 8, 1)), labels);
    for _ in 0..3 {
        harness.step("22", &batch, 0.05);
        harness.end_arch();
    }
    assert!(harness.metric("alpha_increases") > 0.0);
    assert!(harness.weights().iter().flatten().all(|w| w.is_finite()));
}

#[test]
fn the_accumulated_rule_stops_learning_and_the_normalised_one_does_not() {
    let last_ratio = |rule: &str| {
        let mut harness = Harness::new(Some(&format!("rule = \"{rule}\"\nmemory = \"all\"\nalpha = 1.0")));
        for i in 0..12 {
            harness.step("22", &harness.batch(8, i), 0.01);
            harness.end_arch();
        }
        let record = &harness.strategy.as_ref().unwrap().records[&(0, 0)];
        record.projector.as_ref().unwrap().trace_ratio
    };
    assert!(last_ratio("accumulated") < 0.05);
    assert!(last_ratio("normalised") > 0.3);
}
