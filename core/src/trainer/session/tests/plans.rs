//! Plans of strategies, and controllers that fail to draw.

use crate::arch::Arch;
use crate::config::RunConfig;
use crate::controller::{Controller, ControllerDescriptor, ControllerError};
use crate::trainer::RunError;
use crate::trainer::test_support::run;
use rand_chacha::ChaCha8Rng;

#[test]
fn impossible_plans_name_the_strategy_and_the_problem() {
    let problems = [
        ("empty_plan", "0 architectures for one step"),
        ("huge_plan", "5000 architectures for one step"),
        ("foreign_arch", "choices 0 to 2, found 7"),
        ("infinite_weight", "a loss weight of inf"),
        ("refuse", "no more"),
    ];
    for (behaviour, problem) in problems {
        let error = run(behaviour, |_| {}).unwrap_err().to_string();
        assert!(error.contains("strategy test") && error.contains(problem), "{behaviour}: {error}");
    }
}

/// A controller that learns and then cannot draw.
struct Broken;

impl Controller for Broken {
    fn sample(&mut self, _: &mut ChaCha8Rng) -> Result<Arch, ControllerError> {
        Err(ControllerError::Diverged("NaN in its weights".into()))
    }

    fn propose(&mut self, _: usize, _: &mut ChaCha8Rng) -> Result<Vec<Arch>, ControllerError> {
        Ok(Vec::new())
    }
}

inventory::submit! {
    ControllerDescriptor {
        name: "broken",
        summary: "cannot draw",
        reference: "tests",
        options: String::new,
        build: |_, _| Ok(Box::new(Broken)),
    }
}

/// Also where the strategy ignores the error of the draw and plans without it.
#[test]
fn a_draw_that_fails_is_an_error_of_the_controller() {
    for behaviour in ["", "hide_draw_error"] {
        let with_broken = |c: &mut RunConfig| {
            c.controller.name = "broken".into();
            c.search.start = 0;
        };
        let error = run(behaviour, with_broken).unwrap_err();
        let RunError::Controller { controller, source } = &error else { panic!("{error}") };
        assert_eq!(controller, "broken");
        assert!(matches!(**source, ControllerError::Diverged(_)), "{error}");
        assert!(error.to_string().starts_with("controller broken: "), "{error}");
    }
}
