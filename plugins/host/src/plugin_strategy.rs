//! A strategy on the other side of the C interface.

use crate::context::{HostSide, write};
use crate::handshake::Table;
use crate::model::ForeignModel;
use crate::options::merged;
use crate::views::{Staged, StagedParam, choices, foreign_paths, with_step};
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
use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::Arc;

/// Most weight sets: each is a whole supernet.
const MOST_SETS: u32 = 64;

/// Where the bytes of an instance are in a [`State`], in base64.
const STATE: &str = "plugin";

/// An instance of a plugin's strategy.
pub struct ForeignStrategy<D: Backend> {
    table: &'static Table,
    instance: *mut c_void,
    host: HostSide,
    spec: Arc<NetworkSpec>,
    device: D,
    sets: u32,
    notes: Vec<String>,
    /// What went wrong where no error can be returned; the next hook returns it.
    late: RefCell<Option<StrategyError>>,
    /// Freed after the instance, which may point to it.
    _model: ForeignModel,
}

/// Builds an instance from options.
///
/// # Errors
/// Options that the strategy does not have or refuses, or a plugin that fails.
pub fn build<D: Backend>(
    table: &'static Table,
    options: &toml::Table,
    context: StrategyContext<D>,
) -> Result<Box<dyn SharingStrategy<D>>, StrategyError> {
    Ok(Box::new(ForeignStrategy::new(table, merged(&table.options, options)?, context)?))
}

impl<D: Backend> ForeignStrategy<D> {
    fn new(table: &'static Table, options: toml::Table, context: StrategyContext<D>) -> Result<Self, StrategyError> {
        let StrategyContext { space, spec, device, total_steps, steps_per_arch } = context;
        let host = HostSide::new(options);
        let model = ForeignModel::new(&space, &spec, total_steps, steps_per_arch);
        let mut instance = std::ptr::null_mut();
        let create = table.raw.create.ok_or_else(|| failure(table, "create is null".into()))?;
        // SAFETY: host and model live until after `destroy`; the table has passed the handshake, likewise below.
        let code = unsafe { create(host.raw(), model.raw(), &mut instance) };
        if code != NAS_OK {
            return Err(failed(table, &host, "create", code));
        }
        if instance.is_null() {
            return Err(failure(table, "create succeeded but left a null instance".into()));
        }
        let late = RefCell::new(None);
        let notes = Vec::new();
        let mut new = Self { table, instance, host, spec, device, sets: 1, notes, late, _model: model };
        if let Some(weight_sets) = table.raw.weight_sets {
            // SAFETY: see above.
            let code = unsafe { weight_sets(instance, &mut new.sets) };
            new.check("weight_sets", code)?;
            if !(1..=MOST_SETS).contains(&new.sets) {
                return Err(failure(table, format!("{} weight sets, expected 1 to {MOST_SETS}", new.sets)));
            }
        }
        new.notes = new.logged();
        Ok(new)
    }

    fn check(&self, hook: &str, code: i32) -> Result<(), StrategyError> {
        if let Some(error) = self.late.take() {
            return Err(error);
        }
        if code == NAS_OK {
            // An error told by one that succeeds is none.
            self.host.take_error();
            return Ok(());
        }
        Err(failed(self.table, &self.host, hook, code))
    }

    fn logged(&self) -> Vec<String> {
        let name = &self.table.name;
        self.host.take_log().into_iter().map(|line| format!("{name}: {line}")).collect()
    }

    /// Runs a hook on a step; returns what it may have written, if all went well.
    fn on_step(
        &self,
        name: &str,
        hook: Option<unsafe extern "C" fn(*mut c_void, *const NasStep) -> i32>,
        step: &Step<D>,
    ) -> Result<Vec<StagedParam>, StrategyError> {
        let Some(hook) = hook else { return self.check(name, NAS_OK).map(|()| Vec::new()) };
        // SAFETY: the step lives until the call returns.
        let (code, staged) = with_step(step, self.table.raw.needs, |step| unsafe { hook(self.instance, step) });
        self.check(name, code)?;
        Ok(staged)
    }

