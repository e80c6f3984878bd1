//! Device memory: buffers that return to a pool, and the addresses of tensors.
//!
//! All work runs on one stream in order. Memory that is returned while a kernel still reads it is therefore reused only
//! after that kernel.

#![expect(unsafe_code, reason = "fresh device memory is not initialised")]

use super::runtime::Runtime;
use crate::{OpError, Tensor4, shape::elements, tape::Recorder};
use cudarc::driver::{CudaDevice, CudaSlice, DevicePtr, DeviceSlice, DriverError, result, sys::CUresult};
use dfdx::{
    shapes::{HasShape, Shape},
    tensor::{Cuda, NoneTape, Tensor},
};
use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

/// Free memory by number of elements.
#[derive(Default)]
pub struct BufferPool {
    free: Mutex<BTreeMap<usize, Vec<CudaSlice<f32>>>>,
}

impl BufferPool {
    /// Takes memory of `len` elements from the pool or the device. If the device has none left, the pool is emptied
    /// first.
    fn take(&self, device: &Arc<CudaDevice>, len: usize) -> Result<CudaSlice<f32>, DriverError> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slice) = free.get_mut(&len).and_then(Vec::pop) {
            return Ok(slice);
        }
        // dfdx allocates from the same memory and cannot empty the pool, so some is left for it.
        if result::mem_get_info().is_ok_and(|(left, total)| left < total / 8) {
            free.clear();
        }
        // SAFETY: the memory is not initialised. Kernels write it before they read it.
        let allocate = || unsafe { device.alloc(len) };
        allocate().or_else(|error| {
            // After another error, freeing memory fails too.
            if error.0 != CUresult::CUDA_ERROR_OUT_OF_MEMORY {
                return Err(error);
            }
            free.clear();
            device.synchronize()?;
            allocate()
        })
    }
}

/// `len` numbers on the device, not initialised. Returns to the pool when it is dropped.
pub struct Buffer {
    slice: Option<CudaSlice<f32>>,
    runtime: &'static Runtime,
}

impl Buffer {
    /// Takes a buffer from the pool.
    ///
    /// # Errors
    /// Not enough memory.
    pub fn new(runtime: &'static Runtime, len: usize) -> Result<Self, DriverError> {
        // A kernel may get the address of an empty buffer, so there is always one.
        Ok(Self { slice: Some(runtime.buffer_pool.take(&runtime.device, len.max(1))?), runtime })
    }

    /// As [`new`](Self::new), for numbers in double precision: each takes the space of two of them.
    ///
    /// # Errors
    /// Not enough memory.
    pub fn of_doubles(runtime: &'static Runtime, len: usize) -> Result<Self, DriverError> {
        Self::new(runtime, 2 * len)
    }

    /// Copies numbers to the device.
    ///
    /// # Errors
    /// Not enough memory, or a failing device.
    pub fn upload(runtime: &'static Runtime, values: &[f32]) -> Result<Self, DriverError> {
        let mut buffer = Self::new(runtime, values.len())?;
        if let Some(slice) = &mut buffer.slice {
            // The slice keeps the numbers until the copy has ended.
            runtime.device.htod_copy_into(values.to_vec(), slice)?;
        }
        Ok(buffer)
    }

    /// Returns the memory to the device instead of the pool: for sizes that do not come again.
    pub fn release(mut self) {
        drop(self.slice.take());
    }

    /// The address of the first number.
    pub fn address(&self) -> u64 {
        self.slice.as_ref().map_or(0, |slice| *slice.device_ptr())
    }

    /// The numbers, after all work so far.
    ///
    /// # Errors
    /// A failing device.
    pub fn to_host(&self) -> Result<Vec<f32>, DriverError> {
        self.slice.as_ref().map_or(Ok(Vec::new()), |slice| self.runtime.device.dtoh_sync_copy(slice))
    }

    /// The numbers in double precision, after all work so far.
    ///
    /// # Errors
    /// A failing device.
    pub fn doubles_to_host(&self) -> Result<Vec<f64>, DriverError> {
        let double = |pair: &[f32]| f64::from_bits(u64::from(pair[0].to_bits()) | u64::from(pair[1].to_bits()) << 32);
        Ok(self.to_host()?.chunks_exact(2).map(double).collect())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(slice) = self.slice.take() {
            let mut free = self.runtime.buffer_pool.free.lock().unwrap_or_else(PoisonError::into_inner);
            free.entry(slice.len()).or_default().push(slice);
        }
    }
}

/// Copies tensors to the host, each in row-major order: to one buffer on the device first, and from there at once.
///
/// # Errors
/// Not enough memory, or a failing device.
pub fn all_to_host(tensors: &[&Tensor4<Cuda>]) -> Result<Vec<Vec<f32>>, OpError> {
    let op = "output";
    let Some(first) = tensors.first() else { return Ok(Vec::new()) };
    let runtime = Runtime::of(first.device())?;
    let lengths: Vec<usize> = tensors.iter().map(|x| elements(*x.shape())).collect();
    let all = Buffer::new(runtime, lengths.iter().sum()).map_err(OpError::device(op))?;
    let mut to = all.address();
    for (x, len) in tensors.iter().zip(&lengths) {
        let x = NoneTape.contiguous(op, x)?;
        runtime.copy(to, address(op, &x)?, *len).map_err(OpError::device(op))?;
        to += (len * size_of::<f32>()) as u64;
    }
    let values = all.to_host().map_err(OpError::device(op))?;
    // Almost every architecture has another size of all its tensors together.
    all.release();
    Ok(pieces(values, &lengths))
}

/// Divides values into consecutive pieces of these lengths.
pub fn pieces<T>(values: Vec<T>, lengths: &[usize]) -> Vec<Vec<T>> {
    let mut rest = values.into_iter();
    lengths.iter().map(|len| rest.by_ref().take(*len).collect()).collect()
}

/// The address of a tensor's memory.
///
/// dfdx has no accessor for it. But the `Debug` text of a tensor begins with its memory, which names the address. The
/// versions of dfdx and cudarc are fixed, and a text of another form is an error.
///
/// # Errors
/// The text has no address.
pub fn address<S: Shape>(op: &'static str, x: &Tensor<S, f32, Cuda>) -> Result<u64, OpError> {
    let mut text = AddressText { text: String::new() };
    // Writing ends with an error at the end of the address.
    let _ = write!(text, "{x:?}");
    text.address().ok_or_else(|| OpError::device(op)("the address of a tensor is unknown"))
}

/// Text up to the end of the address.
struct AddressText {
    text: String,
}

impl AddressText {
    const NAME: &str = "cu_device_ptr: ";

    fn address(&self) -> Option<u64> {
        let (_, after) = self.text.split_once(Self::NAME)?;
        after.split_once(',')?.0.parse().ok()
    }
}

impl Write for AddressText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.text.push_str(part);
        if self.address().is_some() { Err(fmt::Error) } else { Ok(()) }
    }
}
