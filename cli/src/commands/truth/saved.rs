//! Checkpoints of a stand-alone training of a truth table.

use crate::exit::chained;
use crate::record::{CHECKPOINTS, CheckpointSchedule};
use crate::text::eprint_line;
use anyhow::Result;
use nas_core::checkpoint::{Checkpoint, Checkpoints};
use nas_core::config::RunConfig;
use nas_core::event::{Event, Observer, SavePoint};
use nas_core::sha256;
use nas_core::state::State;
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};

/// The checkpoints of one training, in a directory beside the table. They are removed when the training is complete.
pub struct TrainingCheckpoints {
    checkpoints: Checkpoints,
    /// The directory of all trainings of the table.
    parent: PathBuf,
    schedule: CheckpointSchedule,
}

impl TrainingCheckpoints {
    /// The checkpoints of the training of an architecture with a seed.
    ///
    /// # Errors
    /// An interval of checkpoints that cannot be read.
    pub fn of(table: &Path, arch: &str, seed: u64, config: &RunConfig) -> Result<Self> {
        let parent = table.with_extension("checkpoints");
        let name = format!("{}-{seed}", &sha256::of(arch.as_bytes())[..16]);
        let checkpoints = Checkpoints::at(&parent.join(name));
        Ok(Self { checkpoints, parent, schedule: CheckpointSchedule::new(config)? })
    }

    /// The checkpoints of a training that has this directory for itself.
    ///
    /// # Errors
    /// An interval of checkpoints that cannot be read.
    pub fn within(dir: &Path, config: &RunConfig) -> Result<Self> {
        let checkpoints = Checkpoints::at(&dir.join(CHECKPOINTS));
        Ok(Self { checkpoints, parent: dir.into(), schedule: CheckpointSchedule::new(config)? })
    }

    /// The state of the latest undamaged checkpoint of this version of the program; none if the training starts anew.
    pub fn state(&self) -> Option<State> {
        let checkpoint = self.checkpoints.latest().ok()?.checkpoint?;
        (checkpoint.notes.get("version") == Some(&env!("CARGO_PKG_VERSION").into())).then_some(checkpoint.state)
    }

    /// Whether there is a checkpoint.
    pub fn exists(&self) -> bool {
        self.checkpoints.dir().exists()
    }

    /// Removes the checkpoints, because the training is in the table.
    pub fn remove(self) {
        // What remains does no harm: no training reads it.
        let _ = std::fs::remove_dir_all(self.checkpoints.dir());
        let _ = std::fs::remove_dir(&self.parent);
    }
}

impl Observer for TrainingCheckpoints {
    fn observe(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.schedule.observe(event);
        Ok(())
    }

    fn needs_state(&mut self, point: SavePoint) -> bool {
        self.schedule.is_due(point)
    }

    /// A checkpoint that cannot be written is reported, and the training continues.
    fn receive_state(&mut self, state: State, _: SavePoint) -> io::Result<()> {
        let notes = json!({"version": env!("CARGO_PKG_VERSION")});
        let checkpoint = Checkpoint { state, notes: notes.as_object().cloned().unwrap_or_default() };
        let is_written = match self.checkpoints.write(&checkpoint) {
            Ok(_) => true,
            Err(error) => {
                let dir = self.checkpoints.dir().display();
                eprint_line(&format!("warning: no checkpoint in {dir}: {}", chained(&error.into())));
                false
            }
        };
        self.schedule.restart(is_written);
        Ok(())
    }
}
