//! The image files below a folder, and the files that are not read.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::super::dataset::counted;
use super::{Cancel, DataError, INSTRUCTIONS, Parts};

/// Endings of the names of image files, in lower case. Names may use capitals.
pub(super) const EXTENSIONS: [&str; 9] = ["jpg", "jpeg", "png", "ppm", "pgm", "bmp", "tif", "tiff", "webp"];

/// Largest number of classes: labels are 16-bit numbers.
const MAX_CLASSES: usize = 65_536;
/// Largest depth of folders below the folder of a class. A link to a folder above itself would have no end.
const MAX_DEPTH: usize = 32;

/// Image files with their labels, in the order of classes and names.
#[derive(Debug, Default)]
pub(super) struct ImageFiles {
    pub(super) paths: Vec<PathBuf>,
    pub(super) labels: Vec<u16>,
}

impl ImageFiles {
    /// Number of images.
    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }

    /// Appends the files of another part.
    pub(super) fn extend(&mut self, other: Option<Self>) {
        let Some(other) = other else { return };
        self.paths.extend(other.paths);
        self.labels.extend(other.labels);
    }

    /// Returns an error if a class of the training part has no image.
    pub(super) fn require_every_class(&self, dir: &Path, classes: &[OsString]) -> Result<(), DataError> {
        let mut seen = vec![false; classes.len()];
        self.labels.iter().for_each(|&label| seen[usize::from(label)] = true);
        match seen.iter().position(|seen| !seen) {
            None => Ok(()),
            Some(empty) => Err(no_image(&dir.join(&classes[empty]))),
        }
    }
}

fn no_image(path: &Path) -> DataError {
    let (expected, found) = ("at least one image".into(), "none".into());
    DataError::Content { path: path.into(), expected, found, fix: INSTRUCTIONS }
}

/// Names of the folders in `dir`, of which there must be at least two.
pub(super) fn classes(dir: &Path) -> Result<Vec<OsString>, DataError> {
    let names = folder_names(dir)?;
    match names.len() {
        0 => Err(DataError::Missing { path: dir.join("CLASS"), instructions: INSTRUCTIONS }),
        1 => Err(DataError::Classes { found: 1, fix: INSTRUCTIONS }),
        2..=MAX_CLASSES => Ok(names),
        found => Err(DataError::Content {
            path: dir.into(),
            expected: format!("at most {MAX_CLASSES} classes"),
            found: found.to_string(),
            fix: INSTRUCTIONS,
        }),
    }
}

pub(super) fn folder_names(dir: &Path) -> Result<Vec<OsString>, DataError> {
    let folders = entries(dir)?.into_iter().filter(|path| path.is_dir() && !is_hidden(path));
    Ok(folders.filter_map(|path| path.file_name().map(OsStr::to_owned)).collect())
}

/// The name of a class as text. Bytes that are not UTF-8 are escaped, as in `caf\xe9`.
pub(super) fn display(name: &OsStr) -> String {
    name.to_str().map_or_else(|| name.as_encoded_bytes().escape_ascii().to_string(), str::to_owned)
}

/// Lists the images below `dir`, class by class. Classes without a folder or image are left to the caller.
pub(super) fn list(
    dir: &Path,
    classes: &[OsString],
    skipped: &mut SkippedFiles,
    cancel: &Cancel,
) -> Result<ImageFiles, DataError> {
    if let Some(other) = folder_names(dir)?.into_iter().find(|name| classes.binary_search(name).is_err()) {
        return Err(DataError::Content {
            path: dir.into(),
            expected: "the classes of the training images".into(),
            found: format!("another class, `{}`", display(&other)),
            fix: "use the same class names in all parts",
        });
    }
    let mut files = ImageFiles::default();
    for path in entries(dir)? {
        let Some(label) = path.file_name().and_then(|name| classes.binary_search_by(|class| (**class).cmp(name)).ok())
        else {
            skipped.outside += usize::from(!is_hidden(&path));
            continue;
        };
        descend(&path, 0, &mut files.paths, skipped, cancel)?;
        files.labels.resize(files.paths.len(), label as u16);
    }
    if files.len() == 0 { Err(no_image(dir)) } else { Ok(files) }
}

