//! Ground-truth tables.
