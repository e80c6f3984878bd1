//! Tests of the safe layer, through the C function table that a host uses. All of them run under Miri.
#![expect(
    clippy::unwrap_used,
    clippy::undocumented_unsafe_blocks,
    reason = "this file is both host and plugin, and every pointer leads to a local variable or is meant to be null"
)]

use nas_plugin_abi::ffi::*;
use nas_plugin_abi::{Context, Error, Host, Needs, Planner, Result, Step, Strategy, export_strategies};
use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::rc::Rc;

thread_local! {
    /// The host of the last instance of [`Scale`], which outlives the instance.
    static KEPT: RefCell<Option<Host>> = const { RefCell::new(None) };
}

/// Scales gradients. Some values of gradients and options make it fail.
struct Scale {
    factor: f32,
    steps: u64,
    host: Host,
}

impl Strategy for Scale {
    const NAME: &'static str = "scale";
    const SUMMARY: &'static str = "multiply every gradient by a factor";
    const OPTIONS: &'static str = "factor = 0.5\n";
    const NEEDS: Needs = Needs::WEIGHT.and(Needs::WRITES_GRADIENT);

    fn create(context: &Context<'_>) -> Result<Self> {
        KEPT.set(Some(context.host()));
        let factor = context.number("factor")? as f32;
        assert_eq!(context.model.decisions[0].choices, ["skip", "conv"]);
        if factor <= 0.0 {
            return Err(Error::invalid(format!("factor: expected a number above 0, found {factor}")));
        }
        Ok(Self { factor, steps: 0, host: context.host() })
    }

    fn plan(&mut self, planner: &mut Planner<'_>) -> Result {
        let mut order = [0, 1];
        planner.shuffle(&mut order)?;
        for choice in order {
            planner.add(&[choice], 0.5)?;
        }
        planner.add(&[7], 1.0)
    }

    fn after_backward(&mut self, step: &mut Step<'_>) -> Result {
        self.steps += 1;
        for param in &mut step.params {
            assert!(param.gradient[0] < 100.0, "a gradient of {}", param.gradient[0]);
            param.gradient.iter_mut().for_each(|g| *g *= self.factor);
        }
        self.host.metric("steps", self.steps as f64)?;
        self.host.log("scaled");
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(self.steps.to_le_bytes().to_vec())
    }

    fn load(&mut self, state: &[u8]) -> Result {
        let bytes = state.try_into().map_err(|_| Error::invalid(format!("{} bytes, expected 8", state.len())))?;
        self.steps = u64::from_le_bytes(bytes);
        Ok(())
    }
}

/// Only the required items.
struct Empty;

impl Strategy for Empty {
    const NAME: &'static str = "empty";
    const SUMMARY: &'static str = "no hooks";

