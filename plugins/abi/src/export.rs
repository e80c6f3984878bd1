//! The C function table of a [`Strategy`], and the symbol that a plugin exports.

use crate::ffi::{
    NAS_ABI_MAJOR, NAS_ABI_MINOR, NAS_FAILED, NAS_OK, NAS_PANIC, NasHost, NasModel, NasPath, NasStep, NasStr,
    NasStrategy, NasWrite,
};
use crate::host::Host;
use crate::step::{paths, slice};
use crate::{Context, Error, Model, Planner, Result, Step, Strategy};
use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Pointers to the function tables of a plugin. A type of its own because raw pointers are not `Sync`.
#[repr(transparent)]
pub struct StrategyTables<const N: usize>(pub [*const NasStrategy; N]);

// SAFETY: the pointers lead to static tables that are never written, so threads can share them.
unsafe impl<const N: usize> Sync for StrategyTables<N> {}

/// Exports strategies as a plugin: `export_strategies!(Clip, Halve);`, once in a library.
///
/// The version of the strategies is that of the calling crate.
#[macro_export]
macro_rules! export_strategies {
    ($($strategy:ty),+ $(,)?) => {
        /// Returns the strategies of this plugin and writes their number to `count`.
        ///
        /// # Safety
        /// `host` must be null or a valid host. `count` must be null or valid for writing.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn nas_plugin_v1(
            host: *const $crate::ffi::NasHost,
            count: *mut usize,
        ) -> *const *const $crate::ffi::NasStrategy {
            const COUNT: usize = [$(stringify!($strategy)),+].len();
            static TABLES: $crate::StrategyTables<COUNT> = $crate::StrategyTables([$({
                static TABLE: $crate::ffi::NasStrategy = $crate::strategy_table::<$strategy>(env!("CARGO_PKG_VERSION"));
                &raw const TABLE
            }),+]);
            if count.is_null() {
                // SAFETY: the caller guarantees that `host` is null or valid.
                unsafe { $crate::set_load_error(host, "the host passed a null pointer for the number of strategies") };
                return std::ptr::null();
            }
            // SAFETY: `count` is not null, so the caller guarantees that it is valid for writing.
            unsafe { *count = COUNT };
            TABLES.0.as_ptr()
        }
    };
}

/// Sets the error message of a plugin that returns no strategies.
///
/// # Safety
/// `host` must be null or a valid host.
pub unsafe fn set_load_error(host: *const NasHost, message: &str) {
    // SAFETY: the caller guarantees that `host` is null or valid, and the copy is not used after this call.
    if let Ok(host) = unsafe { Host::new(host) } {
        host.set_error(message);
    }
}

/// The C function table of a strategy.
pub const fn strategy_table<S: Strategy>(version: &'static str) -> NasStrategy {
    NasStrategy {
        struct_size: size_of::<NasStrategy>(),
        abi_major: NAS_ABI_MAJOR,
        abi_minor: NAS_ABI_MINOR,
        min_host_minor: 0,
        reserved: 0,
        needs: S::NEEDS.0,
        name: NasStr::new(S::NAME),
        version: NasStr::new(version),
        summary: NasStr::new(S::SUMMARY),
        reference: NasStr::new(S::REFERENCE),
        options: NasStr::new(S::OPTIONS),
        create: Some(create::<S>),
        destroy: Some(destroy::<S>),
        weight_sets: Some(weight_sets::<S>),
        bind: Some(bind::<S>),
        capture: Some(capture::<S>),
        plan: Some(plan::<S>),
        after_backward: Some(after_backward::<S>),
        before_apply: Some(before_apply::<S>),
        after_update: Some(after_update::<S>),
        end_arch: Some(end_arch::<S>),
        end_epoch: Some(end_epoch::<S>),
        save: Some(save::<S>),
        load: Some(load::<S>),
    }
}

/// An instance of a strategy. The host holds a pointer to it.
struct Instance<S> {
    strategy: S,
    host: Host,
    /// Number of choices of each decision.
    counts: Vec<u32>,
    /// Message of the panic, once a hook has panicked.
    panic_message: Option<String>,
}

