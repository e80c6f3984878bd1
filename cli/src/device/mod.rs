//! The devices on which a run can train: the CPU, and GPUs in a build with the feature `cuda`.

#[cfg(feature = "cuda")]
mod gpu;
mod memory;

#[cfg(feature = "cuda")]
pub use gpu::open as open_gpu;
pub use memory::with_memory_advice;

use crate::exit::UsageError;
use nas_core::{config::RunConfig, quote};

/// A device, read from `device` in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// `cpu`
    Cpu,
    /// `cuda:K`, GPU number K, counted from 0.
    #[cfg(feature = "cuda")]
    Cuda {
        /// K, counted from 0.
        ordinal: usize,
        /// Whether dense convolutions and linear layers multiply in TF32.
        tf32: bool,
    },
}

impl Device {
    /// The device of a configuration: `cpu`, `cuda` (the first GPU) or `cuda:K`.
    ///
    /// # Errors
    /// Any other name, or a GPU in a build without the feature `cuda`.
    pub fn of(config: &RunConfig) -> Result<Self, UsageError> {
        let name = config.device.as_str();
        let gpu = match name {
            "cuda" => Some(0),
            _ => name.strip_prefix("cuda:").and_then(|ordinal| ordinal.parse::<usize>().ok()),
        };
        match (name, gpu) {
            ("cpu", _) => Ok(Self::Cpu),
            #[cfg(feature = "cuda")]
            (_, Some(ordinal)) => Ok(Self::Cuda { ordinal, tf32: config.tf32 }),
            #[cfg(not(feature = "cuda"))]
            (_, Some(_)) => Err(UsageError(format!(
                "this program was built without CUDA, so it has no device `{}`; build it with `cargo build \
                 --release --features cuda`, or use --device cpu",
                quote(name)
            ))),
            _ => Err(UsageError(format!(
                "unknown device `{}` (--device); expected `cpu` or `cuda:K`, the GPU with the number K from 0",
                quote(name)
            ))),
        }
    }
}

/// Runs `$body` with a device constructor `$make`. A macro because `Cpu` and `Cuda` are different types.
macro_rules! on_device {
    ($device:expr, |$make:ident| $body:expr) => {
        match $device {
            $crate::device::Device::Cpu => {
                let $make = || anyhow::Ok(dfdx::tensor::Cpu::default());
                $body
            }
            #[cfg(feature = "cuda")]
            $crate::device::Device::Cuda { ordinal, tf32 } => {
                let $make = || $crate::device::open_gpu(ordinal, tf32);
                $body
            }
        }
    };
}
pub(crate) use on_device;

/// Runs `$body` on the threads of the configuration `$config`, with its device as `$device`. Exhausted memory of the
/// device is an error with advice.
macro_rules! compute {
    ($config:expr, |$device:ident| $body:expr) => {{
        let config: &nas_core::config::RunConfig = $config;
        let device = $crate::device::Device::of(config)?;
        $crate::parallel::in_thread_pool(config.threads, || {
            $crate::device::on_device!(device, |make| {
                let $device = make()?;
                $crate::device::with_memory_advice(config, || $body)
            })
        })
    }};
}
pub(crate) use compute;

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str) -> Result<Device, UsageError> {
        let mut config = RunConfig::from_table(&toml::Table::new()).unwrap();
        config.device = name.into();
        Device::of(&config)
    }

    #[test]
    fn device_names_are_parsed() {
        assert_eq!(device("cpu").unwrap(), Device::Cpu);
        for name in ["", "gpu", "cuda:", "cuda:x", "cuda0", "CPU", "cuda:-1"] {
            let message = device(name).unwrap_err().to_string();
            assert!(message.contains("expected `cpu` or `cuda:K`"), "{message}");
        }
    }

    #[test]
    #[cfg(feature = "cuda")]
    fn a_gpu_without_number_is_the_first() {
        assert_eq!(device("cuda").unwrap(), Device::Cuda { ordinal: 0, tf32: false });
        assert_eq!(device("cuda:3").unwrap(), Device::Cuda { ordinal: 3, tf32: false });
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_build_without_cuda_explains_how_to_build_with_it() {
        let message = device("cuda:1").unwrap_err().to_string();
        assert!(message.contains("--features cuda"), "{message}");
    }
}
