//! `weights.safetensors`: the weights of a network, named and laid out as in a PyTorch module.
//!
//! | tensor | shape | PyTorch |
//! |---|---|---|
//! | `LAYER.weight` of a convolution | `[c_out, c_in / groups, kh, kw]` | `Conv2d.weight` |
//! | `LAYER.weight`, `LAYER.bias` of a linear layer | `[c_out, c_in]`, `[c_out]` | `Linear.weight`, `Linear.bias` |
//! | `LAYER.norm.weight`, `.norm.bias` | `[c]` | `BatchNorm2d.weight`, `.bias`; only of networks with affine normalisation |
//! | `LAYER.norm.running_mean`, `.norm.running_var` | `[c]` | the same; only with `eval.bn = "running"` |
//!
//! A strategy with several weight sets has `set1.LAYER.weight` and so on for all but the first. The metadata of the
//! file hold a JSON object under `nas_train`: what the writer passed as `about`, and the counts `num_batches_tracked`.

use super::CheckpointError;
use super::tensors::{from_bytes, to_bytes};
use crate::network::{LayerId, LayerKind, NetworkSpec, Role};
use crate::read_file;
use crate::state::{HostTensor, State, StateError};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Name of the file in a run directory.
pub const FILE: &str = "weights.safetensors";
/// Largest size of a file, in bytes.
const MAX_SIZE: u64 = 1 << 36;
/// Key of the counts of batches in the metadata.
const BATCHES: &str = "num_batches_tracked";

/// The weights of a model as the bytes of a file. `model` is the section `training/model` or `evaluated` of a run's
/// state.
///
/// # Errors
/// A state of another network, or tensors that the format cannot hold.
pub fn model_to_bytes(spec: &NetworkSpec, model: &State, about: &Map<String, Value>) -> Result<Vec<u8>, String> {
    let mut tensors = BTreeMap::new();
    for entry in entries(spec, 0..sets(model)) {
        let Some(tensor) = model.tensors.get(&entry.saved) else { continue };
        tensors.insert(entry.exported, entry.layout.export(tensor));
    }
    if tensors.len() != model.tensors.len() {
        return Err(format!("{} tensors, expected {} of this network", model.tensors.len(), tensors.len()));
    }
    let mut about = about.clone();
    about.insert(BATCHES.into(), Value::Object(model.values.clone()));
    to_bytes(&tensors, &about)
}

/// The tensors of some layers in weight set 0, with batch-norm statistics, under the names and in the layout of the
/// file.
///
/// # Errors
/// A layer without weights or statistics in `model`.
pub fn of_layers(
    spec: &NetworkSpec,
    layers: &[LayerId],
    model: &State,
) -> Result<BTreeMap<String, HostTensor>, StateError> {
    let wanted = entries(spec, 0..1).into_iter().filter(|entry| layers.contains(&entry.layer));
    let tensor = |entry: Entry| match model.tensors.get(&entry.saved) {
        Some(tensor) => Ok((entry.exported, entry.layout.export(tensor))),
        None => {
            let found = "none: no training has used this layer".into();
            Err(StateError { expected: format!("tensor {}", entry.exported), found })
        }
    };
    wanted.map(tensor).collect()
}

/// Tensors of [`of_layers`] as a file, with metadata.
///
/// # Errors
/// Tensors that the format cannot hold.
pub fn tensors_to_bytes(tensors: &BTreeMap<String, HostTensor>, about: &Map<String, Value>) -> Result<Vec<u8>, String> {
    to_bytes(tensors, about)
}

/// Reads a file: the state for the section `training/model`, and the metadata.
///
/// # Errors
/// A file that cannot be read or is damaged, weights that are not finite, and tensors of another network.
pub fn read(path: &Path, spec: &NetworkSpec) -> Result<(State, Map<String, Value>), CheckpointError> {
    parse(path, &read_bytes(path)?, spec)
}

