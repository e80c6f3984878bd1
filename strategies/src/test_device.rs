//! The device of the unit tests: the first GPU in a build with the feature `cuda`, the CPU otherwise.

/// The device of the unit tests.
#[cfg(feature = "cuda")]
pub type TestDevice = dfdx::tensor::Cuda;
/// The device of the unit tests.
#[cfg(not(feature = "cuda"))]
pub type TestDevice = dfdx::tensor::Cpu;

/// The device that all tests of this thread share, because dfdx compiles kernels anew for every new GPU.
pub fn test_device() -> TestDevice {
    thread_local!(static DEVICE: TestDevice = TestDevice::default());
    DEVICE.with(Clone::clone)
}