    fn create(_: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

export_strategies!(Scale, Empty);

/// Calls that the fake host has received, and the value of its option.
#[derive(Default)]
struct HostState {
    factor: f64,
    error: String,
    log: Vec<String>,
    metrics: Vec<(String, f64)>,
    plan: Vec<Vec<u32>>,
    saved: Vec<u8>,
}

unsafe fn host_state<'a>(ctx: *mut c_void) -> &'a RefCell<HostState> {
    unsafe { &*ctx.cast() }
}

unsafe extern "C" fn set_error(ctx: *mut c_void, message: NasStr) {
    unsafe { host_state(ctx).borrow_mut().error = message.read().unwrap().into() }
}

unsafe extern "C" fn log(ctx: *mut c_void, message: NasStr) {
    unsafe { host_state(ctx).borrow_mut().log.push(message.read().unwrap().into()) }
}

unsafe extern "C" fn metric(ctx: *mut c_void, name: NasStr, value: f64) -> i32 {
    unsafe { host_state(ctx).borrow_mut().metrics.push((name.read().unwrap().into(), value)) }
    NAS_OK
}

unsafe extern "C" fn option(ctx: *mut c_void, name: NasStr, value: *mut NasValue) -> i32 {
    unsafe {
        if name.read() != Ok("factor") {
            return NAS_INVALID;
        }
        let number = host_state(ctx).borrow().factor;
        *value = NasValue { kind: NAS_VALUE_NUMBER, integer: 0, number, text: NasStr::new("") };
    }
    NAS_OK
}

unsafe extern "C" fn random(_: *mut c_void, bits: *mut u64) -> i32 {
    unsafe { *bits = 5 }
    NAS_OK
}

unsafe extern "C" fn draw(_: *mut c_void, arch: *mut u32, len: usize) -> i32 {
    unsafe { std::slice::from_raw_parts_mut(arch, len) }.fill(1);
    NAS_OK
}

unsafe extern "C" fn plan_add(ctx: *mut c_void, arch: *const u32, len: usize, _: f64) -> i32 {
    let arch = unsafe { std::slice::from_raw_parts(arch, len) };
    if arch[0] > 1 {
        return NAS_INVALID;
    }
    unsafe { host_state(ctx).borrow_mut().plan.push(arch.to_vec()) }
    NAS_OK
}

unsafe extern "C" fn write(sink: *mut c_void, data: *const c_void, len: usize) -> i32 {
    unsafe { host_state(sink).borrow_mut().saved.extend(std::slice::from_raw_parts(data.cast::<u8>(), len)) }
    NAS_OK
}

/// A fake host and the function tables of this file.
struct FakeHost {
    state: Rc<RefCell<HostState>>,
    host: NasHost,
    tables: Vec<NasStrategy>,
}

impl FakeHost {
    fn new(factor: f64) -> Self {
        let state = Rc::new(RefCell::new(HostState { factor, ..HostState::default() }));
        let host = NasHost {
            struct_size: size_of::<NasHost>(),
            abi_major: 1,
            abi_minor: 0,
            features: 0,
            ctx: Rc::as_ptr(&state).cast_mut().cast(),
            set_error: Some(set_error),
            log: Some(log),
            metric: Some(metric),
            option: Some(option),
            random: Some(random),
            draw: Some(draw),
            plan_add: Some(plan_add),
        };
        let mut count = 0;
        let tables = unsafe { std::slice::from_raw_parts(nas_plugin_v1(&host, &mut count), count) };
        Self { state, host, tables: tables.iter().map(|table| unsafe { **table }).collect() }
    }

    fn create(&self, table: usize) -> std::result::Result<*mut c_void, (i32, String)> {
        let choices = [NasStr::new("skip"), NasStr::new("conv")];
        let decision = NasDecision {
            struct_size: size_of::<NasDecision>(),
            name: NasStr::new("layer"),
            choices: choices.as_ptr(),
            choices_len: 2,
        };
        let decisions = [&raw const decision];
        let model = NasModel {
            struct_size: size_of::<NasModel>(),
            space: NasStr::new("fake"),
            decisions: decisions.as_ptr(),
            decisions_len: 1,
            layers: null(),
            layers_len: 0,
            params: null(),
            params_len: 0,
            total_steps: 1,
            steps_per_arch: 1,
        };
        let mut instance = null_mut();
        match unsafe { self.tables[table].create.unwrap()(&self.host, &model, &mut instance) } {
            NAS_OK => Ok(instance),
            code => Err((code, self.error())),
        }
    }

    fn error(&self) -> String {
        std::mem::take(&mut self.state.borrow_mut().error)
    }

    /// Calls `after_backward` with one parameter that has this gradient, after `change`.
    fn after_backward(&self, instance: *mut c_void, gradient: &mut [f32], change: impl Fn(&mut NasParamStep)) -> i32 {
        let shape = [1, 1, 1, gradient.len() as i64];
        let absent = NasTensor {
            data: null_mut(),
            device_type: NAS_DEVICE_CPU,
            device_id: 0,
            ndim: 4,
            dtype: NasDtype { code: NAS_DTYPE_FLOAT, bits: 32, lanes: 1 },
            shape: shape.as_ptr(),
            strides: null(),
            byte_offset: 0,
        };
        let gradient = NasTensor { data: gradient.as_mut_ptr().cast(), ..absent };
        let struct_size = size_of::<NasParamStep>();
        let mut param = NasParamStep { struct_size, param: 0, set: 0, weight: absent, gradient, update: absent };
        change(&mut param);
        let params = [&raw const param];
        let step = NasStep {
            struct_size: size_of::<NasStep>(),
            number: 0,
            epoch: 0,
            lr: 0.1,
            paths: null(),
            paths_len: 0,
            params: params.as_ptr(),
            params_len: 1,
            inputs: null(),
            inputs_len: 0,
        };
        unsafe { self.tables[0].after_backward.unwrap()(instance, &step) }
    }

    fn destroy(&self, table: usize, instance: *mut c_void) {
        unsafe { self.tables[table].destroy.unwrap()(instance) }
    }
}

#[test]
fn the_export_has_every_strategy_with_the_version_of_the_crate() {
    let fake = FakeHost::new(0.5);
    let name = |table: &NasStrategy| unsafe { (table.name.read().unwrap(), table.version.read().unwrap()) };
    assert_eq!(fake.tables.iter().map(name).collect::<Vec<_>>(), [("scale", "1.0.0"), ("empty", "1.0.0")]);
    assert!(unsafe { nas_plugin_v1(&fake.host, null_mut()) }.is_null());
    assert_eq!(fake.error(), "the host passed a null pointer for the number of strategies");
    assert!(unsafe { nas_plugin_v1(null(), null_mut()) }.is_null());
}

#[test]
fn a_hook_edits_gradients_and_writes_log_and_metrics() {
    let fake = FakeHost::new(0.5);
    let instance = fake.create(0).unwrap();
    let mut gradient = [2.0, -4.0];
    assert_eq!(fake.after_backward(instance, &mut gradient, |_| ()), NAS_OK);
    assert_eq!(gradient, [1.0, -2.0]);
    assert_eq!(fake.state.borrow().log, ["scaled"]);
    assert_eq!(fake.state.borrow().metrics, [("steps".into(), 1.0)]);
    fake.destroy(0, instance);
}

#[test]
fn a_host_that_outlives_its_instance_is_not_called() {
    for factor in [1.0, 0.0] {
        let host = FakeHost::new(factor);
        if let Ok(instance) = host.create(0) {
            host.destroy(0, instance);
        }
        let kept = KEPT.take().unwrap();
        drop(host);
        kept.log("late");
        let error = kept.metric("late", 1.0).unwrap_err();
        assert!(format!("{error:?}").contains("the instance of the strategy has ended"), "{error:?}");
    }
}

#[test]
fn options_out_of_range_are_invalid() {
    let fake = FakeHost::new(-1.0);
    assert_eq!(fake.create(0).unwrap_err(), (NAS_INVALID, "factor: expected a number above 0, found -1".into()));
}

#[test]
fn a_plan_stops_when_the_host_rejects_an_architecture() {
    let fake = FakeHost::new(0.5);
    let instance = fake.create(0).unwrap();
    assert_eq!(unsafe { fake.tables[0].plan.unwrap()(instance) }, NAS_FAILED);
    assert_eq!(fake.error(), "the host rejected architecture [7] with weight 1");
    assert_eq!(fake.state.borrow().plan, [[0], [1]]);
    fake.destroy(0, instance);
    let instance = fake.create(1).unwrap();
    assert_eq!(unsafe { fake.tables[1].plan.unwrap()(instance) }, NAS_OK);
    assert_eq!(fake.state.borrow().plan[2], [1]);
    fake.destroy(1, instance);
}

#[test]
fn a_panic_is_an_error_and_the_instance_accepts_no_further_calls() {
    let fake = FakeHost::new(0.5);
    let instance = fake.create(0).unwrap();
    assert_eq!(fake.after_backward(instance, &mut [666.0], |_| ()), NAS_PANIC);
    assert_eq!(fake.error(), "panicked: a gradient of 666");
    assert_eq!(fake.after_backward(instance, &mut [1.0], |_| ()), NAS_PANIC);
    assert_eq!(fake.error(), "the instance accepts no calls after a panic: panicked: a gradient of 666");
    fake.destroy(0, instance);
}

#[test]
fn invalid_arguments_of_the_host_are_errors() {
    let fake = FakeHost::new(0.5);
    assert_eq!(fake.after_backward(null_mut(), &mut [1.0], |_| ()), NAS_FAILED);
    let instance = fake.create(0).unwrap();
    let assert_error = |change: fn(&mut NasParamStep), words: &str| {
        assert_eq!(fake.after_backward(instance, &mut [1.0, 1.0], change), NAS_FAILED);
        let error = fake.error();
        assert!(error.contains(words), "{error}");
    };
    assert_error(|p| p.struct_size = 8, "the parameter of the host has 8 bytes, expected at least");
    assert_error(|p| p.gradient.byte_offset = 1, "gradient of parameter 0: expected an address divisible by 4");
    assert_error(|p| p.gradient.ndim = 2, "gradient of parameter 0: expected 4 dimensions, found 2");
    assert_eq!(unsafe { fake.tables[0].after_backward.unwrap()(instance, null()) }, NAS_FAILED);
    assert_eq!(fake.error(), "the host passed a null pointer for a step");
    assert_eq!(unsafe { fake.tables[0].weight_sets.unwrap()(instance, null_mut()) }, NAS_FAILED);
    fake.destroy(0, instance);
    assert_eq!(unsafe { fake.tables[0].create.unwrap()(&fake.host, null(), &mut null_mut()) }, NAS_FAILED);
    assert_eq!(unsafe { fake.tables[0].create.unwrap()(null(), null(), null_mut()) }, NAS_FAILED);
}

#[test]
fn a_new_instance_loads_saved_state() {
    let fake = FakeHost::new(0.5);
    let FakeHost { tables, state: host_state, host } = &fake;
    let first = fake.create(0).unwrap();
    fake.after_backward(first, &mut [1.0], |_| ());
    assert_eq!(unsafe { tables[0].save.unwrap()(first, host.ctx, Some(write)) }, NAS_OK);
    fake.destroy(0, first);
    let state = std::mem::take(&mut host_state.borrow_mut().saved);
    let second = fake.create(0).unwrap();
    assert_eq!(unsafe { tables[0].load.unwrap()(second, state.as_ptr().cast(), 8) }, NAS_OK);
    assert_eq!(unsafe { tables[0].save.unwrap()(second, host.ctx, Some(write)) }, NAS_OK);
    assert_eq!(host_state.borrow().saved, state);
    assert_eq!(unsafe { tables[0].load.unwrap()(second, state.as_ptr().cast(), 3) }, NAS_INVALID);
    assert_eq!(fake.error(), "3 bytes, expected 8");
    fake.destroy(0, second);
}
