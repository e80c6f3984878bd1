//! Saved state of plugins: `save`, `load`, and state that does not fit. The conformance test compares the training
//! after it.

use super::helper::{compile, example, here};
use dfdx::tensor::Cpu;
use nas_core::network::NetworkSpec;
use nas_core::registry::{StrategyDescriptor, find};
use nas_core::space::{Scale, Tiny};
use nas_core::state::State;
use nas_core::strategy::{SharingStrategy, StrategyContext};
use nas_plugin_host::load;
use std::sync::Arc;

fn instance(name: &str) -> Box<dyn SharingStrategy<Cpu>> {
    let space = Arc::new(Tiny::new(Scale { image: [8, 8, 1], classes: 3, width: 4, cells: 1 }));
    let spec = Arc::new(NetworkSpec::supernet(&*space).unwrap());
    let context = StrategyContext { space, spec, device: Cpu::default(), total_steps: 1, steps_per_arch: 1 };
    (find::<StrategyDescriptor>(name).unwrap().cpu)(&toml::Table::new(), context).unwrap()
}

#[test]
#[cfg(unix)]
fn a_c_plugin_loads_its_state_and_rejects_other_state() {
    let (_dir, library) = compile(&here("../examples/c-fade/fade.c"), &here("../include"), &["-std=c99", "-pedantic"]);
    load(&library).unwrap();
    let state = instance("fade").save().unwrap();
    // Seven parameters with a count of 8 bytes each, in base64.
    assert_eq!(state.values["plugin"].as_str().unwrap().len(), 76);
    instance("fade").load(&state).unwrap();
    let load = |text: &str| {
        let mut state = State::default();
        state.values.insert("plugin".into(), text.into());
        instance("fade").load(&state).unwrap_err().to_string()
    };
    assert_eq!(load("AAAA"), "plugin strategy `fade` 0.1.0: the saved counts belong to another network");
    assert!(load("?").starts_with("saved state does not fit: expected the state of fade 0.1.0, found Invalid"));
    let error = instance("fade").load(&State::default()).unwrap_err().to_string();
    assert_eq!(error, "saved state does not fit: expected the state of fade 0.1.0, found none");
}

#[test]
fn metrics_continue_with_their_last_values() {
    load(&example("nas_example_clip")).unwrap();
    let mut state = instance("clip-shared").save().unwrap();
    state.values.insert("metrics".into(), serde_json::json!({"a": 0.1_f64.to_bits(), "b": f64::NAN.to_bits()}));
    let mut resumed = instance("clip-shared");
    resumed.load(&state).unwrap();
    let metrics = resumed.metrics();
    assert_eq!((metrics[0].clone(), metrics[1].0.as_str()), (("a".to_owned(), 0.1), "b"));
    assert!(metrics[1].1.is_nan());
    assert_eq!(resumed.save().unwrap(), state);
    state.values.insert("metrics".into(), serde_json::json!({"a": "x"}));
    assert!(resumed.load(&state).unwrap_err().to_string().contains("found a metric that is not a number"));
}

#[test]
fn a_rust_plugin_rejects_truncated_state() {
    load(&example("nas_example_ogd")).unwrap();
    let mut state = instance("plugin-ogd").save().unwrap();
    instance("plugin-ogd").load(&state).unwrap();
    state.values.insert("plugin".into(), "AQAAAAAAAAA=".into());
    let error = instance("plugin-ogd").load(&state).unwrap_err().to_string();
    assert_eq!(error, "plugin strategy `plugin-ogd` 0.1.0: the saved state is too short");
}
