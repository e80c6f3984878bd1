//! Strategies that load well and then go wrong: the run ends with a sentence.

use super::helper::run;
use nas_plugin_abi::ffi::{NasHost, NasStrategy};
use nas_plugin_abi::{Context, Error, Host, Needs, Planner, Result, Step, Strategy, Tables, table};
use nas_plugin_host::adopt;
use std::sync::Once;

/// Does what its option `mode` says.
struct Naughty {
    mode: String,
    host: Host,
}

impl Strategy for Naughty {
    const NAME: &'static str = "naughty";
    const SUMMARY: &'static str = "for tests";
    const OPTIONS: &'static str = "mode = \"good\"\n";
    const NEEDS: Needs = Needs::WRITES_GRADIENT.and(Needs::WRITES_UPDATE).and(Needs::INPUT);

    fn create(context: &Context<'_>) -> Result<Self> {
        let mode = context.text("mode")?;
        match mode.as_str() {
            "no-option" => return context.number("missing").map(|_| unreachable!()),
            "invalid" => return Err(Error::invalid("strategy.mode: expected better manners")),
            "panic-in-create" => panic!("no"),
            _ => {}
        }
        Ok(Self { mode, host: context.host() })
    }

    fn weight_sets(&self) -> u32 {
        match self.mode.as_str() {
            "no-sets" => 0,
            "many-sets" => 1_000_000,
            "bind" => 2,
            _ => 1,
        }
    }

    fn bind(&self, _: usize, _: &[u32]) -> u32 {
        if self.mode == "bind" { 2 } else { 0 }
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
            "stubborn" => {
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
            _ => {}
        }
        Ok(())
    }

    fn before_apply(&mut self, step: &mut Step<'_>) -> Result {
        match self.mode.as_str() {
            "infinite" => step.params[0].update[0] = f32::INFINITY,
            "error" if step.number == 2 => return Err("the moon is full".into()),
            _ => {}
        }
        Ok(())
    }
}

static TABLE: NasStrategy = table::<Naughty>("0.3.1");
static TABLES: Tables<1> = Tables([&raw const TABLE]);

unsafe extern "C" fn entry(_: *const NasHost, count: *mut usize) -> *const *const NasStrategy {
    // SAFETY: the host's place.
    unsafe { *count = 1 };
    TABLES.0.as_ptr()
}

fn failure(mode: &str) -> String {
    static LOAD: Once = Once::new();
    LOAD.call_once(|| {
        // SAFETY: all functions are those of the safe layer.
        unsafe { adopt("naughty.so", Some(entry)) }.unwrap();
    });
    let error = run(&format!("name = \"naughty\"\nmode = \"{mode}\""), "").map(|_| ()).unwrap_err().to_string();
    let error = error.strip_prefix("strategy naughty: ").unwrap_or(&error);
    error.strip_prefix("plugin strategy `naughty` 0.3.1: ").unwrap_or(error).to_string()
}

#[test]
fn plans_that_cannot_be_trained_are_told() {
    for (mode, words) in [
        ("no-plan", "planned no architecture: plan must call plan_add"),
        ("thousands", "plan failed (code 3): planned more than 1024 architectures for one step"),
        (
            "no-such-arch",
            "plan failed (code 3): architecture `[0, 3]` is not in space tiny: layer 1 has choices 0 to 2, found 3; an \
             example is `22`",
        ),
        ("short-arch", "plan failed (code 3): planned an architecture of 1 choices, expected 2"),
        ("no-weight", "plan failed (code 3): planned a loss weight of NaN, expected a finite number"),
        (
            "stubborn",
            "plan went on although refused: architecture `[9, 9]` is not in space tiny: layer 0 has choices 0 to 2, \
             found 9; an example is `22`",
        ),
    ] {
        assert_eq!(failure(mode), words);
    }
}

#[test]
fn numbers_that_are_none_are_told_with_their_place() {
    assert_eq!(
        failure("nan").replace("conv1x1", "conv").replace("conv3x3", "conv").replace("layer1", "layer0"),
        "after_backward wrote NaN into the gradient of layer0.conv.weight, element 2"
    );
    assert_eq!(failure("infinite"), "before_apply wrote inf into the update of stem.weight, element 0");
}

#[test]
fn panics_and_errors_are_told_with_the_hook() {
    for (mode, words) in [
        ("panic", "after_backward failed (code 4): panicked: bug at step 6"),
        ("panic-in-create", "create failed (code 4): panicked: no"),
        ("error", "before_apply failed (code 3): the moon is full"),
    ] {
        assert_eq!(failure(mode), words);
    }
    assert!(failure("panic-in-capture").starts_with("capture failed (code 4): panicked: layer "));
}

#[test]
fn what_the_host_refuses_is_told_in_its_words() {
    for (mode, words) in [
        ("no-sets", "0 weight sets, expected 1 to 64"),
        ("many-sets", "1000000 weight sets, expected 1 to 64"),
        ("bind", "bind chose weight set 2 of 2"),
        ("metric", "after_backward failed (code 3): metric `a b`: expected a name of 1 to 64 of a-z 0-9 . _ -"),
        ("no-option", "create failed (code 3): option `missing` was asked for, but `options` does not declare it"),
        ("invalid", "strategy.mode: expected better manners"),
    ] {
        assert_eq!(failure(mode), words);
    }
}

#[test]
fn options_are_checked_before_the_plugin_sees_them() {
    failure("invalid");
    let error = |options: &str| run(&format!("name = \"naughty\"\n{options}"), "").unwrap_err().to_string();
    assert_eq!(error("moed = \"a\""), "unknown option `strategy.moed`, did you mean `mode`?; known: mode");
    assert_eq!(error("mode = 3"), "section `strategy`: mode = 3: expected a text");
}
