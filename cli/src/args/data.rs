//! The option of commands that read the data set of a run again.

use super::NamedOption;
use clap::{Args, ValueHint};
use toml::Value;

/// The folder of the data set of a run.
#[derive(Debug, Clone, Default, Args)]
pub struct DataDirArg {
    /// Folder with the files of the data set, if they have moved since [default: as before]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: Option<String>,
}

impl DataDirArg {
    /// The option with its key.
    pub fn named(&self) -> NamedOption {
        NamedOption { flag: "data-dir", key: "data.dir", value: self.data_dir.clone().map(Value::String) }
    }
}
