//! Saved state on the disk: checkpoints of a run, and the weights of a supernet.
//!
//! A run directory holds `checkpoints/NUMBER/` with three files:
//!
//! | file | content |
//! |---|---|
//! | `tensors.safetensors` | every tensor of the [`State`], as 32-bit numbers in row-major order, under its name in the state |
//! | `state.json` | the version of the format, every value of the state, and the notes of the writer |
//! | `SHA256SUMS` | checksums of both files, in the format of `sha256sum` |
//!
//! A checkpoint is written to `checkpoints/unfinished`, synced to the disk and renamed, so a numbered directory always
//! holds a complete checkpoint. [`weights`] describes `weights.safetensors`.
//!
//! ```
//! use nas_core::checkpoint::{Checkpoint, Checkpoints};
//! use nas_core::state::State;
//!
//! let dir = tempfile::tempdir()?;
//! let checkpoints = Checkpoints::at(dir.path());
//! let mut state = State::default();
//! state.put("steps", &440)?;
//! checkpoints.write(&Checkpoint { state, notes: serde_json::Map::new() })?;
//!
//! let latest = checkpoints.latest()?;
//! assert_eq!(latest.checkpoint.unwrap().state.count("steps")?, 440);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod directory;
mod error;
mod tensors;
pub mod weights;

pub use directory::{Checkpoints, Latest};
pub use error::CheckpointError;

use crate::state::State;
use serde_json::{Map, Value};

/// A saved state, and what its writer needs beside it to continue.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The state of all parts of a run.
    pub state: State,
    /// Notes of the writer, for example the lengths of the files that the run had written.
    pub notes: Map<String, Value>,
}
