//! The program nas-train.
fn main() {}
