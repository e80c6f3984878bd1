//! Tensors in the format safetensors (<https://github.com/huggingface/safetensors>).

use crate::state::HostTensor;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// The only key of the metadata. Its value is a JSON text, because the order of several keys would not be defined.
const METADATA: &str = "nas_train";

/// Tensors by name.
pub type Tensors = BTreeMap<String, HostTensor>;

/// Writes tensors, and a description of them.
///
/// # Errors
/// Tensors that the format cannot hold; the message has the reason.
pub fn to_bytes(tensors: &Tensors, about: &Map<String, Value>) -> Result<Vec<u8>, String> {
    let little_endian = |tensor: &HostTensor| tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let bytes: Vec<Vec<u8>> = tensors.values().map(little_endian).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, tensor), bytes)| Ok((name, TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)?)));
    let views: Result<Vec<_>, SafeTensorError> = views.collect();
    let metadata = HashMap::from([(METADATA.to_owned(), Value::Object(about.clone()).to_string())]);
    views.and_then(|views| safetensors::serialize(views, Some(metadata))).map_err(|error| error.to_string())
}

/// Reads what [`to_bytes`] wrote.
///
/// # Errors
/// Bytes that are damaged, tensors of another type than 32-bit numbers, or no description; the message has the reason.
pub fn from_bytes(bytes: &[u8]) -> Result<(Tensors, Map<String, Value>), String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let about = header.metadata().as_ref().and_then(|metadata| metadata.get(METADATA));
    let about = about.ok_or("it has no metadata `nas_train`: expected a file of nas-train 0.2.0 or later")?;
    let about = serde_json::from_str(about).map_err(|error| format!("its description is damaged: {error}"))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(format!("tensor {name} has elements of type {:?}, expected F32", view.dtype()));
        }
        let value = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let values = view.data().chunks_exact(size_of::<f32>()).map(value).collect();
        tensors.insert(name.to_owned(), HostTensor { shape: view.shape().to_vec(), values });
    }
    Ok((tensors, about))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example() -> BTreeMap<String, HostTensor> {
        let tensor = |shape: &[usize], values: &[f32]| HostTensor { shape: shape.to_vec(), values: values.to_vec() };
        [
            ("b".into(), tensor(&[2, 1], &[0.5, f32::NAN])),
            ("a".into(), tensor(&[0], &[])),
            ("c".into(), tensor(&[], &[-0.0])),
        ]
        .into()
    }

    #[test]
    fn bits_survive_and_equal_tensors_are_equal_bytes() {
        let about: Map<String, Value> = [("steps".into(), 3.into()), ("a".into(), "b".into())].into_iter().collect();
        let bytes = to_bytes(&example(), &about).unwrap();
        assert_eq!(bytes, to_bytes(&example(), &about).unwrap());
        let (read, found) = from_bytes(&bytes).unwrap();
        assert_eq!(found, about);
        for (name, tensor) in example() {
            assert_eq!(read[&name].shape, tensor.shape);
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&read[&name].values), bits(&tensor.values));
        }
    }

    proptest! {
        #[test]
        fn damaged_bytes_are_refused_or_read(place in 0usize..200, byte: u8, cut in 0usize..300) {
            let mut bytes = to_bytes(&example(), &Map::new()).unwrap();
            let place = place % bytes.len();
            bytes[place] = byte;
            let _ = from_bytes(&bytes);
            bytes.truncate(cut);
            let _ = from_bytes(&bytes);
        }
    }
}
