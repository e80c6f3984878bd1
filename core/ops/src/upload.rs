//! Asynchronous copies of host values to a device.

use crate::{Device, OpError, Tensor4};
use std::fmt;

/// Makes later operations of the device wait for the copy; the host does not wait.
type Wait = Box<dyn FnOnce() -> Result<(), OpError>>;

/// A tensor that is being copied to a device, from [`Backend::upload`](crate::Backend::upload). Dropping it does not
/// cancel the copy.
pub struct Upload<D: Device> {
    // Dropped before the tensor, whose memory the copy fills.
    wait: Option<Wait>,
    tensor: Tensor4<D>,
}

impl<D: Device> Upload<D> {
    /// A completed upload.
    pub fn complete(tensor: Tensor4<D>) -> Self {
        Self { wait: None, tensor }
    }

    /// A tensor whose copy is in progress. Calling or dropping `wait` makes later operations of the device wait for the
    /// copy.
    #[cfg(feature = "cuda")]
    pub(crate) fn in_flight(tensor: Tensor4<D>, wait: Wait) -> Self {
        Self { wait: Some(wait), tensor }
    }

    /// The tensor. Later operations of the device wait for the copy; the host does not.
    ///
    /// # Errors
    /// A failing device.
    pub fn tensor(self) -> Result<Tensor4<D>, OpError> {
        self.wait.map_or(Ok(()), |wait| wait())?;
        Ok(self.tensor)
    }
}

impl<D: Device> fmt::Debug for Upload<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wait, tensor } = self;
        f.debug_struct("Upload").field("complete", &wait.is_none()).field("tensor", tensor).finish()
    }
}
