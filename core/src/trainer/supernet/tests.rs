//! Evaluation of many architectures at once, compared with one at a time.

use crate::arch::Arch;
use crate::config::RunConfig;
use crate::event::{Event, Purpose};
use crate::trainer::test_support::dataset;
use crate::trainer::test_support::{TestDevice, test_device};
use crate::trainer::{RunError, Session};
use std::sync::atomic::{AtomicBool, Ordering};

fn session(space: &str, bn: &str, truth: &str) -> Session<TestDevice> {
    session_of("", space, bn, truth)
}

/// A session whose strategy has a behaviour of `test_support`.
fn session_of(behaviour: &str, space: &str, bn: &str, truth: &str) -> Session<TestDevice> {
    let text = format!(
        "[strategy]\nname = \"test\"\nbehaviour = \"{behaviour}\"\n[space]\nname = \"{space}\"\nwidth = 1\n\
         [data]\nlimit_train = 16\nlimit_valid = 12\n\
         [train]\nepochs = 1\nbatch_size = 4\nsteps_per_arch = 2\n\
         [eval]\nbn = \"{bn}\"\nimages = 10\nbatch_size = 4\nrecalibrate_images = 4\n\
         [probes]\ncount = 3\n[search]\nproposals = 2\n[truth]\nsamples = \"{truth}\"\n"
    );
    let config = RunConfig::from_table(&text.parse().unwrap()).unwrap();
    Session::new(&config, dataset(&config), &test_device()).unwrap()
}

fn archs(session: &Session<TestDevice>, n: u64) -> Vec<Arch> {
    let space = session.space();
    (0..n).map(|i| space.nth(i * 7919 % space.count())).collect()
}

#[test]
fn accuracies_have_the_bits_of_one_at_a_time_and_come_in_order() {
    for space in ["tiny", "macro", "nasbench201"] {
        for bn in ["batch", "recalibrate", "running"] {
            let session = session(space, bn, "0");
            let archs = archs(&session, 9);
            let mut reported = Vec::new();
            let mut each = |number, accuracy: f64| {
                reported.push((number, accuracy.to_bits()));
                Ok(())
            };
            let never = AtomicBool::new(false);
            let found = session.supernet().evaluate_all(&archs, &never, &mut each).unwrap().unwrap();
            let bits: Vec<u64> = found.iter().map(|accuracy| accuracy.to_bits()).collect();
            let expected: Vec<u64> = archs.iter().map(|arch| session.evaluate(arch).unwrap().to_bits()).collect();
            assert_eq!(bits, expected, "{space}, {bn}");
            assert_eq!(reported, bits.into_iter().enumerate().collect::<Vec<_>>());
        }
    }
}

#[test]
fn it_stops_when_cancelled_and_returns_errors() {
    for bn in ["batch", "recalibrate"] {
        let session = session("tiny", bn, "0");
        let (supernet, archs) = (session.supernet(), archs(&session, 9));
        let none = supernet.evaluate_all(&archs, &AtomicBool::new(true), &mut |_, _| Ok(())).unwrap();
        assert_eq!(none, None);
        let never = AtomicBool::new(false);
        let mut fail = |_, _| Err(RunError::Record(std::io::Error::other("full")));
        assert!(supernet.evaluate_all(&archs, &never, &mut fail).is_err());
        let foreign = [Arch::new([9, 9])];
        assert!(supernet.evaluate_all(&foreign, &never, &mut |_, _| Ok(())).is_err());
        assert_eq!(supernet.evaluate_all(&[], &never, &mut |_, _| Ok(())).unwrap(), Some(vec![]));
    }
}

#[test]
fn shared_layers_do_not_count_the_layers_of_every_architecture() {
    let session = session("tiny", "batch", "0");
    let shared = |a: [usize; 2], others: &[[usize; 2]]| {
        let others: Vec<Arch> = others.iter().map(|other| Arch::new(*other)).collect();
        session.supernet().shared_layers(&Arch::new(a), &others).unwrap()
    };
    assert_eq!(shared([1, 2], &[[1, 2]]), 2);
    assert_eq!(shared([1, 2], &[[1, 1]]), 1);
    assert_eq!(shared([0, 0], &[[0, 0]]), 0);
    assert_eq!(shared([1, 2], &[[1, 1], [0, 2]]), 2);
}

/// A frozen architecture has the layers of its own program, with the weight sets that the strategy binds to them.
#[test]
fn a_frozen_architecture_has_its_own_layers_and_weights() {
    let session = session_of("private_weights", "tiny", "recalibrate", "0");
    let mut model = session.supernet().training().model().save().unwrap();
    model.tensors.get_mut("set5/stem.weight").unwrap().values.fill(5.0);
    let session = session.with_weights(&model).unwrap();
    let frozen = session.freeze(&Arch::new([1, 2])).unwrap();
    let names: Vec<&str> = frozen.tensors.keys().map(String::as_str).collect();
    let of_norm =
        |layer: &str| ["norm.running_mean", "norm.running_var", "weight"].map(|name| format!("{layer}.{name}"));
    let expected: Vec<String> =
        ["layer0.conv1x1", "layer1.conv3x3", "stem"].iter().flat_map(|layer| of_norm(layer)).collect();
    assert_eq!(names[..2], ["classifier.bias", "classifier.weight"]);
    assert_eq!(names[2..], expected);
    assert!(frozen.tensors["stem.weight"].values.iter().all(|value| *value == 5.0));
    let other = session.freeze(&Arch::new([1, 1])).unwrap();
    assert!(other.tensors["stem.weight"].values.iter().all(|value| *value != 5.0));
    assert!(session.freeze(&Arch::new([9, 9])).is_err());
}

/// Without training there are no running statistics, and evaluation by batches has no statistics at all.
#[test]
fn an_architecture_without_statistics_is_not_frozen() {
    for bn in ["running", "batch"] {
        let error = session("tiny", bn, "0").freeze(&Arch::new([1, 2])).unwrap_err().to_string();
        assert!(error.contains("expected tensor") && error.contains("norm.running_mean, found none"), "{error}");
    }
}

/// Truth events of one run as (number, total, text), and whether the result has the comparison.
fn truth_events(cancel_after: usize) -> (Vec<(usize, usize, String)>, bool) {
    let cancel = AtomicBool::new(false);
    let mut events = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Evaluated(e) = event
            && e.purpose == Purpose::Truth
        {
            events.push((e.number, e.total, e.text.to_string()));
        }
        cancel.store(matches!(event, Event::Evaluated(_)) && events.len() >= cancel_after, Ordering::Relaxed);
        Ok(())
    };
    let result = session("macro", "batch", "300").run(&mut observer, &cancel).unwrap();
    (events, result.truth.is_some())
}

/// 300 architectures are more than one chunk of 256.
#[test]
fn the_comparison_with_the_truth_reports_in_order_until_cancelled() {
    let (events, compared) = truth_events(usize::MAX);
    assert!(compared);
    assert!(events.iter().enumerate().all(|(i, (number, total, _))| *number == i && *total == 300));
    assert!(events.is_sorted_by_key(|(_, _, text)| text.clone()));

    let (cut, compared) = truth_events(200);
    assert!(!compared);
    assert_eq!(cut, events[..256], "the whole chunk in which the interrupt came");
}
