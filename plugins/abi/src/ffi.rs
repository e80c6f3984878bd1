//! The C interface between nas-train and a plugin. `include/nas_plugin.h` is generated from this file.
//!
//! Rules that hold for all of it:
//! - Structs that begin with `struct_size` may grow at their end in later minor versions. Who fills one writes the size
//!   it knows; who reads one reads no further. Such structs come in arrays of pointers, since a stride would break.
//! - [`NasStr`], [`NasValue`], [`NasDtype`] and [`NasTensor`] never change.
//! - Strings are UTF-8 and not terminated by a zero.
//! - Nobody frees the other's memory. What a call passes is valid until that call returns, unless said otherwise.
//! - Functions that return `int32_t` return [`NAS_OK`] or another of the status codes, after `set_error`.

use std::ffi::{c_char, c_void};

/// Version of the interface that nothing older or newer works with; part of the name `nas_plugin_v1`.
pub const NAS_ABI_MAJOR: u32 = 1;
/// Version of the additions: larger ones know all that smaller ones know.
pub const NAS_ABI_MINOR: u32 = 0;

/// All went well.
pub const NAS_OK: i32 = 0;
/// Arguments or options that make no sense.
pub const NAS_INVALID: i32 = 1;
/// Something that this side does not do.
pub const NAS_UNSUPPORTED: i32 = 2;
/// Anything else that went wrong.
pub const NAS_FAILED: i32 = 3;
/// A panic was caught; the instance takes no more calls.
pub const NAS_PANIC: i32 = 4;

/// `NasStrategy.needs`: the weights of active parameters.
pub const NAS_NEEDS_WEIGHT: u64 = 1;
/// `NasStrategy.needs`: gradients.
pub const NAS_NEEDS_GRADIENT: u64 = 2;
/// `NasStrategy.needs`: updates, in `before_apply` and `after_update`.
pub const NAS_NEEDS_UPDATE: u64 = 4;
/// `NasStrategy.needs`: the inputs of layers, see `NasStrategy.capture`.
pub const NAS_NEEDS_INPUT: u64 = 8;
/// `NasStrategy.needs`: gradients, and what `after_backward` writes into them counts.
pub const NAS_WRITES_GRADIENT: u64 = 16;
/// `NasStrategy.needs`: updates, and what `before_apply` writes into them counts.
pub const NAS_WRITES_UPDATE: u64 = 32;

/// `NasLayer.kind`: convolution, with optional ReLU before and batch normalisation behind.
pub const NAS_LAYER_CONV: u32 = 0;
/// `NasLayer.kind`: batch normalisation alone.
pub const NAS_LAYER_NORM: u32 = 1;
/// `NasLayer.kind`: linear, with bias.
pub const NAS_LAYER_LINEAR: u32 = 2;

/// `NasParam.role`: weight of a convolution `[kh, kw, c_in / groups, c_out]` or linear layer `[1, 1, c_in, c_out]`.
pub const NAS_ROLE_WEIGHT: u32 = 0;
/// `NasParam.role`: bias of a linear layer, `[1, 1, 1, c_out]`.
pub const NAS_ROLE_BIAS: u32 = 1;
/// `NasParam.role`: scale of a batch normalisation, `[1, 1, 1, c]`.
pub const NAS_ROLE_SCALE: u32 = 2;
/// `NasParam.role`: shift of a batch normalisation, `[1, 1, 1, c]`.
pub const NAS_ROLE_SHIFT: u32 = 3;

/// `NasValue.kind`: text.
pub const NAS_VALUE_TEXT: i32 = 0;
/// `NasValue.kind`: a whole number; `number` holds it as well.
pub const NAS_VALUE_INTEGER: i32 = 1;
/// `NasValue.kind`: a number.
pub const NAS_VALUE_NUMBER: i32 = 2;
/// `NasValue.kind`: true (`integer` is 1) or false (0).
pub const NAS_VALUE_FLAG: i32 = 3;

/// `NasTensor.device_type`: main memory, the only one so far.
pub const NAS_DEVICE_CPU: i32 = 1;
/// `NasDtype.code`: floating point, the only one so far (with `bits = 32`, `lanes = 1`).
pub const NAS_DTYPE_FLOAT: u8 = 2;

/// UTF-8 text; `data` may be null if `len` is 0.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NasStr {
    /// First byte.
    pub data: *const c_char,
    /// Bytes.
    pub len: usize,
}

