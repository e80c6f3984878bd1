//! Networks of finished runs for other programs.

mod onnx;
mod python;
mod source;

use nas_core::network::Op;
use nas_core::trainer::FrozenNetwork;
use nas_ops::{PoolKind, PoolSpec};
use serde_json::{Map, Value, json};

/// A network with fixed weights, and what its users need to know about images and classes.
pub struct ExportedNetwork {
    network: FrozenNetwork,
    /// Name of the search space.
    space: String,
    arch: String,
    /// Height, width and channels.
    image: [usize; 3],
    /// Mean of each channel over the training images, for values from 0 to 1.
    mean: Vec<f32>,
    /// Standard deviation of each channel, for values from 0 to 1.
    std: Vec<f32>,
    /// Names of the classes, in the order of the class scores.
    classes: Vec<String>,
    /// Origin of the batch-norm statistics.
    statistics: String,
}

impl ExportedNetwork {
    /// The architecture as text.
    pub fn arch(&self) -> &str {
        &self.arch
    }

    /// Origin of the batch-norm statistics, for the message.
    pub fn statistics(&self) -> &str {
        &self.statistics
    }

    /// The content of a safetensors file.
    ///
    /// # Errors
    /// Tensors that the format cannot hold.
    pub fn safetensors(&self) -> Result<Vec<u8>, String> {
        nas_core::checkpoint::weights::tensors_to_bytes(&self.network.tensors, &self.about())
    }

    /// The metadata of the files.
    fn about(&self) -> Map<String, Value> {
        let Self { space, arch, image, mean, std, classes, statistics, .. } = self;
        let about = json!({
            "architecture": arch,
            "space": space,
            "image": image,
            "mean": mean,
            "std": std,
            "classes": classes,
            "batch_norm": statistics,
        });
        about.as_object().cloned().unwrap_or_default()
    }

    /// Input and output in a sentence. `normalise`: the normalisation of the images is a part of the network.
    fn summary(&self, normalise: bool) -> String {
        let [height, width, channels] = self.image;
        let values = match normalise {
            true => "with values from 0 to 1",
            false => "with values from 0 to 1, normalised by (x - mean) / std",
        };
        format!(
            "Images [batch, {channels}, {height}, {width}] {values}, to class scores [batch, {}] before softmax.",
            self.classes.len()
        )
    }
}

/// Describes an operation that ONNX or PyTorch cannot represent; `None` if there is none.
fn unsupported(network: &FrozenNetwork) -> Option<&'static str> {
    let dilated =
        |op: &Op| matches!(op, Op::Pool(PoolSpec { kind: PoolKind::Average, window }) if window.dilation != [1, 1]);
    let found = network.program.instrs.iter().any(|instr| dilated(&instr.op));
    found.then_some("an average pool with dilation, which neither ONNX nor PyTorch can represent")
}
