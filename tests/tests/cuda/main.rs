//! Tests of a program that was built with the feature `cuda`, on a GPU or on an emulated one (`tests/cuda-emulator`).
#![expect(clippy::unwrap_used, reason = "clippy takes only functions marked as tests for tests, not their helpers")]

mod agreement;
mod export;
mod faults;
mod helper;
mod memory;
mod order;
mod resume;
mod tf32;
