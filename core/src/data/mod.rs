//! Data sets and the loader.
