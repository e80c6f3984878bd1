//! Adapter between the trait [`SharingStrategy`] and a strategy behind the C interface.

use crate::context::{InstanceHost, write};
use crate::handshake::StrategyTable;
use crate::model::PluginModel;
use crate::options::merge_options;
use crate::views::{HostCopy, ParamCopies, PluginPaths, choices, with_step};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dfdx::shapes::HasShape;
use nas_core::arch::Arch;
use nas_core::network::{LayerId, NetworkSpec};
use nas_core::state::{State, StateError};
use nas_core::strategy::{Path, Sampler, SharingStrategy, Step, StrategyContext, StrategyError};
use nas_ops::{Backend, OpError, Tensor4};
use nas_plugin_abi::ffi::{
    NAS_INVALID, NAS_NEEDS_INPUT, NAS_OK, NAS_UNSUPPORTED, NAS_WRITES_GRADIENT, NAS_WRITES_UPDATE, NasStep,
};
use serde_json::Value;
use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::Arc;

/// Largest number of weight sets. Each set is a complete supernet.
const MAX_WEIGHT_SETS: u32 = 64;

/// Key of the saved bytes of an instance in [`State::values`], in base64.
const STATE_KEY: &str = "plugin";

/// Key of the metrics of an instance in [`State::values`]: the bits of each value, which may be NaN.
const METRICS_KEY: &str = "metrics";

/// An instance of a plugin's strategy.
pub struct PluginStrategy<D: Backend> {
    table: &'static StrategyTable,
    instance: *mut c_void,
    host: InstanceHost,
    spec: Arc<NetworkSpec>,
    device: D,
    weight_sets: u32,
    notes: Vec<String>,
    /// An error in `capture` or `bind`, whose trait methods return no error. The next hook returns it.
    deferred_error: RefCell<Option<StrategyError>>,
    /// The instance may hold a pointer to it. Fields are dropped after `drop` has destroyed the instance.
    _model: PluginModel,
}

/// Builds an instance from options.
///
/// # Errors
/// An option is unknown or invalid, or `create` fails.
pub fn build<D: Backend>(
    table: &'static StrategyTable,
    options: &toml::Table,
    context: StrategyContext<D>,
) -> Result<Box<dyn SharingStrategy<D>>, StrategyError> {
    Ok(Box::new(PluginStrategy::new(table, merge_options(&table.options, options)?, context)?))
}

impl<D: Backend> PluginStrategy<D> {
    fn new(
        table: &'static StrategyTable,
        options: toml::Table,
        context: StrategyContext<D>,
    ) -> Result<Self, StrategyError> {
        let StrategyContext { space, spec, device, total_steps, steps_per_arch } = context;
        let host = InstanceHost::new(options);
        let model = PluginModel::new(&space, &spec, total_steps, steps_per_arch);
        let mut instance = std::ptr::null_mut();
        let create = table.raw.create.ok_or_else(|| plugin_error(table, "create is null".into()))?;
        // SAFETY: the table has passed the handshake. Host and model are fields of the adapter and outlive the
        // instance.
        let code = unsafe { create(host.raw(), model.raw(), &mut instance) };
        if code != NAS_OK {
            return Err(hook_error(table, &host, "create", code));
        }
        if instance.is_null() {
            return Err(plugin_error(table, "create returned success and a null instance".into()));
        }
        let (notes, deferred_error) = (Vec::new(), RefCell::new(None));
        let mut new =
            Self { table, instance, host, spec, device, weight_sets: 1, notes, deferred_error, _model: model };
        if let Some(weight_sets) = table.raw.weight_sets {
            // SAFETY: `create` has returned this instance, and the result pointer is a field of a local variable.
            let code = unsafe { weight_sets(instance, &mut new.weight_sets) };
            new.check("weight_sets", code)?;
            if !(1..=MAX_WEIGHT_SETS).contains(&new.weight_sets) {
                let problem = format!("weight_sets returned {}, expected 1 to {MAX_WEIGHT_SETS}", new.weight_sets);
                return Err(plugin_error(table, problem));
            }
        }
        // What `create` ignored is no reason for a later error.
        new.host.take_refusal();
        new.notes = new.take_log();
        Ok(new)
    }

    /// Turns the status code of a hook into a result. An earlier deferred error takes precedence.
    fn check(&self, hook: &str, code: i32) -> Result<(), StrategyError> {
        self.deferred()?;
        if code == NAS_OK {
            // Messages and reasons of a call that returned `NAS_OK` are discarded.
            self.host.take_error();
            self.host.take_refusal();
            return Ok(());
        }
        Err(hook_error(self.table, &self.host, hook, code))
    }

    /// Returns and clears the deferred error.
    fn deferred(&self) -> Result<(), StrategyError> {
        self.deferred_error.take().map_or(Ok(()), Err)
    }

    /// The sentences logged since the last call, each after the name of the strategy.
    fn take_log(&self) -> Vec<String> {
        let name = &self.table.name;
        self.host.take_log().into_iter().map(|line| format!("{name}: {line}")).collect()
    }

