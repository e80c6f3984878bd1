//! Regularised evolution: mutation of good architectures, with removal of the oldest instead of the worst.

use super::saved::{put_reals, reals};
use super::{Controller, ControllerContext, ControllerDescriptor, ControllerError, check, check_observation, distinct};
use crate::arch::Arch;
use crate::metrics::mean;
use crate::options::parse_options;
use crate::space::SearchSpace;
use crate::state::{State, StateError};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// Regularised evolution (Real et al. 2019) over a queue of scored architectures, the population.
///
/// While the population fills up, architectures are drawn uniformly. Afterwards, each new architecture is a mutation of
/// the best member of a random tournament. Every scored architecture joins the queue, and the oldest member leaves it
/// regardless of its score, so a score that was high by chance does not persist.
///
/// Scores are measured with shared weights, which continue to train, so an old score belongs to old weights. The
/// population drops old scores by its construction. The history for [`propose`](Controller::propose) keeps the newest
/// score of each architecture. These scores are not measured again, because the selection of a run evaluates all
/// proposals.
pub struct Evolution {
    space: Arc<dyn SearchSpace>,
    options: Options,
    /// Members, the oldest first.
    population: VecDeque<Scored>,
    /// Every architecture that was ever scored, once each; the most recently scored is last.
    history: Vec<Scored>,
}

/// An architecture and its most recent reward.
#[derive(Debug, Clone, PartialEq)]
struct Scored {
    arch: Arch,
    reward: f64,
}

/// Options of `evolution`. Real et al. use a population of 100 and tournaments of 25. The smaller defaults are this
/// project's choice, because a search with shared weights scores only a few hundred architectures.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Number of architectures in the population, 1 to 1000000.
    population: usize,
    /// Number of members drawn with replacement, of which the best is mutated. 1 mutates a random member.
    tournament: usize,
    /// Number of architectures to score in each epoch of controller training.
    samples: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { population: 50, tournament: 10, samples: 100 }
    }
}

impl Evolution {
    fn new(options: Options, context: ControllerContext) -> Result<Self, ControllerError> {
        let Options { population, tournament, samples } = options;
        check("population", population, "at least 1", population > 0)?;
        check("population", population, "at most 1000000", population <= 1_000_000)?;
        let members = format!("1 to the population of {population}");
        check("tournament", tournament, &members, (1..=population).contains(&tournament))?;
        check("samples", samples, "at least 1", samples > 0)?;
        Ok(Self { space: context.space, options, population: VecDeque::new(), history: Vec::new() })
    }

    /// The best member of a random tournament, the first drawn among equals; `None` for an empty population.
    fn parent(&self, rng: &mut ChaCha8Rng) -> Option<&Scored> {
        let draw = |_| self.population.get(rng.random_range(0..self.population.len().max(1)));
        let drawn = (0..self.options.tournament).filter_map(draw);
        drawn.reduce(|best, other| if other.reward > best.reward { other } else { best })
    }

    /// Changes one random decision to another random choice. If no decision has two choices, the architecture stays the
    /// same.
    fn mutate(&self, arch: &Arch, rng: &mut ChaCha8Rng) -> Arch {
        let counts: Vec<usize> = self.space.decisions().iter().map(|d| d.choices.len()).collect();
        let open: Vec<usize> = (0..counts.len()).filter(|d| counts[*d] > 1).collect();
        let mut choices = arch.choices().to_vec();
        if !open.is_empty() {
            let decision = open[rng.random_range(0..open.len())];
            // Draws among the other choices: numbers from the current choice on are shifted by one.
            let other = rng.random_range(0..counts[decision] - 1);
            choices[decision] = other + usize::from(other >= choices[decision]);
        }
        Arch::new(choices)
    }
}

impl Controller for Evolution {
    fn samples_per_epoch(&self) -> usize {
        self.options.samples
    }

    /// The initial population is random. Later samples are children of the population.
    fn independent_samples(&self) -> usize {
        self.options.population.saturating_sub(self.population.len()).max(1)
    }

    fn sample(&mut self, rng: &mut ChaCha8Rng) -> Result<Arch, ControllerError> {
        if self.population.len() < self.options.population {
            return Ok(self.space.sample(rng));
        }
        Ok(match self.parent(rng) {
            Some(parent) => self.mutate(&parent.arch, rng),
            None => self.space.sample(rng),
        })
    }

    fn observe(&mut self, arch: &Arch, reward: f64) -> Result<(), ControllerError> {
        check_observation(self.space.as_ref(), arch, reward)?;
        let scored = Scored { arch: arch.clone(), reward };
        self.history.retain(|old| old.arch != *arch);
        self.history.push(scored.clone());
        if self.population.len() == self.options.population {
            self.population.pop_front();
        }
        self.population.push_back(scored);
        Ok(())
    }

