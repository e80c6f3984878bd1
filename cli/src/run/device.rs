//! Which device a run uses.

use crate::exit::UsageError;

/// A device by its name in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// `cpu`
    Cpu,
    /// `cuda:K`, the K-th GPU.
    #[cfg(feature = "cuda")]
    Cuda(usize),
}

impl Device {
    /// Reads a name.
    ///
    /// # Errors
    /// No such device, or one that this build cannot use.
    pub fn parse(name: &str) -> Result<Self, UsageError> {
        let gpu = match name {
            "cuda" => Some(0),
            _ => name.strip_prefix("cuda:").and_then(|ordinal| ordinal.parse::<usize>().ok()),
        };
        match (name, gpu) {
            ("cpu", _) => Ok(Self::Cpu),
            #[cfg(feature = "cuda")]
            (_, Some(ordinal)) => Ok(Self::Cuda(ordinal)),
            #[cfg(not(feature = "cuda"))]
            (_, Some(_)) => Err(UsageError(format!(
                "this program was built without CUDA, so it has no device `{name}`; build it with `cargo build \
                 --release --features cuda`, or use --device cpu"
            ))),
            _ => Err(UsageError(format!("unknown device `{name}`; expected `cpu` or `cuda:K`, K the number of a GPU"))),
        }
    }
}

/// `$body`, for which `$make` makes the device: of a type of its own for each, so that no function can return it.
macro_rules! on_device {
    ($device:expr, |$make:ident| $body:expr) => {
        match $device {
            $crate::run::Device::Cpu => {
                let $make = || anyhow::Ok(dfdx::tensor::Cpu::default());
                $body
            }
            #[cfg(feature = "cuda")]
            $crate::run::Device::Cuda(ordinal) => {
                let $make = || $crate::run::cuda(ordinal);
                $body
            }
        }
    };
}
pub(crate) use on_device;

/// The GPU of this number.
///
/// # Errors
/// No such GPU, or no driver.
#[cfg(feature = "cuda")]
pub fn cuda(ordinal: usize) -> anyhow::Result<dfdx::tensor::Cuda> {
    // The seed is that of dfdx's own random numbers, which nothing here uses.
    dfdx::tensor::Cuda::try_build(ordinal, 0)
        .map_err(|error| anyhow::anyhow!("cannot use GPU {ordinal} (--device cuda:{ordinal}): {error:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_names() {
        assert_eq!(Device::parse("cpu").unwrap(), Device::Cpu);
        for name in ["", "gpu", "cuda:", "cuda:x", "cuda0", "CPU", "cuda:-1"] {
            let message = Device::parse(name).unwrap_err().to_string();
            assert!(message.contains("expected `cpu` or `cuda:K`"), "{message}");
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_build_without_cuda_says_how_to_get_it() {
        let message = Device::parse("cuda:1").unwrap_err().to_string();
        assert!(message.contains("--features cuda"), "{message}");
    }
}
