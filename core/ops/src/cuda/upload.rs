//! Copies to the GPU beside its work: from page-locked memory, on a stream of their own.
//!
//! Three waits keep the order. The copy waits for the fill of the new tensor and for the kernels that may still read
//! the memory that it got. Later kernels wait for the copy, from [`Upload::tensor`] on. The host waits before it writes
//! to page-locked memory again.

#![expect(unsafe_code, reason = "streams, events and page-locked memory have no safe interface")]

use super::{memory::address, runtime::Runtime};
use crate::{OpError, Upload, shape::Dims, shape::elements};
use cudarc::driver::{DriverError, result, sys};
use dfdx::tensor::{Cuda, ZerosTensor};
use std::{
    ffi::c_void,
    ptr,
    sync::{Mutex, PoisonError},
};

/// The stream of the copies, and page-locked memory for reuse. Its last copy may still run; [`take`](Self::take) waits
/// for it.
pub struct Uploads {
    stream: sys::CUstream,
    free: Mutex<Vec<Staging>>,
}

// SAFETY: a stream may be used by every thread.
unsafe impl Send for Uploads {}
// SAFETY: as above; the rest is behind a mutex.
unsafe impl Sync for Uploads {}

impl Uploads {
    /// A stream.
    ///
    /// # Errors
    /// A failing device.
    pub fn new() -> Result<Self, DriverError> {
        let stream = result::stream::create(result::stream::StreamKind::NonBlocking)?;
        Ok(Self { stream, free: Mutex::default() })
    }

    /// Page-locked memory for `len` numbers, when its last copy has ended.
    fn take(&self, len: usize) -> Result<Staging, DriverError> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // The oldest of this length: its copy is the most likely to be complete.
        match free.iter().position(|staging| staging.len == len) {
            Some(position) => {
                let staging = free.remove(position);
                staging.copied.wait_on_host()?;
                Ok(staging)
            }
            None => Staging::new(len),
        }
    }
}

/// As [`Backend::upload`](crate::Backend::upload).
pub fn upload(device: &Cuda, values: &[f32], dims: Dims) -> Result<Upload<Cuda>, OpError> {
    let op = "upload";
    if values.len() != elements(dims) {
        let (expected, found) = (format!("the numbers of {dims:?}"), format!("{} numbers", values.len()));
        return Err(OpError::Shape { op, expected, found });
    }
    let tensor = device.try_zeros_like(&dims).map_err(OpError::device(op))?;
    if values.is_empty() {
        return Ok(Upload::complete(tensor));
    }
    let runtime = Runtime::of(device)?;
    let copy = PendingCopy::start(runtime, values, address(op, &tensor)?).map_err(OpError::device(op))?;
    Ok(Upload::in_flight(tensor, Box::new(move || copy.wait().map_err(OpError::device(op)))))
}

/// A copy for which the kernels' stream does not wait yet.
struct PendingCopy {
    runtime: &'static Runtime,
    /// `None` after the wait.
    staging: Option<Staging>,
}

impl PendingCopy {
    fn start(runtime: &'static Runtime, values: &[f32], to: u64) -> Result<Self, DriverError> {
        let (uploads, kernels) = (&runtime.uploads, *runtime.device.cu_stream());
        let mut staging = uploads.take(values.len())?;
        staging.values().copy_from_slice(values);
        let filled = Event::new()?;
        filled.record(kernels)?;
        filled.wait_on(uploads.stream)?;
        // SAFETY: `to` is the address of a live tensor with as many numbers. Nothing writes to the staging memory
        // before the event that follows.
        unsafe { result::memcpy_htod_async(to, staging.values(), uploads.stream)? };
        staging.copied.record(uploads.stream)?;
        Ok(Self { runtime, staging: Some(staging) })
    }

    fn wait(mut self) -> Result<(), DriverError> {
        self.join()
    }

    /// Makes the kernels wait, and gives the staging memory back.
    fn join(&mut self) -> Result<(), DriverError> {
        let Some(staging) = self.staging.take() else { return Ok(()) };
        staging.copied.wait_on(*self.runtime.device.cu_stream())?;
        self.runtime.uploads.free.lock().unwrap_or_else(PoisonError::into_inner).push(staging);
        Ok(())
    }
}

impl Drop for PendingCopy {
    fn drop(&mut self) {
        // A failure here means that the device has failed; the next operation returns the error.
        let _ = self.join();
    }
}

/// Page-locked memory with an event after its last copy.
struct Staging {
    start: *mut f32,
    len: usize,
    copied: Event,
}

// SAFETY: it owns its memory.
unsafe impl Send for Staging {}

impl Staging {
    fn new(len: usize) -> Result<Self, DriverError> {
        let copied = Event::new()?;
        let mut start: *mut c_void = ptr::null_mut();
        // SAFETY: `start` can hold an address.
        unsafe { sys::cuMemHostAlloc(&raw mut start, len * size_of::<f32>(), 0) }.result()?;
        let start: *mut f32 = start.cast();
        // SAFETY: the memory is new and has room for `len` numbers.
        unsafe { start.write_bytes(0, len) };
        Ok(Self { start, len, copied })
    }

    fn values(&mut self) -> &mut [f32] {
        // SAFETY: `new` has initialised `len` numbers, which nobody else has access to.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // The memory stays if the copy may still read it, which happens only when the device has failed.
        if self.copied.wait_on_host().is_ok() {
            // SAFETY: nobody reads the memory any more.
            let _ = unsafe { sys::cuMemFreeHost(self.start.cast()) };
        }
    }
}

/// A point in the work of a stream.
struct Event(sys::CUevent);

// SAFETY: an event may be used by every thread.
unsafe impl Send for Event {}

impl Event {
    fn new() -> Result<Self, DriverError> {
        result::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING).map(Self)
    }

    fn record(&self, stream: sys::CUstream) -> Result<(), DriverError> {
        // SAFETY: event and stream are live.
        unsafe { result::event::record(self.0, stream) }
    }

    /// Later work of the stream waits for the point.
    fn wait_on(&self, stream: sys::CUstream) -> Result<(), DriverError> {
        let flags = sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
        // SAFETY: event and stream are live.
        unsafe { result::stream::wait_event(stream, self.0, flags) }
    }

    /// Waits for the point; returns at once if it was never recorded.
    fn wait_on_host(&self) -> Result<(), DriverError> {
        // SAFETY: the event is live.
        unsafe { sys::cuEventSynchronize(self.0) }.result()
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is live. The driver keeps it until the waits for it have ended.
        let _ = unsafe { result::event::destroy(self.0) };
    }
}