    /// Proposes the architectures with the highest newest rewards, the newest first among equals. Random architectures
    /// fill up the list.
    fn propose(&mut self, n: usize, rng: &mut ChaCha8Rng) -> Result<Vec<Arch>, ControllerError> {
        let mut ranked: Vec<&Scored> = self.history.iter().rev().collect();
        ranked.sort_by(|a, b| b.reward.total_cmp(&a.reward));
        let best = ranked.into_iter().take(n).map(|s| s.arch.clone()).collect();
        distinct(best, n, || Ok(self.space.sample(rng)))
    }

    /// Highest and mean reward of the population.
    fn metrics(&self) -> Vec<(String, f64)> {
        let rewards = || self.population.iter().map(|s| s.reward);
        let Some(best) = rewards().reduce(f64::max) else { return Vec::new() };
        let mean = mean(rewards()).map(|mean| ("population_mean".into(), mean));
        [("population_best".into(), best)].into_iter().chain(mean).collect()
    }

    fn save(&self) -> Result<State, ControllerError> {
        let mut state = State::default();
        let population: Vec<Scored> = self.population.iter().cloned().collect();
        for (name, list) in [("population", &population), ("history", &self.history)] {
            let choices: Vec<usize> = list.iter().flat_map(|s| s.arch.choices()).copied().collect();
            state.put(&format!("{name}.choices"), &choices)?;
            put_reals(&mut state, &format!("{name}.rewards"), list.iter().map(|s| s.reward))?;
        }
        Ok(state)
    }

    fn load(&mut self, state: &State) -> Result<(), ControllerError> {
        let (population, history) = (self.read(state, "population")?, self.read(state, "history")?);
        if population.len() > self.options.population {
            let expected = format!("a population of at most {}", self.options.population);
            return Err(StateError { expected, found: population.len().to_string() }.into());
        }
        self.population = population.into();
        self.history = history;
        Ok(())
    }
}

impl Evolution {
    /// Reads a list of scored architectures and checks that they belong to the space.
    fn read(&self, state: &State, name: &str) -> Result<Vec<Scored>, ControllerError> {
        let choices: Vec<usize> = state.get(&format!("{name}.choices"))?;
        let rewards = reals(state, &format!("{name}.rewards"))?;
        let width = self.space.decisions().len();
        if choices.len() != rewards.len() * width {
            let expected = format!("{name}: {width} choices for each of {} rewards", rewards.len());
            return Err(StateError { expected, found: choices.len().to_string() }.into());
        }
        let scored = |(k, reward): (usize, f64)| {
            let arch = Arch::new(&choices[k * width..(k + 1) * width]);
            check_observation(self.space.as_ref(), &arch, reward)?;
            Ok(Scored { arch, reward })
        };
        rewards.into_iter().enumerate().map(scored).collect()
    }
}