unsafe extern "C" fn create<S: Strategy>(
    host: *const NasHost,
    model: *const NasModel,
    instance: *mut *mut c_void,
) -> i32 {
    // SAFETY: the host passes null or a table that stays valid until `destroy` returns, or `create` with an error.
    // Both close the copy before.
    let Ok(host) = (unsafe { Host::new(host) }) else { return NAS_FAILED };
    let build = || {
        if instance.is_null() {
            return Err(Error::new("the host passed a null pointer for the instance"));
        }
        // SAFETY: by the contract of `create`, the model and everything it points to are null or valid during the call.
        let model = unsafe { Model::new(model) }?;
        let counts = model.decisions.iter().map(|d| d.choices.len() as u32).collect();
        let strategy = S::create(&Context { model, host: &host })?;
        Ok(Box::new(Instance { strategy, host: host.clone(), counts, panic_message: None }))
    };
    match catch_unwind(AssertUnwindSafe(build)) {
        Ok(Ok(new)) => {
            // SAFETY: `instance` is not null (checked in `build`), so the host has passed a pointer valid for writing.
            unsafe { *instance = Box::into_raw(new).cast() };
            NAS_OK
        }
        Ok(Err(error)) => closed(&host, &error),
        Err(payload) => closed(&host, &panic_error(&*payload)),
    }
}

/// Reports that `create` failed. Clones of the host that the strategy has given away must not call it any more.
fn closed(host: &Host, error: &Error) -> i32 {
    let code = failed(host, error);
    host.close();
    code
}

unsafe extern "C" fn destroy<S: Strategy>(instance: *mut c_void) {
    if !instance.is_null() {
        // SAFETY: the pointer comes from `Box::into_raw` in `create`, and the host calls `destroy` once per instance.
        let instance = unsafe { Box::from_raw(instance.cast::<Instance<S>>()) };
        let host = instance.host.clone();
        // `destroy` returns no code. A panic of the destructor is discarded, because it must not unwind into C.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(instance)));
        host.close();
    }
}

/// Runs a hook of an instance. A panic becomes an error, and the instance accepts no further calls.
///
/// # Safety
/// `instance` must be null or come from `create::<S>`, and no other reference to it may exist during the call.
unsafe fn call_hook<S: Strategy>(instance: *mut c_void, hook: impl FnOnce(&mut Instance<S>) -> Result) -> i32 {
    // SAFETY: the caller guarantees a null pointer or a valid instance without other references.
    let Some(instance) = (unsafe { instance.cast::<Instance<S>>().as_mut() }) else { return NAS_FAILED };
    let host = instance.host.clone();
    if let Some(message) = &instance.panic_message {
        host.set_error(&format!("the instance accepts no calls after a panic: {message}"));
        return NAS_PANIC;
    }
    match catch_unwind(AssertUnwindSafe(|| hook(instance))) {
        Ok(Ok(())) => NAS_OK,
        Ok(Err(error)) => failed(&host, &error),
        Err(payload) => {
            let error = panic_error(&*payload);
            instance.panic_message = Some(error.message.clone());
            failed(&host, &error)
        }
    }
}

fn failed(host: &Host, error: &Error) -> i32 {
    host.set_error(&error.message);
    error.code
}

fn panic_error(payload: &(dyn Any + Send)) -> Error {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    Error { code: NAS_PANIC, message: format!("panicked: {}", text.as_deref().unwrap_or("without a message")) }
}

/// Writes a result through a pointer that the host passed.
///
/// # Safety
/// `target` must be null or valid for reading and writing.
unsafe fn write_result<T>(target: *mut T, value: T) -> Result {
    // SAFETY: the caller guarantees that `target` is null or valid.
    *unsafe { target.as_mut() }.ok_or("the host passed a null pointer for the result")? = value;
    Ok(())
}

