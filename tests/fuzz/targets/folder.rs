//! A data set of one file or a few files, for the targets of data.

use nas_core::data::{DataError, DataOptions, Dataset, load};
use std::fs;
use std::path::PathBuf;

/// A folder whose files are written anew for each input.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder.
    pub fn new() -> Self {
        Self(tempfile::Builder::new().prefix("fuzz").tempdir().expect("a folder for the data").keep())
    }

    /// Writes a file, and the folders above it.
    pub fn write(&self, file: &str, bytes: &[u8]) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().expect("a path below the folder")).expect("create folders");
        fs::write(path, bytes).expect("write a file");
    }

    /// Reads the data set `name` from the folder, with these options.
    pub fn load(&self, name: &str, options: DataOptions) -> Result<Dataset, DataError> {
        load(name, &DataOptions { dir: Some(self.0.clone()), image_size: 8, ..options })
    }
}
