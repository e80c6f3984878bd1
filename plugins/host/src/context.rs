//! The host's side of an instance: what its functions read and write.

use crate::handshake::FEATURES;
use crate::options::foreign;
use nas_core::arch::Arch;
use nas_core::strategy::{MAX_PATHS, Path, Sampler};
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

/// The table of functions for one instance, and what is behind them. The plugin keeps pointers to both; they are
/// counted, because to move a box is to claim that there are none.
pub struct HostSide {
    context: Arc<Context>,
    raw: Rc<NasHost>,
}

/// What the functions of one instance share. `log` may come from any thread, hence the locks.
struct Context {
    options: Table,
    error: Mutex<Option<String>>,
    /// Why a function of the host has refused, in the host's words.
    refusal: Mutex<Option<String>>,
    log: Mutex<Vec<String>>,
    metrics: Mutex<BTreeMap<String, f64>>,
    planning: Mutex<Option<Planning>>,
}

/// A plan in the making.
struct Planning {
    thread: ThreadId,
    sampler: *mut Sampler<'static>,
    paths: Vec<Path>,
}

// SAFETY: the sampler is used by the thread that made this alone; `plan` checks it.
unsafe impl Send for Planning {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HostSide {
    /// A host for an instance with these options.
    pub fn new(options: Table) -> Self {
        Self::with(options, true)
    }

    /// A host that takes errors and nothing else.
    pub fn bare() -> Self {
        Self::with(Table::new(), false)
    }

    fn with(options: Table, whole: bool) -> Self {
        let context = Arc::new(Context {
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
            log: whole.then_some(log as _),
            metric: whole.then_some(metric as _),
            option: whole.then_some(option as _),
            random: whole.then_some(random as _),
            draw: whole.then_some(draw as _),
            plan_add: whole.then_some(plan_add as _),
        });
        Self { context, raw }
    }

    /// The table, valid as long as this value.
    pub fn raw(&self) -> *const NasHost {
        Rc::as_ptr(&self.raw)
    }

    /// The last error told, if any.
    pub fn take_error(&self) -> Option<String> {
        lock(&self.context.error).take()
    }

    /// The last refusal, if any.
    pub fn take_refusal(&self) -> Option<String> {
        lock(&self.context.refusal).take()
    }

    /// The sentences logged since the last call.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.context.log))
    }

    /// The latest value of every metric.
    pub fn metrics(&self) -> Vec<(String, f64)> {
        lock(&self.context.metrics).iter().map(|(name, value)| (name.clone(), *value)).collect()
    }

    /// Runs `call` with a sampler behind the host's functions; returns what it returned and the plan.
    pub fn plan(&self, sampler: &mut Sampler<'_>, call: impl FnOnce() -> i32) -> (i32, Vec<Path>) {
        // The pointer is gone before the sampler is.
        let sampler = (&raw mut *sampler).cast::<Sampler<'static>>();
        let planning = Planning { thread: std::thread::current().id(), sampler, paths: Vec::new() };
        *lock(&self.context.planning) = Some(planning);
        let code = call();
        let planning = lock(&self.context.planning).take();
        (code, planning.map(|planning| planning.paths).unwrap_or_default())
    }
}

impl Context {
    /// The context behind a pointer that was given out in [`HostSide::with`].
    unsafe fn of<'a>(ctx: *mut c_void) -> Option<&'a Self> {
        // SAFETY: the plugin passes back what it was given, as long as its instance lives.
        unsafe { ctx.cast::<Self>().as_ref() }
    }

    fn refuse(&self, reason: String) -> i32 {
        *lock(&self.refusal) = Some(reason);
        NAS_INVALID
    }

    /// Runs `body` if a plan is in the making on this thread.
    fn planning(&self, what: &str, body: impl FnOnce(&mut Planning) -> Result<(), String>) -> i32 {
        let mut planning = lock(&self.planning);
        let result = match planning.as_mut() {
            Some(planning) if planning.thread == std::thread::current().id() => body(planning),
            Some(_) => Err(format!("{what} was called from another thread than plan")),
            None => Err(format!("{what} was called outside of plan")),
        };
        result.map_or_else(|reason| self.refuse(reason), |()| NAS_OK)
    }
}

