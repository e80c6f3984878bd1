//! The table of functions behind a [`Strategy`], and the symbol that a plugin exports.

use crate::ffi::{
    NAS_ABI_MAJOR, NAS_ABI_MINOR, NAS_FAILED, NAS_OK, NAS_PANIC, NasHost, NasModel, NasPath, NasStep, NasStr,
    NasStrategy, NasWrite,
};
use crate::host::Host;
use crate::step::{array, paths};
use crate::{Context, Error, Model, Planner, Result, Step, Strategy};
use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Pointers to tables, in memory that is shared.
#[repr(transparent)]
pub struct Tables<const N: usize>(pub [*const NasStrategy; N]);

// SAFETY: tables are constant data.
unsafe impl<const N: usize> Sync for Tables<N> {}

/// Exports strategies: `export_strategies!(Clip, Halve);`, once in a library.
///
/// Their version is that of the crate that calls it.
#[macro_export]
macro_rules! export_strategies {
    ($($strategy:ty),+ $(,)?) => {
        /// The strategies of this plugin.
        ///
        /// # Safety
        /// `count` is null or a place for a number.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn nas_plugin_v1(
            host: *const $crate::ffi::NasHost,
            count: *mut usize,
        ) -> *const *const $crate::ffi::NasStrategy {
            const COUNT: usize = [$(stringify!($strategy)),+].len();
            static TABLES: $crate::Tables<COUNT> = $crate::Tables([$({
                static TABLE: $crate::ffi::NasStrategy = $crate::table::<$strategy>(env!("CARGO_PKG_VERSION"));
                &raw const TABLE
            }),+]);
            if count.is_null() {
                // SAFETY: the caller's promise.
                unsafe { $crate::error_of_load(host, "the host passed no place for the number of strategies") };
                return std::ptr::null();
            }
            // SAFETY: not null; the caller's promise.
            unsafe { *count = COUNT };
            TABLES.0.as_ptr()
        }
    };
}

/// Tells the host why a plugin has no strategies.
///
/// # Safety
/// `host` is null or a host.
pub unsafe fn error_of_load(host: *const NasHost, message: &str) {
    // SAFETY: the caller's promise.
    if let Ok(host) = unsafe { Host::new(host) } {
        host.set_error(message);
    }
}

