//! Implementation of the functions that an instance may call (`NasHost`).

use crate::features::FEATURES;
use crate::options::to_nas_value;
use nas_core::arch::Arch;
use nas_core::strategy::{MAX_PATHS, Path, Sampler};
use nas_core::{quote, quote_message};
use nas_plugin_abi::ffi::{
    NAS_ABI_MAJOR, NAS_ABI_MINOR, NAS_FAILED, NAS_INVALID, NAS_OK, NAS_PANIC, NasHost, NasStr, NasValue,
};
use rand::RngCore;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use toml::Table;

/// Function table of one instance and the data of its functions.
///
/// The plugin keeps pointers to both. They are in `Arc` and `Rc` rather than `Box`, because moving a `Box` would assert
/// that no other pointer to its content exists.
pub struct InstanceHost {
    context: Arc<HostContext>,
    raw: Rc<NasHost>,
}

/// Data of the functions of one instance. The fields have locks because `log` and `metric` may be called from any
/// thread.
struct HostContext {
    options: Table,
    /// Message of the last call of `set_error`.
    error: Mutex<Option<String>>,
    /// Reason why a host function last returned an error code.
    refusal: Mutex<Option<String>>,
    log: Mutex<Vec<String>>,
    metrics: Mutex<BTreeMap<String, f64>>,
    /// Present during a call of `plan`.
    planning: Mutex<Option<PlanInProgress>>,
}

/// State of a call of `plan`.
struct PlanInProgress {
    /// The thread that called `plan`.
    thread: ThreadId,
    sampler: *mut Sampler<'static>,
    paths: Vec<Path>,
}

// SAFETY: `HostContext::planning` dereferences `sampler` only on the thread that created this value.
unsafe impl Send for PlanInProgress {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl InstanceHost {
    /// The host of an instance with these options.
    pub fn new(options: Table) -> Self {
        Self::with_functions(options, true)
    }

    /// The host for the call of `nas_plugin_v1`: all functions except `set_error` are null.
    pub fn for_loading() -> Self {
        Self::with_functions(Table::new(), false)
    }

    fn with_functions(options: Table, all: bool) -> Self {
        let context = Arc::new(HostContext {
            options,
            error: Mutex::new(None),
            refusal: Mutex::new(None),
            log: Mutex::new(Vec::new()),
            metrics: Mutex::new(BTreeMap::new()),
            planning: Mutex::new(None),
        });
        let raw = Rc::new(NasHost {
            struct_size: size_of::<NasHost>(),
            abi_major: NAS_ABI_MAJOR,
            abi_minor: NAS_ABI_MINOR,
            features: FEATURES,
            ctx: Arc::as_ptr(&context).cast_mut().cast(),
            set_error: Some(set_error),
            log: all.then_some(log as _),
            metric: all.then_some(metric as _),
            option: all.then_some(option as _),
            random: all.then_some(random as _),
            draw: all.then_some(draw as _),
            plan_add: all.then_some(plan_add as _),
        });
        Self { context, raw }
    }

    /// The function table, valid while this value exists.
    pub fn raw(&self) -> *const NasHost {
        Rc::as_ptr(&self.raw)
    }

    /// Removes and returns the message of the last call of `set_error`.
    pub fn take_error(&self) -> Option<String> {
        lock(&self.context.error).take()
    }

    /// Removes and returns the reason why a host function last returned an error code.
    pub fn take_refusal(&self) -> Option<String> {
        lock(&self.context.refusal).take()
    }

    /// Removes and returns the sentences that have been logged.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.context.log))
    }

    /// The current value of every metric.
    pub fn metrics(&self) -> Vec<(String, f64)> {
        lock(&self.context.metrics).iter().map(|(name, value)| (name.clone(), *value)).collect()
    }

    /// Sets a metric to the value that it had when the state was saved.
    pub fn set_metric(&self, name: &str, value: f64) {
        lock(&self.context.metrics).insert(name.into(), value);
    }

