//! The program nas-train as a library.