unsafe extern "C" fn weight_sets<S: Strategy>(instance: *mut c_void, sets: *mut u32) -> i32 {
    // SAFETY: the host passes an instance that this table created, and its calls to one instance never overlap. `sets`
    // is null or valid during the call.
    unsafe { call_hook::<S>(instance, |i| write_result(sets, i.strategy.weight_sets())) }
}

unsafe extern "C" fn bind<S: Strategy>(
    instance: *mut c_void,
    layer: u32,
    arch: *const u32,
    arch_len: usize,
    set: *mut u32,
) -> i32 {
    // SAFETY: as in `weight_sets`. `arch` points to `arch_len` choices that are valid during the call.
    unsafe {
        call_hook::<S>(instance, |i| {
            let arch = slice(arch, arch_len, "choices")?;
            write_result(set, i.strategy.bind(layer as usize, arch))
        })
    }
}

unsafe extern "C" fn capture<S: Strategy>(instance: *mut c_void, layer: u32, wanted: *mut u8) -> i32 {
    // SAFETY: as in `weight_sets`.
    unsafe { call_hook::<S>(instance, |i| write_result(wanted, u8::from(i.strategy.capture(layer as usize)))) }
}

unsafe extern "C" fn plan<S: Strategy>(instance: *mut c_void) -> i32 {
    let hook = |i: &mut Instance<S>| {
        let Instance { strategy, host, counts, .. } = i;
        strategy.plan(&mut Planner { host, counts })
    };
    // SAFETY: as in `weight_sets`.
    unsafe { call_hook::<S>(instance, hook) }
}

unsafe extern "C" fn after_backward<S: Strategy>(instance: *mut c_void, step: *const NasStep) -> i32 {
    // SAFETY: as in `weight_sets`. The step and its tensors are valid during the call, and the host holds no reference
    // to the tensors meanwhile.
    unsafe { call_hook::<S>(instance, |i| i.strategy.after_backward(&mut Step::new(step)?)) }
}

unsafe extern "C" fn before_apply<S: Strategy>(instance: *mut c_void, step: *const NasStep) -> i32 {
    // SAFETY: as in `after_backward`.
    unsafe { call_hook::<S>(instance, |i| i.strategy.before_apply(&mut Step::new(step)?)) }
}

unsafe extern "C" fn after_update<S: Strategy>(instance: *mut c_void, step: *const NasStep) -> i32 {
    // SAFETY: as in `after_backward`.
    unsafe { call_hook::<S>(instance, |i| i.strategy.after_update(&mut Step::new(step)?)) }
}

unsafe extern "C" fn end_arch<S: Strategy>(instance: *mut c_void, first: *const *const NasPath, len: usize) -> i32 {
    // SAFETY: as in `after_backward`.
    unsafe { call_hook::<S>(instance, |i| i.strategy.end_arch(&paths(first, len)?)) }
}

unsafe extern "C" fn end_epoch<S: Strategy>(instance: *mut c_void, epoch: u64) -> i32 {
    // SAFETY: as in `weight_sets`.
    unsafe { call_hook::<S>(instance, |i| i.strategy.end_epoch(epoch)) }
}

unsafe extern "C" fn save<S: Strategy>(instance: *mut c_void, sink: *mut c_void, write: NasWrite) -> i32 {
    let hook = |i: &mut Instance<S>| {
        let state = i.strategy.save()?;
        let write = write.ok_or("the host passed a null function to write state")?;
        // SAFETY: `sink` is the argument that the host passed together with `write`, and `state` outlives the call.
        match unsafe { write(sink, state.as_ptr().cast(), state.len()) } {
            NAS_OK => Ok(()),
            code => Err(Error::new(format!("the host did not accept the state (code {code})"))),
        }
    };
    // SAFETY: as in `weight_sets`.
    unsafe { call_hook::<S>(instance, hook) }
}

unsafe extern "C" fn load<S: Strategy>(instance: *mut c_void, data: *const c_void, len: usize) -> i32 {
    // SAFETY: as in `weight_sets`. `data` points to `len` bytes that are valid during the call.
    unsafe { call_hook::<S>(instance, |i| i.strategy.load(slice(data.cast(), len, "bytes of state")?)) }
}
