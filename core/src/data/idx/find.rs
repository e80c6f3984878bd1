//! The names of idx files.
//!
//! MNIST: `train-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`. EMNIST puts the name of its split before it and calls
//! the test part `test`: `emnist-letters-test-images-idx3-ubyte`. Some archives write `.idx3` for `-idx3`, and all may
//! end in `.gz`.

use std::fs;
use std::path::{Path, PathBuf};

use super::{DataError, INSTRUCTIONS, PartPaths};

/// The files of the training part.
pub(super) fn train(dir: &Path) -> Result<PartPaths, DataError> {
    let names = Names::of(dir)?;
    let missing = |middle: &str| names.missing(&format!("train-{middle}"));
    Ok(PartPaths {
        images: names.find(&["train"], "images-idx3")?.ok_or_else(|| missing("images-idx3-ubyte"))?,
        labels: names.find(&["train"], "labels-idx1")?.ok_or_else(|| missing("labels-idx1-ubyte"))?,
    })
}

/// The files of the test part; none if both are missing.
pub(super) fn test(dir: &Path) -> Result<Option<PartPaths>, DataError> {
    let names = Names::of(dir)?;
    let find = |middle| names.find(&["t10k", "test"], middle);
    match (find("images-idx3")?, find("labels-idx1")?) {
        (Some(images), Some(labels)) => Ok(Some(PartPaths { images, labels })),
        (None, None) => Ok(None),
        (None, _) => Err(names.missing("t10k-images-idx3-ubyte")),
        (_, None) => Err(names.missing("t10k-labels-idx1-ubyte")),
    }
}

/// The names in a folder, in alphabetical order.
struct Names<'a> {
    dir: &'a Path,
    names: Vec<String>,
}

impl<'a> Names<'a> {
    fn of(dir: &'a Path) -> Result<Self, DataError> {
        let io = |source| DataError::Read { path: dir.into(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).map_err(io)? {
            // The names of idx files are ASCII, so other names need no care.
            names.push(entry.map_err(io)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(Self { dir, names })
    }

    /// Finds `PART-MIDDLE-ubyte`, for example `train-images-idx3-ubyte`, with anything before it.
    fn find(&self, parts: &[&str], middle: &str) -> Result<Option<PathBuf>, DataError> {
        let matches = |name: &&String| {
            let stem = name.strip_suffix(".gz").unwrap_or(name).replace(".idx", "-idx");
            parts.iter().any(|part| {
                let before = stem.strip_suffix(&format!("{part}-{middle}-ubyte"));
                before.is_some_and(|before| before.is_empty() || before.ends_with('-'))
            })
        };
        let found: Vec<&String> = self.names.iter().filter(matches).collect();
        match found[..] {
            [] => Ok(None),
            [name] => Ok(Some(self.dir.join(name))),
            // A file beside its compressed form is refused too, because their content may differ.
            _ => Err(DataError::Content {
                path: self.dir.into(),
                expected: "one data set in the folder, and each file unpacked or compressed".into(),
                found: found.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "),
                fix: "keep one of these files here, and move the others to another folder",
            }),
        }
    }

    /// The error for a missing file. It lists files with similar names, which a user may have to rename.
    fn missing(&self, name: &str) -> DataError {
        const SHOWN: usize = 5;
        let similar = self.names.iter().filter(|name| name.contains("ubyte") || name.contains("images"));
        let similar: Vec<&str> = similar.take(SHOWN).map(String::as_str).collect();
        if similar.is_empty() {
            return DataError::Missing { path: self.dir.join(name), instructions: INSTRUCTIONS };
        }
        DataError::Content {
            path: self.dir.into(),
            expected: format!("the file {name} or {name}.gz"),
            found: similar.join(", "),
            fix: "download the missing file, or give a file this name",
        }
    }
}