    /// What a plugin has written, as a tensor.
    fn written(
        &self,
        hook: &str,
        what: &str,
        param: usize,
        staged: Staged,
        shape: (usize, usize, usize, usize),
    ) -> Result<Tensor4<D>, StrategyError> {
        if let Some((place, value)) = staged.spoiled() {
            let name = &self.spec.params[param].name;
            let problem = format!("{hook} wrote {value} into the {what} of {name}, element {place}");
            return Err(failure(self.table, problem));
        }
        let tensor = self.device.try_tensor_from_vec(staged.into_values(), shape);
        Ok(tensor.map_err(OpError::device("plugin"))?)
    }
}

/// A sentence with the plugin's name and version.
fn sentence(table: &Table, problem: &str) -> String {
    format!("plugin strategy `{}` {}: {problem}", table.name, table.version)
}

fn failure(table: &Table, problem: String) -> StrategyError {
    StrategyError::Plugin(sentence(table, &problem))
}

/// The error behind a code that is not `NAS_OK`. Options out of range and spaces that cannot be trained are no fault of
/// the plugin.
fn failed(table: &Table, host: &HostSide, hook: &str, code: i32) -> StrategyError {
    let told = host.take_error();
    let reason = host.take_refusal().or(told).filter(|reason| !reason.trim().is_empty());
    if let (Some(reason), "create" | "load", NAS_INVALID | NAS_UNSUPPORTED) = (&reason, hook, code) {
        return StrategyError::Other(sentence(table, reason));
    }
    failure(
        table,
        match reason {
            Some(reason) => format!("{hook} failed (code {code}): {reason}"),
            None => format!("{hook} failed (code {code}) without a message: it should call set_error first"),
        },
    )
}

impl<D: Backend> SharingStrategy<D> for ForeignStrategy<D> {
    fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, StrategyError> {
        let Some(plan) = self.table.raw.plan else {
            self.check("plan", NAS_OK)?;
            let arch = (sampler.draw)().map_err(StrategyError::Other)?;
            return Ok(vec![Path { arch, weight: 1.0 }]);
        };
        self.host.take_refusal();
        // SAFETY: the instance is ours, and nobody else's meanwhile; likewise below.
        let (code, paths) = self.host.plan(sampler, || unsafe { plan(self.instance) });
        self.check("plan", code)?;
        if let Some(refusal) = self.host.take_refusal() {
            return Err(failure(self.table, format!("plan went on although refused: {refusal}")));
        }
        if paths.is_empty() {
            return Err(failure(self.table, "planned no architecture: plan must call plan_add".into()));
        }
        Ok(paths)
    }

    fn capture(&self, layer: LayerId) -> usize {
        if self.table.raw.needs & NAS_NEEDS_INPUT == 0 {
            return 0;
        }
        let Some(capture) = self.table.raw.capture else { return usize::MAX };
        let mut wanted = 0;
        // SAFETY: see `plan`.
        let code = unsafe { capture(self.instance, layer as u32, &mut wanted) };
        match self.check("capture", code) {
            Ok(()) if wanted == 0 => 0,
            Ok(()) => usize::MAX,
            Err(error) => {
                self.late.replace(Some(error));
                0
            }
        }
    }

    fn weight_sets(&self) -> usize {
        self.sets as usize
    }

    fn bind(&self, arch: &Arch, layer: LayerId) -> usize {
        let Some(bind) = self.table.raw.bind.filter(|_| self.sets > 1) else { return 0 };
        let arch = choices(arch.choices());
        let mut set = 0;
        // SAFETY: see `plan`; the choices outlive the call.
        let code = unsafe { bind(self.instance, layer as u32, arch.as_ptr(), arch.len(), &mut set) };
        let checked = self.check("bind", code).and_then(|()| match set < self.sets {
            true => Ok(set as usize),
            false => Err(failure(self.table, format!("bind chose weight set {set} of {}", self.sets))),
        });
        checked.unwrap_or_else(|error| {
            self.late.replace(Some(error));
            0
        })
    }

