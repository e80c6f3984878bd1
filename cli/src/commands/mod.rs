//! The commands of the program, one module each.

mod bench;
mod cluster;
mod cluster_task;
mod compare;
mod components;
mod config;
mod describe;
mod describe_arch;
mod disturbance;
mod evaluate;
mod export;
mod generate;
mod list;
mod make_run;
mod plugins;
mod report;
mod resume;
mod retrain;
mod run;
mod search;
mod table;
mod truth;

pub use bench::bench;
pub use cluster::cluster;
pub use cluster_task::cluster_task;
pub use compare::compare;
pub use config::config;
pub use describe::describe;
pub use disturbance::disturbance;
pub use evaluate::evaluate;
pub use export::export;
pub use generate::{completions, man};
pub use list::list;
pub use plugins::plugins;
pub use report::report;
pub use resume::resume;
pub use retrain::retrain;
pub use run::run;
pub use search::search;
pub use table::table;
pub use truth::truth;

use anyhow::{Result, ensure};
use nas_core::registry::{ControllerDescriptor, SpaceDescriptor, StrategyDescriptor, all};

/// Checks that components of every kind are registered, with unique names.
///
/// # Errors
/// A name occurs twice, or a kind has no component: the build does not link the crate that registers them.
pub fn check_registry() -> Result<()> {
    let counts = [
        ("strategies", all::<StrategyDescriptor>()?.len()),
        ("controllers", all::<ControllerDescriptor>()?.len()),
        ("spaces", all::<SpaceDescriptor>()?.len()),
    ];
    for (kind, count) in counts {
        ensure!(count > 0, "no {kind} are registered, so this build of the program is incomplete; please report this");
    }
    Ok(())
}
