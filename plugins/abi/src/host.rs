//! The functions of the host, as safe methods.

use crate::ffi::{
    NAS_OK, NAS_VALUE_FLAG, NAS_VALUE_INTEGER, NAS_VALUE_NUMBER, NAS_VALUE_TEXT, NasHost, NasStr, NasValue,
};
use crate::step::sized_struct;
use crate::{Error, Result};
use std::sync::{Arc, PoisonError, RwLock};

/// The host of an instance, for its log and metrics. Store it in a field of the strategy. After the end of the
/// instance, calls have no effect or return an error.
#[derive(Debug, Clone)]
pub struct Host {
    /// `None` after the end of the instance. A call holds the lock, so the instance does not end meanwhile.
    table: Arc<RwLock<Option<HostTable>>>,
}

/// The functions of the host.
#[derive(Debug)]
struct HostTable(NasHost);

/// The value of an option.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text: `"some text"`.
    Text(String),
    /// A whole number: `3`.
    Integer(i64),
    /// A floating-point number: `0.5`.
    Number(f64),
    /// `true` or `false`.
    Flag(bool),
}

// SAFETY: `log` and `metric` accept calls from any thread. `random`, `draw` and `plan_add` return an error code on any
// thread but that of `plan`.
unsafe impl Send for HostTable {}
// SAFETY: as above.
unsafe impl Sync for HostTable {}

impl Host {
    /// Copies the function table of the host.
    ///
    /// # Errors
    /// The pointer is null, or the table is smaller than that of this version.
    ///
    /// # Safety
    /// `host` must be null or point to a table whose functions stay callable until [`close`](Self::close) returns.
    pub(crate) unsafe fn new(host: *const NasHost) -> std::result::Result<Self, String> {
        // SAFETY: the caller guarantees a null pointer or a valid table. The reference is copied at once.
        let table = HostTable(*unsafe { sized_struct(host, "host") }?);
        Ok(Self { table: Arc::new(RwLock::new(Some(table))) })
    }

    /// Ends the use of the table by this value and all its clones. Waits for calls of other threads.
    pub(crate) fn close(&self) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Calls a function of the table.
    fn call<T>(&self, call: impl FnOnce(&NasHost) -> Result<T>) -> Result<T> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        call(&table.as_ref().ok_or("the instance of the strategy has ended")?.0)
    }

    /// Adds a sentence to the log of the run.
    pub fn log(&self, message: &str) {
        let _ = self.call(|host| {
            if let Some(log) = host.log {
                // SAFETY: `ctx` comes from the same table as the function, and the text outlives the call.
                unsafe { log(host.ctx, NasStr::of(message)) }
            }
            Ok(())
        });
    }

    /// Sets a metric of the strategy. The last value of an epoch is recorded.
    ///
    /// # Errors
    /// The name is empty, longer than 64 bytes, or has characters other than `a-z 0-9 . _ -`; the instance has ended.
    pub fn metric(&self, name: &str, value: f64) -> Result {
        self.call(|host| {
            let code = match host.metric {
                // SAFETY: as in `log`.
                Some(metric) => unsafe { metric(host.ctx, NasStr::of(name), value) },
                None => NAS_OK,
            };
            check(code, || format!("the host rejected the metric `{name}`"))
        })
    }

    pub(crate) fn set_error(&self, message: &str) {
        let _ = self.call(|host| {
            if let Some(set_error) = host.set_error {
                // SAFETY: as in `log`.
                unsafe { set_error(host.ctx, NasStr::of(message)) }
            }
            Ok(())
        });
    }

    pub(crate) fn option(&self, name: &str) -> Result<Value> {
        let mut value = NasValue { kind: -1, integer: 0, number: 0.0, text: NasStr::new("") };
        let unknown = || format!("the strategy has no option `{name}`: add it to OPTIONS");
        self.call(|host| {
            let option = host.option.ok_or_else(unknown)?;
            // SAFETY: as in `log`. `value` is a local variable that outlives the call.
            check(unsafe { option(host.ctx, NasStr::of(name), &mut value) }, unknown)?;
            Ok(match value.kind {
                // SAFETY: the text of an option is valid until `destroy` returns, and it is copied here.
                NAS_VALUE_TEXT => Value::Text(unsafe { value.text.read() }?.into()),
                NAS_VALUE_INTEGER => Value::Integer(value.integer),
                NAS_VALUE_NUMBER => Value::Number(value.number),
                NAS_VALUE_FLAG => Value::Flag(value.integer != 0),
                kind => return Err(format!("option `{name}` has the unknown kind {kind}").into()),
            })
        })
    }

    pub(crate) fn random(&self) -> Result<u64> {
        let mut bits = 0;
        self.call(|host| {
            let code = match host.random {
                // SAFETY: as in `log`. `bits` is a local variable that outlives the call.
                Some(random) => unsafe { random(host.ctx, &mut bits) },
                None => -1,
            };
            check(code, || "the host returned no random number".into())
        })?;
        Ok(bits)
    }

    pub(crate) fn draw(&self, arch: &mut [u32]) -> Result {
        self.call(|host| {
            let code = match host.draw {
                // SAFETY: as in `log`. The host writes at most `len` choices, the length of the slice.
                Some(draw) => unsafe { draw(host.ctx, arch.as_mut_ptr(), arch.len()) },
                None => -1,
            };
            check(code, || "the host returned no architecture".into())
        })
    }

    pub(crate) fn plan_add(&self, arch: &[u32], weight: f64) -> Result {
        self.call(|host| {
            let code = match host.plan_add {
                // SAFETY: as in `log`. The host reads at most `len` choices, the length of the slice.
                Some(add) => unsafe { add(host.ctx, arch.as_ptr(), arch.len(), weight) },
                None => -1,
            };
            check(code, || format!("the host rejected architecture {arch:?} with weight {weight}"))
        })
    }
}

/// Turns a status code of the host into a result. The host stores the reason and reports it instead of `message`.
fn check(code: i32, message: impl FnOnce() -> String) -> Result {
    if code == NAS_OK { Ok(()) } else { Err(Error::new(message())) }
}