/// The value of an option.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NasValue {
    /// A `NAS_VALUE_*`.
    pub kind: i32,
    /// Whole numbers and flags.
    pub integer: i64,
    /// Numbers, whole ones too.
    pub number: f64,
    /// Text, valid until `destroy`.
    pub text: NasStr,
}

/// Element type of a tensor.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NasDtype {
    /// A `NAS_DTYPE_*`.
    pub code: u8,
    /// Bits of an element.
    pub bits: u8,
    /// 1 unless elements are vectors.
    pub lanes: u16,
}

/// A view of numbers, laid out as `DLTensor` of DLPack 1: a pointer to the one is a pointer to the other.
///
/// `data` is null where there is nothing: not asked for by `needs`, or not there yet. Elements are `float` in row-major
/// order, aligned to at least 4 bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NasTensor {
    /// First element, `byte_offset` bytes further.
    pub data: *mut c_void,
    /// A `NAS_DEVICE_*`.
    pub device_type: i32,
    /// Number of the device.
    pub device_id: i32,
    /// Dimensions.
    pub ndim: i32,
    /// Element type.
    pub dtype: NasDtype,
    /// `ndim` sizes.
    pub shape: *const i64,
    /// `ndim` distances in elements; null for row-major order.
    pub strides: *const i64,
    /// Bytes from `data` to the first element.
    pub byte_offset: u64,
}

/// One choice that architectures make.
#[repr(C)]
#[derive(Debug)]
pub struct NasDecision {
    /// Bytes of this struct.
    pub struct_size: usize,
    /// Its name in the space.
    pub name: NasStr,
    /// `choices_len` names, in index order.
    pub choices: *const NasStr,
    /// Number of choices.
    pub choices_len: usize,
}

/// One layer of the supernet.
#[repr(C)]
#[derive(Debug)]
pub struct NasLayer {
    /// Bytes of this struct.
    pub struct_size: usize,
    /// Its name.
    pub name: NasStr,
    /// A `NAS_LAYER_*`.
    pub kind: u32,
    /// 1 if a ReLU comes before the convolution, else 0. Captured inputs are those before the ReLU.
    pub relu: u32,
    /// Input channels.
    pub c_in: u32,
    /// Output channels.
    pub c_out: u32,
    /// Groups of a convolution, else 1.
    pub groups: u32,
    /// Window of a convolution, vertical and horizontal; 1 for other layers, likewise below.
    pub kernel: [u32; 2],
    /// Distance of neighbouring outputs.
    pub stride: [u32; 2],
    /// Zeros on each side.
    pub padding: [u32; 2],
    /// Distance of neighbouring taps; 1 for dense windows.
    pub dilation: [u32; 2],
    /// Index of its first parameter.
    pub first_param: u32,
    /// Number of its parameters.
    pub params_len: u32,
}

/// One parameter tensor of the supernet.
#[repr(C)]
#[derive(Debug)]
pub struct NasParam {
    /// Bytes of this struct.
    pub struct_size: usize,
    /// Its name, `<layer>.<role>`.
    pub name: NasStr,
    /// Index of its layer.
    pub layer: u32,
    /// A `NAS_ROLE_*`.
    pub role: u32,
    /// Its sizes.
    pub shape: [u64; 4],
}

/// The supernet and the run, valid until `destroy` returns.
#[repr(C)]
#[derive(Debug)]
pub struct NasModel {
    /// Bytes of this struct.
    pub struct_size: usize,
    /// Name of the search space.
    pub space: NasStr,
    /// What an architecture decides, in order.
    pub decisions: *const *const NasDecision,
    /// Number of decisions.
    pub decisions_len: usize,
    /// Layers; their index is their id.
    pub layers: *const *const NasLayer,
    /// Number of layers.
    pub layers_len: usize,
    /// Parameters; their index is their id.
    pub params: *const *const NasParam,
    /// Number of parameters.
    pub params_len: usize,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Consecutive steps that one plan trains.
    pub steps_per_arch: u64,
}

/// One architecture of a step.
#[repr(C)]
#[derive(Debug)]
pub struct NasPath {
    /// Bytes of this struct.
    pub struct_size: usize,
    /// For each decision the index of its choice.
    pub arch: *const u32,
    /// Number of decisions.
    pub arch_len: usize,
    /// Factor of its loss; gradients of all paths are summed.
    pub weight: f64,
    /// Its cross-entropy, before the factor; NaN in `end_arch`.
    pub loss: f64,
}

