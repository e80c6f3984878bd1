//! The options of `export`.

use super::DataDirArg;
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// Options of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Directory of a finished run or of a stand-alone training
    #[arg(value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub run: PathBuf,
    /// The folder of the data set.
    #[command(flatten)]
    pub data: DataDirArg,
    /// New file for the network in ONNX format, with its weights
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub onnx: Option<PathBuf>,
    /// New file for the weights in safetensors format, with the names of the module of --python
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub safetensors: Option<PathBuf>,
    /// New file for a PyTorch module that loads the file of --safetensors
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub python: Option<PathBuf>,
    /// Architecture of a supernet, in the notation of the search space [default: the selected one of the run]
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<String>,
    /// Export the weights of the epoch with the highest accuracy of a stand-alone training, instead of the last weights
    #[arg(long)]
    pub best: bool,
    /// Normalise inside the network: its input is then images with values from 0 to 1
    #[arg(long)]
    pub normalise: bool,
    /// Directory for TensorBoard event files with the metrics of the run
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub tensorboard: Option<PathBuf>,
}

impl ExportArgs {
    /// The files for the network.
    pub fn network_files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.onnx, &self.safetensors, &self.python].into_iter().flatten()
    }

    /// Whether the network is to be written.
    pub fn has_network(&self) -> bool {
        self.network_files().next().is_some()
    }
}
