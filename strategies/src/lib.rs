//! The built-in weight-sharing strategies, one module each.
//!
//! Each module ends with the `inventory::submit!` that registers its strategy. A program links all of them with
//! `use nas_strategies as _;`.

mod fairnas;
mod ogd;
mod plain;
mod reduce;
#[cfg(test)]
mod test_device;