/// As [`read`], from the content of the file at `path`.
///
/// # Errors
/// A damaged content, weights that are not finite, and tensors of another network.
pub fn parse(path: &Path, bytes: &[u8], spec: &NetworkSpec) -> Result<(State, Map<String, Value>), CheckpointError> {
    let other_network = |problem| Err(CheckpointError::OtherNetwork { path: path.into(), problem });
    let (mut tensors, mut about) = from_bytes(bytes).map_err(|problem| CheckpointError::content(path, problem))?;
    let further_sets = tensors.keys().filter_map(|name| name.strip_prefix("set")?.split_once('.')?.0.parse().ok());
    let sets: BTreeSet<usize> = std::iter::once(0).chain(further_sets).collect();
    let mut model = State::default();
    for entry in entries(spec, sets) {
        let Some(tensor) = tensors.remove(&entry.exported) else { continue };
        if tensor.shape != entry.layout.exported_shape() {
            let expected = entry.layout.exported_shape();
            let (name, shape) = (&entry.exported, &tensor.shape);
            return other_network(format!("tensor {name} has the shape {shape:?}, expected {expected:?}"));
        }
        if !tensor.values.iter().all(|value| value.is_finite()) {
            let problem = format!("tensor {} has values that are not finite", entry.exported);
            return Err(CheckpointError::content(path, problem));
        }
        model.tensors.insert(entry.saved, entry.layout.import(&tensor));
    }
    if let Some(name) = tensors.keys().next() {
        return other_network(format!("tensor {name} is not one of this network"));
    }
    if let Some(Value::Object(counts)) = about.remove(BATCHES) {
        model.values = counts;
    }
    Ok((model, about))
}

/// The content of a file with weights.
///
/// # Errors
/// A file that cannot be read.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, CheckpointError> {
    read_file::bytes(path, MAX_SIZE).map_err(CheckpointError::read(path))
}

/// Number of weight sets in a state with names `setK/LAYER.ROLE`.
fn sets(model: &State) -> usize {
    let number = |name: &String| name.strip_prefix("set")?.split_once('/')?.0.parse::<usize>().ok();
    model.tensors.keys().filter_map(number).max().map_or(1, |last| last + 1)
}

/// A tensor with its name in the state and in the file.
struct Entry {
    layer: LayerId,
    saved: String,
    exported: String,
    layout: Layout,
}

/// The arrangement of a tensor.
enum Layout {
    /// `[kh, kw, c_in / groups, c_out]` in the state, `[c_out, c_in / groups, kh, kw]` in the file.
    Convolution([usize; 4]),
    /// `[1, 1, c_in, c_out]` in the state, `[c_out, c_in]` in the file.
    Linear([usize; 4]),
    /// `[1, 1, 1, c]` in the state, `[c]` in the file.
    Vector(usize),
    /// `[c]` in both.
    Statistics(usize),
}

fn entries(spec: &NetworkSpec, sets: impl IntoIterator<Item = usize>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for set in sets {
        let prefix = if set == 0 { String::new() } else { format!("set{set}.") };
        for param in &spec.params {
            let layer = &spec.layers[param.layer];
            let (suffix, layout) = match (param.role, layer.kind) {
                (Role::Weight, LayerKind::Linear { .. }) => ("weight", Layout::Linear(param.shape)),
                (Role::Weight, _) => ("weight", Layout::Convolution(param.shape)),
                (Role::Bias, _) => ("bias", Layout::Vector(param.len())),
                (Role::Scale, _) => ("norm.weight", Layout::Vector(param.len())),
                (Role::Shift, _) => ("norm.bias", Layout::Vector(param.len())),
            };
            let exported = format!("{prefix}{}.{suffix}", layer.name);
            entries.push(Entry { layer: param.layer, saved: format!("set{set}/{}", param.name), exported, layout });
        }
    }
    for (id, layer) in spec.layers.iter().enumerate() {
        let Some(channels) = layer.norm_channels() else { continue };
        for name in ["running_mean", "running_var"] {
            entries.push(Entry {
                layer: id,
                saved: format!("{}.{name}", layer.name),
                exported: format!("{}.norm.{name}", layer.name),
                layout: Layout::Statistics(channels),
            });
        }
    }
    entries
}

impl Layout {
    fn exported_shape(&self) -> Vec<usize> {
        match *self {
            Self::Convolution([kh, kw, c_in, c_out]) => vec![c_out, c_in, kh, kw],
            Self::Linear([_, _, c_in, c_out]) => vec![c_out, c_in],
            Self::Vector(channels) | Self::Statistics(channels) => vec![channels],
        }
    }

    fn saved_shape(&self) -> Vec<usize> {
        match *self {
            Self::Convolution(shape) | Self::Linear(shape) => shape.to_vec(),
            Self::Vector(channels) => vec![1, 1, 1, channels],
            Self::Statistics(channels) => vec![channels],
        }
    }

    /// Both are matrices of inputs and outputs: the state has the outputs innermost, the file has them outermost. In a
    /// convolution, the inputs are positions of the window (outer in the state, inner in the file) and channels.
    fn export(&self, tensor: &HostTensor) -> HostTensor {
        let (window, c_in, c_out) = self.sides();
        let index = |out: usize| {
            let (channel, input, position) = (out / (c_in * window), out / window % c_in, out % window);
            (position * c_in + input) * c_out + channel
        };
        let values = (0..tensor.values.len()).map(|out| tensor.values[index(out)]).collect();
        HostTensor { shape: self.exported_shape(), values }
    }