    /// Runs a hook on a step. Returns the tensors that the hook could write to.
    fn run_step_hook(
        &self,
        name: &str,
        hook: Option<unsafe extern "C" fn(*mut c_void, *const NasStep) -> i32>,
        step: &Step<D>,
    ) -> Result<Vec<ParamCopies>, StrategyError> {
        let Some(hook) = hook else { return self.check(name, NAS_OK).map(|()| Vec::new()) };
        // SAFETY: the instance exists, `&mut self` of the calling hook excludes other calls, and `with_step` keeps the
        // step valid during the call.
        let (code, copies) = with_step(step, self.table.raw.needs, |step| unsafe { hook(self.instance, step) });
        self.check(name, code)?;
        Ok(copies)
    }

    /// The tensor of a copy that a hook could write to.
    ///
    /// # Errors
    /// The hook wrote NaN or infinity into a finite tensor, or an operation of the device fails.
    fn written_tensor(
        &self,
        hook: &str,
        what: &str,
        param: usize,
        copy: HostCopy,
        shape: (usize, usize, usize, usize),
    ) -> Result<Tensor4<D>, StrategyError> {
        if let Some((index, value)) = copy.new_non_finite() {
            let name = &self.spec.params[param].name;
            let problem = format!("{hook} wrote {value} into the {what} of {name}, element {index}");
            return Err(plugin_error(self.table, problem));
        }
        let tensor = self.device.try_tensor_from_vec(copy.into_values(), shape);
        Ok(tensor.map_err(OpError::device("plugin"))?)
    }
}

/// A message that begins with name and version of the strategy.
fn with_origin(table: &StrategyTable, problem: &str) -> String {
    format!("plugin strategy `{}` {}: {problem}", table.name, table.version)
}

/// An error that is the fault of the plugin.
fn plugin_error(table: &StrategyTable, problem: String) -> StrategyError {
    StrategyError::Plugin(with_origin(table, &problem))
}

/// The error of a hook that returned `code`. The reason of a host function precedes the message of the plugin. Invalid
/// options and unsupported spaces are errors of the user's input, not of the plugin.
fn hook_error(table: &StrategyTable, host: &InstanceHost, hook: &str, code: i32) -> StrategyError {
    let message = host.take_error();
    let reason = host.take_refusal().or(message).filter(|reason| !reason.trim().is_empty());
    if let (Some(reason), "create" | "load", NAS_INVALID | NAS_UNSUPPORTED) = (&reason, hook, code) {
        return StrategyError::Other(with_origin(table, reason));
    }
    plugin_error(
        table,
        match reason {
            Some(reason) => format!("{hook} failed (code {code}): {reason}"),
            None => {
                format!("{hook} failed (code {code}) without a message: call set_error before returning an error code")
            }
        },
    )
}

impl<D: Backend> SharingStrategy<D> for PluginStrategy<D> {
    fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, StrategyError> {
        let Some(plan) = self.table.raw.plan else {
            self.check("plan", NAS_OK)?;
            let arch = (sampler.draw)()?;
            return Ok(vec![Path { arch, weight: 1.0 }]);
        };
        self.host.take_refusal();
        // SAFETY: the instance exists, and `&mut self` excludes other calls.
        let (code, paths) = self.host.plan(sampler, || unsafe { plan(self.instance) });
        // A host function that failed may be the reason of an error, which `check` reports.
        let refusal = if code == NAS_OK { self.host.take_refusal() } else { None };
        self.check("plan", code)?;
        if let Some(refusal) = refusal {
            let problem = format!("plan returned success although a host function failed: {refusal}");
            return Err(plugin_error(self.table, problem));
        }
        if paths.is_empty() {
            return Err(plugin_error(self.table, "plan added no architecture: call plan_add at least once".into()));
        }
        Ok(paths)
    }

    fn capture(&self, layer: LayerId) -> usize {
        if self.table.raw.needs & NAS_NEEDS_INPUT == 0 {
            return 0;
        }
        let Some(capture) = self.table.raw.capture else { return usize::MAX };
        let mut wanted = 0;
        // SAFETY: the instance exists. The trainer calls the hooks on one thread, one after the other.
        let code = unsafe { capture(self.instance, layer as u32, &mut wanted) };
        match self.check("capture", code) {
            Ok(()) if wanted == 0 => 0,
            Ok(()) => usize::MAX,
            Err(error) => {
                self.deferred_error.replace(Some(error));
                0
            }
        }
    }

    fn weight_sets(&self) -> usize {
        self.weight_sets as usize
    }

    fn bind(&self, arch: &Arch, layer: LayerId) -> usize {
        let Some(bind) = self.table.raw.bind.filter(|_| self.weight_sets > 1) else { return 0 };
        let arch = choices(arch.choices());
        let mut set = 0;
        // SAFETY: as in `capture`. The choices outlive the call.
        let code = unsafe { bind(self.instance, layer as u32, arch.as_ptr(), arch.len(), &mut set) };
        let checked = self.check("bind", code).and_then(|()| match set < self.weight_sets {
            true => Ok(set as usize),
            false => {
                let problem = format!("bind returned weight set {set}, expected below {}", self.weight_sets);
                Err(plugin_error(self.table, problem))
            }
        });
        checked.unwrap_or_else(|error| {
            self.deferred_error.replace(Some(error));
            0
        })
    }

