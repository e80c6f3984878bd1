//! The host's functions, as methods.

use crate::ffi::{
    NAS_OK, NAS_VALUE_FLAG, NAS_VALUE_INTEGER, NAS_VALUE_NUMBER, NAS_VALUE_TEXT, NasHost, NasStr, NasValue,
};
use crate::step::known;
use crate::{Error, Result};

/// The host of an instance: log and metrics. To be kept no longer than the instance.
#[derive(Debug, Clone)]
pub struct Host {
    raw: NasHost,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `"text"`
    Text(String),
    /// `3`
    Integer(i64),
    /// `0.5`
    Number(f64),
    /// `true`
    Flag(bool),
}

// SAFETY: the host's data are its own to guard; it is called by one thread at a time, `log` by any.
unsafe impl Send for Host {}

impl Host {
    /// A copy of the host's table.
    ///
    /// # Errors
    /// A null pointer or a table of an older host.
    ///
    /// # Safety
    /// The pointer is null or leads to a table that works as long as this value is used.
    pub(crate) unsafe fn new(host: *const NasHost) -> std::result::Result<Self, String> {
        // SAFETY: the caller's promise.
        Ok(Self { raw: *unsafe { known(host, "host") }? })
    }

    /// Writes a sentence to the log of the run.
    pub fn log(&self, message: &str) {
        if let Some(log) = self.raw.log {
            // SAFETY: the host's own context, and text that outlives the call.
            unsafe { log(self.raw.ctx, NasStr::of(message)) }
        }
    }

    /// Sets a number of the strategy's metrics; the last one of an epoch counts.
    ///
    /// # Errors
    /// A name with other characters than `a-z 0-9 . _ -`.
    pub fn metric(&self, name: &str, value: f64) -> Result {
        let code = match self.raw.metric {
            // SAFETY: as in `log`.
            Some(metric) => unsafe { metric(self.raw.ctx, NasStr::of(name), value) },
            None => NAS_OK,
        };
        check(code, || format!("the host refuses the metric `{name}`"))
    }

    pub(crate) fn set_error(&self, message: &str) {
        if let Some(set_error) = self.raw.set_error {
            // SAFETY: as in `log`.
            unsafe { set_error(self.raw.ctx, NasStr::of(message)) }
        }
    }

    pub(crate) fn option(&self, name: &str) -> Result<Value> {
        let mut value = NasValue { kind: -1, integer: 0, number: 0.0, text: NasStr::new("") };
        let unknown = || format!("the strategy has no option `{name}`: add it to OPTIONS");
        let option = self.raw.option.ok_or_else(unknown)?;
        // SAFETY: as in `log`; the value is ours.
        check(unsafe { option(self.raw.ctx, NasStr::of(name), &mut value) }, unknown)?;
        Ok(match value.kind {
            // SAFETY: the host's text stays until `destroy`, and is copied here.
            NAS_VALUE_TEXT => Value::Text(unsafe { value.text.read() }?.into()),
            NAS_VALUE_INTEGER => Value::Integer(value.integer),
            NAS_VALUE_NUMBER => Value::Number(value.number),
            NAS_VALUE_FLAG => Value::Flag(value.integer != 0),
            kind => return Err(format!("option `{name}` is of the unknown kind {kind}").into()),
        })
    }

    pub(crate) fn random(&self) -> Result<u64> {
        let mut bits = 0;
        let code = match self.raw.random {
            // SAFETY: as in `log`; the place is ours.
            Some(random) => unsafe { random(self.raw.ctx, &mut bits) },
            None => -1,
        };
        check(code, || "the host has no random numbers".into())?;
        Ok(bits)
    }

    pub(crate) fn draw(&self, arch: &mut [u32]) -> Result {
        let code = match self.raw.draw {
            // SAFETY: as in `log`; the host writes as many choices as there are.
            Some(draw) => unsafe { draw(self.raw.ctx, arch.as_mut_ptr(), arch.len()) },
            None => -1,
        };
        check(code, || "the host draws no architecture".into())
    }

    pub(crate) fn plan_add(&self, arch: &[u32], weight: f64) -> Result {
        let code = match self.raw.plan_add {
            // SAFETY: as in `log`; the host reads as many choices as there are.
            Some(add) => unsafe { add(self.raw.ctx, arch.as_ptr(), arch.len(), weight) },
            None => -1,
        };
        check(code, || format!("the host refuses architecture {arch:?} with weight {weight}"))
    }
}

/// A refusal of the host. It has told its own reason to itself, and prefers that to ours.
fn check(code: i32, message: impl FnOnce() -> String) -> Result {
    if code == NAS_OK { Ok(()) } else { Err(Error::new(message())) }
}
