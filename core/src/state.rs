//! Saved state: what a component writes to continue later with the same bits.
//!
//! A [`State`] holds tensors and JSON values by name. Parts of a larger whole save into sections: section `model` with
//! the tensor `stem.weight` is the tensor `model/stem.weight` of the whole. Every `f64` survives the conversion to JSON
//! text and back, because `serde_json` is built with `float_roundtrip`.

use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Separates the name of a section from the names inside it.
const SEPARATOR: char = '/';

/// A tensor in host memory.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// Length of each dimension, outermost first.
    pub shape: Vec<usize>,
    /// The elements in row-major order.
    pub values: Vec<f32>,
}

/// The state of a component: tensors, and everything else as JSON values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Tensors by name.
    pub tensors: BTreeMap<String, HostTensor>,
    /// Counters, positions of random streams, histories and the like by name.
    pub values: serde_json::Map<String, serde_json::Value>,
}

/// Saved state that does not fit the component that loads it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("saved state does not fit: expected {expected}, found {found}")]
pub struct StateError {
    /// The entry that the component needs.
    pub expected: String,
    /// The entry in the saved state.
    pub found: String,
}

impl State {
    /// The tensor `name`, which must have this shape and finite values.
    ///
    /// # Errors
    /// No such tensor, another shape, or a value that is not finite.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<&HostTensor, StateError> {
        let fail = |found| StateError { expected: format!("tensor {name} of shape {shape:?}"), found };
        let tensor = self.tensors.get(name).ok_or_else(|| fail("none".into()))?;
        let size: usize = shape.iter().product();
        if tensor.shape != shape || tensor.values.len() != size {
            return Err(fail(format!("shape {:?} with {} values", tensor.shape, tensor.values.len())));
        }
        if let Some(value) = tensor.values.iter().find(|value| !value.is_finite()) {
            let expected = format!("finite values in tensor {name}");
            return Err(StateError { expected, found: value.to_string() });
        }
        Ok(tensor)
    }

    /// The whole number `name`.
    ///
    /// # Errors
    /// No such value, or a value of another type.
    pub fn count(&self, name: &str) -> Result<u64, StateError> {
        let fail = |found| StateError { expected: format!("whole number {name}"), found };
        let value = self.values.get(name).ok_or_else(|| fail("none".into()))?;
        value.as_u64().ok_or_else(|| fail(value.to_string()))
    }

    /// Stores a value as JSON.
    ///
    /// # Errors
    /// A value without a JSON form, for instance a map whose keys are not text.
    pub fn put(&mut self, name: &str, value: &impl Serialize) -> Result<(), StateError> {
        let fail = |error: serde_json::Error| StateError {
            expected: format!("a value for {name} that JSON can hold"),
            found: error.to_string(),
        };
        self.values.insert(name.into(), serde_json::to_value(value).map_err(fail)?);
        Ok(())
    }

    /// Reads a value that [`put`](Self::put) stored.
    ///
    /// # Errors
    /// No such value, or a value of another type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T, StateError> {
        let fail = |found| StateError { expected: format!("value {name}"), found };
        let value = self.values.get(name).ok_or_else(|| fail("none".into()))?;
        serde_json::from_value(value.clone()).map_err(|error| fail(error.to_string()))
    }

    /// Stores the position of a random stream. The seed and the number of the stream follow from the configuration.
    pub fn put_stream(&mut self, name: &str, rng: &ChaCha8Rng) {
        // As text, because positions have 68 bits.
        self.values.insert(name.into(), rng.get_word_pos().to_string().into());
    }

    /// Moves a random stream to the position that [`put_stream`](Self::put_stream) stored.
    ///
    /// # Errors
    /// No position of this name, or one that is not a number.
    pub fn seek_stream(&self, name: &str, rng: &mut ChaCha8Rng) -> Result<(), StateError> {
        let text: String = self.get(name)?;
        let fail = |_| StateError { expected: format!("position {name} of a random stream"), found: text.clone() };
        rng.set_word_pos(text.parse().map_err(fail)?);
        Ok(())
    }

    /// Stores the state of a part under `section/...`.
    pub fn put_section(&mut self, section: &str, part: Self) {
        let full = |name: String| format!("{section}{SEPARATOR}{name}");
        self.tensors.extend(part.tensors.into_iter().map(|(name, tensor)| (full(name), tensor)));
        self.values.extend(part.values.into_iter().map(|(name, value)| (full(name), value)));
    }

    /// The state that a part stored in a section; empty where the part stored nothing.
    pub fn section(&self, section: &str) -> Self {
        let inner = |name: &str| name.strip_prefix(section)?.strip_prefix(SEPARATOR).map(String::from);
        let tensors = self.tensors.iter().filter_map(|(name, tensor)| Some((inner(name)?, tensor.clone())));
        let values = self.values.iter().filter_map(|(name, value)| Some((inner(name)?, value.clone())));
        Self { tensors: tensors.collect(), values: values.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::Streams;
    use rand::Rng;

    fn example() -> State {
        let tensor = HostTensor { shape: vec![1, 2], values: vec![0.5, -1.5] };
        let mut state = State { tensors: [("w.weight".into(), tensor)].into(), ..State::default() };
        state.put("steps", &3_u64).unwrap();
        state
    }

    #[test]
    fn sections_keep_the_names_of_their_parts_apart() {
        let mut whole = State::default();
        whole.put_section("a", example());
        whole.put_section("ab", State::default());
        let mut outer = State::default();
        outer.put_section("outer", whole.clone());
        assert_eq!(outer.tensors.keys().collect::<Vec<_>>(), ["outer/a/w.weight"]);
        assert_eq!(outer.section("outer"), whole);
        assert_eq!(whole.section("a"), example());
        assert_eq!(whole.section("ab"), State::default());
    }

    #[test]
    fn missing_and_misfitting_entries_are_errors_that_name_them() {
        let mut state = example();
        assert!(state.tensor("w.weight", &[1, 2]).is_ok());
        let nan = HostTensor { shape: vec![2], values: vec![0.5, f32::NAN] };
        state.tensors.insert("w.nan".into(), nan);
        for (error, expected) in [
            (state.tensor("w.bias", &[2]).unwrap_err(), "expected tensor w.bias of shape [2], found none"),
            (state.tensor("w.weight", &[2, 1]).unwrap_err(), "of shape [2, 1], found shape [1, 2] with 2 values"),
            (state.tensor("w.nan", &[2]).unwrap_err(), "expected finite values in tensor w.nan, found NaN"),
            (state.count("epochs").unwrap_err(), "expected whole number epochs, found none"),
            (state.get::<String>("steps").unwrap_err(), "expected value steps, found invalid type"),
            (state.get::<u64>("epochs").unwrap_err(), "expected value epochs, found none"),
        ] {
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn every_real_number_survives_json_text() {
        let mut rng = Streams::new(0).rng("reals", 0);
        let reals: Vec<f64> = (0..10_000).map(|_| f64::from_bits(rng.random())).filter(|x| x.is_finite()).collect();
        let mut state = State::default();
        state.put("reals", &reals).unwrap();
        let text = serde_json::to_string(&state.values).unwrap();
        let read = State { values: serde_json::from_str(&text).unwrap(), ..State::default() };
        let bits = |reals: &[f64]| reals.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read.get::<Vec<f64>>("reals").unwrap()), bits(&reals));
    }

    #[test]
    fn a_random_stream_continues_at_the_saved_position() {
        let mut rng = Streams::new(0).rng("test", 0);
        let _: [u32; 5] = rng.random();
        let mut state = State::default();
        state.put_stream("rng", &rng);
        let mut other = Streams::new(0).rng("test", 0);
        state.seek_stream("rng", &mut other).unwrap();
        assert_eq!(rng.random::<u64>(), other.random::<u64>());
        state.put("rng", &"far").unwrap();
        assert!(state.seek_stream("rng", &mut other).is_err());
    }
}
