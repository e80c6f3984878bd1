//! Packing of finished runs: at most four files per run.

use super::super::{Incomplete, content, digests, finished};
use super::ARCHIVE;
use crate::files;
use crate::record::{BEST_WEIGHTS, MARKER, remove_checkpoints};
use anyhow::{Context, Result};
use nas_core::durable;
use std::fs::{self, File};
use std::path::Path;

/// The files that are packed, by name. The marker comes first, so that a damaged archive still shows who made the run.
const PACKED: [&str; 8] =
    [MARKER, "archs.csv", BEST_WEIGHTS, "config.toml", "log.jsonl", "matrix.csv", "metrics.csv", "timings.csv"];

/// Packs a finished run: removes its checkpoints and moves its files, except for `manifest.json`, `result.json` and
/// `weights.safetensors`, into `record.tar`. Equal files make equal archives. Files that the run did not write stay.
///
/// The archive is on the disk before the first file is removed. A file in the directory takes precedence over the one
/// in the archive. The run can thus be read, and packed again, after a crash at any moment.
///
/// # Errors
/// The run is unfinished, a file is missing or damaged, or a file cannot be written or removed.
pub fn pack(dir: &Path) -> Result<()> {
    let packing = || format!("cannot pack {}", dir.display());
    let manifest = finished(dir).with_context(packing)?;
    digests::check(dir, &manifest).with_context(packing)?;
    if PACKED.iter().any(|name| dir.join(name).exists()) {
        write(dir).with_context(packing)?;
        PACKED.iter().try_for_each(|name| files::remove(&dir.join(name)))?;
    }
    remove_checkpoints(dir)?;
    durable::sync_dir(dir).with_context(packing)
}

/// Writes the archive beside its place and renames it.
fn write(dir: &Path) -> Result<()> {
    let path = dir.join(ARCHIVE);
    let beside = files::temporary(&path);
    let written = || -> Result<()> {
        let mut archive = tar::Builder::new(File::create(&beside)?);
        for name in PACKED {
            let content = match content::bytes(dir, name) {
                Err(error) if matches!(error.downcast_ref(), Some(Incomplete::Missing(_))) => continue,
                content => content?,
            };
            // The times and the owner are zero, so that they do not change the bytes.
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            archive.append_data(&mut header, name, &content[..])?;
        }
        archive.into_inner()?.sync_all()?;
        fs::rename(&beside, &path)?;
        Ok(durable::sync_dir(dir)?)
    };
    written()
        .inspect_err(|_| drop(fs::remove_file(&beside)))
        .with_context(|| format!("cannot write {}", path.display()))
}
