//! A pool of memory, because the first access to new memory costs more than most kernels.
//!
//! Activations, their gradients and scratch memory come from one pool and return to it when dropped. At most half of a
//! buffer is unused, because a request is only served by a buffer of up to twice its size.

use crate::{Tensor4, shape::elements};
use dfdx::{shapes::HasShape, tensor::Cpu};
use rayon::prelude::*;
use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

/// Elements that one parallel task copies.
const CHUNK_LEN: usize = 64 * 1024;
/// Elements of a cache line. Buffers start at one, because loading a register from two lines takes twice as long.
const CACHE_LINE: usize = 16;

/// Idle buffers by length.
static POOL: Mutex<BTreeMap<usize, Vec<Vec<f32>>>> = Mutex::new(BTreeMap::new());

/// `len` elements of memory from the pool. Dropping the buffer returns the memory.
#[derive(Debug)]
pub struct Buffer {
    memory: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` elements with arbitrary values, left over from an earlier use.
    pub fn uninitialised(len: usize) -> Self {
        let room = len + CACHE_LINE - 1;
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        // At most twice as large as needed, so that small requests leave the large buffers to large ones.
        let fitting = pool.range_mut(room..=room.saturating_mul(2)).next().map(|(&size, idle)| (size, idle.pop()));
        if let Some((size, Some(memory))) = fitting {
            if pool.get(&size).is_some_and(Vec::is_empty) {
                pool.remove(&size);
            }
            return Self::aligned(memory, len);
        }
        drop(pool);
        Self::aligned(vec![0.0; room], len)
    }

    /// The buffer from the first cache line in `memory` on.
    fn aligned(memory: Vec<f32>, len: usize) -> Self {
        let start = memory.as_ptr().align_offset(CACHE_LINE * size_of::<f32>()).min(CACHE_LINE - 1);
        Self { memory, start, len }
    }

    /// A buffer of `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let mut buffer = Self::uninitialised(len);
        buffer.fill(0.0);
        buffer
    }

    /// A copy of `values`.
    pub fn copy(values: &[f32]) -> Self {
        let mut buffer = Self::uninitialised(values.len());
        buffer
            .par_chunks_mut(CHUNK_LEN)
            .zip(values.par_chunks(CHUNK_LEN))
            .for_each(|(to, from)| to.copy_from_slice(from));
        buffer
    }

    /// A copy of a contiguous tensor.
    pub fn read(tensor: &Tensor4<Cpu>) -> Self {
        let mut buffer = Self::uninitialised(elements(*tensor.shape()));
        tensor.copy_into(&mut buffer);
        buffer
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        pool.entry(memory.len()).or_default().push(memory);
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.memory[self.start..][..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..][..self.len]
    }
}
