//! The C interface between nas-train and a plugin. `include/nas_plugin.h` is generated from this file.
//!
//! Rules of the whole interface:
//! - Structs that begin with `struct_size` may get further fields at the end in later minor versions. The writer of
//!   such a struct sets `struct_size` to the size of its own version. The reader does not read beyond that size. Arrays
//!   of such structs are arrays of pointers, because the distance between elements would change with the size.
//! - [`NasStr`], [`NasValue`], [`NasDtype`] and [`NasTensor`] never change.
//! - Strings are UTF-8, without a terminating zero.
//! - Each side frees only its own memory. Arguments are valid until the call returns, unless documented otherwise.
//! - Functions that return `int32_t` return [`NAS_OK`], or call `set_error` and return another status code.

use std::ffi::{c_char, c_void};

/// Major version of the interface. Host and plugin must have the same; it is part of the name `nas_plugin_v1`.
pub const NAS_ABI_MAJOR: u32 = 1;
/// Minor version of the interface. Each one contains all earlier ones of the same major version.
pub const NAS_ABI_MINOR: u32 = 0;

/// Status code: success.
pub const NAS_OK: i32 = 0;
/// Status code: an argument, an option or saved state is invalid.
pub const NAS_INVALID: i32 = 1;
/// Status code: the search space or the request is not supported.
pub const NAS_UNSUPPORTED: i32 = 2;
/// Status code: any other failure.
pub const NAS_FAILED: i32 = 3;
/// Status code: the function panicked, and the panic was caught. The instance accepts no further calls.
pub const NAS_PANIC: i32 = 4;

/// Bit of `NasStrategy.needs`: read the weights of the active parameters.
pub const NAS_NEEDS_WEIGHT: u64 = 1;
/// Bit of `NasStrategy.needs`: read the gradients of the active parameters.
pub const NAS_NEEDS_GRADIENT: u64 = 2;
/// Bit of `NasStrategy.needs`: read the updates of the active parameters, in `before_apply` and `after_update`.
pub const NAS_NEEDS_UPDATE: u64 = 4;
/// Bit of `NasStrategy.needs`: read the inputs of the layers that `NasStrategy.capture` selects.
pub const NAS_NEEDS_INPUT: u64 = 8;
/// Bit of `NasStrategy.needs`: read the gradients; values that `after_backward` writes to them take effect.
pub const NAS_WRITES_GRADIENT: u64 = 16;
/// Bit of `NasStrategy.needs`: read the updates; values that `before_apply` writes to them take effect.
pub const NAS_WRITES_UPDATE: u64 = 32;

/// `NasLayer.kind`: convolution, with an optional ReLU before it and an optional batch normalisation after it.
pub const NAS_LAYER_CONV: u32 = 0;
/// `NasLayer.kind`: batch normalisation without a convolution.
pub const NAS_LAYER_NORM: u32 = 1;
/// `NasLayer.kind`: linear layer with a bias.
pub const NAS_LAYER_LINEAR: u32 = 2;

/// `NasParam.role`: weight of a convolution, `[kh, kw, c_in / groups, c_out]`, or linear layer, `[1, 1, c_in, c_out]`.
pub const NAS_ROLE_WEIGHT: u32 = 0;
/// `NasParam.role`: bias of a linear layer, `[1, 1, 1, c_out]`.
pub const NAS_ROLE_BIAS: u32 = 1;
/// `NasParam.role`: scale of a batch normalisation, `[1, 1, 1, c]`.
pub const NAS_ROLE_SCALE: u32 = 2;
/// `NasParam.role`: shift of a batch normalisation, `[1, 1, 1, c]`.
pub const NAS_ROLE_SHIFT: u32 = 3;

/// `NasValue.kind`: text, in `text`.
pub const NAS_VALUE_TEXT: i32 = 0;
/// `NasValue.kind`: whole number, in both `integer` and `number`.
pub const NAS_VALUE_INTEGER: i32 = 1;
/// `NasValue.kind`: floating-point number, in `number`.
pub const NAS_VALUE_NUMBER: i32 = 2;
/// `NasValue.kind`: true (`integer` is 1) or false (`integer` is 0).
pub const NAS_VALUE_FLAG: i32 = 3;

