//! The operations of a network as ONNX nodes, on images `[n, c, h, w]`.

use super::messages::{AttributeProto, NodeProto, TensorProto};
use super::{INPUT, OUTPUT};
use nas_core::network::{LayerId, LayerKind, Op};
use nas_core::state::HostTensor;
use nas_core::trainer::FrozenNetwork;
use nas_ops::{EPS, PoolKind, Window};
use std::collections::BTreeSet;

/// Nodes and tensors of a graph that is being written.
pub struct Graph {
    pub nodes: Vec<NodeProto>,
    pub initializers: Vec<TensorProto>,
    /// Names of all nodes and tensors.
    names: BTreeSet<String>,
}

impl Graph {
    /// A graph with input and output, and without nodes.
    pub fn new() -> Self {
        Self { nodes: Vec::new(), initializers: Vec::new(), names: [INPUT, OUTPUT].map(Into::into).into() }
    }

    /// Adds `(x - mean) / std`, and returns the name of the result.
    pub fn normalise(&mut self, x: &str, mean: &[f32], std: &[f32]) -> String {
        let per_channel = |values: &[f32]| HostTensor { shape: vec![1, values.len(), 1, 1], values: values.to_vec() };
        let mean = self.floats("input.mean", &per_channel(mean));
        let std = self.floats("input.std", &per_channel(std));
        let x = self.node("Sub", "input.centred", &[x, &mean], vec![]);
        self.node("Div", "input.normalised", &[&x, &std], vec![])
    }

    /// Adds the operations of a network on the value `x`. The class scores `[n, classes]` get the name [`OUTPUT`].
    pub fn network(&mut self, network: &FrozenNetwork, x: &str) {
        let instrs = &network.program.instrs;
        let mut values = vec![x.to_owned()];
        for (number, instr) in instrs.iter().enumerate() {
            let inputs: Vec<&str> = instr.inputs.iter().map(|input| values[*input].as_str()).collect();
            let (x, name) = (inputs[0], format!("operation{number}"));
            let y = match &instr.op {
                Op::Layer(layer) => {
                    let y = self.layer(network, *layer, x);
                    if is_linear(network, &instr.op) && number + 1 < instrs.len() {
                        let axes = self.integers(&format!("{name}.axes"), &[2, 3]);
                        self.node("Unsqueeze", &name, &[&y, &axes], vec![])
                    } else {
                        y
                    }
                }
                Op::Pool(pool) => {
                    let mut attributes = window(&pool.window);
                    match pool.kind {
                        PoolKind::Max => self.node("MaxPool", &name, &[x], attributes),
                        PoolKind::Average => {
                            // AveragePool has no `dilations` before opset 19; `unsupported` rejects such networks.
                            attributes.retain(|attribute| attribute.name != "dilations");
                            attributes.push(int("count_include_pad", 0));
                            self.node("AveragePool", &name, &[x], attributes)
                        }
                    }
                }
                Op::DropPath => x.to_owned(),
                Op::OddPixels => self.odd_pixels(&name, x),
                Op::Relu => self.node("Relu", &name, &[x], vec![]),
                Op::Relu6 => {
                    let limit = |value| HostTensor { shape: vec![], values: vec![value] };
                    let least = self.floats(&format!("{name}.min"), &limit(0.0));
                    let most = self.floats(&format!("{name}.max"), &limit(6.0));
                    self.node("Clip", &name, &[x, &least, &most], vec![])
                }
                Op::GlobalAvgPool => self.node("GlobalAveragePool", &name, &[x], vec![]),
                Op::Sum => self.node("Sum", &name, &inputs, vec![]),
                Op::Concat => self.node("Concat", &name, &inputs, vec![int("axis", 1)]),
                Op::Zeros(size) => self.zeros(&name, x, *size),
            };
            values.push(y);
        }
        if !instrs.last().is_some_and(|last| is_linear(network, &last.op)) {
            self.node("Flatten", "flatten", &[&values[instrs.len()]], vec![int("axis", 1)]);
        }
        if let Some(last) = self.nodes.last_mut() {
            last.output = vec![OUTPUT.into()];
        }
    }

    /// A layer, as one node for each of ReLU, convolution and batch normalisation.
    fn layer(&mut self, network: &FrozenNetwork, id: LayerId, x: &str) -> String {
        let layer = &network.spec.layers[id];
        let name = &layer.name;
        match layer.kind {
            LayerKind::Conv { relu, conv, norm, .. } => {
                let x = if relu { self.node("Relu", &format!("{name}.relu"), &[x], vec![]) } else { x.to_owned() };
                let weight = self.parameter(network, name, "weight");
                let mut attributes = window(&conv.window);
                attributes.push(int("group", conv.groups as i64));
                let y = self.node("Conv", name, &[&x, &weight], attributes);
                if norm.is_some() { self.norm(network, name, &y) } else { y }
            }
            LayerKind::Norm { .. } => self.norm(network, name, x),
            LayerKind::Linear { .. } => {
                let x = self.node("Flatten", &format!("{name}.flatten"), &[x], vec![int("axis", 1)]);
                let (weight, bias) = (self.parameter(network, name, "weight"), self.parameter(network, name, "bias"));
                self.node("Gemm", name, &[&x, &weight, &bias], vec![int("transB", 1)])
            }
        }
    }

