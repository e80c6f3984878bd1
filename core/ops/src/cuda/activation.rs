//! Activations of a GPU: values, a batch normalisation that is still to be applied, and a gradient.

use super::{
    args::{MapArgs, NORMALISED, Rectifier, Source},
    memory::{Buffer, address},
    runtime::Runtime,
};
use crate::{
    OpError, Tensor4,
    shape::{Dims, elements},
    tape::Recorder,
};
use cudarc::driver::{DevicePtr, DriverError};
use dfdx::{
    shapes::HasShape,
    tensor::{Cuda, CudaError, Gradients, NoneTape, ZerosTensor},
};
use std::sync::{Arc, Mutex, PoisonError};

/// An activation `[n, h, w, c]` on a GPU. Clones share the values and the gradient.
///
/// Batch normalisation leaves its input unchanged and stores the normalisation as pending; kernels normalise while they
/// read. Nothing waits for the GPU: operations put their kernels on its stream.
#[derive(Clone)]
pub struct CudaActivation {
    dims: Dims,
    values: Values,
    /// The vectors of the pending normalisation, `[mean | factor | shift | inverse]`.
    pending: Option<Arc<Buffer>>,
    gradient: Option<GradientBuffer>,
    device: Cuda,
    runtime: &'static Runtime,
}

/// The values before normalisation.
#[derive(Clone)]
enum Values {
    Computed(Arc<Buffer>),
    /// The memory of a tensor in row-major order, which the tensor keeps.
    Tensor {
        address: u64,
        _keep: Tensor4<Cuda>,
    },
}

impl CudaActivation {
    /// An activation on the device of this one, with values and a gradient.
    pub fn computed(&self, dims: Dims, values: Arc<Buffer>, pending: Option<Arc<Buffer>>) -> Self {
        Self {
            dims,
            values: Values::Computed(values),
            pending,
            gradient: Some(GradientBuffer::default()),
            device: self.device.clone(),
            runtime: self.runtime,
        }
    }

    /// The values of a tensor, without a gradient.
    pub fn constant(x: &Tensor4<Cuda>) -> Result<Self, OpError> {
        Ok(Self { gradient: None, ..Self::from_tensor(x, &mut NoneTape)? })
    }

    /// The values of a tensor. The gradient is added to that of the tensor.
    pub fn from_tensor(x: &Tensor4<Cuda>, tape: &mut dyn Recorder<Cuda>) -> Result<Self, OpError> {
        let op = "input";
        let x = tape.contiguous(op, x)?;
        let dims = *x.shape();
        check_len(op, dims)?;
        let device = x.device().clone();
        let runtime = Runtime::of(&device)?;
        let gradient = GradientBuffer::default();
        if tape.is_recording() {
            let (gradient, input) = (gradient.clone(), x.ghost());
            tape.record(Box::new(move |grads| {
                if let Some(more) = gradient.take() {
                    let total = *grads.get_or_alloc_mut(&input)?.device_ptr();
                    assign(runtime, Source::plain(more.address()), dims, total, false)?;
                }
                Ok(())
            }));
        }
        let at = address(op, &x)?;
        Ok(Self {
            dims,
            values: Values::Tensor { address: at, _keep: x },
            pending: None,
            gradient: Some(gradient),
            device,
            runtime,
        })
    }

    /// The normalised values as a tensor. Its gradient is added to that of the activation.
    pub fn to_tensor(&self, tape: &mut dyn Recorder<Cuda>) -> Result<Tensor4<Cuda>, OpError> {
        let tensor = self.first_images(self.dims.0)?;
        if let (true, Some(gradient)) = (tape.is_recording(), self.gradient.clone()) {
            let (output, runtime, dims) = (tensor.ghost(), self.runtime, self.dims);
            tape.record(Box::new(move |grads| {
                let dy = Source::plain(*grads.get_or_alloc_mut(&output)?.device_ptr());
                gradient.accumulate(runtime, elements(dims), |total, overwrite| {
                    assign(runtime, dy, dims, total, overwrite)
                })?;
                Ok(())
            }));
        }
        Ok(tensor)
    }

    /// The normalised values of the first images (of all, if there are fewer) as a tensor.
    pub fn first_images(&self, images: usize) -> Result<Tensor4<Cuda>, OpError> {
        let (n, h, w, c) = self.dims;
        let dims = (images.min(n), h, w, c);
        let tensor = self.zeros(dims)?;
        assign(self.runtime, self.source(Rectifier::None), dims, address("output", &tensor)?, true)
            .map_err(OpError::device("output"))?;
        Ok(tensor)
    }

    /// A tensor of zeros on the same device.
    pub fn zeros(&self, dims: Dims) -> Result<Tensor4<Cuda>, OpError> {
        self.device.try_zeros_like(&dims).map_err(OpError::device("output"))
    }

    /// A buffer for an activation of these dimensions.
    pub fn buffer(&self, op: &'static str, dims: Dims) -> Result<Arc<Buffer>, OpError> {
        let len = check_len(op, dims)?;
        Ok(Arc::new(Buffer::new(self.runtime, len).map_err(OpError::device(op))?))
    }