/// `NasTensor.device_type`: main memory, the only device of version 1.0.
pub const NAS_DEVICE_CPU: i32 = 1;
/// `NasDtype.code`: floating point. Version 1.0 has only 32-bit floats (`bits` is 32, `lanes` is 1).
pub const NAS_DTYPE_FLOAT: u8 = 2;

/// UTF-8 text. `data` may be null if `len` is 0.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NasStr {
    /// First byte.
    pub data: *const c_char,
    /// Length in bytes.
    pub len: usize,
}

/// Value of an option. `kind` selects the field that holds it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NasValue {
    /// One of `NAS_VALUE_*`.
    pub kind: i32,
    /// A whole number, or a flag as 1 or 0.
    pub integer: i64,
    /// A number, whole numbers included.
    pub number: f64,
    /// A text, valid until `destroy` returns.
    pub text: NasStr,
}

/// Element type of a tensor.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NasDtype {
    /// One of `NAS_DTYPE_*`.
    pub code: u8,
    /// Bits per element.
    pub bits: u8,
    /// Lanes of a vector element; 1 for scalars.
    pub lanes: u16,
}

/// View of a tensor, with the memory layout of `DLTensor` of DLPack 1, so that pointers to both are interchangeable.
///
/// `data` is null if the tensor is absent: `needs` does not include it, or it does not exist yet. Elements are `float`
/// in row-major order, aligned to at least 4 bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NasTensor {
    /// Start of the memory. The first element is `byte_offset` bytes after it.
    pub data: *mut c_void,
    /// One of `NAS_DEVICE_*`.
    pub device_type: i32,
    /// Index of the device among those of its type.
    pub device_id: i32,
    /// Number of dimensions: 4, or 0 for an absent tensor.
    pub ndim: i32,
    /// Element type.
    pub dtype: NasDtype,
    /// Sizes of the `ndim` dimensions.
    pub shape: *const i64,
    /// Strides of the `ndim` dimensions in elements; null for row-major order.
    pub strides: *const i64,
    /// Bytes from `data` to the first element.
    pub byte_offset: u64,
}

/// One decision of the search space. An architecture takes one of its choices.
#[repr(C)]
#[derive(Debug)]
pub struct NasDecision {
    /// Size of this struct in bytes.
    pub struct_size: usize,
    /// Name, unique in the search space.
    pub name: NasStr,
    /// Names of the choices, in index order.
    pub choices: *const NasStr,
    /// Number of choices.
    pub choices_len: usize,
}

/// One layer of the supernet.
#[repr(C)]
#[derive(Debug)]
pub struct NasLayer {
    /// Size of this struct in bytes.
    pub struct_size: usize,
    /// Name, unique in the supernet.
    pub name: NasStr,
    /// One of `NAS_LAYER_*`.
    pub kind: u32,
    /// 1 if the layer applies a ReLU before its convolution, otherwise 0. Captured inputs are those before the ReLU.
    pub relu: u32,
    /// Input channels.
    pub c_in: u32,
    /// Output channels.
    pub c_out: u32,
    /// Groups of a convolution; 1 for other layers.
    pub groups: u32,
    /// Kernel height and width of a convolution; 1 for other layers.
    pub kernel: [u32; 2],
    /// Vertical and horizontal stride; 1 for other layers.
    pub stride: [u32; 2],
    /// Zero padding of each vertical and horizontal side; 0 for other layers.
    pub padding: [u32; 2],
    /// Vertical and horizontal dilation; 1 for dense kernels and other layers.
    pub dilation: [u32; 2],
    /// Index of the first parameter of the layer in `NasModel.params`.
    pub first_param: u32,
    /// Number of parameters of the layer. Their indices are consecutive.
    pub params_len: u32,
}