inventory::submit! {
    ControllerDescriptor {
        name: "evolution",
        summary: "regularised evolution: mutates the best of a tournament, removes the oldest",
        reference: "Real et al., Regularized Evolution for Image Classifier Architecture Search, AAAI 2019",
        options: || crate::options::example(&Options::default()),
        build: |options, context: ControllerContext| {
            Ok(Box::new(Evolution::new(parse_options("controller", options)?, context)?))
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::tests::*;

    const SMALL: &str = "population = 10\ntournament = 3";

    fn evolution(space: Arc<dyn SearchSpace>) -> (Evolution, ChaCha8Rng) {
        let rng = crate::streams::Streams::new(0).rng("test", 0);
        let options = Options { population: 3, tournament: 3, samples: 1 };
        (Evolution::new(options, ControllerContext { space, rng: rng.clone() }).unwrap(), rng)
    }

    /// Criterion, for each of 5 seeds: after 100 observations the first proposal is the best of the nine. Its samples
    /// need not score well there: a mutation of the best is never the best, and all neighbours of it are poor.
    #[test]
    fn it_finds_the_best_of_nine() {
        for seed in 0..5 {
            let (mut learner, mut rng) = build("evolution", SMALL, tiny(), seed).unwrap();
            learn(learner.as_mut(), &mut rng, 100, reward);
            assert_eq!(learner.propose(3, &mut rng).unwrap()[0], best(), "seed {seed}");
        }
    }

    /// Criterion, for each of 5 seeds, where the reward is the share of right choices out of six: after 300
    /// observations of 15,625 architectures the first proposal beats the best of 300 uniform ones, and 100 fresh
    /// samples have a higher mean than 100 uniform ones.
    #[test]
    fn it_climbs_where_mutations_lead_upwards_and_beats_uniform() {
        let right = |arch: &Arch| arch.choices().iter().zip([0, 1, 2, 3, 4, 0]).filter(|(c, t)| *c == t).count();
        let share = |arch: &Arch| right(arch) as f64 / 6.0;
        for seed in 0..5 {
            let run = |name, options| {
                let (mut controller, mut rng) = build(name, options, nasbench201(), seed).unwrap();
                let rewards = learn(controller.as_mut(), &mut rng, 300, share);
                let fresh = mean_reward(controller.as_mut(), &mut rng, 100, share);
                let first = share(&controller.propose(1, &mut rng).unwrap()[0]);
                (rewards.into_iter().fold(0.0, f64::max), fresh, first)
            };
            let (_, learned_mean, proposed) = run("evolution", "population = 20\ntournament = 5");
            let (random_best, random_mean, _) = run("uniform", "");
            assert!(proposed > random_best, "seed {seed}: {proposed} {random_best}");
            assert!(learned_mean > random_mean, "seed {seed}: {learned_mean} {random_mean}");
        }
    }

    #[test]
    fn the_oldest_member_leaves_even_if_it_is_the_best() {
        let (mut evolution, _) = evolution(tiny());
        let archs: Vec<Arch> = (0..5).map(|k| evolution.space.nth(k)).collect();
        for (k, arch) in archs.iter().enumerate() {
            evolution.observe(arch, 1.0 - k as f64 / 10.0).unwrap();
            assert_eq!(evolution.population.len(), (k + 1).min(3));
        }
        let alive: Vec<&Arch> = evolution.population.iter().map(|s| &s.arch).collect();
        assert_eq!(alive, [&archs[2], &archs[3], &archs[4]]);
    }

    #[test]
    fn a_full_population_mutates_one_decision_of_the_best() {
        let (mut evolution, mut rng) = evolution(nasbench201());
        let best = Arch::new([0, 1, 2, 3, 4, 0]);
        evolution.options.tournament = 200; // Large enough to contain the best almost surely; members are drawn with replacement.
        for (arch, reward) in [(Arch::new([4; 6]), 0.1), (best.clone(), 0.9), (Arch::new([3; 6]), 0.2)] {
            evolution.observe(&arch, reward).unwrap();
        }
        let mut changed = std::collections::BTreeSet::new();
        for _ in 0..400 {
            let child = evolution.sample(&mut rng).unwrap();
            let differ: Vec<usize> = (0..6).filter(|d| child.choices()[*d] != best.choices()[*d]).collect();
            assert_eq!(differ.len(), 1);
            changed.insert((differ[0], child.choices()[differ[0]]));
        }
        // Six decisions with four other choices each.
        assert_eq!(changed.len(), 24);
    }

    #[test]
    fn mutations_of_darts_are_architectures() {
        let (mut evolution, mut rng) = evolution(darts());
        for _ in 0..500 {
            let arch = evolution.sample(&mut rng).unwrap();
            let text = evolution.space.format(&arch);
            assert_eq!(evolution.space.parse(&text).unwrap(), arch);
            evolution.observe(&arch, 0.5).unwrap();
        }
    }

    #[test]
    fn proposals_rank_by_the_newest_reward_and_are_filled_up_at_random() {
        let (mut evolution, mut rng) = evolution(tiny());
        let [a, b] = [0, 1].map(|k| evolution.space.nth(k));
        for (arch, reward) in [(&a, 0.9), (&b, 0.5), (&a, 0.4)] {
            evolution.observe(arch, reward).unwrap();
        }
        assert_eq!(evolution.propose(2, &mut rng).unwrap(), [b.clone(), a.clone()]);
        let filled = evolution.propose(5, &mut rng).unwrap();
        assert_eq!((filled.len(), &filled[..2]), (5, &[b, a][..]));
    }

    #[test]
    fn a_loaded_evolution_continues_equally() {
        a_loaded_controller_continues_equally("evolution", SMALL, 7);
        a_loaded_controller_continues_equally("evolution", SMALL, 30);
    }

    #[test]
    fn bad_options_observations_and_states_are_errors() {
        let bad = [
            ("population = 0", "controller.population: expected at least 1, found 0"),
            ("tournament = 51", "controller.tournament: expected 1 to the population of 50, found 51"),
            ("samples = 0", "controller.samples: expected at least 1, found 0"),
        ];
        for (options, message) in bad {
            assert_eq!(build("evolution", options, tiny(), 0).err().unwrap().to_string(), message);
        }
        let (mut other, _) = evolution(nasbench201());
        other.observe(&Arch::new([4; 6]), 0.5).unwrap();
        let (mut evolution, _) = evolution(tiny());
        assert!(evolution.observe(&Arch::new([3, 0]), 0.5).is_err());
        assert!(evolution.observe(&Arch::new([0, 0]), f64::INFINITY).is_err());
        assert!(evolution.load(&State::default()).is_err());
        assert!(evolution.load(&other.save().unwrap()).is_err());
    }
}
