//! Tests that cross crates live in `tests/tests`; this crate itself is empty.