/// Runs the body of a function of the host: nothing of it may unwind into the plugin.
unsafe fn guard(ctx: *mut c_void, body: impl FnOnce(&Context) -> i32) -> i32 {
    // SAFETY: passed on to the caller.
    let Some(context) = (unsafe { Context::of(ctx) }) else { return NAS_INVALID };
    catch_unwind(AssertUnwindSafe(|| body(context))).unwrap_or(NAS_PANIC)
}

/// Text as it came, as well as it can be read.
unsafe fn lossy(text: NasStr) -> String {
    if text.data.is_null() {
        return String::new();
    }
    // SAFETY: not null; the plugin vouches for the length.
    String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(text.data.cast(), text.len) }).into_owned()
}

unsafe extern "C" fn set_error(ctx: *mut c_void, message: NasStr) {
    // SAFETY: the plugin's promise, likewise below.
    unsafe {
        guard(ctx, |context| {
            *lock(&context.error) = Some(lossy(message));
            NAS_OK
        });
    }
}

unsafe extern "C" fn log(ctx: *mut c_void, message: NasStr) {
    // SAFETY: see `set_error`.
    unsafe {
        guard(ctx, |context| {
            lock(&context.log).push(lossy(message));
            NAS_OK
        });
    }
}

unsafe extern "C" fn metric(ctx: *mut c_void, name: NasStr, value: f64) -> i32 {
    // SAFETY: see `set_error`.
    unsafe {
        guard(ctx, |context| {
            let name = lossy(name);
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
            if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
                let name = name.escape_debug();
                return context.refuse(format!("metric `{name}`: expected a name of 1 to 64 of a-z 0-9 . _ -"));
            }
            lock(&context.metrics).insert(name, value);
            NAS_OK
        })
    }
}

unsafe extern "C" fn option(ctx: *mut c_void, name: NasStr, value: *mut NasValue) -> i32 {
    // SAFETY: see `set_error`.
    unsafe {
        guard(ctx, |context| {
            let name = lossy(name);
            match (context.options.get(&name).and_then(foreign), value.as_mut()) {
                (Some(found), Some(place)) => {
                    *place = found;
                    NAS_OK
                }
                (_, None) => context.refuse(format!("option `{name}` was asked for without a place for its value")),
                (None, _) => {
                    let name = name.escape_debug();
                    context.refuse(format!("option `{name}` was asked for, but `options` does not declare it"))
                }
            }
        })
    }
}

unsafe extern "C" fn random(ctx: *mut c_void, bits: *mut u64) -> i32 {
    // SAFETY: see `set_error`.
    unsafe {
        guard(ctx, |context| {
            context.planning("random", |planning| {
                let place = bits.as_mut().ok_or("random was called without a place for its bits")?;
                *place = (*planning.sampler).rng.next_u64();
                Ok(())
            })
        })
    }
}

unsafe extern "C" fn draw(ctx: *mut c_void, arch: *mut u32, len: usize) -> i32 {
    // SAFETY: see `set_error`.
    unsafe {
        guard(ctx, |context| {
            context.planning("draw", |planning| {
                let sampler = &mut *planning.sampler;
                let expected = sampler.space.decisions().len();
                if arch.is_null() || !arch.is_aligned() || len != expected {
                    return Err(format!("draw was called with a place for {len} choices, expected {expected}"));
                }
                let drawn = (sampler.draw)()?;
                for (i, choice) in drawn.choices().iter().enumerate() {
                    arch.add(i).write(*choice as u32);
                }
                Ok(())
            })
        })
    }
}

unsafe extern "C" fn plan_add(ctx: *mut c_void, arch: *const u32, len: usize, weight: f64) -> i32 {
    // SAFETY: see `set_error`.
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

/// Takes bytes into the `Vec<u8>` behind `sink`.
pub unsafe extern "C" fn write(sink: *mut c_void, data: *const c_void, len: usize) -> i32 {
    let add = || {
        // SAFETY: the plugin passes back the sink that it was given with `save`.
        let Some(sink) = (unsafe { sink.cast::<Vec<u8>>().as_mut() }) else { return NAS_INVALID };
        if data.is_null() {
            return if len == 0 { NAS_OK } else { NAS_INVALID };
        }
        // SAFETY: not null; the plugin vouches for the length.
        sink.extend(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), len) });
        NAS_OK
    };
    catch_unwind(AssertUnwindSafe(add)).unwrap_or(NAS_FAILED)
}