/// One parameter tensor of the supernet.
#[repr(C)]
#[derive(Debug)]
pub struct NasParam {
    /// Size of this struct in bytes.
    pub struct_size: usize,
    /// Name, `<layer>.<role>`.
    pub name: NasStr,
    /// Index of the layer in `NasModel.layers`.
    pub layer: u32,
    /// One of `NAS_ROLE_*`.
    pub role: u32,
    /// Sizes of the four dimensions, as given at `NAS_ROLE_*`.
    pub shape: [u64; 4],
}

/// The supernet and the length of the run, valid until `destroy` returns.
#[repr(C)]
#[derive(Debug)]
pub struct NasModel {
    /// Size of this struct in bytes.
    pub struct_size: usize,
    /// Name of the search space.
    pub space: NasStr,
    /// Decisions, in the order of the choices of an architecture.
    pub decisions: *const *const NasDecision,
    /// Number of decisions.
    pub decisions_len: usize,
    /// Layers of the supernet. Other structs refer to a layer by its index.
    pub layers: *const *const NasLayer,
    /// Number of layers.
    pub layers_len: usize,
    /// Parameters of the supernet. Other structs refer to a parameter by its index.
    pub params: *const *const NasParam,
    /// Number of parameters.
    pub params_len: usize,
    /// Number of steps of the whole run.
    pub total_steps: u64,
    /// Number of consecutive steps that train the same plan.
    pub steps_per_arch: u64,
}

/// One architecture of a step.
#[repr(C)]
#[derive(Debug)]
pub struct NasPath {
    /// Size of this struct in bytes.
    pub struct_size: usize,
    /// Index of the choice of each decision.
    pub arch: *const u32,
    /// Number of decisions.
    pub arch_len: usize,
    /// Factor of the loss. The gradients of all paths are summed.
    pub weight: f64,
    /// Cross-entropy of the path without the factor; NaN in `end_arch`.
    pub loss: f64,
}

/// One active parameter in a step. A parameter is active if an architecture of the step uses it.
#[repr(C)]
#[derive(Debug)]
pub struct NasParamStep {
    /// Size of this struct in bytes.
    pub struct_size: usize,
    /// Index in `NasModel.params`.
    pub param: u32,
    /// Weight set that `bind` selected; 0 without `bind`.
    pub set: u32,
    /// Weights before the update; in `after_update` those after it.
    pub weight: NasTensor,
    /// Gradient of the weighted losses, summed over the paths.
    pub gradient: NasTensor,
    /// Value that is added to the weights: `-lr v`, momentum and weight decay included. Absent in `after_backward`.
    pub update: NasTensor,
}

/// The input of one layer under one path.
#[repr(C)]
#[derive(Debug)]
pub struct NasInput {
    /// Size of this struct in bytes.
    pub struct_size: usize,
    /// Index in `NasStep.paths`.
    pub path: u32,
    /// Index in `NasModel.layers`.
    pub layer: u32,
    /// Input of the layer, `[n, h, w, c_in]`, before the ReLU of the layer.
    pub input: NasTensor,
}

/// One training step, as passed to the hooks.
#[repr(C)]
#[derive(Debug)]
pub struct NasStep {
    /// Size of this struct in bytes.
    pub struct_size: usize,
    /// Number of the step in the run, counted from 0.
    pub number: u64,
    /// Epoch, counted from 0.
    pub epoch: u64,
    /// Learning rate of the step.
    pub lr: f64,
    /// Architectures trained in the step.
    pub paths: *const *const NasPath,
    /// Number of paths.
    pub paths_len: usize,
    /// Active parameters, in ascending order of weight set and index.
    pub params: *const *const NasParamStep,
    /// Number of active parameters.
    pub params_len: usize,
    /// Captured inputs, in the order of the paths.
    pub inputs: *const *const NasInput,
    /// Number of captured inputs.
    pub inputs_len: usize,
}

