//! The plan of the coming steps: the paths that the strategy has planned, and the number of steps left for them.

mod arch_source;
mod state;

pub use arch_source::ArchSource;

use super::training::TrainPath;
use super::{RunError, Supernet};
use crate::arch::Arch;
use crate::registry::TrainingDevice;
use crate::space::SearchSpace;
use crate::strategy::{MAX_PATHS, Path, Sampler};
use rand_chacha::ChaCha8Rng;

/// Plans paths and counts their steps.
pub struct Planner {
    source: ArchSource,
    /// The random stream for choices of the strategy itself.
    strategy_rng: ChaCha8Rng,
    /// Consecutive steps that one plan trains.
    steps_per_plan: usize,
    paths: Vec<TrainPath>,
    steps_left: usize,
}

impl Planner {
    /// A planner without a plan.
    pub fn new(source: ArchSource, strategy_rng: ChaCha8Rng, steps_per_plan: usize) -> Self {
        Self { source, strategy_rng, steps_per_plan, paths: Vec::new(), steps_left: 0 }
    }

    /// The source of the architectures that the strategy draws.
    pub fn source(&self) -> &ArchSource {
        &self.source
    }

    /// The source of the architectures that the strategy draws, for the training of the controller and for forced
    /// architectures.
    pub fn source_mut(&mut self) -> &mut ArchSource {
        &mut self.source
    }

    /// The paths of the coming step; none before the first plan.
    pub fn paths(&self) -> &[TrainPath] {
        &self.paths
    }

    /// Lets the strategy plan new paths if the current ones have had all their steps. After a new plan, returns the
    /// last architecture of the previous one.
    ///
    /// # Errors
    /// A controller that fails to draw, a strategy that fails, or a plan that cannot be trained.
    pub fn prepare_step<D: TrainingDevice>(&mut self, supernet: &mut Supernet<D>) -> Result<Option<Arch>, RunError> {
        if self.steps_left > 0 {
            return Ok(None);
        }
        let space = supernet.space().clone();
        // Kept here, because a strategy may replace the error of a draw by its own.
        let mut draw_error = None;
        let source = &mut self.source;
        let mut draw = || source.draw().inspect_err(|error| draw_error = Some(error.clone()));
        let mut sampler = Sampler { space: &*space, draw: &mut draw, rng: &mut self.strategy_rng };
        let planned = supernet.strategy_mut().plan(&mut sampler);
        if let Some(error) = draw_error {
            return Err(self.source.controller_error(error));
        }
        let planned = planned?;
        check(&planned, &*space, supernet.strategy().name())?;
        let with_program = |path: Path| Ok(TrainPath { program: supernet.program(&path.arch)?, path });
        let paths = planned.into_iter().map(with_program).collect::<Result<Vec<_>, RunError>>()?;
        let previous = std::mem::replace(&mut self.paths, paths);
        self.steps_left = self.steps_per_plan;
        Ok(previous.into_iter().next_back().map(|path| path.path.arch))
    }

    /// Counts a step of the current plan. Returns its paths if this was its last step.
    pub fn finish_step(&mut self) -> Option<Vec<Path>> {
        self.steps_left = self.steps_left.saturating_sub(1);
        (self.steps_left == 0).then(|| self.paths.iter().map(|path| path.path.clone()).collect())
    }
}

/// Refuses a plan that cannot be trained.
fn check(paths: &[Path], space: &dyn SearchSpace, strategy: &str) -> Result<(), RunError> {
    let fail = |problem: String| Err(RunError::Plan { strategy: strategy.into(), problem });
    if paths.is_empty() || paths.len() > MAX_PATHS {
        return fail(format!("{} architectures for one step, expected 1 to {MAX_PATHS}", paths.len()));
    }
    for path in paths {
        if let Err(error) = space.validate(&path.arch) {
            return fail(format!("an invalid path: {error}"));
        }
        if !path.weight.is_finite() {
            return fail(format!("a loss weight of {}, expected a finite number", path.weight));
        }
    }
    Ok(())
}