/// Lists the images in a folder and the folders below it, sorted by name.
fn descend(
    dir: &Path,
    depth: usize,
    found: &mut Vec<PathBuf>,
    skipped: &mut SkippedFiles,
    cancel: &Cancel,
) -> Result<(), DataError> {
    cancel.check()?;
    if depth > MAX_DEPTH {
        return Err(DataError::Content {
            path: dir.into(),
            expected: format!("folders nested at most {MAX_DEPTH} deep below a class"),
            found: "a deeper folder".into(),
            fix: "remove links to a parent folder, or move the images up",
        });
    }
    for path in entries(dir)? {
        if path.is_dir() {
            match is_hidden(&path) {
                true => skipped.hidden_folders += 1,
                false => descend(&path, depth + 1, found, skipped, cancel)?,
            }
        } else if !has_image_extension(&path) {
            skipped.other(&path);
        } else if is_hidden(&path) {
            skipped.hidden += 1;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

fn has_image_extension(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Paths in `dir`, sorted by name.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, DataError> {
    let io = |source| DataError::Read { path: dir.into(), source };
    let entries = fs::read_dir(dir).map_err(io)?;
    let mut paths = entries.map(|entry| Ok(entry.map_err(io)?.path())).collect::<Result<Vec<_>, DataError>>()?;
    paths.sort();
    Ok(paths)
}

/// Files that are not read, by reason.
#[derive(Debug, Default)]
pub(super) struct SkippedFiles {
    /// Number of files by their extension, for files that are not images.
    extensions: BTreeMap<String, usize>,
    /// Number of hidden files with the extension of an image.
    hidden: usize,
    /// Number of hidden folders in the folders of the classes.
    hidden_folders: usize,
    /// Number of files beside the folders of the classes.
    outside: usize,
    /// Names beside the folders of the parts.
    beside: Vec<String>,
}

impl SkippedFiles {
    /// Adds the files and folders of `dir` that are not one of the parts.
    pub(super) fn beside(&mut self, dir: &Path, parts: &Parts) -> Result<(), DataError> {
        let known = [Some(&parts.train), parts.valid.as_ref(), parts.test.as_ref()];
        let others = entries(dir)?.into_iter().filter(|path| !is_hidden(path) && !known.contains(&Some(path)));
        self.beside.extend(others.filter_map(|path| path.file_name().map(display)));
        Ok(())
    }

    fn other(&mut self, path: &Path) {
        if !is_hidden(path) {
            let extension = path
                .extension()
                .map_or_else(|| "without extension".into(), |extension| format!(".{}", display(extension)));
            *self.extensions.entry(extension).or_default() += 1;
        }
    }

    /// One sentence for each reason.
    pub(super) fn notes(&self) -> Vec<String> {
        const SHOWN: usize = 5;
        let listed = |names: Vec<String>| match names.len() {
            0..=SHOWN => names.join(", "),
            all => format!("{} and {} more", names[..SHOWN].join(", "), all - SHOWN),
        };
        let mut notes = Vec::new();
        if !self.extensions.is_empty() {
            let files = counted(self.extensions.values().sum(), "file");
            let extensions = self.extensions.iter().map(|(extension, count)| format!("{count} {extension}")).collect();
            notes.push(format!("skipped {files} without an image extension: {}", listed(extensions)));
        }
        if self.hidden > 0 {
            notes.push(format!("skipped {} (a dot before the name)", counted(self.hidden, "hidden image")));
        }
        if self.hidden_folders > 0 {
            notes.push(format!("skipped {} (a dot before the name)", counted(self.hidden_folders, "hidden folder")));
        }
        if self.outside > 0 {
            notes.push(format!("skipped {} outside of the class folders", counted(self.outside, "file")));
        }
        if !self.beside.is_empty() {
            notes.push(format!(
                "skipped next to the training, validation and test folders: {}",
                listed(self.beside.clone())
            ));
        }
        notes
    }
}
