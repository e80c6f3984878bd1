//! The built-in weight-sharing strategies, one module each. Each ends in the `inventory::submit!` that registers it;
//! a program links them all by `use nas_strategies as _;`.

mod fairnas;
mod ogd;
mod plain;
mod reduce;
