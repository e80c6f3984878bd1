//! Loads strategies from shared libraries into the registry of nas-train.