    fn after_backward(&mut self, step: &mut Step<D>) -> Result<(), StrategyError> {
        let staged = self.on_step("after_backward", self.table.raw.after_backward, step)?;
        if self.table.raw.needs & NAS_WRITES_GRADIENT != 0 {
            for (param, staged) in step.params.iter_mut().zip(staged) {
                if let Some(gradient) = staged.gradient {
                    let shape = shape(&param.gradient);
                    param.gradient = self.written("after_backward", "gradient", param.param, gradient, shape)?;
                }
            }
        }
        Ok(())
    }

    fn before_apply(&mut self, step: &mut Step<D>) -> Result<(), StrategyError> {
        let staged = self.on_step("before_apply", self.table.raw.before_apply, step)?;
        if self.table.raw.needs & NAS_WRITES_UPDATE != 0 {
            for (param, staged) in step.params.iter_mut().zip(staged) {
                if let Some(update) = staged.update {
                    let shape = shape(&param.weight);
                    param.update = Some(self.written("before_apply", "update", param.param, update, shape)?);
                }
            }
        }
        Ok(())
    }

    fn after_update(&mut self, step: &Step<D>) -> Result<(), StrategyError> {
        self.on_step("after_update", self.table.raw.after_update, step).map(|_| ())
    }

    fn end_arch(&mut self, paths: &[Path]) -> Result<(), StrategyError> {
        let Some(end_arch) = self.table.raw.end_arch else { return self.check("end_arch", NAS_OK) };
        let paths = foreign_paths(paths, &[]);
        // SAFETY: see `plan`; the paths outlive the call.
        let code = unsafe { end_arch(self.instance, paths.pointers.as_ptr(), paths.pointers.len()) };
        self.check("end_arch", code)
    }

    fn end_epoch(&mut self, epoch: usize) -> Result<(), StrategyError> {
        let Some(end_epoch) = self.table.raw.end_epoch else { return self.check("end_epoch", NAS_OK) };
        // SAFETY: see `plan`.
        let code = unsafe { end_epoch(self.instance, epoch as u64) };
        self.check("end_epoch", code)
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn remarks(&mut self) -> Vec<String> {
        self.logged()
    }

    fn telemetry(&self) -> Vec<(String, f64)> {
        self.host.metrics()
    }

    fn save(&self) -> Result<State, StrategyError> {
        let mut state = State::default();
        if let Some(save) = self.table.raw.save {
            let mut bytes: Vec<u8> = Vec::new();
            // SAFETY: see `plan`; the sink is what `write` expects, and outlives the call.
            let code = unsafe { save(self.instance, (&raw mut bytes).cast(), Some(write)) };
            self.check("save", code)?;
            state.values.insert(STATE.into(), STANDARD.encode(bytes).into());
        }
        Ok(state)
    }

    fn load(&mut self, state: &State) -> Result<(), StrategyError> {
        let expected = || format!("the state of {} {}", self.table.name, self.table.version);
        let fault = |found: &str| StateError { expected: expected(), found: found.into() };
        let text = state.values.get(STATE).map(|value| value.as_str().ok_or_else(|| fault("no text"))).transpose()?;
        match (self.table.raw.load, text) {
            (None, None) => Ok(()),
            (None, Some("")) => Ok(()),
            (None, Some(_)) => Err(fault("state, but the plugin loads none").into()),
            (Some(_), None) => Err(fault("none").into()),
            (Some(load), Some(text)) => {
                let bytes = STANDARD.decode(text).map_err(|error| fault(&error.to_string()))?;
                // SAFETY: see `plan`; the bytes outlive the call.
                let code = unsafe { load(self.instance, bytes.as_ptr().cast(), bytes.len()) };
                self.check("load", code)
            }
        }
    }
}

fn shape<D: Backend>(tensor: &Tensor4<D>) -> (usize, usize, usize, usize) {
    *tensor.shape()
}

impl<D: Backend> Drop for ForeignStrategy<D> {
    fn drop(&mut self) {
        if let Some(destroy) = self.table.raw.destroy {
            // SAFETY: made by `create`, and never used again.
            unsafe { destroy(self.instance) }
        }
    }
}