    /// Batch normalisation with fixed statistics. In a supernet it has the scale 1 and the shift 0.
    fn norm(&mut self, network: &FrozenNetwork, layer: &str, x: &str) -> String {
        let mean = self.parameter(network, layer, "norm.running_mean");
        let variance = self.parameter(network, layer, "norm.running_var");
        let channels = network.tensor(layer, "norm.running_mean").map_or(0, |tensor| tensor.values.len());
        let mut affine = |suffix: &str, default: f32| match network.tensor(layer, suffix) {
            Some(_) => self.parameter(network, layer, suffix),
            None => {
                let tensor = HostTensor { shape: vec![channels], values: vec![default; channels] };
                self.floats(&format!("{layer}.{suffix}"), &tensor)
            }
        };
        let (scale, shift) = (affine("norm.weight", 1.0), affine("norm.bias", 0.0));
        let inputs = [x, &scale, &shift, &mean, &variance];
        self.node("BatchNormalization", &format!("{layer}.norm"), &inputs, vec![float("epsilon", EPS)])
    }

    /// A row and a column of zeros after the last ones make odd sizes even and change nothing for even ones.
    fn odd_pixels(&mut self, name: &str, x: &str) -> String {
        let pads = self.integers(&format!("{name}.pads"), &[0, 0, 0, 0, 0, 0, 1, 1]);
        let padded = self.node("Pad", &format!("{name}.padded"), &[x, &pads], vec![]);
        let mut list = |part: &str, value: i64| self.integers(&format!("{name}.{part}"), &[value; 2]);
        let (starts, ends, steps) = (list("starts", 1), list("ends", i64::MAX), list("steps", 2));
        let axes = self.integers(&format!("{name}.axes"), &[2, 3]);
        self.node("Slice", name, &[&padded, &starts, &ends, &axes, &steps], vec![])
    }

    /// Zeros for each image of `x`.
    fn zeros(&mut self, name: &str, x: &str, [h, w, c]: [usize; 3]) -> String {
        let batch = self.node("Shape", &format!("{name}.batch"), &[x], vec![int("start", 0), int("end", 1)]);
        let size = self.integers(&format!("{name}.size"), &[c as i64, h as i64, w as i64]);
        let shape = self.node("Concat", &format!("{name}.shape"), &[&batch, &size], vec![int("axis", 0)]);
        self.node("ConstantOfShape", name, &[&shape], vec![])
    }

    /// Adds a node, and returns the name of its only output. A layer may occur several times; from the second time on,
    /// the number of the node is added to the name.
    fn node(&mut self, op: &str, name: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> String {
        let name = match self.names.insert(name.into()) {
            true => name.into(),
            false => format!("{name}.{}", self.nodes.len()),
        };
        // Some programs keep nodes and values in one list, so their names differ.
        let output = format!("{name}.output");
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![output.clone()],
            name,
            op_type: op.into(),
            attribute,
        });
        output
    }

    /// A tensor of a layer.
    fn parameter(&mut self, network: &FrozenNetwork, layer: &str, suffix: &str) -> String {
        let name = format!("{layer}.{suffix}");
        match network.tensor(layer, suffix) {
            Some(tensor) => self.floats(&name, tensor),
            None => name,
        }
    }

    fn floats(&mut self, name: &str, tensor: &HostTensor) -> String {
        let raw = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializer(name, TensorProto::FLOAT, &tensor.shape, raw)
    }

    fn integers(&mut self, name: &str, values: &[i64]) -> String {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializer(name, TensorProto::INT64, &[values.len()], raw)
    }

    /// Adds a tensor, unless it is there: the layer occurs several times.
    fn initializer(&mut self, name: &str, data_type: i32, shape: &[usize], raw_data: Vec<u8>) -> String {
        if self.names.insert(name.into()) {
            let dims = shape.iter().map(|size| *size as i64).collect();
            self.initializers.push(TensorProto { dims, data_type, name: name.into(), raw_data });
        }
        name.into()
    }
}

fn is_linear(network: &FrozenNetwork, op: &Op) -> bool {
    op.layer().is_some_and(|layer| matches!(network.spec.layers[layer].kind, LayerKind::Linear { .. }))
}

/// The attributes of a window. Padding is listed as top, left, bottom, right.
fn window(window: &Window) -> Vec<AttributeProto> {
    let [top, left] = window.padding;
    vec![
        integers("kernel_shape", &window.kernel),
        integers("strides", &window.stride),
        integers("pads", &[top, left, top, left]),
        integers("dilations", &window.dilation),
    ]
}

fn integers(name: &str, values: &[usize]) -> AttributeProto {
    let ints = values.iter().map(|value| *value as i64).collect();
    AttributeProto { name: name.into(), r#type: AttributeProto::INTS, ints, ..Default::default() }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeProto::INT, i: Some(value), ..Default::default() }
}

fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeProto::FLOAT, f: Some(value), ..Default::default() }
}
