//! Strategies that load correctly and fail during a run: the run ends with a message.

use super::helper::run;
use nas_core::controller::ControllerError;
use nas_core::trainer::RunError;
use nas_plugin_abi::ffi::{NasHost, NasStrategy};
use nas_plugin_abi::{Context, Error, Host, Needs, Planner, Result, Step, Strategy, StrategyTables, strategy_table};
use nas_plugin_host::register_linked;
use std::sync::Once;

/// A strategy whose option `mode` selects a fault.
struct Faulty {
    mode: String,
    /// Whether the last of the three epochs has ended.
    trained: bool,
    host: Host,
}

impl Strategy for Faulty {
    const NAME: &'static str = "faulty";
    const SUMMARY: &'static str = "for tests";
    const OPTIONS: &'static str = "mode = \"none\"\n";
    const NEEDS: Needs = Needs::WRITES_GRADIENT.and(Needs::WRITES_UPDATE).and(Needs::INPUT);

    fn create(context: &Context<'_>) -> Result<Self> {
        let mode = context.text("mode")?;
        match mode.as_str() {
            "no-option" => return context.number("missing").map(|_| unreachable!()),
            "invalid" => return Err(Error::invalid("strategy.mode: expected none, found invalid")),
            "panic-in-create" => panic!("no"),
            _ => {}
        }
        Ok(Self { mode, trained: false, host: context.host() })
    }

    fn weight_sets(&self) -> u32 {
        match self.mode.as_str() {
            "no-sets" => 0,
            "many-sets" => 1_000_000,
            "bind" | "bind-when-trained" => 2,
            _ => 1,
        }
    }

    fn bind(&self, _: usize, _: &[u32]) -> u32 {
        let wrong = self.mode == "bind" || self.mode == "bind-when-trained" && self.trained;
        if wrong { 2 } else { 0 }
    }

    fn end_epoch(&mut self, epoch: u64) -> Result {
        self.trained = epoch == 2;
        Ok(())
    }

    fn capture(&self, layer: usize) -> bool {
        assert!(self.mode != "panic-in-capture", "layer {layer}");
        false
    }

    fn plan(&mut self, planner: &mut Planner<'_>) -> Result {
        let arch = planner.draw()?;
        match self.mode.as_str() {
            "no-plan" => Ok(()),
            "thousands" => (0..5000).try_for_each(|_| planner.add(&arch, 1.0)),
            "ignored-error" => {
                let _ = planner.add(&[9, 9], 1.0);
                planner.add(&arch, 1.0)
            }
            "no-such-arch" => planner.add(&[0, 3], 1.0),
            "short-arch" => planner.add(&[0], 1.0),
            "no-weight" => planner.add(&arch, f64::NAN),
            _ => planner.add(&arch, 1.0),
        }
    }

    fn after_backward(&mut self, step: &mut Step<'_>) -> Result {
        match self.mode.as_str() {
            "nan" => step.params[1].gradient[2] = f32::NAN,
            "panic" if step.number == 6 => panic!("bug at step {}", step.number),
            "metric" => self.host.metric("a b", 1.0)?,
            "ignored-metric" => drop(self.host.metric("a b", 1.0)),
            _ => {}
        }
        Ok(())
    }

    fn before_apply(&mut self, step: &mut Step<'_>) -> Result {
        match self.mode.as_str() {
            "infinite" => step.params[0].update[0] = f32::INFINITY,
            "error" | "ignored-metric" if step.number == 2 => return Err("no memory left".into()),
            _ => {}
        }
        Ok(())
    }
}

static TABLE: NasStrategy = strategy_table::<Faulty>("0.3.1");
static TABLES: StrategyTables<1> = StrategyTables([&raw const TABLE]);

unsafe extern "C" fn entry(_: *const NasHost, count: *mut usize) -> *const *const NasStrategy {
    // SAFETY: the host passes a pointer that is valid for writing.
    unsafe { *count = 1 };
    TABLES.0.as_ptr()
}

/// Registers the strategy once for all tests.
fn load() {
    static LOAD: Once = Once::new();
    LOAD.call_once(|| {
        // SAFETY: the safe layer implements all functions of the table.
        unsafe { register_linked("faulty.so", Some(entry)) }.unwrap();
    });
}

