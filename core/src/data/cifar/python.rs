//! The python version of the archives: pickled dictionaries with the images as a numpy array `[n, 3072]` of bytes.
//!
//! The official files were written by Python 2. Files that Python 3 saved again with protocol 2 to 5 can be read too. A
//! pickle is decoded as data, and none of its callables is executed.

use std::collections::BTreeMap;
use std::path::Path;

use serde_pickle::{DeOptions, Value, value_from_reader};

use super::cost::check_cost;
use super::{ArchiveLayout, DOWNLOAD_AGAIN, DataError, MAX_NAMES, PLANE, PartialImages};
use crate::read_file;

pub(super) fn read(
    layout: &ArchiveLayout,
    path: &Path,
    records: usize,
    part: &mut PartialImages,
) -> Result<(), DataError> {
    let content = |expected: String, found: String| {
        let path = path.into();
        DataError::Content { path, expected, found, fix: DOWNLOAD_AGAIN }
    };
    // In protocol 2, a byte takes at most two bytes as text. Names and labels take less space than an image.
    let mut entries = dictionary(path, records as u64 * 3 * 3 * PLANE as u64 + 65_536)?;
    let data = entries.remove("data").and_then(Array::from_pickle);
    let data = data.ok_or_else(|| content("an entry `data` with a numpy array".into(), "none".into()))?;
    let (rows, columns) = (records, 3 * PLANE);
    if data.shape != [rows as i64, columns as i64] || data.bytes.len() != rows * columns {
        let found = format!("shape {:?} in {} bytes", data.shape, data.bytes.len());
        return Err(content(format!("shape [{rows}, {columns}] of bytes"), found));
    }
    let labels = entries.remove(layout.label_key).and_then(whole_numbers);
    let labels = labels.ok_or_else(|| content(format!("a list of labels, `{}`", layout.label_key), "none".into()))?;
    if labels.len() != rows {
        return Err(content(format!("{rows} labels"), labels.len().to_string()));
    }
    let mut turned = vec![0; columns];
    for (index, label) in labels.into_iter().enumerate() {
        let planes = if data.column_major {
            turned.iter_mut().enumerate().for_each(|(column, value)| *value = data.bytes[column * rows + index]);
            &turned
        } else {
            &data.bytes[index * columns..][..columns]
        };
        part.push(layout, path, index, label, planes)?;
    }
    Ok(())
}

/// Reads the class names from the pickle of names.
pub(super) fn names(layout: &ArchiveLayout, path: &Path) -> Result<Vec<String>, DataError> {
    match dictionary(path, MAX_NAMES)?.remove(layout.names_key) {
        Some(Value::List(names)) => Ok(names.into_iter().filter_map(text).collect()),
        _ => Err(DataError::Content {
            path: path.into(),
            expected: format!("a list of class names, `{}`", layout.names_key),
            found: "none".into(),
            fix: DOWNLOAD_AGAIN,
        }),
    }
}

/// Reads the entries of a pickled dictionary of at most `limit` bytes.
fn dictionary(path: &Path, limit: u64) -> Result<BTreeMap<String, Value>, DataError> {
    let io = |source| DataError::Read { path: path.into(), source };
    let content = |expected: String, found: String| {
        let path = path.into();
        DataError::Content { path, expected, found, fix: DOWNLOAD_AGAIN }
    };
    let pickle = read_file::bytes(path, limit).map_err(io)?;
    if let Err(excess) = check_cost(&pickle) {
        return Err(content("a dictionary of plain lists and an array".into(), excess.to_string()));
    }
    // Keeps the arguments of constructors, which contain the bytes of arrays.
    let options = DeOptions::new().keep_restore_state();
    let value =
        value_from_reader(&pickle[..], options).map_err(|source| DataError::Pickle { path: path.into(), source })?;
    match value {
        Value::Dict(entries) => {
            let named = entries.into_iter().filter_map(|(key, value)| Some((text(key.into_value())?, value)));
            Ok(named.collect())
        }
        _ => Err(content("a pickled dictionary".into(), "another value".into())),
    }
}

/// Text of a pickled string, which Python 2 stores as bytes. `None` for other values and for invalid UTF-8.
fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Bytes(bytes) => String::from_utf8(bytes).ok(),
        _ => None,
    }
}

fn whole_numbers(value: Value) -> Option<Vec<u64>> {
    let Value::List(items) = value else { return None };
    items
        .into_iter()
        .map(|item| if let Value::I64(number) = item { u64::try_from(number).ok() } else { None })
        .collect()
}

/// A numpy array of bytes.
struct Array {
    shape: Vec<i64>,
    /// Whether the bytes are in column-major (Fortran) order.
    column_major: bool,
    bytes: Vec<u8>,
}

impl Array {
    fn from_pickle(value: Value) -> Option<Self> {
        let Value::Tuple(parts) = value else { return None };
        let (shape, column_major, bytes) = match <[Value; 5]>::try_from(parts) {
            // Up to protocol 4, the state of ndarray: version, shape, type, column-major, bytes.
            Ok([_, shape, _, Value::Bool(column_major), Value::Bytes(bytes)]) => (shape, column_major, bytes),
            Ok(_) => return None,
            // Protocol 5, the arguments of _frombuffer: bytes, type, shape, order.
            Err(parts) => match <[Value; 4]>::try_from(parts) {
                Ok([Value::Bytes(bytes), _, shape, Value::String(order)]) => (shape, order == "F", bytes),
                _ => return None,
            },
        };
        let Value::Tuple(shape) = shape else { return None };
        let shape: Option<Vec<i64>> =
            shape.into_iter().map(|side| if let Value::I64(side) = side { Some(side) } else { None }).collect();
        Some(Self { shape: shape?, column_major, bytes })
    }
}
