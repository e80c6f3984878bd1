//! The features of the plugin interface that this host supports.

use nas_plugin_abi::ffi::{
    NAS_NEEDS_GRADIENT, NAS_NEEDS_INPUT, NAS_NEEDS_UPDATE, NAS_NEEDS_WEIGHT, NAS_WRITES_GRADIENT, NAS_WRITES_UPDATE,
};

/// Bits of `NasStrategy.needs` that this host supports.
pub const FEATURES: u64 = NAS_NEEDS_WEIGHT
    | NAS_NEEDS_GRADIENT
    | NAS_NEEDS_UPDATE
    | NAS_NEEDS_INPUT
    | NAS_WRITES_GRADIENT
    | NAS_WRITES_UPDATE;