/// One active parameter in a step. Active is what the step's architectures run through.
#[repr(C)]
#[derive(Debug)]
pub struct NasParamStep {
    /// Bytes of this struct.
    pub struct_size: usize,
    /// Index of the parameter.
    pub param: u32,
    /// Its weight set, 0 unless `bind` says otherwise.
    pub set: u32,
    /// Its value before the update; after it in `after_update`.
    pub weight: NasTensor,
    /// Gradient of the weighted loss, summed over the paths.
    pub gradient: NasTensor,
    /// What is about to be added to the weight: `-lr v`, momentum and decay included. Absent in `after_backward`.
    pub update: NasTensor,
}

/// The input of one layer under one path.
#[repr(C)]
#[derive(Debug)]
pub struct NasInput {
    /// Bytes of this struct.
    pub struct_size: usize,
    /// Index of the path.
    pub path: u32,
    /// Index of the layer.
    pub layer: u32,
    /// Its input `[n, h, w, c_in]`, before the layer's own ReLU.
    pub input: NasTensor,
}

/// What the hooks of one step see.
#[repr(C)]
#[derive(Debug)]
pub struct NasStep {
    /// Bytes of this struct.
    pub struct_size: usize,
    /// Steps before this one.
    pub number: u64,
    /// Epoch, from 0.
    pub epoch: u64,
    /// Learning rate.
    pub lr: f64,
    /// The architectures trained in this step.
    pub paths: *const *const NasPath,
    /// Number of paths.
    pub paths_len: usize,
    /// The active parameters, ascending by weight set and index.
    pub params: *const *const NasParamStep,
    /// Number of active parameters.
    pub params_len: usize,
    /// Captured inputs, path by path.
    pub inputs: *const *const NasInput,
    /// Number of captured inputs.
    pub inputs_len: usize,
}

/// What nas-train offers a plugin. `ctx` is the first argument of all functions. Each instance has a host of its own,
/// valid until `destroy` returns; the one that `nas_plugin_v1` gets is valid for that call and has `set_error` alone.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NasHost {
    /// Bytes of this struct.
    pub struct_size: usize,
    /// [`NAS_ABI_MAJOR`] of the host.
    pub abi_major: u32,
    /// [`NAS_ABI_MINOR`] of the host.
    pub abi_minor: u32,
    /// The bits of `NasStrategy.needs` that the host can serve.
    pub features: u64,
    /// First argument of the functions below.
    pub ctx: *mut c_void,
    /// Tells what is wrong before a function returns another code than `NAS_OK`; copied at once.
    pub set_error: Option<unsafe extern "C" fn(ctx: *mut c_void, message: NasStr)>,
    /// A sentence for the log of the run; copied at once. The only function that any thread may call, until `destroy`.
    pub log: Option<unsafe extern "C" fn(ctx: *mut c_void, message: NasStr)>,
    /// A number for the metrics of the strategy; the last one of an epoch counts. Names are of `a-z 0-9 . _ -`.
    pub metric: Option<unsafe extern "C" fn(ctx: *mut c_void, name: NasStr, value: f64) -> i32>,
    /// The value of an option that `NasStrategy.options` names.
    pub option: Option<unsafe extern "C" fn(ctx: *mut c_void, name: NasStr, value: *mut NasValue) -> i32>,
    /// 64 random bits of the run's own stream, so that equal seeds give equal runs. Only in `plan`.
    pub random: Option<unsafe extern "C" fn(ctx: *mut c_void, bits: *mut u64) -> i32>,
    /// Draws one architecture of `len` choices: uniformly, or from the controller once that is trained. Only in `plan`.
    pub draw: Option<unsafe extern "C" fn(ctx: *mut c_void, arch: *mut u32, len: usize) -> i32>,
    /// Adds an architecture to the plan, with the factor of its loss. Only in `plan`.
    pub plan_add: Option<unsafe extern "C" fn(ctx: *mut c_void, arch: *const u32, len: usize, weight: f64) -> i32>,
}

/// Takes `len` bytes of state; used by `NasStrategy.save`.
pub type NasWrite = Option<unsafe extern "C" fn(sink: *mut c_void, data: *const c_void, len: usize) -> i32>;