    /// Runs `call` while `random`, `draw` and `plan_add` use `sampler`. Returns the result of `call` and the plan.
    pub fn plan(&self, sampler: &mut Sampler<'_>, call: impl FnOnce() -> i32) -> (i32, Vec<Path>) {
        // The lifetime is erased. The pointer is removed below, before `sampler` goes out of scope.
        let sampler = (&raw mut *sampler).cast::<Sampler<'static>>();
        let planning = PlanInProgress { thread: std::thread::current().id(), sampler, paths: Vec::new() };
        *lock(&self.context.planning) = Some(planning);
        let code = call();
        let planning = lock(&self.context.planning).take();
        (code, planning.map(|planning| planning.paths).unwrap_or_default())
    }
}

impl HostContext {
    /// The context of a host function.
    ///
    /// # Safety
    /// `ctx` must be null or the `ctx` of an [`InstanceHost`] that exists for `'a`.
    unsafe fn from_ctx<'a>(ctx: *mut c_void) -> Option<&'a Self> {
        // SAFETY: `ctx` is null or comes from `Arc::as_ptr` of a context that its `InstanceHost` keeps alive.
        unsafe { ctx.cast::<Self>().as_ref() }
    }

    fn refuse(&self, reason: String) -> i32 {
        *lock(&self.refusal) = Some(reason);
        NAS_INVALID
    }

    /// Runs `body` if `plan` is being called on this thread. `function` is the name of the host function.
    fn planning(&self, function: &str, body: impl FnOnce(&mut PlanInProgress) -> Result<(), String>) -> i32 {
        let mut planning = lock(&self.planning);
        let result = match planning.as_mut() {
            Some(planning) if planning.thread == std::thread::current().id() => body(planning),
            Some(_) => Err(format!("{function} was called from another thread than plan")),
            None => Err(format!("{function} was called outside of plan")),
        };
        result.map_or_else(|reason| self.refuse(reason), |()| NAS_OK)
    }
}

/// Runs the body of a host function. A panic becomes `NAS_PANIC`, because it must not unwind into the plugin.
///
/// # Safety
/// As [`HostContext::from_ctx`].
unsafe fn guard(ctx: *mut c_void, body: impl FnOnce(&HostContext) -> i32) -> i32 {
    // SAFETY: the caller gives the same guarantees.
    let Some(context) = (unsafe { HostContext::from_ctx(ctx) }) else { return NAS_INVALID };
    catch_unwind(AssertUnwindSafe(|| body(context))).unwrap_or(NAS_PANIC)
}

/// A copy of the text, in which invalid UTF-8 is replaced.
///
/// # Safety
/// `data` must be null or point to `len` bytes.
unsafe fn lossy(text: NasStr) -> String {
    if text.data.is_null() {
        return String::new();
    }
    // SAFETY: `data` is not null, so the caller guarantees `len` bytes.
    String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(text.data.cast(), text.len) }).into_owned()
}

// The functions of `NasHost`. By the contract of the interface, a plugin passes the `ctx` of a host that still exists,
// text of the stated length, and result pointers that are null or valid for writing.

unsafe extern "C" fn set_error(ctx: *mut c_void, message: NasStr) {
    // SAFETY: the contract above covers `ctx` and `message`.
    unsafe {
        guard(ctx, |context| {
            *lock(&context.error) = Some(quote_message(&lossy(message)));
            NAS_OK
        });
    }
}

unsafe extern "C" fn log(ctx: *mut c_void, message: NasStr) {
    // SAFETY: the contract above covers `ctx` and `message`.
    unsafe {
        guard(ctx, |context| {
            lock(&context.log).push(quote_message(&lossy(message)));
            NAS_OK
        });
    }
}

unsafe extern "C" fn metric(ctx: *mut c_void, name: NasStr, value: f64) -> i32 {
    // SAFETY: the contract above covers `ctx` and `name`.
    unsafe {
        guard(ctx, |context| {
            let name = lossy(name);
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
            if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
                let name = quote(&name);
                return context.refuse(format!("metric `{name}`: expected a name of 1 to 64 of a-z 0-9 . _ -"));
            }
            lock(&context.metrics).insert(name, value);
            NAS_OK
        })
    }
}

