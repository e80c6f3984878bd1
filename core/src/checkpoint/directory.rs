//! The directory of the checkpoints of one run.

use super::tensors::{from_bytes, to_bytes};
use super::{Checkpoint, CheckpointError};
use crate::state::State;
use crate::{durable, read_file, sha256};
use serde_json::{Map, Value};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Version of the format. It increases when a file changes its form.
const FORMAT: u64 = 1;
/// Number of checkpoints that are kept. The older one serves when the newer one is damaged.
const KEPT_CHECKPOINTS: usize = 2;
/// Largest size of a file, in bytes.
const MAX_SIZE: u64 = 1 << 36;

const TENSORS: &str = "tensors.safetensors";
const VALUES: &str = "state.json";
const CHECKSUMS: &str = "SHA256SUMS";
/// A checkpoint that is being written.
const UNFINISHED: &str = "unfinished";

/// The checkpoints of a run, in a directory of their own.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    dir: PathBuf,
}

/// The newest undamaged checkpoint of a directory.
#[derive(Debug)]
pub struct Latest {
    /// The checkpoint; none if the directory has none that is whole.
    pub checkpoint: Option<Checkpoint>,
    /// Newer checkpoints that are damaged, with the reason.
    pub damaged: Vec<CheckpointError>,
}

impl Checkpoints {
    /// The checkpoints in the directory `dir`, which need not exist.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes a checkpoint and removes all but the last two. Returns its directory. A failure to remove an old checkpoint
    /// is not an error: it takes space only, and the next call tries again.
    ///
    /// # Errors
    /// A file cannot be written. The checkpoints before are then as they were.
    pub fn write(&self, checkpoint: &Checkpoint) -> Result<PathBuf, CheckpointError> {
        let unfinished = self.dir.join(UNFINISHED);
        let written = self.write_files(&unfinished, checkpoint).and_then(|()| {
            let numbers = self.numbers().map_err(CheckpointError::read(&self.dir))?;
            let path = self.path_of(numbers.last().map_or(1, |last| last + 1));
            let publish = fs::rename(&unfinished, &path).and_then(|()| durable::sync_dir(&self.dir));
            publish.map_err(CheckpointError::write(&path))?;
            Ok(path)
        });
        let path = written.inspect_err(|_| drop(fs::remove_dir_all(&unfinished)))?;
        let numbers = self.numbers().map_err(CheckpointError::read(&self.dir))?;
        for number in &numbers[..numbers.len().saturating_sub(KEPT_CHECKPOINTS)] {
            let _ = fs::remove_dir_all(self.path_of(*number));
        }
        Ok(path)
    }

