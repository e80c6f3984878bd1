//! The gradient of an activation, to which every operation that read the activation adds.

use crate::cpu::{buffer::Buffer, elementwise::parallel_add_assign};
use std::sync::{Arc, Mutex, PoisonError};

/// The gradient of an activation while backward passes accumulate it; empty until the first contribution.
///
/// The first contribution is stored without adding it to zeros. A gradient that several activations share unchanged, as
/// the terms of a sum do, is one buffer for all of them until one of them receives another contribution.
#[derive(Debug, Clone, Default)]
pub struct GradientBuffer(Arc<Mutex<Option<Arc<Buffer>>>>);

impl GradientBuffer {
    /// Removes and returns the gradient; `None` if nothing was added.
    pub fn take(&self) -> Option<Arc<Buffer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Adds a gradient that other activations may share.
    pub fn add_shared(&self, more: &Arc<Buffer>) {
        let mut gradient = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gradient.is_none() {
            *gradient = Some(more.clone());
            return;
        }
        drop(gradient);
        self.accumulate(more.len(), |total, _| parallel_add_assign(total, more));
    }

    /// Calls `work(gradient, overwrite)`, which adds to the `len` elements of the gradient. If `overwrite` is true, the
    /// gradient was empty and its elements are arbitrary, so `work` fills them instead.
    pub fn accumulate<R>(&self, len: usize, work: impl FnOnce(&mut [f32], bool) -> R) -> R {
        let (mut total, overwrite) = match self.take().map(Arc::try_unwrap) {
            None => (Buffer::uninitialised(len), true),
            Some(Ok(own)) => (own, false),
            Some(Err(shared)) => (Buffer::copy(&shared), false),
        };
        let result = work(&mut total, overwrite);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(total));
        result
    }
}