/// Functions of nas-train that a plugin may call. `ctx` is the first argument of each.
///
/// Every instance has its own host, valid until `destroy` returns. The host passed to `nas_plugin_v1` is valid during
/// that call; all its functions except `set_error` are null.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NasHost {
    /// Size of this struct in bytes.
    pub struct_size: usize,
    /// [`NAS_ABI_MAJOR`] of the header that the host was built with.
    pub abi_major: u32,
    /// [`NAS_ABI_MINOR`] of the header that the host was built with.
    pub abi_minor: u32,
    /// Bits of `NasStrategy.needs` that the host supports.
    pub features: u64,
    /// First argument of the functions below.
    pub ctx: *mut c_void,
    /// Sets the error message. To be called before a function returns a code other than `NAS_OK`. The text is copied.
    pub set_error: Option<unsafe extern "C" fn(ctx: *mut c_void, message: NasStr)>,
    /// Adds a sentence to the log of the run. The text is copied. Any thread may call `log` and `metric` until
    /// `destroy` returns; all other functions belong to the thread of the present call.
    pub log: Option<unsafe extern "C" fn(ctx: *mut c_void, message: NasStr)>,
    /// Sets a metric of the strategy. The last value of an epoch is recorded. A name has 1 to 64 of `a-z 0-9 . _ -`.
    pub metric: Option<unsafe extern "C" fn(ctx: *mut c_void, name: NasStr, value: f64) -> i32>,
    /// Reads the value of an option that `NasStrategy.options` declares.
    pub option: Option<unsafe extern "C" fn(ctx: *mut c_void, name: NasStr, value: *mut NasValue) -> i32>,
    /// Draws 64 random bits from the stream of the run, which depends on the seed only. To be called in `plan`.
    pub random: Option<unsafe extern "C" fn(ctx: *mut c_void, bits: *mut u64) -> i32>,
    /// Draws an architecture of `len` choices: uniformly, or from the controller once its training has started. To be
    /// called in `plan`.
    pub draw: Option<unsafe extern "C" fn(ctx: *mut c_void, arch: *mut u32, len: usize) -> i32>,
    /// Adds an architecture and the factor of its loss to the plan. To be called in `plan`.
    pub plan_add: Option<unsafe extern "C" fn(ctx: *mut c_void, arch: *const u32, len: usize, weight: f64) -> i32>,
}

/// Appends `len` bytes of state to `sink`. An argument of `NasStrategy.save`.
pub type NasWrite = Option<unsafe extern "C" fn(sink: *mut c_void, data: *const c_void, len: usize) -> i32>;

