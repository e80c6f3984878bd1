//! Memory that is used again, because the first touch of fresh memory costs more than most kernels.
//!
//! Two stores, each balanced in itself. Temporary [`Buffer`]s come from a pool of this module and return to it when
//! dropped; the pool holds no more than was ever in use at once, rounded up by at most half of each buffer. Memory of
//! tensors and gradients comes from and returns to dfdx's own cache, which a program turns on with `enable_cache`.

use crate::{
    OpError, Tensor4,
    shape::{Dims, elements},
};
use dfdx::{
    shapes::HasShape,
    tensor::{Cpu, CpuError, Storage, TensorFromVec},
};
use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

/// Idle buffers by length.
static POOL: Mutex<BTreeMap<usize, Vec<Vec<f32>>>> = Mutex::new(BTreeMap::new());

/// Temporary memory, given back when dropped.
pub struct Buffer {
    memory: Vec<f32>,
    len: usize,
}

impl Buffer {
    /// `len` numbers left over from an earlier use.
    pub fn stale(len: usize) -> Self {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        // Never one more than twice too large, lest small requests use up the large buffers.
        let fitting = pool.range_mut(len..=len.saturating_mul(2)).next().map(|(&size, idle)| (size, idle.pop()));
        if let Some((size, Some(memory))) = fitting {
            if pool.get(&size).is_some_and(Vec::is_empty) {
                pool.remove(&size);
            }
            return Self { memory, len };
        }
        drop(pool);
        Self { memory: vec![0.0; len], len }
    }

    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let mut buffer = Self::stale(len);
        buffer.fill(0.0);
        buffer
    }

    /// A copy of a contiguous tensor.
    pub fn read(tensor: &Tensor4<Cpu>) -> Self {
        let mut buffer = Self::stale(elements(*tensor.shape()));
        tensor.copy_into(&mut buffer);
        buffer
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        if !memory.is_empty() {
            let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
            pool.entry(memory.len()).or_default().push(memory);
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.memory[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[..self.len]
    }
}

/// Memory of a tensor or gradient: a `Vec<f32>` that returns to dfdx's cache when dropped.
pub type Handle = <Cpu as Storage<f32>>::Vec;

/// Zeros to become a tensor.
pub fn allocate(op: &'static str, device: &Cpu, dims: Dims) -> Result<Handle, OpError> {
    Storage::<f32>::try_alloc_len(device, elements(dims)).map_err(OpError::device(op))
}

/// Makes a tensor of `memory`, without a copy.
pub fn into_tensor(op: &'static str, device: &Cpu, mut memory: Handle, dims: Dims) -> Result<Tensor4<Cpu>, OpError> {
    let values = std::mem::take(&mut *memory);
    // Dropped, the empty handle would add an entry of no bytes to the cache, at every call one more. It owns nothing
    // but a count of references to the cache.
    std::mem::forget(memory);
    device.try_tensor_from_vec(values, dims).map_err(OpError::device(op))
}

/// Takes the gradient of an output out of its place. It is complete when the backward pass of its operation runs, and
/// nobody asks for it afterwards.
pub fn consume(device: &Cpu, gradient: &mut Handle) -> Result<Handle, CpuError> {
    let nothing = Storage::<f32>::try_alloc_len(device, 0)?;
    Ok(std::mem::replace(gradient, nothing))
}
