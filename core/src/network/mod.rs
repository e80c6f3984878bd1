//! Networks: their description as layers and programs, and their execution.
//!
//! A search space adds layers and operations through [`NetworkBuilder`]. The result is a [`NetworkSpec`] (layers and
//! parameters) and a [`Program`] (operations of one architecture). A [`Network`] holds the weights and runs programs.

mod build_network;
mod builder;
mod drop_path;
mod exec;
mod init;
mod param_step;
mod prefix_tree;
mod program;
mod running;
mod spec;

pub use build_network::{BuildNetwork, ChoiceSet};
pub use builder::{ConvUnit, LayerCost, NetworkBuilder, NetworkError, Value};
pub use drop_path::DropPath;
pub(crate) use exec::tensor;
pub use exec::{Captured, Forward, Network, Pass, SharedPrefix};
pub use param_step::ParamStep;
pub use prefix_tree::{PrefixTree, TreeStep};
pub use program::{AuxiliaryHead, Instr, Op, Program};
pub use running::{NormTable, RunningMoments};
pub use spec::{LayerId, LayerKind, LayerSpec, NetworkKind, NetworkSpec, ParamId, ParamSpec, Role};

#[cfg(test)]
mod tests;