unsafe extern "C" fn option(ctx: *mut c_void, name: NasStr, value: *mut NasValue) -> i32 {
    // SAFETY: the contract above covers `ctx`, `name` and `value`.
    unsafe {
        guard(ctx, |context| {
            let name = lossy(name);
            match (context.options.get(&name).and_then(to_nas_value), value.as_mut()) {
                (Some(found), Some(target)) => {
                    *target = found;
                    NAS_OK
                }
                (_, None) => {
                    context.refuse(format!("option `{}` was read with a null pointer for its value", quote(&name)))
                }
                (None, _) => {
                    let name = quote(&name);
                    context.refuse(format!("option `{name}` was read, but `options` does not declare it"))
                }
            }
        })
    }
}

unsafe extern "C" fn random(ctx: *mut c_void, bits: *mut u64) -> i32 {
    // SAFETY: the contract above covers `ctx` and `bits`. `planning` runs the body while the sampler exists, on the
    // thread that called `plan`, which holds no other active reference to it.
    unsafe {
        guard(ctx, |context| {
            context.planning("random", |planning| {
                let target = bits.as_mut().ok_or("random was called with a null pointer for its result")?;
                *target = (*planning.sampler).rng.next_u64();
                Ok(())
            })
        })
    }
}

unsafe extern "C" fn draw(ctx: *mut c_void, arch: *mut u32, len: usize) -> i32 {
    // SAFETY: as in `random`. `arch` is checked to be non-null and aligned, and the plugin guarantees room for `len`
    // choices.
    unsafe {
        guard(ctx, |context| {
            context.planning("draw", |planning| {
                let sampler = &mut *planning.sampler;
                let expected = sampler.space.decisions().len();
                if arch.is_null() || !arch.is_aligned() || len != expected {
                    return Err(format!("draw was called for {len} choices, expected {expected}"));
                }
                let drawn = (sampler.draw)().map_err(|error| error.to_string())?;
                for (i, choice) in drawn.choices().iter().enumerate() {
                    arch.add(i).write(*choice as u32);
                }
                Ok(())
            })
        })
    }
}

unsafe extern "C" fn plan_add(ctx: *mut c_void, arch: *const u32, len: usize, weight: f64) -> i32 {
    // SAFETY: as in `random`. `arch` is checked to be non-null and aligned, and the plugin guarantees `len` choices.
    unsafe {
        guard(ctx, |context| {
            context.planning("plan_add", |planning| {
                let space = (*planning.sampler).space;
                let expected = space.decisions().len();
                if arch.is_null() || !arch.is_aligned() || len != expected {
                    return Err(format!("planned an architecture of {len} choices, expected {expected}"));
                }
                let choices = std::slice::from_raw_parts(arch, len);
                let arch = Arch::new(choices.iter().map(|choice| *choice as usize).collect::<Vec<_>>());
                space.validate(&arch).map_err(|error| error.to_string())?;
                let weight = weight as f32;
                if !weight.is_finite() {
                    return Err(format!("planned a loss weight of {weight}, expected a finite number"));
                }
                if planning.paths.len() == MAX_PATHS {
                    return Err(format!("planned more than {MAX_PATHS} architectures for one step"));
                }
                planning.paths.push(Path { arch, weight });
                Ok(())
            })
        })
    }
}

/// Appends bytes to the `Vec<u8>` that `sink` points to. The `write` argument of `NasStrategy.save`.
///
/// # Safety
/// `sink` must be null or point to a `Vec<u8>` without other references. `data` must be null or point to `len` bytes.
pub unsafe extern "C" fn write(sink: *mut c_void, data: *const c_void, len: usize) -> i32 {
    let add = || {
        // SAFETY: the plugin passes the sink that it got from `save`, which points to a local `Vec<u8>` of the host.
        let Some(sink) = (unsafe { sink.cast::<Vec<u8>>().as_mut() }) else { return NAS_INVALID };
        if data.is_null() {
            return if len == 0 { NAS_OK } else { NAS_INVALID };
        }
        // SAFETY: `data` is not null, so the plugin guarantees `len` bytes.
        sink.extend(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), len) });
        NAS_OK
    };
    catch_unwind(AssertUnwindSafe(add)).unwrap_or(NAS_FAILED)
}