    fn import(&self, tensor: &HostTensor) -> HostTensor {
        let (window, c_in, c_out) = self.sides();
        let index = |saved: usize| {
            let (position, input, channel) = (saved / (c_in * c_out), saved / c_out % c_in, saved % c_out);
            (channel * c_in + input) * window + position
        };
        let values = (0..tensor.values.len()).map(|saved| tensor.values[index(saved)]).collect();
        HostTensor { shape: self.saved_shape(), values }
    }

    /// Positions of the window, inputs and outputs, each at least 1 so that empty tensors divide.
    fn sides(&self) -> (usize, usize, usize) {
        let sides = match *self {
            Self::Convolution([kh, kw, c_in, c_out]) | Self::Linear([kh, kw, c_in, c_out]) => (kh * kw, c_in, c_out),
            Self::Vector(channels) | Self::Statistics(channels) => (1, 1, channels),
        };
        (sides.0.max(1), sides.1.max(1), sides.2.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{NasBench201, Scale};

    fn spec() -> NetworkSpec {
        let scale = Scale { image: [8, 8, 1], classes: 3, width: 2, cells: 1 };
        NetworkSpec::supernet(&NasBench201::new(scale)).unwrap()
    }

    /// A state with two weight sets, whose values are distinct.
    fn model(spec: &NetworkSpec) -> State {
        let mut state = State::default();
        let mut next = 0.0;
        for entry in entries(spec, 0..2) {
            let shape = entry.layout.saved_shape();
            let size: usize = shape.iter().product();
            let values = (0..size).map(|i| next + i as f32).collect();
            next += size as f32;
            state.tensors.insert(entry.saved, HostTensor { shape, values });
        }
        state.put("stem.num_batches_tracked", &7).unwrap();
        state
    }

    #[test]
    fn weights_survive_the_file() {
        let (spec, dir) = (spec(), tempfile::tempdir().unwrap());
        let path = dir.path().join("weights.safetensors");
        let about: Map<String, Value> = [("space".to_owned(), Value::from("nasbench201"))].into_iter().collect();
        std::fs::write(&path, model_to_bytes(&spec, &model(&spec), &about).unwrap()).unwrap();
        assert_eq!(read(&path, &spec).unwrap(), (model(&spec), about));
    }

    #[test]
    fn names_and_shapes_are_those_of_pytorch() {
        let spec = spec();
        let (tensors, _) = from_bytes(&model_to_bytes(&spec, &model(&spec), &Map::new()).unwrap()).unwrap();
        assert_eq!(tensors["stem.weight"].shape, [2, 1, 3, 3]);
        assert_eq!(tensors["classifier.weight"].shape, [3, 8]);
        assert_eq!((&tensors["classifier.bias"].shape, &tensors["stem.norm.running_var"].shape), (&vec![3], &vec![2]));
        assert!(tensors.contains_key("set1.stem.weight"));
        // The weight of output 1 and input 0 at row 1, column 2, of a convolution of 3 x 3.
        let saved = &model(&spec).tensors["set0/stem.weight"];
        assert_eq!(tensors["stem.weight"].values[9 + 3 + 2], saved.values[(3 + 2) * 2 + 1]);
    }

    #[test]
    fn weights_of_another_network_are_refused() {
        let (spec, dir) = (spec(), tempfile::tempdir().unwrap());
        let path = dir.path().join("weights.safetensors");
        let message = |change: &dyn Fn(&mut BTreeMap<String, HostTensor>)| {
            let (mut tensors, _) = from_bytes(&model_to_bytes(&spec, &model(&spec), &Map::new()).unwrap()).unwrap();
            change(&mut tensors);
            std::fs::write(&path, to_bytes(&tensors, &Map::new()).unwrap()).unwrap();
            read(&path, &spec).unwrap_err().to_string()
        };
        let found = message(&|tensors| tensors.get_mut("stem.weight").unwrap().shape.swap(0, 1));
        assert!(found.ends_with("tensor stem.weight has the shape [1, 2, 3, 3], expected [2, 1, 3, 3]"), "{found}");
        let found = message(&|tensors| tensors.get_mut("stem.weight").unwrap().values[0] = f32::NAN);
        assert!(found.ends_with("tensor stem.weight has values that are not finite"), "{found}");
        let found =
            message(&|tensors| drop(tensors.insert("more".into(), HostTensor { shape: vec![0], values: vec![] })));
        assert!(found.ends_with("tensor more is not one of this network"), "{found}");
        std::fs::write(&path, "text").unwrap();
        assert!(read(&path, &spec).is_err());
    }
}