/// The table of a strategy.
pub const fn table<S: Strategy>(version: &'static str) -> NasStrategy {
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

/// A strategy behind the pointer that the host holds.
struct Instance<S> {
    strategy: S,
    host: Host,
    counts: Vec<u32>,
    /// What it said when it panicked.
    panicked: Option<String>,
}

unsafe extern "C" fn create<S: Strategy>(
    host: *const NasHost,
    model: *const NasModel,
    instance: *mut *mut c_void,
) -> i32 {
    // SAFETY: the host's table is valid until `destroy`.
    let Ok(host) = (unsafe { Host::new(host) }) else { return NAS_FAILED };
    let build = || {
        if instance.is_null() {
            return Err(Error::new("the host passed no place for the instance"));
        }
        // SAFETY: what the host passes is null or valid.
        let model = unsafe { Model::new(model) }?;
        let counts = model.decisions.iter().map(|d| d.choices.len() as u32).collect();
        let strategy = S::create(&Context { model, host: &host })?;
        Ok(Box::new(Instance { strategy, host: host.clone(), counts, panicked: None }))
    };
    match catch_unwind(AssertUnwindSafe(build)) {
        Ok(Ok(new)) => {
            // SAFETY: not null; the host's place for a pointer.
            unsafe { *instance = Box::into_raw(new).cast() };
            NAS_OK
        }
        Ok(Err(error)) => failed(&host, &error),
        Err(payload) => failed(&host, &panic_error(&*payload)),
    }
}

unsafe extern "C" fn destroy<S: Strategy>(instance: *mut c_void) {
    if !instance.is_null() {
        // SAFETY: made by `create`, and the host destroys it once.
        let instance = unsafe { Box::from_raw(instance.cast::<Instance<S>>()) };
        // There is nobody to tell about a panic in a destructor, but it must not cross into C.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(instance)));
    }
}

/// Runs a hook on an instance: a panic becomes an error and ends its use.
///
/// # Safety
/// `instance` is null or made by `create::<S>` and used by nobody else meanwhile.
unsafe fn call<S: Strategy>(instance: *mut c_void, hook: impl FnOnce(&mut Instance<S>) -> Result) -> i32 {
    // SAFETY: the caller's promise.
    let Some(instance) = (unsafe { instance.cast::<Instance<S>>().as_mut() }) else { return NAS_FAILED };
    let host = instance.host.clone();
    if let Some(message) = &instance.panicked {
        host.set_error(&format!("the instance takes no more calls since it panicked: {message}"));
        return NAS_PANIC;
    }
    match catch_unwind(AssertUnwindSafe(|| hook(instance))) {
        Ok(Ok(())) => NAS_OK,
        Ok(Err(error)) => failed(&host, &error),
        Err(payload) => {
            let error = panic_error(&*payload);
            instance.panicked = Some(error.message.clone());
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

/// Writes a result to the host's place for it.
fn put<T>(place: *mut T, value: T) -> Result {
    // SAFETY: null or the host's own place, for the time of the call.
    *unsafe { place.as_mut() }.ok_or("the host passed no place for the result")? = value;
    Ok(())
}

unsafe extern "C" fn weight_sets<S: Strategy>(instance: *mut c_void, sets: *mut u32) -> i32 {
    // SAFETY: the host passes an instance of this table, one thread at a time; likewise below.
    unsafe { call::<S>(instance, |i| put(sets, i.strategy.weight_sets())) }
}

unsafe extern "C" fn bind<S: Strategy>(
    instance: *mut c_void,
    layer: u32,
    arch: *const u32,
    arch_len: usize,
    set: *mut u32,
) -> i32 {
    // SAFETY: see `weight_sets`; the choices are valid for the call.
    unsafe {
        call::<S>(instance, |i| {
            let arch = array(arch, arch_len, "choices")?;
            put(set, i.strategy.bind(layer as usize, arch))
        })
    }
}

unsafe extern "C" fn capture<S: Strategy>(instance: *mut c_void, layer: u32, wanted: *mut u8) -> i32 {
    // SAFETY: see `weight_sets`.
    unsafe { call::<S>(instance, |i| put(wanted, u8::from(i.strategy.capture(layer as usize)))) }
}

unsafe extern "C" fn plan<S: Strategy>(instance: *mut c_void) -> i32 {
    let hook = |i: &mut Instance<S>| {
        let Instance { strategy, host, counts, .. } = i;
        strategy.plan(&mut Planner { host, counts })
    };
    // SAFETY: see `weight_sets`.
    unsafe { call::<S>(instance, hook) }
}

unsafe extern "C" fn after_backward<S: Strategy>(instance: *mut c_void, step: *const NasStep) -> i32 {
    // SAFETY: see `weight_sets`; the step is valid, and its views nobody else's, for the call. Likewise below.
    unsafe { call::<S>(instance, |i| i.strategy.after_backward(&mut Step::new(step)?)) }
}

unsafe extern "C" fn before_apply<S: Strategy>(instance: *mut c_void, step: *const NasStep) -> i32 {
    // SAFETY: see `after_backward`.
    unsafe { call::<S>(instance, |i| i.strategy.before_apply(&mut Step::new(step)?)) }
}

unsafe extern "C" fn after_update<S: Strategy>(instance: *mut c_void, step: *const NasStep) -> i32 {
    // SAFETY: see `after_backward`.
    unsafe { call::<S>(instance, |i| i.strategy.after_update(&mut Step::new(step)?)) }
}

unsafe extern "C" fn end_arch<S: Strategy>(instance: *mut c_void, first: *const *const NasPath, len: usize) -> i32 {
    // SAFETY: see `after_backward`.
    unsafe { call::<S>(instance, |i| i.strategy.end_arch(&paths(first, len)?)) }
}

unsafe extern "C" fn end_epoch<S: Strategy>(instance: *mut c_void, epoch: u64) -> i32 {
    // SAFETY: see `weight_sets`.
    unsafe { call::<S>(instance, |i| i.strategy.end_epoch(epoch)) }
}

unsafe extern "C" fn save<S: Strategy>(instance: *mut c_void, sink: *mut c_void, write: NasWrite) -> i32 {
    let hook = |i: &mut Instance<S>| {
        let state = i.strategy.save()?;
        let write = write.ok_or("the host passed no function to write state")?;
        // SAFETY: the host's own sink, and bytes that outlive the call.
        match unsafe { write(sink, state.as_ptr().cast(), state.len()) } {
            NAS_OK => Ok(()),
            code => Err(Error::new(format!("the host could not take the state (code {code})"))),
        }
    };
    // SAFETY: see `weight_sets`.
    unsafe { call::<S>(instance, hook) }
}

unsafe extern "C" fn load<S: Strategy>(instance: *mut c_void, data: *const c_void, len: usize) -> i32 {
    // SAFETY: see `weight_sets`; the bytes are valid for the call.
    unsafe { call::<S>(instance, |i| i.strategy.load(array(data.cast(), len, "bytes of state")?)) }
}
