//! Networks as ONNX files.

mod graph;
mod messages;

use super::ExportedNetwork;
use graph::Graph;
use messages::{
    Dimension, DimensionValue, GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use prost::Message;
use serde_json::Value;

/// IR version of the file: the lowest that allows [`OPSET_VERSION`].
const IR_VERSION: i64 = 8;
/// Opset version. PyTorch exports it too, so most runtimes read it.
const OPSET_VERSION: i64 = 17;
/// Name of the images `[batch, c, h, w]`.
const INPUT: &str = "input";
/// Name of the class scores `[batch, classes]`.
const OUTPUT: &str = "logits";
/// Name of the dimension of any size.
const BATCH: &str = "batch";

impl ExportedNetwork {
    /// The content of an ONNX file. `normalise` includes the normalisation of the images.
    pub fn onnx(&self, normalise: bool) -> Vec<u8> {
        let mut graph = Graph::new();
        let x = match normalise {
            true => graph.normalise(INPUT, &self.mean, &self.std),
            false => INPUT.into(),
        };
        graph.network(&self.network, &x);
        let [height, width, channels] = self.image;
        let metadata = self.about().into_iter().map(|(key, value)| StringStringEntryProto {
            key,
            value: match value {
                Value::String(text) => text,
                value => value.to_string(),
            },
        });
        let normalised = StringStringEntryProto { key: "normalised".into(), value: normalise.to_string() };
        let model = ModelProto {
            ir_version: IR_VERSION,
            producer_name: "nas-train".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            doc_string: self.summary(normalise),
            graph: Some(GraphProto {
                node: graph.nodes,
                name: self.space.clone(),
                initializer: graph.initializers,
                input: vec![value(INPUT, &[channels, height, width])],
                output: vec![value(OUTPUT, &[self.classes.len()])],
            }),
            opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: OPSET_VERSION }],
            metadata_props: metadata.chain([normalised]).collect(),
        };
        model.encode_to_vec()
    }
}

/// The type of a value with this size for each image of a batch.
fn value(name: &str, size: &[usize]) -> ValueInfoProto {
    let dimension = |value| Dimension { value: Some(value) };
    let batch = dimension(DimensionValue::Name(BATCH.into()));
    let size = size.iter().map(|size| dimension(DimensionValue::Size(*size as i64)));
    let shape = TensorShapeProto { dim: std::iter::once(batch).chain(size).collect() };
    let tensor = TensorTypeProto { elem_type: TensorProto::FLOAT, shape: Some(shape) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}
