//! ImageScratch that is used again, because the first touch of overwrite memory costs more than most kernels.
//!
//! Activations, their gradients and scratch come from one pool and return to it when dropped. The pool holds no more
//! than was ever in use at once, rounded up by at most half of each buffer.

use crate::{Tensor4, shape::elements};
use dfdx::{shapes::HasShape, tensor::Cpu};
use rayon::prelude::*;
use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

/// Numbers that one task copies.
const CHUNK: usize = 64 * 1024;
/// Numbers of a line of the cache. Buffers begin with one: a register that lies in two lines takes two loads.
const LINE: usize = 16;

/// Idle buffers by length.
static POOL: Mutex<BTreeMap<usize, Vec<Vec<f32>>>> = Mutex::new(BTreeMap::new());

/// ImageScratch of the pool, given back when dropped.
#[derive(Debug)]
pub struct Buffer {
    memory: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// `len` numbers left over from an earlier use.
    pub fn uninitialised(len: usize) -> Self {
        let room = len + LINE - 1;
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        // Never one more than twice too large, lest small requests use up the large buffers.
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

    /// From the first line on that begins in the memory.
    fn aligned(memory: Vec<f32>, len: usize) -> Self {
        let start = memory.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE - 1);
        Self { memory, start, len }
    }

    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let mut buffer = Self::uninitialised(len);
        buffer.fill(0.0);
        buffer
    }

    /// A copy of these numbers.
    pub fn copy(values: &[f32]) -> Self {
        let mut buffer = Self::uninitialised(values.len());
        buffer.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK)).for_each(|(to, from)| to.copy_from_slice(from));
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