/// The error message of a run with this fault, without the origin.
fn run_error(mode: &str) -> String {
    load();
    let error = run(&format!("name = \"faulty\"\nmode = \"{mode}\""), "").map(|_| ()).unwrap_err().to_string();
    let error = error.strip_prefix("strategy faulty: ").unwrap_or(&error);
    error.strip_prefix("plugin strategy `faulty` 0.3.1: ").unwrap_or(error).to_string()
}

#[test]
fn invalid_plans_are_errors() {
    for (mode, words) in [
        ("no-plan", "plan added no architecture: call plan_add at least once"),
        ("thousands", "plan failed (code 3): planned more than 1024 architectures for one step"),
        (
            "no-such-arch",
            "plan failed (code 3): architecture `[0, 3]` is not in space tiny: layer 1 has choices 0 to 2, found 3; an \
             example is `22`",
        ),
        ("short-arch", "plan failed (code 3): planned an architecture of 1 choices, expected 2"),
        ("no-weight", "plan failed (code 3): planned a loss weight of NaN, expected a finite number"),
        (
            "ignored-error",
            "plan returned success although a host function failed: architecture `[9, 9]` is not in space tiny: layer 0 \
             has choices 0 to 2, found 9; an example is `22`",
        ),
    ] {
        assert_eq!(run_error(mode), words);
    }
}

#[test]
fn non_finite_values_are_errors_that_name_the_element() {
    assert_eq!(
        run_error("nan").replace("conv1x1", "conv").replace("conv3x3", "conv").replace("layer1", "layer0"),
        "after_backward wrote NaN into the gradient of layer0.conv.weight, element 2"
    );
    assert_eq!(run_error("infinite"), "before_apply wrote inf into the update of stem.weight, element 0");
}

#[test]
fn panics_and_errors_name_the_hook() {
    for (mode, words) in [
        ("panic", "after_backward failed (code 4): panicked: bug at step 6"),
        ("panic-in-create", "create failed (code 4): panicked: no"),
        ("error", "before_apply failed (code 3): no memory left"),
        ("ignored-metric", "before_apply failed (code 3): no memory left"),
    ] {
        assert_eq!(run_error(mode), words);
    }
    assert!(run_error("panic-in-capture").starts_with("capture failed (code 4): panicked: layer "));
}

#[test]
fn results_that_the_host_rejects_are_errors() {
    for (mode, words) in [
        ("no-sets", "weight_sets returned 0, expected 1 to 64"),
        ("many-sets", "weight_sets returned 1000000, expected 1 to 64"),
        ("bind", "bind returned weight set 2, expected below 2"),
        // No other hook follows the evaluations after the training.
        ("bind-when-trained", "bind returned weight set 2, expected below 2"),
        ("metric", "after_backward failed (code 3): metric `a b`: expected a name of 1 to 64 of a-z 0-9 . _ -"),
        ("no-option", "create failed (code 3): option `missing` was read, but `options` does not declare it"),
        ("invalid", "strategy.mode: expected none, found invalid"),
    ] {
        assert_eq!(run_error(mode), words);
    }
}

#[test]
fn options_are_checked_before_create() {
    run_error("invalid");
    let error = |options: &str| run(&format!("name = \"faulty\"\n{options}"), "").unwrap_err().to_string();
    assert_eq!(error("moed = \"a\""), "unknown option `strategy.moed`, did you mean `mode`?; known: mode");
    assert_eq!(error("mode = 3"), "section `strategy`: mode = 3: expected a text");
}

/// The plugin receives an error code from `draw` and fails in turn. The error of the run is that of the controller.
#[test]
fn a_controller_that_diverges_is_the_error_of_the_run() {
    load();
    let options = "mode = \"none\"\n[controller]\nname = \"reinforce\"\nsamples = 1\nlr = 1e300";
    let error = run(&format!("name = \"faulty\"\n{options}"), "").map(|_| ()).unwrap_err();
    let RunError::Controller { controller, source } = &error else { panic!("{error}") };
    assert_eq!(controller, "reinforce");
    assert!(matches!(**source, ControllerError::Diverged(_)), "{error}");
}