    fn deferred_bind_error(&self) -> Result<(), StrategyError> {
        self.deferred()
    }

    fn after_backward(&mut self, step: &mut Step<D>) -> Result<(), StrategyError> {
        let copies = self.run_step_hook("after_backward", self.table.raw.after_backward, step)?;
        if self.table.raw.needs & NAS_WRITES_GRADIENT != 0 {
            for (param, copies) in step.params.iter_mut().zip(copies) {
                if let Some(gradient) = copies.gradient {
                    let shape = shape(&param.gradient);
                    param.gradient = self.written_tensor("after_backward", "gradient", param.param, gradient, shape)?;
                }
            }
        }
        Ok(())
    }

    fn before_apply(&mut self, step: &mut Step<D>) -> Result<(), StrategyError> {
        let copies = self.run_step_hook("before_apply", self.table.raw.before_apply, step)?;
        if self.table.raw.needs & NAS_WRITES_UPDATE != 0 {
            for (param, copies) in step.params.iter_mut().zip(copies) {
                if let Some(update) = copies.update {
                    let shape = shape(&param.weight);
                    param.update = Some(self.written_tensor("before_apply", "update", param.param, update, shape)?);
                }
            }
        }
        Ok(())
    }

    fn after_update(&mut self, step: &Step<D>) -> Result<(), StrategyError> {
        self.run_step_hook("after_update", self.table.raw.after_update, step).map(|_| ())
    }

    fn end_arch(&mut self, paths: &[Path]) -> Result<(), StrategyError> {
        let Some(end_arch) = self.table.raw.end_arch else { return self.check("end_arch", NAS_OK) };
        let paths = PluginPaths::new(paths, &[]);
        // SAFETY: as in `plan`. The paths outlive the call.
        let code = unsafe { end_arch(self.instance, paths.pointers.as_ptr(), paths.pointers.len()) };
        self.check("end_arch", code)
    }

    fn end_epoch(&mut self, epoch: usize) -> Result<(), StrategyError> {
        let Some(end_epoch) = self.table.raw.end_epoch else { return self.check("end_epoch", NAS_OK) };
        // SAFETY: as in `plan`.
        let code = unsafe { end_epoch(self.instance, epoch as u64) };
        self.check("end_epoch", code)
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn take_notes(&mut self) -> Vec<String> {
        self.take_log()
    }

    fn metrics(&self) -> Vec<(String, f64)> {
        self.host.metrics()
    }

    fn save(&self) -> Result<State, StrategyError> {
        let mut state = State::default();
        if let Some(save) = self.table.raw.save {
            let mut bytes: Vec<u8> = Vec::new();
            // SAFETY: as in `capture`. The sink is the `Vec<u8>` that `write` expects, and it outlives the call.
            let code = unsafe { save(self.instance, (&raw mut bytes).cast(), Some(write)) };
            self.check("save", code)?;
            state.values.insert(STATE_KEY.into(), STANDARD.encode(bytes).into());
        }
        let metrics = self.host.metrics().into_iter().map(|(name, value)| (name, value.to_bits().into()));
        state.values.insert(METRICS_KEY.into(), Value::Object(metrics.collect()));
        Ok(state)
    }

    fn load(&mut self, state: &State) -> Result<(), StrategyError> {
        let expected = || format!("the state of {} {}", self.table.name, self.table.version);
        let mismatch = |found: &str| StateError { expected: expected(), found: found.into() };
        // Checkpoints of earlier versions lack it.
        for (name, bits) in state.values.get(METRICS_KEY).and_then(Value::as_object).into_iter().flatten() {
            let bits = bits.as_u64().ok_or_else(|| mismatch("a metric that is not a number"))?;
            self.host.set_metric(name, f64::from_bits(bits));
        }
        let text = state.values.get(STATE_KEY);
        let text = text.map(|value| value.as_str().ok_or_else(|| mismatch("a value that is not text"))).transpose()?;
        match (self.table.raw.load, text) {
            (None, None) => Ok(()),
            (None, Some("")) => Ok(()),
            (None, Some(_)) => Err(mismatch("saved state, but the strategy has no function `load`").into()),
            (Some(_), None) => Err(mismatch("none").into()),
            (Some(load), Some(text)) => {
                let bytes = STANDARD.decode(text).map_err(|error| mismatch(&error.to_string()))?;
                // SAFETY: as in `plan`. The bytes outlive the call.
                let code = unsafe { load(self.instance, bytes.as_ptr().cast(), bytes.len()) };
                self.check("load", code)
            }
        }
    }
}

fn shape<D: Backend>(tensor: &Tensor4<D>) -> (usize, usize, usize, usize) {
    *tensor.shape()
}

impl<D: Backend> Drop for PluginStrategy<D> {
    fn drop(&mut self) {
        if let Some(destroy) = self.table.raw.destroy {
            // SAFETY: the instance comes from `create`, and nothing uses it after this call.
            unsafe { destroy(self.instance) }
        }
    }
}
