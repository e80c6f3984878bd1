//! Checkpoints and weights of a run directory.

use super::run_file::FileDigest;
use super::{RecordPosition, Recorder};
use crate::exit::chained;
use crate::files;
use crate::text::eprint_line;
use anyhow::{Context, Result};
use nas_core::checkpoint::{Checkpoint, CheckpointError, Checkpoints, weights};
use nas_core::event::{RunSize, SavePoint};
use nas_core::state::State;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::io;
use std::path::Path;
use std::time::Instant;

/// The directory of the checkpoints in a run directory.
pub const CHECKPOINTS: &str = "checkpoints";
/// The file of the weights in a run directory.
pub const WEIGHTS: &str = weights::FILE;
/// The file of the weights after the epoch with the highest accuracy.
pub const BEST_WEIGHTS: &str = "best.safetensors";
/// The key of the recorder's position in the notes of a checkpoint.
pub const RECORD: &str = "record";

/// Number and cost of the checkpoints of a process, as `manifest.json` has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct CheckpointCost {
    /// Number of checkpoints written.
    pub written: usize,
    /// Time of saving and writing, in seconds.
    pub seconds: f64,
    /// Size of the last one, in bytes.
    pub bytes: u64,
}

impl Recorder {
    /// Whether anything is written at this point.
    pub(super) fn is_state_due(&self, point: SavePoint) -> bool {
        self.schedule.is_due(point) || (self.run_config.save.weights && point == SavePoint::Trained)
    }

    /// Writes what is due. A checkpoint that cannot be written is reported, and the run continues; rows that cannot be
    /// written end it.
    pub(super) fn write_state(&mut self, state: State, point: SavePoint) -> io::Result<()> {
        if self.run_config.save.weights && point == SavePoint::Trained {
            self.write_weights(&state).map_err(|error| io::Error::other(chained(&error)))?;
        }
        if !self.schedule.is_due(point) {
            return Ok(());
        }
        let started = Instant::now();
        let position = self.position()?;
        let is_written = match self.write_checkpoint(state, &position) {
            Ok(bytes) => {
                let cost = &mut self.checkpoint_cost;
                (cost.written, cost.bytes) = (cost.written + 1, bytes);
                cost.seconds += started.elapsed().as_secs_f64();
                true
            }
            Err(error) => {
                let problem = format!("no checkpoint at step {}: {}", self.at.step, chained(&error.into()));
                eprint_line(&format!("warning: {problem}"));
                // The disk may be full for the log too.
                let _ = self.log.line("warning", self.at.step, &problem);
                false
            }
        };
        self.schedule.restart(is_written);
        Ok(())
    }

    /// Writes a checkpoint and returns its size in bytes.
    fn write_checkpoint(&self, state: State, position: &RecordPosition) -> Result<u64, CheckpointError> {
        let checkpoints = Checkpoints::at(&self.dir.join(CHECKPOINTS));
        let mut notes = self.manifest.identity();
        notes.insert(RECORD.into(), json!(position));
        let written = checkpoints.write(&Checkpoint { state, notes })?;
        let size =
            |entry: io::Result<std::fs::DirEntry>| entry.and_then(|entry| entry.metadata()).map_or(0, |m| m.len());
        Ok(std::fs::read_dir(written).map_or(0, |entries| entries.map(size).sum()))
    }

    /// Writes `weights.safetensors`, and `best.safetensors` if the state has the best weights of several evaluations.
    fn write_weights(&mut self, state: &State) -> Result<()> {
        let Some(start) = &self.size else { return Ok(()) };
        let about = self.about_weights(start);
        let section = |name: &str| Some(state.section(name)).filter(|section| *section != State::default());
        // A training may evaluate an average of its weights.
        let evaluated = section("evaluated").unwrap_or_else(|| state.section("training/model"));
        let files = [(WEIGHTS, Some(evaluated)), (BEST_WEIGHTS, section("best"))];
        for (name, model) in files {
            let Some(model) = model else { continue };
            let bytes = weights::model_to_bytes(&start.network, &model, &about).map_err(anyhow::Error::msg)?;
            files::write_bytes(&self.dir.join(name), &bytes)?;
            self.weights.push((name, FileDigest::of(name, &bytes)));
        }
        Ok(())
    }

    /// What `search` and `evaluate` check before they use the weights, and what other programs need to evaluate them.
    fn about_weights(&self, size: &RunSize) -> Map<String, Value> {
        let (config, scale) = (&self.run_config, &size.scale);
        let about = json!({
            "strategy": config.strategy.name,
            "space": config.space.name,
            "width": scale.width,
            "cells": scale.cells,
            "image": scale.image,
            "classes": scale.classes,
            "steps": self.at.step,
            "seed": config.seed,
            "bn": config.eval.bn,
            "eval": size.eval,
        });
        let mut about = about.as_object().cloned().unwrap_or_default();
        about.extend(self.manifest.identity());
        about
    }
}

/// Removes the checkpoints and the weights of a run.
///
/// # Errors
/// A file cannot be removed.
pub fn remove_state(dir: &Path) -> Result<()> {
    files::remove(&dir.join(WEIGHTS))?;
    files::remove(&dir.join(BEST_WEIGHTS))?;
    remove_checkpoints(dir)
}

/// Removes the checkpoints of a run.
///
/// # Errors
/// A file cannot be removed.
pub fn remove_checkpoints(dir: &Path) -> Result<()> {
    let checkpoints = dir.join(CHECKPOINTS);
    match std::fs::remove_dir_all(&checkpoints) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.with_context(|| format!("cannot remove {}", checkpoints.display())),
    }
}
