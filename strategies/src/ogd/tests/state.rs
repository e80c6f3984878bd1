//! Going on from saved state equals not having stopped.

use super::harness::Harness;
use dfdx::tensor::Cpu;
use nas_core::state::State;
use nas_core::strategy::SharingStrategy;

const ARCHS: [&str; 8] = ["21", "21", "12", "22", "22", "01", "21", "22"];

fn train(options: &str, stop: Option<usize>) -> Harness {
    let mut harness = Harness::new(Some(options));
    for (i, arch) in ARCHS.iter().enumerate() {
        if stop == Some(i) {
            let state = SharingStrategy::<Cpu>::save(harness.strategy.as_ref().unwrap()).unwrap();
            // Values come back from a checkpoint as text.
            let text = serde_json::to_string(&state.values).unwrap();
            let state = State { values: serde_json::from_str(&text).unwrap(), ..state };
            let mut new = harness.strategy(options);
            SharingStrategy::<Cpu>::load(&mut new, &state).unwrap();
            let again = SharingStrategy::<Cpu>::save(&new).unwrap();
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
fn saved_and_loaded_is_as_if_never_stopped() {
    for options in [
        "",
        "memory = \"all\"\nrefresh = 3",
        "memory = 0.7\nalpha-schedule = \"linear\"",
        "rule = \"accumulated\"\nown-inputs = \"during\"",
        "samples = \"all\"\nlocation-stride = 1\nalpha = 1e-200",
    ] {
        let whole = train(options, None);
        for stop in [0, 3, 5, 6] {
            let stopped = train(options, Some(stop));
            assert_eq!(stopped.weights(), whole.weights(), "{options}, stopped at {stop}");
            assert_eq!(stopped.telemetry(), whole.telemetry(), "{options}, stopped at {stop}");
        }
    }
}

#[test]
fn foreign_state_is_refused() {
    let harness = train("memory = \"all\"", None);
    let state = SharingStrategy::<Cpu>::save(harness.strategy.as_ref().unwrap()).unwrap();
    let refuse = |change: &dyn Fn(&mut State)| {
        let mut state = state.clone();
        change(&mut state);
        let mut new = harness.strategy("");
        SharingStrategy::<Cpu>::load(&mut new, &state).unwrap_err().to_string()
    };
    let fit = "saved state does not fit: expected ";
    let error = refuse(&|state| drop(state.values.remove("next_step")));
    assert_eq!(error, format!("{fit}whole number next_step, found none"));
    let error = refuse(&|state| drop(state.tensors.remove("0/stem/memory")));
    assert!(error.starts_with(&format!("{fit}tensor 0/stem/memory of shape [1, 45, 4], found none")), "{error}");
    let error = refuse(&|state| drop(state.values.insert("0/stem".into(), 3.into())));
    assert!(error.starts_with(&format!("{fit}state of ogd for 0/stem, found invalid type")), "{error}");
    let error = refuse(&|state| drop(state.values.insert("tally".into(), "none".into())));
    assert!(error.starts_with(&format!("{fit}state of ogd for tally, found")), "{error}");
    let refused = SharingStrategy::<Cpu>::load(&mut harness.strategy(""), &State::default());
    assert!(refused.is_err());
}
