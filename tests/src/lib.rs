//! This library is empty. The tests of the whole program are in `tests/tests`.
