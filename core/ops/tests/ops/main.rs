//! Tests of the operations. Most solve a [`problem::Problem`] with an implementation, which returns the output and the
//! gradient of each input, and compare the answer: with central differences, the plain implementation, or PyTorch.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
mod cross_entropy;
mod differences;
mod equivalence;
mod errors;
mod fixtures;
mod gram;
mod on_tensors;
mod problem;
mod semantics;
mod sgd;
mod threads;
mod upload;
