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
    tensor::{Cuda, NoneTape, ZerosTensor},
};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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
    normalised: Arc<OnceLock<Arc<Buffer>>>,
    gradient: Option<GradientSlot>,
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
            normalised: Arc::default(),
            gradient: Some(GradientSlot::default()),
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
        if elements(dims) > i32::MAX as usize {
            return Err(too_large(op, dims));
        }
        let device = x.device().clone();
        let runtime = Runtime::of(&device)?;
        let gradient = GradientSlot::default();
        if tape.is_recording() {
            let (gradient, input) = (gradient.clone(), x.ghost());
            tape.record(Box::new(move |grads| {
                if let Some(more) = gradient.take() {
                    let total = *grads.get_or_alloc_mut(&input)?.device_ptr();
                    add(runtime, elements(dims), more.address(), total, false)?;
                }
                Ok(())
            }));
        }
        let at = address(op, &x)?;
        Ok(Self {
            dims,
            values: Values::Tensor { address: at, _keep: x },
            pending: None,
            normalised: Arc::default(),
            gradient: Some(gradient),
            device,
            runtime,
        })
    }

    /// The normalised values as a tensor. Its gradient is added to that of the activation.
    pub fn to_tensor(&self, tape: &mut dyn Recorder<Cuda>) -> Result<Tensor4<Cuda>, OpError> {
        let tensor = self.first_images(self.dims.0)?;
        if let (true, Some(gradient)) = (tape.is_recording(), self.gradient.clone()) {
            let (output, runtime, len) = (tensor.ghost(), self.runtime, elements(self.dims));
            tape.record(Box::new(move |grads| {
                let dy = *grads.get_or_alloc_mut(&output)?.device_ptr();
                gradient.accumulate(runtime, len, |total, overwrite| add(runtime, len, dy, total, overwrite))?;
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
        self.write(elements(dims), Rectifier::None, address("output", &tensor)?).map_err(OpError::device("output"))?;
        Ok(tensor)
    }

    /// A tensor of zeros on the same device.
    pub fn zeros(&self, dims: Dims) -> Result<Tensor4<Cuda>, OpError> {
        self.device.try_zeros_like(&dims).map_err(OpError::device("output"))
    }

    /// A buffer for an activation of these dimensions.
    pub fn buffer(&self, op: &'static str, dims: Dims) -> Result<Arc<Buffer>, OpError> {
        match elements(dims) {
            len if len > i32::MAX as usize => Err(too_large(op, dims)),
            len => Ok(Arc::new(Buffer::new(self.runtime, len).map_err(OpError::device(op))?)),
        }
    }

    /// Writes the first `len` values, normalised and rectified, to an address.
    pub fn write(&self, len: usize, rectifier: Rectifier, to: u64) -> Result<(), DriverError> {
        let (size, channels) = (len as i32, self.dims.3 as i32);
        let args = MapArgs { x: self.source(rectifier), out: to, size, channels, image: size, ..MapArgs::default() };
        self.runtime.launch_over("map_forward", len, args)
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
        let rectifier = rectifier as i32;
        match (self.normalised.get(), &self.pending) {
            (Some(normalised), _) => Source { values: normalised.address(), rectifier, ..Source::default() },
            (None, None) => Source { values: self.values.address(), rectifier, ..Source::default() },
            (None, Some(vectors)) => Source {
                values: self.values.address(),
                vectors: vectors.address(),
                kind: NORMALISED,
                rectifier,
                ..Source::default()
            },
        }
    }

    /// The activation with its normalised values in memory, which stay there.
    pub fn normalised(&self, op: &'static str) -> Result<Source, OpError> {
        if self.pending.is_some() && self.normalised.get().is_none() {
            let values = self.buffer(op, self.dims)?;
            self.write(elements(self.dims), Rectifier::None, values.address()).map_err(OpError::device(op))?;
            self.normalised.get_or_init(|| values);
        }
        Ok(self.source(Rectifier::None))
    }

    /// The gradient; `None` if the backward pass needs none.
    pub fn gradient(&self) -> Option<&GradientSlot> {
        self.gradient.as_ref()
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
        let len = elements(self.dims);
        slot.accumulate(self.runtime, len, |total, overwrite| add(self.runtime, len, dy.address(), total, overwrite))
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

/// `to = from` if `overwrite`, and `to += from` otherwise.
fn add(runtime: &Runtime, len: usize, from: u64, to: u64, overwrite: bool) -> Result<(), DriverError> {
    let overwrite = overwrite.into();
    let args = MapArgs {
        dy: from,
        out: to,
        size: len as i32,
        channels: 1,
        image: len as i32,
        overwrite,
        ..MapArgs::default()
    };
    runtime.launch_over("map_backward", len, args)
}

fn too_large(op: &'static str, dims: Dims) -> OpError {
    OpError::Shape { op, expected: format!("at most {} values on a GPU", i32::MAX), found: format!("{dims:?}") }
}

/// The gradient of an activation, once there is one.
#[derive(Clone, Default)]
pub struct GradientSlot {
    gradient: Arc<Mutex<Option<Arc<Buffer>>>>,
}

impl GradientSlot {
    /// Takes the gradient out; `None` if nothing contributed to it.
    pub fn take(&self) -> Option<Arc<Buffer>> {
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
