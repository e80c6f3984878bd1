//! A strategy that loads saved state continues with the same bits.

use super::harness::Harness;
use crate::test_device::TestDevice;
use nas_core::state::State;
use nas_core::strategy::SharingStrategy;

const ARCHS: [&str; 8] = ["21", "21", "12", "22", "22", "01", "21", "22"];

fn train(options: &str, stop: Option<usize>) -> Harness {
    let mut harness = Harness::new(Some(options));
    for (i, arch) in ARCHS.iter().enumerate() {
        if stop == Some(i) {
            let state = SharingStrategy::<TestDevice>::save(harness.strategy.as_ref().unwrap()).unwrap();
            // A checkpoint stores the values as JSON text.
            let text = serde_json::to_string(&state.values).unwrap();
            let state = State { values: serde_json::from_str(&text).unwrap(), ..state };
            let mut new = harness.strategy(options);
            SharingStrategy::<TestDevice>::load(&mut new, &state).unwrap();
            let again = SharingStrategy::<TestDevice>::save(&new).unwrap();
            assert_eq!(again, state);
            harness.strategy = Some(new);
        }
        harness.step(arch, &harness.batch(8, i as u64), 0.05);
        if i % 2 == 1 {
            harness.end_arch();
        }
    }
    harness
}

#[test]
fn loading_saved_state_does_not_change_the_training() {
    for options in [
        "",
        "memory = \"all\"\nrefresh = 3",
        "memory = 0.7\nalpha_schedule = \"linear\"",
        "rule = \"accumulated\"\nown_inputs = \"during\"",
        "samples = \"all\"\nlocation_stride = 1\nalpha = 1e-200",
    ] {
        let uninterrupted = train(options, None);
        for stop in [0, 3, 5, 6] {
            let resumed = train(options, Some(stop));
            assert_eq!(resumed.weights(), uninterrupted.weights(), "{options}, stopped at {stop}");
            assert_eq!(resumed.metrics(), uninterrupted.metrics(), "{options}, stopped at {stop}");
        }
    }
}

#[test]
fn state_that_does_not_fit_is_an_error() {
    let harness = train("memory = \"all\"", None);
    let state = SharingStrategy::<TestDevice>::save(harness.strategy.as_ref().unwrap()).unwrap();
    let load_error = |change: &dyn Fn(&mut State)| {
        let mut state = state.clone();
        change(&mut state);
        let mut new = harness.strategy("");
        SharingStrategy::<TestDevice>::load(&mut new, &state).unwrap_err().to_string()
    };
    let fit = "saved state does not fit: expected ";
    let error = load_error(&|state| drop(state.values.remove("next_step")));
    assert_eq!(error, format!("{fit}whole number next_step, found none"));
    let error = load_error(&|state| drop(state.tensors.remove("0/stem/memory")));
    assert!(error.starts_with(&format!("{fit}tensor 0/stem/memory of shape [1, 45, 4], found none")), "{error}");
    let error = load_error(&|state| drop(state.values.insert("0/stem".into(), 3.into())));
    assert!(error.starts_with(&format!("{fit}value 0/stem, found invalid type")), "{error}");
    let error = load_error(&|state| drop(state.values.insert("statistics".into(), "none".into())));
    assert!(error.starts_with(&format!("{fit}value statistics, found")), "{error}");
    let refused = SharingStrategy::<TestDevice>::load(&mut harness.strategy(""), &State::default());
    assert!(refused.is_err());
}
