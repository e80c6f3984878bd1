//! Every test of the operations runs the same way: a [`problem::Problem`] is solved by an implementation, which gives
//! the output and the gradient of every input. The modules differ in what they compare this with.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
mod differences;
mod equivalence;
mod errors;
mod fixtures;
mod on_tensors;
mod problem;
mod semantics;
mod sgd;
mod threads;
