//! The kernels of a GPU, compiled once a process, and their launches.

#![expect(unsafe_code, reason = "kernels and copies take the addresses of device memory")]

use super::{memory::BufferPool, upload::Uploads};
use crate::OpError;
use cudarc::{
    driver::{
        CudaDevice, CudaSlice, DevicePtr, DeviceRepr, DriverError, LaunchAsync, LaunchConfig, result,
        sys::{self, CUdevice_attribute as Attribute},
    },
    nvrtc::{CompileOptions, compile_ptx_with_opts},
};
use dfdx::tensor::{Cuda, Storage};
use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// CUDA C++ of all kernels.
const SOURCE: &str = concat!(
    include_str!("kernels/common.cu"),
    include_str!("kernels/product.cu"),
    include_str!("kernels/conv.cu"),
    include_str!("kernels/gram.cu"),
    include_str!("kernels/depthwise.cu"),
    include_str!("kernels/norm.cu"),
    include_str!("kernels/elementwise.cu"),
    include_str!("kernels/pool.cu"),
    include_str!("kernels/cross_entropy.cu"),
    include_str!("kernels/sgd.cu"),
);

/// The names of all kernels.
const KERNELS: &[&str] = &[
    "conv_forward_16",
    "conv_forward_64",
    "conv_input_gradient_16",
    "conv_input_gradient_64",
    "conv_weight_gradient",
    "conv_forward_16_tf32",
    "conv_forward_64_tf32",
    "conv_input_gradient_16_tf32",
    "conv_input_gradient_64_tf32",
    "conv_weight_gradient_tf32",
    "gram_16",
    "gram_64",
    "depthwise_forward",
    "depthwise_forward_norm",
    "depthwise_input_gradient",
    "depthwise_weight_gradient",
    "norm_fixed",
    "norm_batch",
    "norm_backward",
    "bias_gradient",
    "map_forward",
    "map_backward",
    "sum_forward",
    "concat_forward",
    "concat_backward",
    "pool_forward",
    "pool_backward",
    "odd_pixels_forward",
    "odd_pixels_backward",
    "image_mean_forward",
    "image_mean_backward",
    "cross_entropy_forward",
    "cross_entropy_backward",
    "sgd_squares",
    "sgd_step",
];

/// Number of counters that the blocks of one launch can share.
const COUNTERS: usize = 1 << 20;

/// The first major number of the compute capability of GPUs with TF32 (PTX ISA, `mma`).
const TF32_SINCE: i32 = 8;

/// Threads of a block of kernels with one thread a value.
const THREADS: u32 = 256;

/// The GPU that this process uses, with its kernels. A process uses one GPU: the first that runs an operation.
pub struct Runtime {
    /// The GPU.
    pub device: Arc<CudaDevice>,
    /// Free memory.
    pub buffer_pool: BufferPool,
    /// Copies to the GPU beside its work.
    pub uploads: Uploads,
    /// Whether dense convolutions and linear layers use tensor cores in TF32.
    tf32: AtomicBool,
    counters: CudaSlice<u32>,
}