    /// The normalised values in memory: those of this activation, or a copy.
    pub fn normalised(&self, op: &'static str) -> Result<Arc<Buffer>, OpError> {
        if let (Values::Computed(values), None) = (&self.values, &self.pending) {
            return Ok(values.clone());
        }
        let copy = self.buffer(op, self.dims)?;
        assign(self.runtime, self.source(Rectifier::None), self.dims, copy.address(), true)
            .map_err(OpError::device(op))?;
        Ok(copy)
    }

    /// `(n, h, w, c)`.
    pub fn dims(&self) -> Dims {
        self.dims
    }

    /// The GPU.
    pub fn runtime(&self) -> &'static Runtime {
        self.runtime
    }

    /// The values as kernels read them.
    pub fn source(&self, rectifier: Rectifier) -> Source {
        let plain = Source { rectifier: rectifier as i32, ..Source::plain(self.values.address()) };
        match &self.pending {
            Some(vectors) => Source { vectors: vectors.address(), kind: NORMALISED, ..plain },
            None => plain,
        }
    }

    /// Whether the backward pass needs the gradient of this activation.
    pub fn requires_grad(&self) -> bool {
        self.gradient.is_some()
    }

    /// Records the backward pass of the operation that computed this activation. It gets the gradient of this
    /// activation, if anything contributed to it.
    pub fn record(
        &self,
        tape: &mut dyn Recorder<Cuda>,
        backward: impl FnOnce(Arc<Buffer>, &mut Gradients<f32, Cuda>) -> Result<(), CudaError> + 'static,
    ) {
        if let (true, Some(gradient)) = (tape.is_recording(), self.gradient.clone()) {
            tape.record(Box::new(move |grads| gradient.take().map_or(Ok(()), |dy| backward(dy, grads))));
        }
    }

    /// Calls `work(address, overwrite)` with the gradient, if the backward pass needs it; `work` fills it if
    /// `overwrite`, and adds to it otherwise.
    pub fn accumulate(&self, work: impl FnOnce(u64, bool) -> Result<(), DriverError>) -> Result<(), DriverError> {
        self.gradient.as_ref().map_or(Ok(()), |slot| slot.accumulate(self.runtime, elements(self.dims), work))
    }

    /// Adds a gradient that is in memory. The first one is taken as it is, without a copy.
    pub fn accumulate_shared(&self, dy: &Arc<Buffer>) -> Result<(), DriverError> {
        let Some(slot) = &self.gradient else { return Ok(()) };
        if slot.set_if_empty(dy) {
            return Ok(());
        }
        self.accumulate_source(Source::plain(dy.address()))
    }

    /// Adds a gradient that a kernel reads.
    pub fn accumulate_source(&self, dy: Source) -> Result<(), DriverError> {
        self.accumulate(|total, overwrite| assign(self.runtime, dy, self.dims, total, overwrite))
    }
}

impl Values {
    fn address(&self) -> u64 {
        match self {
            Self::Computed(buffer) => buffer.address(),
            Self::Tensor { address, .. } => *address,
        }
    }
}

/// `to = x` if `overwrite`, and `to += x` otherwise.
fn assign(runtime: &Runtime, x: Source, dims: Dims, to: u64, overwrite: bool) -> Result<(), DriverError> {
    let (size, channels, overwrite) = (elements(dims), dims.3 as i32, overwrite.into());
    let args = MapArgs { x, out: to, size: size as i32, channels, overwrite, ..MapArgs::default() };
    runtime.launch_over("map_forward", size, args)
}

/// The number of values. Kernels count them in 32 bits.
fn check_len(op: &'static str, dims: Dims) -> Result<usize, OpError> {
    match elements(dims) {
        len if len <= i32::MAX as usize => Ok(len),
        _ => {
            let (expected, found) = (format!("at most {} values on a GPU", i32::MAX), format!("{dims:?}"));
            Err(OpError::Shape { op, expected, found })
        }
    }
}

/// The gradient of an activation, once there is one.
#[derive(Clone, Default)]
struct GradientBuffer {
    gradient: Arc<Mutex<Option<Arc<Buffer>>>>,
}

impl GradientBuffer {
    /// Takes the gradient out; `None` if nothing contributed to it.
    fn take(&self) -> Option<Arc<Buffer>> {
        self.gradient.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set_if_empty(&self, gradient: &Arc<Buffer>) -> bool {
        let mut slot = self.gradient.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = slot.is_none();
        slot.get_or_insert_with(|| gradient.clone());
        empty
    }

    /// As [`CudaActivation::accumulate`], for a gradient of `len` values.
    fn accumulate(
        &self,
        runtime: &'static Runtime,
        len: usize,
        work: impl FnOnce(u64, bool) -> Result<(), DriverError>,
    ) -> Result<(), DriverError> {
        let mut slot = self.gradient.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.take() {
            None => {
                let new = Arc::new(Buffer::new(runtime, len)?);
                work(new.address(), true)?;
                *slot = Some(new);
            }
            // Several activations share this gradient, hence it must not change.
            Some(shared) if Arc::strong_count(&shared) > 1 => {
                let own = Arc::new(Buffer::new(runtime, len)?);
                runtime.copy(own.address(), shared.address(), len)?;
                work(own.address(), false)?;
                *slot = Some(own);
            }
            Some(own) => {
                work(own.address(), false)?;
                *slot = Some(own);
            }
        }
        Ok(())
    }
}
