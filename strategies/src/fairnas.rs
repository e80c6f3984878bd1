//! FairNAS: strict fairness, every choice of every decision is trained equally often at any time.
//!
//! A step draws for each decision a uniformly random order of its `m` choices and trains `m` architectures on the same
//! batch, of which number `p` takes the `p`-th entry of every order. So each choice of each decision is in exactly one
//! of them, and their gradients make one update (Chu et al., section 3.2, algorithm 1):
//! ```text
//! order_d = random permutation of 0..m            for each decision d, anew in each step
//! arch_p  = (order_1[p], ..., order_D[p])         for p = 1..m
//! g       = sum over p of grad L(batch, arch_p)   (or its mean), then one update
//! ```
//! Architectures are not dropped for being poor or disconnected, and the orders come from the strategy's own random
//! stream, which evaluation does not touch: either would break the equal counts or the law of the orders.

use crate::reduce::Reduce;
use nas_core::arch::Arch;
use nas_core::options::{example, parse_options};
use nas_core::registry::StrategyDescriptor;
use nas_core::space::{Decision, SearchSpace};
use nas_core::strategy::{MAX_PATHS, Path, Sampler, SharingStrategy, StrategyContext, StrategyError};
use nas_ops::Backend;
use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::Table;

/// What to do with decisions that differ in their number of choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Unequal {
    /// Refuse the space: the paper defines fairness for equal numbers only.
    Refuse,
    /// Train as many architectures a step as the least common multiple of the numbers: each of `m` choices occurs in
    /// `lcm / m` of them, so the choices of one decision stay equal.
    Lcm,
}

/// Options of `fairnas`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// How the gradients of a step's architectures become one; the public code sums.
    reduce: Reduce,
    /// What to do with decisions that differ in their number of choices.
    unequal: Unequal,
}

impl Default for Options {
    fn default() -> Self {
        Self { reduce: Reduce::Sum, unequal: Unequal::Refuse }
    }
}

/// Trains `paths` architectures a step that together hold every choice equally often.
struct FairNas {
    /// Number of choices of each decision; all divide `paths`.
    choices: Vec<usize>,
    paths: usize,
    reduce: Reduce,
}

impl FairNas {
    fn new(options: Options, space: &dyn SearchSpace) -> Result<Self, StrategyError> {
        let Options { reduce, unequal } = options;
        let decisions = space.decisions();
        let choices: Vec<usize> = decisions.iter().map(|decision| decision.choices.len()).collect();
        let refuse = |problem| StrategyError::Space { strategy: "fairnas".into(), space: space.name().into(), problem };
        let paths = choices.iter().try_fold(1, |paths, m| lcm(paths, *m)).filter(|paths| *paths <= MAX_PATHS);
        // A single choice is no choice: it divides everything and has nothing to be fair about.
        let mut real = choices.iter().filter(|m| **m > 1);
        let differ = real.next().is_some_and(|first| real.any(|m| m != first));
        match (unequal, paths) {
            (Unequal::Refuse, _) if differ => {
                let then = match paths {
                    Some(paths) => format!(
                        "set strategy.unequal = \"lcm\" to train {paths} architectures a step with every choice of a \
                         decision equally often, or use another strategy"
                    ),
                    None => "use another strategy".into(),
                };
                let counts = describe(decisions);
                Err(refuse(format!("strict fairness needs equally many choices everywhere, found {counts}; {then}")))
            }
            (_, Some(paths)) => Ok(Self { choices, paths, reduce }),
            (_, None) => {
                let counts = describe(decisions);
                Err(refuse(format!("fair steps would take more than {MAX_PATHS} architectures ({counts})")))
            }
        }
    }
}

/// `None` for numbers without one, or with one beyond `usize`.
fn lcm(a: usize, b: usize) -> Option<usize> {
    let (mut gcd, mut rest) = (a, b);
    while rest > 0 {
        (gcd, rest) = (rest, gcd % rest);
    }
    a.checked_div(gcd)?.checked_mul(b).filter(|lcm| *lcm > 0)
}

/// Which decisions have how many choices: `3 choices: layer 0, layer 1; 2 choices: layer 2`.
fn describe(decisions: &[Decision]) -> String {
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
        let mut order = |m: &usize| {
            let mut order: Vec<usize> = (0..self.paths).map(|p| p % m).collect();
            order.shuffle(sampler.rng);
            order
        };
        let orders: Vec<Vec<usize>> = self.choices.iter().map(&mut order).collect();
        let weight = self.reduce.weight(self.paths);
        let path = |p| Path { arch: Arch::new(orders.iter().map(|order| order[p]).collect::<Vec<_>>()), weight };
        Ok((0..self.paths).map(path).collect())
    }

    fn notes(&self) -> Vec<String> {
        let m = self.paths;
        let reduce = match self.reduce {
            Reduce::Sum => format!(
                "their gradients are summed, which acts like a learning rate {m} times larger than that of one \
                 architecture a step (strategy.reduce = \"mean\" does not)"
            ),
            Reduce::Mean => "the mean of their gradients makes the update".into(),
        };
        vec![format!("fairnas: each update trains {m} architectures, so it costs {m} sub-net passes; {reduce}")]
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
        summary: "strict fairness: each step trains every choice of every decision exactly once",
        reference: "Chu et al., FairNAS: Rethinking Evaluation Fairness of Weight Sharing NAS, ICCV 2021",
        options: &|| example(&Options::default()),
        cpu: &build,
        #[cfg(feature = "cuda")]
        cuda: &build,
    }
}

#[cfg(test)]
mod tests;
