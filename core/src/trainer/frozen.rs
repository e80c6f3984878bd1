//! One architecture with fixed weights and batch-norm statistics, for export to other software.

use super::{RunError, build_space, stand_alone_network};
use crate::checkpoint::weights;
use crate::config::RunConfig;
use crate::network::{NetworkSpec, Program};
use crate::state::{HostTensor, State, StateError};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// One architecture with everything that an evaluation needs, on the host.
#[derive(Debug, Clone)]
pub struct FrozenNetwork {
    /// The layers of the network or of the supernet.
    pub spec: Arc<NetworkSpec>,
    /// The operations of the architecture, without auxiliary head.
    pub program: Program,
    /// Weights and batch-norm statistics of the layers of `program`, named and laid out as in a PyTorch module; see
    /// [`weights`].
    pub tensors: BTreeMap<String, HostTensor>,
}

impl FrozenNetwork {
    /// Joins a program with the weights and statistics of its layers in `model`, a section `training/model` of saved
    /// state.
    ///
    /// # Errors
    /// A layer without weights or without statistics.
    pub(super) fn new(spec: Arc<NetworkSpec>, program: Program, model: &State) -> Result<Self, StateError> {
        let tensors = weights::of_layers(&spec, &program.layers, model)?;
        Ok(Self { spec, program, tensors })
    }

    /// The weights of a stand-alone training from the content of their file, for images `[height, width, channels]`.
    /// Also returns the metadata of the file. Errors name it by `path`.
    ///
    /// # Errors
    /// A damaged file, or weights of another network.
    pub fn stand_alone(
        config: &RunConfig,
        arch: &str,
        image: [usize; 3],
        classes: usize,
        path: &Path,
        file: &[u8],
    ) -> Result<(Self, Map<String, Value>), RunError> {
        let space = build_space(config, image, classes)?;
        let (spec, _, program) = stand_alone_network(&*space, arch, config.retrain.auxiliary_weight > 0.0)?;
        let (model, about) = weights::parse(path, file, &spec)?;
        Ok((Self::new(spec, program, &model)?, about))
    }

    /// The tensor of a layer with a suffix of [`weights`], such as `norm.weight`; none if the layer has no such tensor.
    pub fn tensor(&self, layer: &str, suffix: &str) -> Option<&HostTensor> {
        self.tensors.get(&format!("{layer}.{suffix}"))
    }
}