    fn write_files(&self, dir: &Path, Checkpoint { state, notes }: &Checkpoint) -> Result<(), CheckpointError> {
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(CheckpointError::write(dir)(error)),
            _ => fs::create_dir_all(dir).map_err(CheckpointError::write(dir))?,
        }
        let fail = |problem: String| CheckpointError::content(dir, problem);
        let tensors = to_bytes(&state.tensors, &Map::new()).map_err(fail)?;
        let values = serde_json::json!({"format": FORMAT, "notes": notes, "values": state.values});
        let values = serde_json::to_string_pretty(&values).map_err(|error| fail(error.to_string()))? + "\n";
        let mut checksums = String::new();
        for (name, content) in [(TENSORS, &tensors[..]), (VALUES, values.as_bytes())] {
            checksums += &format!("{}  {name}\n", sha256::of(content));
            let path = dir.join(name);
            durable::write(&path, content).map_err(CheckpointError::write(&path))?;
        }
        let path = dir.join(CHECKSUMS);
        durable::write(&path, checksums.as_bytes()).map_err(CheckpointError::write(&path))?;
        durable::sync_dir(dir).map_err(CheckpointError::write(dir))
    }

    /// Reads the newest checkpoint. A damaged one is skipped.
    ///
    /// # Errors
    /// The directory cannot be read, or a checkpoint has another format. A missing directory has no checkpoints.
    pub fn latest(&self) -> Result<Latest, CheckpointError> {
        let mut damaged = Vec::new();
        for number in self.numbers().map_err(CheckpointError::read(&self.dir))?.into_iter().rev() {
            match read(&self.path_of(number)) {
                Ok(checkpoint) => return Ok(Latest { checkpoint: Some(checkpoint), damaged }),
                Err(error @ CheckpointError::Format { .. }) => return Err(error),
                Err(error) => damaged.push(error),
            }
        }
        Ok(Latest { checkpoint: None, damaged })
    }

    /// The number of the newest checkpoint and one value of its state, null if the state has none. The files are not
    /// checked. None without a checkpoint.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn newest_value(&self, key: &str) -> io::Result<Option<(u64, Value)>> {
        let Some(number) = self.numbers()?.pop() else { return Ok(None) };
        let text = read_file::text(&self.path_of(number).join(VALUES), MAX_SIZE).unwrap_or_default();
        let content: Value = serde_json::from_str(&text).unwrap_or_default();
        Ok(Some((number, content["values"][key].clone())))
    }

    fn path_of(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:06}"))
    }

    /// The numbers of the checkpoints, ascending.
    fn numbers(&self) -> io::Result<Vec<u64>> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut numbers = Vec::new();
        for entry in entries {
            numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

fn read(dir: &Path) -> Result<Checkpoint, CheckpointError> {
    let file = |name: &str| {
        let path = dir.join(name);
        read_file::bytes(&path, MAX_SIZE).map_err(CheckpointError::read(&path))
    };
    let fail = |name: &str, problem: String| CheckpointError::content(&dir.join(name), problem);
    let checksums = String::from_utf8(file(CHECKSUMS)?).map_err(|error| fail(CHECKSUMS, error.to_string()))?;
    let checked = |name: &str| {
        let content = file(name)?;
        let line = format!("{}  {name}", sha256::of(&content));
        let is_listed = checksums.lines().any(|listed| listed == line);
        is_listed.then_some(content).ok_or_else(|| fail(name, format!("its checksum is not the one in {CHECKSUMS}")))
    };
    let content: Value = serde_json::from_slice(&checked(VALUES)?).map_err(|error| fail(VALUES, error.to_string()))?;
    if content["format"] != FORMAT {
        let (path, found) = (dir.join(VALUES), content["format"].to_string());
        return Err(CheckpointError::Format { path, found, expected: FORMAT });
    }
    let (tensors, _) = from_bytes(&checked(TENSORS)?).map_err(|problem| fail(TENSORS, problem))?;
    let object = |key: &str| match &content[key] {
        Value::Object(object) => Ok(object.clone()),
        _ => Err(fail(VALUES, format!("it has no object `{key}`"))),
    };
    Ok(Checkpoint { state: State { tensors, values: object("values")? }, notes: object("notes")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::HostTensor;

    fn checkpoint(steps: u64) -> Checkpoint {
        let tensor = HostTensor { shape: vec![2], values: vec![steps as f32, 0.1] };
        let mut state = State { tensors: [("model/stem.weight".into(), tensor)].into(), ..State::default() };
        state.put("steps", &steps).unwrap();
        Checkpoint { state, notes: [("files".to_owned(), Value::from(steps))].into_iter().collect() }
    }

    #[test]
    fn the_last_two_checkpoints_are_kept_and_the_newest_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::at(&dir.path().join("checkpoints"));
        assert!(checkpoints.latest().unwrap().checkpoint.is_none());
        for steps in 1..=4 {
            checkpoints.write(&checkpoint(steps)).unwrap();
        }
        assert_eq!(checkpoints.numbers().unwrap(), [3, 4]);
        assert_eq!(checkpoints.newest_value("steps").unwrap(), Some((4, 4.into())));
        let latest = checkpoints.latest().unwrap();
        assert_eq!((latest.checkpoint, latest.damaged.len()), (Some(checkpoint(4)), 0));
    }

    #[test]
    fn a_damaged_checkpoint_is_skipped_with_its_reason() {
        for file in [TENSORS, VALUES, CHECKSUMS] {
            for cut in [0, 10, usize::MAX] {
                let dir = tempfile::tempdir().unwrap();
                let checkpoints = Checkpoints::at(dir.path());
                checkpoints.write(&checkpoint(1)).unwrap();
                let path = checkpoints.write(&checkpoint(2)).unwrap().join(file);
                let mut bytes = fs::read(&path).unwrap();
                match cut {
                    usize::MAX => bytes[20] ^= 1,
                    cut => bytes.truncate(cut),
                }
                fs::write(&path, bytes).unwrap();
                let latest = checkpoints.latest().unwrap();
                assert_eq!(latest.checkpoint, Some(checkpoint(1)), "{file} {cut}");
                assert!(latest.damaged[0].to_string().contains("000002"), "{:?}", latest.damaged);
                fs::remove_file(path).unwrap();
                assert_eq!(checkpoints.latest().unwrap().checkpoint, Some(checkpoint(1)), "{file} missing");
            }
        }
    }

    #[test]
    fn a_checkpoint_of_another_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::at(dir.path());
        checkpoints.write(&checkpoint(1)).unwrap();
        let newest = checkpoints.write(&checkpoint(2)).unwrap();
        let text = fs::read_to_string(newest.join(VALUES)).unwrap();
        let other = text.replace("\"format\": 1", "\"format\": 2");
        let checksums = fs::read_to_string(newest.join(CHECKSUMS)).unwrap();
        let checksums = checksums.replace(&sha256::of(text.as_bytes()), &sha256::of(other.as_bytes()));
        fs::write(newest.join(VALUES), other).unwrap();
        fs::write(newest.join(CHECKSUMS), checksums).unwrap();
        let error = checkpoints.latest().unwrap_err().to_string();
        assert!(error.contains("state.json has format 2, this version of nas-train reads format 1: use "), "{error}");
    }

    #[test]
    fn an_unfinished_checkpoint_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::at(dir.path());
        fs::create_dir(dir.path().join(UNFINISHED)).unwrap();
        fs::write(dir.path().join(UNFINISHED).join(TENSORS), "torn").unwrap();
        assert!(checkpoints.latest().unwrap().checkpoint.is_none());
        checkpoints.write(&checkpoint(1)).unwrap();
        assert!(!dir.path().join(UNFINISHED).exists());
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let error = Checkpoints::at(&dir.path().join("file")).write(&checkpoint(1)).unwrap_err();
        assert!(error.to_string().starts_with("cannot write "), "{error}");
    }
}