/// A strategy: its description and its functions. `create` and `destroy` are required; all other functions may be null.
///
/// Calls to one instance never overlap, but may come from different threads.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NasStrategy {
    /// `sizeof(NasStrategy)` of the header that the plugin was built with.
    pub struct_size: usize,
    /// [`NAS_ABI_MAJOR`] of that header.
    pub abi_major: u32,
    /// [`NAS_ABI_MINOR`] of that header.
    pub abi_minor: u32,
    /// Lowest minor version of the host that the plugin works with.
    pub min_host_minor: u32,
    /// Always 0.
    pub reserved: u32,
    /// Bits `NAS_NEEDS_*` and `NAS_WRITES_*`: the tensors that are copied for the hooks.
    pub needs: u64,
    /// Name on the command line: 1 to 64 of `a-z 0-9 -`, not starting with `-`.
    pub name: NasStr,
    /// Version of the strategy.
    pub version: NasStr,
    /// Description in one line.
    pub summary: NasStr,
    /// Publication of the method; may be empty.
    pub reference: NasStr,
    /// Options with their default values, as TOML: lines `name = value` with a text, a number, `true` or `false`.
    pub options: NasStr,
    /// Makes an instance. Returns `NAS_INVALID` if an option is out of its range.
    pub create:
        Option<unsafe extern "C" fn(host: *const NasHost, model: *const NasModel, instance: *mut *mut c_void) -> i32>,
    /// Frees an instance.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
    /// Number of weight sets of the supernet, 1 to 64. Called once, after `create`. If null: 1.
    pub weight_sets: Option<unsafe extern "C" fn(instance: *mut c_void, sets: *mut u32) -> i32>,
    /// Selects the weight set of an architecture at a layer. Equal arguments must give equal results. If null: 0.
    pub bind: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            layer: u32,
            arch: *const u32,
            arch_len: usize,
            set: *mut u32,
        ) -> i32,
    >,
    /// Selects whether (1 or 0) the inputs of a layer are captured in the next step. Requires `NAS_NEEDS_INPUT`. If
    /// null: the inputs of all layers.
    pub capture: Option<unsafe extern "C" fn(instance: *mut c_void, layer: u32, wanted: *mut u8) -> i32>,
    /// Chooses the 1 to 1024 architectures of the next plan with `plan_add`; each of its steps trains all of them. If
    /// null: one architecture from `draw`.
    pub plan: Option<unsafe extern "C" fn(instance: *mut c_void) -> i32>,
    /// Called after the backward pass, before clipping. May edit the gradients under `NAS_WRITES_GRADIENT`.
    pub after_backward: Option<unsafe extern "C" fn(instance: *mut c_void, step: *const NasStep) -> i32>,
    /// Called before the updates are added to the weights. May edit the updates under `NAS_WRITES_UPDATE`.
    pub before_apply: Option<unsafe extern "C" fn(instance: *mut c_void, step: *const NasStep) -> i32>,
    /// Called after the updates have been added to the weights.
    pub after_update: Option<unsafe extern "C" fn(instance: *mut c_void, step: *const NasStep) -> i32>,
    /// Called after the last step of a plan.
    pub end_arch:
        Option<unsafe extern "C" fn(instance: *mut c_void, paths: *const *const NasPath, paths_len: usize) -> i32>,
    /// Called after each epoch. Epochs count from 0.
    pub end_epoch: Option<unsafe extern "C" fn(instance: *mut c_void, epoch: u64) -> i32>,
    /// Writes the state that a new instance needs to continue, with one or more calls of `write`.
    pub save: Option<unsafe extern "C" fn(instance: *mut c_void, sink: *mut c_void, write: NasWrite) -> i32>,
    /// Restores the state that `save` wrote. The bytes may come from any file, so the function has to check them.
    pub load: Option<unsafe extern "C" fn(instance: *mut c_void, data: *const c_void, len: usize) -> i32>,
}

/// The function that a plugin exports as `nas_plugin_v1`. It returns the strategies of the plugin, in memory that stays
/// valid until the process ends. On failure it calls `set_error` and returns null.
pub type NasPluginEntry =
    Option<unsafe extern "C" fn(host: *const NasHost, count: *mut usize) -> *const *const NasStrategy>;

// SAFETY: the fields are never written after construction, and their pointers lead to constant data.
unsafe impl Sync for NasStrategy {}

impl NasStr {
    /// A string with static lifetime.
    pub const fn new(text: &'static str) -> Self {
        Self { data: text.as_ptr().cast(), len: text.len() }
    }

    /// A borrowed string. The caller must keep `text` alive while the result is read.
    pub fn of(text: &str) -> Self {
        Self { data: text.as_ptr().cast(), len: text.len() }
    }

    /// The text as `&str`.
    ///
    /// # Errors
    /// `data` is null although `len` is not 0, or the bytes are not UTF-8.
    ///
    /// # Safety
    /// `data` must be null or point to `len` initialised bytes that are valid and unchanged for `'a`.
    pub unsafe fn read<'a>(self) -> Result<&'a str, String> {
        if self.len == 0 {
            return Ok("");
        }
        if self.data.is_null() {
            return Err(format!("a null pointer for {} bytes of text", self.len));
        }
        // SAFETY: `data` is not null, so by the contract of this function it points to `len` bytes valid for `'a`.
        let bytes = unsafe { std::slice::from_raw_parts(self.data.cast(), self.len) };
        std::str::from_utf8(bytes).map_err(|error| format!("text that is not UTF-8 ({error})"))
    }
}