/// The compute capability of a GPU: major and minor number.
fn compute_capability(device: &CudaDevice) -> Result<(i32, i32), OpError> {
    let number = |attribute| device.attribute(attribute).map_err(failed);
    let major = number(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
    Ok((major, number(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?))
}

impl Runtime {
    /// The runtime of this process, created at the first call.
    ///
    /// # Errors
    /// The kernels cannot be compiled or loaded.
    pub fn of(device: &Cuda) -> Result<&'static Self, OpError> {
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        static CREATION: Mutex<()> = Mutex::new(());
        if let Some(runtime) = RUNTIME.get() {
            return Ok(runtime);
        }
        let _one_at_a_time = CREATION.lock().unwrap_or_else(PoisonError::into_inner);
        match RUNTIME.get() {
            Some(runtime) => Ok(runtime),
            None => {
                let runtime = Self::new(device)?;
                Ok(RUNTIME.get_or_init(|| runtime))
            }
        }
    }

    fn new(device: &Cuda) -> Result<Self, OpError> {
        // A device of dfdx shows its GPU only through its memory.
        let memory = Storage::<f32>::try_alloc_len(device, 1).map_err(failed)?;
        let device = memory.device();
        let (major, minor) = compute_capability(&device)?;
        // One for the life of the process.
        let arch: &'static str = format!("compute_{major}{minor}").leak();
        let options = CompileOptions { arch: Some(arch), ..CompileOptions::default() };
        let compiled = compile_ptx_with_opts(SOURCE, options).map_err(failed)?;
        device.load_ptx(compiled, "nas", KERNELS).map_err(failed)?;
        let counters = device.alloc_zeros(COUNTERS).map_err(failed)?;
        let uploads = Uploads::new().map_err(failed)?;
        keep_freed_memory(&device).map_err(failed)?;
        Ok(Self { device, buffer_pool: BufferPool::default(), uploads, tf32: AtomicBool::new(false), counters })
    }

    /// Whether dense convolutions and linear layers use tensor cores in TF32.
    pub fn tf32(&self) -> bool {
        self.tf32.load(Ordering::Relaxed)
    }

    /// Turns TF32 on or off.
    ///
    /// # Errors
    /// The GPU has no TF32.
    pub fn set_tf32(&self, on: bool) -> Result<(), OpError> {
        let (major, minor) = compute_capability(&self.device)?;
        if on && major < TF32_SINCE {
            return Err(OpError::Unsupported {
                feature: "TF32",
                expected: format!("a GPU of compute capability {TF32_SINCE}.0 or later"),
                found: format!("{major}.{minor}"),
            });
        }
        self.tf32.store(on, Ordering::Relaxed);
        Ok(())
    }

    /// The address of counters that are zero before and after each kernel.
    pub fn counters(&self) -> u64 {
        *self.counters.device_ptr()
    }

    /// Launches a kernel with one argument.
    ///
    /// # Errors
    /// The device refuses the launch.
    pub fn launch<A: DeviceRepr>(
        &self,
        kernel: &'static str,
        grid: (u32, u32, u32),
        block: (u32, u32),
        args: A,
    ) -> Result<(), DriverError> {
        let Some(function) = self.device.get_func("nas", kernel) else {
            return Err(DriverError(sys::CUresult::CUDA_ERROR_NOT_FOUND));
        };
        let config = LaunchConfig { grid_dim: grid, block_dim: (block.0, block.1, 1), shared_mem_bytes: 0 };
        // SAFETY: each kernel takes one structure, which has the layout of its `repr(C)` twin; its addresses are those
        // of live buffers.
        unsafe { function.launch(config, (args,)) }
    }

    /// Launches a kernel with one thread for each of `values`.
    ///
    /// # Errors
    /// The device refuses the launch.
    pub fn launch_over<A: DeviceRepr>(&self, kernel: &'static str, values: usize, args: A) -> Result<(), DriverError> {
        self.launch(kernel, (blocks(values, THREADS as usize), 1, 1), (THREADS, 1), args)
    }

    /// Copies `len` numbers from one address to another.
    ///
    /// # Errors
    /// A failing device.
    pub fn copy(&self, to: u64, from: u64, len: usize) -> Result<(), DriverError> {
        let bytes = len * size_of::<f32>();
        // SAFETY: both addresses are those of live buffers of `len` numbers.
        unsafe { result::memcpy_dtod_async(to, from, bytes, *self.device.cu_stream()) }
    }
}

/// Bytes of freed memory that the driver keeps.
const KEPT_BYTES: u64 = 1 << 30;

/// Makes the driver keep freed memory. By default it returns all to the system whenever the host waits, which is more
/// than once a step, and dfdx allocates the tensors of every step anew.
fn keep_freed_memory(device: &CudaDevice) -> Result<(), DriverError> {
    let has_pools = device.attribute(Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED)? != 0;
    if !has_pools {
        return Ok(());
    }
    let (mut pool, mut kept) = (std::ptr::null_mut(), KEPT_BYTES);
    let threshold = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the device is live, and the threshold is a number of 64 bits.
    unsafe {
        sys::cuDeviceGetDefaultMemPool(&raw mut pool, *device.cu_device()).result()?;
        sys::cuMemPoolSetAttribute(pool, threshold, (&raw mut kept).cast()).result()
    }
}

/// The error of a GPU that cannot run the kernels.
fn failed(error: impl std::fmt::Debug) -> OpError {
    OpError::device("cuda")(error)
}

/// Most blocks of a grid in its third dimension.
pub const MAX_GRID_Z: usize = 65_535;

/// Number of blocks of `size` that cover `values`.
pub fn blocks(values: usize, size: usize) -> u32 {
    values.div_ceil(size).max(1) as u32
}
