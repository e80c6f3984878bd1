//! FairNAS with strict fairness: after every step, all choices of a decision have had the same number of passes.
//!
//! A step draws a uniformly random permutation of the `m` choices of every decision. It trains `m` architectures on the
//! same batch. Architecture `p` takes entry `p` of every permutation, so exactly one of the `m` contains a given
//! choice. The gradients of all `m` make one update (Chu et al., section 3.2, algorithm 1):
//! ```text
//! order_d = random permutation of 0..m            for each decision d, drawn again in each step
//! arch_p  = (order_1[p], ..., order_D[p])         for p = 1..m
//! g       = sum over p of grad L(batch, arch_p)   (or the mean), then one update
//! ```
//! A decision about topology (the predecessors of a node) is drawn once a step, the same for all `m` architectures. The
//! operations are then permuted on the chosen edges, so every choice of a chosen edge is trained exactly once.
//!
//! Two details keep the counts equal and the permutations uniform. No architecture is dropped for being poor or
//! disconnected. The permutations come from the strategy's own random stream, which evaluation does not advance.

use crate::reduce::Reduce;
use nas_core::arch::Arch;
use nas_core::options::{example, parse_options};
use nas_core::registry::StrategyDescriptor;
use nas_core::space::{Decision, SearchSpace};
use nas_core::strategy::{MAX_PATHS, Path, Sampler, SharingStrategy, StrategyContext, StrategyError};
use nas_ops::Backend;
use rand::Rng;
use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::Table;

/// Treatment of a space whose decisions have different numbers of choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum UnequalChoices {
    /// Different numbers of choices are an error, because the paper defines strict fairness for equal numbers of
    /// choices.
    Refuse,
    /// A step trains as many architectures as the least common multiple of the numbers. Each of `m` choices occurs in
    /// `lcm / m` of them, so all choices of one decision get the same number of passes.
    Lcm,
}

/// Options of `fairnas`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FairNasOptions {
    /// Combination of the gradients of a step's architectures. The authors' public code takes the sum.
    reduce: Reduce,
    /// Treatment of a space whose decisions have different numbers of choices. Decisions about topology, such as the
    /// predecessors of a node, do not count: one topology is drawn per step.
    unequal: UnequalChoices,
}

impl Default for FairNasOptions {
    fn default() -> Self {
        Self { reduce: Reduce::Sum, unequal: UnequalChoices::Refuse }
    }
}

/// Trains `paths` architectures per step, which together contain every operation of a decision equally often.
struct FairNas {
    /// Number of choices of each decision, and whether it is one between operations. In these, every number divides
    /// `paths`.
    decisions: Vec<(usize, bool)>,
    /// Number of architectures per step, 1 to [`MAX_PATHS`].
    paths: usize,
    reduce: Reduce,
}

impl FairNas {
    fn new(options: FairNasOptions, space: &dyn SearchSpace) -> Result<Self, StrategyError> {
        let FairNasOptions { reduce, unequal } = options;
        let decisions: Vec<&Decision> = space.decisions().iter().filter(|decision| decision.is_operation()).collect();
        let choices: Vec<usize> = decisions.iter().map(|decision| decision.choices.len()).collect();
        let space_error =
            |problem| StrategyError::Space { strategy: "fairnas".into(), space: space.name().into(), problem };
        let paths = choices.iter().try_fold(1, |paths, m| lcm(paths, *m)).filter(|paths| *paths <= MAX_PATHS);
        // A decision with a single choice is fair with any number of paths.
        let mut open = choices.iter().filter(|m| **m > 1);
        let differ = open.next().is_some_and(|first| open.any(|m| m != first));
        match (unequal, paths) {
            (UnequalChoices::Refuse, _) if differ => {
                let remedy = match paths {
                    Some(paths) => format!(
                        "set strategy.unequal = \"lcm\" to train {paths} architectures per step, which contain every \
                         choice of a decision equally often, or use another strategy"
                    ),
                    None => "use another strategy".into(),
                };
                let counts = choice_counts(&decisions);
                let expected = "strict fairness requires the same number of choices in every decision";
                Err(space_error(format!("{expected}, found {counts}; {remedy}")))
            }
            (_, Some(paths)) => {
                let decisions = space.decisions().iter().map(|d| (d.choices.len(), d.is_operation())).collect();
                Ok(Self { decisions, paths, reduce })
            }
            (_, None) => {
                let counts = choice_counts(&decisions);
                Err(space_error(format!(
                    "a fair step would train more than {MAX_PATHS} architectures ({counts}); use another strategy"
                )))
            }
        }
    }
}

/// Least common multiple; `None` if a number is 0 or the result exceeds `usize`.
fn lcm(a: usize, b: usize) -> Option<usize> {
    let (mut gcd, mut rest) = (a, b);
    while rest > 0 {
        (gcd, rest) = (rest, gcd % rest);
    }
    a.checked_div(gcd)?.checked_mul(b).filter(|lcm| *lcm > 0)
}

/// Decisions grouped by their number of choices: `3 choices: layer 0, layer 1; 2 choices: layer 2`.
fn choice_counts(decisions: &[&Decision]) -> String {
    let mut by_count: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for decision in decisions {
        by_count.entry(decision.choices.len()).or_default().push(&decision.name);
    }
    let group = |(count, names): (&usize, &Vec<&str>)| {
        let shown = names.iter().take(4).copied().collect::<Vec<_>>().join(", ");
        let more = names.len().saturating_sub(4);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{count} choices: {shown}{rest}")
    };
    by_count.iter().rev().map(group).collect::<Vec<_>>().join("; ")
}

impl<D: Backend> SharingStrategy<D> for FairNas {
    fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, StrategyError> {
        let mut order = |(m, is_operation): &(usize, bool)| {
            if !is_operation {
                return vec![sampler.rng.random_range(0..*m); self.paths];
            }
            let mut order: Vec<usize> = (0..self.paths).map(|p| p % m).collect();
            order.shuffle(sampler.rng);
            order
        };
        let orders: Vec<Vec<usize>> = self.decisions.iter().map(&mut order).collect();
        let weight = self.reduce.weight(self.paths);
        let path = |p| Path { arch: Arch::new(orders.iter().map(|order| order[p]).collect::<Vec<_>>()), weight };
        Ok((0..self.paths).map(path).collect())
    }

    fn notes(&self) -> Vec<String> {
        let m = self.paths;
        let reduce = match self.reduce {
            Reduce::Sum => format!(
                "the gradients are summed, which acts like a learning rate {m} times larger than that of one \
                 architecture per step (strategy.reduce = \"mean\" divides by {m})"
            ),
            Reduce::Mean => "the update uses the mean of the gradients".into(),
        };
        vec![format!("fairnas: each step trains {m} architectures, so it costs {m} sub-net passes; {reduce}")]
    }
}

fn build<D: Backend>(
    options: &Table,
    context: StrategyContext<D>,
) -> Result<Box<dyn SharingStrategy<D>>, StrategyError> {
    Ok(Box::new(FairNas::new(parse_options("strategy", options)?, &*context.space)?))
}

inventory::submit! {
    StrategyDescriptor {
        name: "fairnas",
        summary: "strict fairness: each step trains all operations of a decision equally often",
        reference: "Chu et al., FairNAS: Rethinking Evaluation Fairness of Weight Sharing NAS, ICCV 2021",
        options: &|| example(&FairNasOptions::default()),
        cpu: &build,
        #[cfg(feature = "cuda")]
        cuda: &build,
    }
}

#[cfg(test)]
mod tests;