/// A strategy as data and functions. `create` and `destroy` are required; any other function may be null.
///
/// One thread at a time calls an instance, but not always the same one.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NasStrategy {
    /// Bytes of this struct, `sizeof(NasStrategy)` of the header that the plugin was built with.
    pub struct_size: usize,
    /// [`NAS_ABI_MAJOR`] of that header.
    pub abi_major: u32,
    /// [`NAS_ABI_MINOR`] of that header.
    pub abi_minor: u32,
    /// The least minor version of the host with which the plugin works.
    pub min_host_minor: u32,
    /// Always 0.
    pub reserved: u32,
    /// `NAS_NEEDS_*` and `NAS_WRITES_*`: what the hooks get to see, and nothing else is copied.
    pub needs: u64,
    /// Its name on the command line, of `a-z 0-9 -`.
    pub name: NasStr,
    /// Its own version.
    pub version: NasStr,
    /// One line.
    pub summary: NasStr,
    /// The paper it comes from.
    pub reference: NasStr,
    /// Its options with their defaults, as TOML: `name = value` a line, values of text, number or flag.
    pub options: NasStr,
    /// Makes an instance. `NAS_INVALID` tells that an option is out of its range.
    pub create:
        Option<unsafe extern "C" fn(host: *const NasHost, model: *const NasModel, instance: *mut *mut c_void) -> i32>,
    /// Frees an instance.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
    /// How many weight sets the supernet holds, 1 to 64; called once after `create`. Null: 1.
    pub weight_sets: Option<unsafe extern "C" fn(instance: *mut c_void, sets: *mut u32) -> i32>,
    /// Which weight set an architecture uses at a layer. Always the same for the same arguments. Null: 0.
    pub bind: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            layer: u32,
            arch: *const u32,
            arch_len: usize,
            set: *mut u32,
        ) -> i32,
    >,
    /// Whether (1 or 0) the inputs of a layer are wanted in the coming step, under `NAS_NEEDS_INPUT`. Null: of all.
    pub capture: Option<unsafe extern "C" fn(instance: *mut c_void, layer: u32, wanted: *mut u8) -> i32>,
    /// Chooses the architectures of the coming step, 1 to 1024, by `plan_add`. Null: one drawn architecture.
    pub plan: Option<unsafe extern "C" fn(instance: *mut c_void) -> i32>,
    /// Gradients are there; may edit them under `NAS_WRITES_GRADIENT`, before clipping.
    pub after_backward: Option<unsafe extern "C" fn(instance: *mut c_void, step: *const NasStep) -> i32>,
    /// Updates are there; may edit them under `NAS_WRITES_UPDATE`.
    pub before_apply: Option<unsafe extern "C" fn(instance: *mut c_void, step: *const NasStep) -> i32>,
    /// The updates were added.
    pub after_update: Option<unsafe extern "C" fn(instance: *mut c_void, step: *const NasStep) -> i32>,
    /// The planned architectures have had all their steps.
    pub end_arch:
        Option<unsafe extern "C" fn(instance: *mut c_void, paths: *const *const NasPath, paths_len: usize) -> i32>,
    /// An epoch, from 0, has ended.
    pub end_epoch: Option<unsafe extern "C" fn(instance: *mut c_void, epoch: u64) -> i32>,
    /// Writes all that a new instance needs to go on, in one or more calls of `write`.
    pub save: Option<unsafe extern "C" fn(instance: *mut c_void, sink: *mut c_void, write: NasWrite) -> i32>,
    /// Goes on from what `save` wrote. Anything may come: check it.
    pub load: Option<unsafe extern "C" fn(instance: *mut c_void, data: *const c_void, len: usize) -> i32>,
}

/// The function that a plugin exports as `nas_plugin_v1`: its strategies, in memory that stays valid for ever. On
/// failure it returns null after `set_error`.
pub type NasPluginEntry =
    Option<unsafe extern "C" fn(host: *const NasHost, count: *mut usize) -> *const *const NasStrategy>;

// SAFETY: a table is constant data; its pointers lead to constants.
unsafe impl Sync for NasStrategy {}

impl NasStr {
    /// Text that lives for ever.
    pub const fn new(text: &'static str) -> Self {
        Self { data: text.as_ptr().cast(), len: text.len() }
    }

    /// Text that lives as long as the call it is passed to.
    pub fn of(text: &str) -> Self {
        Self { data: text.as_ptr().cast(), len: text.len() }
    }

    /// The text.
    ///
    /// # Errors
    /// A null pointer with a length, or bytes that are not UTF-8.
    ///
    /// # Safety
    /// `data` is null or points to `len` bytes that stay as they are for `'a`.
    pub unsafe fn read<'a>(self) -> Result<&'a str, String> {
        if self.len == 0 {
            return Ok("");
        }
        if self.data.is_null() {
            return Err(format!("a null pointer for {} bytes of text", self.len));
        }
        // SAFETY: not null; the caller answers for the rest.
        let bytes = unsafe { std::slice::from_raw_parts(self.data.cast(), self.len) };
        std::str::from_utf8(bytes).map_err(|error| format!("text that is not UTF-8 ({error})"))
    }
}
