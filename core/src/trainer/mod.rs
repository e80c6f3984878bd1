//! Training of supernets and of stand-alone networks.
//!
//! | part | job |
//! |---|---|
//! | `training` | weights, optimizer, counters: the one training step |
//! | `planner` | the strategy's plan of the coming steps, and the source of drawn architectures |
//! | `supernet` | training, strategy and evaluator together: evaluation with shared weights |
//! | `weight_average` | the moving average of the weights, evaluated and saved in place of them on request |
//! | `monitor` | measurements of a run, without influence on training |
//! | [`Session`] | a run of a configuration, composed of these parts |
//! | [`Search`] | search on trained weights, under limits of size and cost |
//! | [`Sequence`] | architectures trained one after another in a session |
//! | [`FrozenNetwork`] | one architecture with fixed weights and statistics, for export to other software |
//! | [`StandAloneTrainer`] | one architecture with weights of its own, trained by the same step |

mod accuracy;
mod error;
mod eval_set;
mod evaluator;
mod frozen;
mod memory;
mod monitor;
mod planner;
mod saved_config;
mod search;
mod search_space;
mod sequence;
mod session;
mod stand_alone;
mod supernet;
#[cfg(test)]
mod test_support;
mod timing;
mod training;
mod training_data;
mod weight_average;

pub use error::RunError;
pub use evaluator::EvalImages;
pub use frozen::FrozenNetwork;
pub use memory::{peak_rss_mb, reset_peak_rss};
pub use monitor::check_table_name;
pub use search::{Candidate, Limits, Search, SearchOutcome, pareto_front};
pub use search_space::build_space;
pub use sequence::Sequence;
pub use session::Session;
pub use stand_alone::{StandAloneRun, StandAloneTrainer};
pub use timing::{RunShape, Timing, run_shape, seconds_per_step, time_steps};

use evaluator::{Evaluator, Weights};
use search_space::{network_error, stand_alone_cost, stand_alone_network};
use std::collections::BTreeMap;
use supernet::Supernet;
use weight_average::WeightAverage;

/// Named figures without those that are not finite, which JSON cannot hold.
fn finite_figures(figures: impl IntoIterator<Item = (String, f64)>) -> BTreeMap<String, f64> {
    figures.into_iter().filter(|(_, value)| value.is_finite()).collect()
}
