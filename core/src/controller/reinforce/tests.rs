//! Tests of the whole controller.

use super::policy::{LogitScaling, Policy};
use crate::arch::Arch;
use crate::controller::tests::*;
use crate::controller::{Controller, ControllerContext};
use crate::options::{example, parse_options};
use crate::space::{Decision, DecisionRole};
use crate::streams::Streams;

const PLAIN: LogitScaling = LogitScaling { temperature: 1.0, tanh: 0.0 };

/// Ten times the learning rate of ENAS, because the tests use few samples; the default of 3e-4 is for thousands.
const FAST: &str = "lr = 0.0035";

/// A policy that is far from uniform: its initial weights are multiplied by `scale`.
fn policy(choices: &[usize], scaling: LogitScaling, scale: f32) -> Policy {
    policy_of(choices.iter().map(|n| operations(*n)).collect(), scaling, scale)
}

fn operations(n: usize) -> Decision {
    Decision::operation("", (0..n).map(|choice| choice.to_string()))
}

fn topology(node: usize, choices: &[[usize; 2]]) -> Decision {
    let predecessors: Vec<Vec<usize>> = choices.iter().map(|pair| pair.to_vec()).collect();
    Decision { role: DecisionRole::Topology { node, predecessors }, ..operations(choices.len()) }
}

/// Two cells of two nodes, with one of two operations on each edge. Node 3 may have the same predecessor twice.
fn two_cells() -> Vec<Decision> {
    let cell =
        || [topology(2, &[[0, 1], [1, 1]]), operations(2), topology(3, &[[0, 1], [0, 2], [2, 2]]), operations(2)];
    [cell(), cell()].concat()
}

fn policy_of(decisions: Vec<Decision>, scaling: LogitScaling, scale: f32) -> Policy {
    let mut policy = Policy::new(decisions, 4, scaling, &mut Streams::new(7).rng("test", 0)).unwrap();
    for k in 0..policy.params().len() {
        let values = policy.values(k).into_iter().map(|w| scale * w).collect();
        policy.set(k, values).unwrap();
    }
    policy
}

#[test]
fn gradients_match_finite_differences_in_every_element() {
    let scaled = LogitScaling { temperature: 0.5, tanh: 2.0 };
    let chain = |scaling| (policy(&[3, 2, 4], scaling, 8.0), vec![2, 0, 1]);
    let cells = |scaling, choices| (policy_of(two_cells(), scaling, 6.0), choices);
    for (mut policy, choices) in [
        chain(PLAIN),
        chain(scaled),
        cells(PLAIN, vec![0, 1, 2, 0, 1, 0, 1, 1]),
        cells(scaled, vec![1, 0, 1, 1, 0, 1, 2, 0]),
    ] {
        let arch = Arch::new(choices);
        let (score, gradients) = policy.score_with_gradient(&arch).unwrap();
        assert_eq!(score, policy.score(&arch).unwrap());
        for (k, gradient) in gradients.iter().enumerate() {
            let values = policy.values(k);
            for (i, g) in gradient.iter().enumerate() {
                let mut at = |step: f32| {
                    let mut moved = values.clone();
                    moved[i] += step;
                    policy.set(k, moved).unwrap();
                    policy.score(&arch).unwrap().log_prob
                };
                let slope = (at(1e-2) - at(-1e-2)) / 2e-2;
                let name = &policy.params()[k].name;
                assert!((slope - f64::from(*g)).abs() < 1e-3 + 1e-2 * slope.abs(), "{name}[{i}]: {slope} {g}");
            }
            assert!(gradient.iter().any(|g| *g != 0.0), "{} learns nothing", policy.params()[k].name);
            policy.set(k, values).unwrap();
        }
    }
}

/// The score of a pair is the sum of the scores of its nodes, so with pairs of `[a, a]` the log-odds of two pairs are
/// twice the difference of the nodes' scores.
#[test]
fn a_pair_has_the_sum_of_the_scores_of_its_nodes() {
    let pairs = [[0, 0], [0, 1], [1, 1]];
    let policy = policy_of(vec![topology(2, &pairs)], PLAIN, 6.0);
    let [aa, ab, bb] = [0, 1, 2].map(|choice| policy.score(&Arch::new([choice])).unwrap().log_prob);
    assert!((aa - bb).abs() > 0.1 && (aa - ab - (ab - bb)).abs() < 1e-5, "{aa} {ab} {bb}");
}

#[test]
fn probabilities_of_cells_sum_to_one() {
    let policy = policy_of(two_cells(), PLAIN, 6.0);
    let archs = (0..576).map(|index| {
        let mut rest = index;
        let choices = [2, 2, 3, 2, 2, 2, 3, 2].map(|n| (rest % n, rest /= n).0);
        Arch::new(choices)
    });
    let sum: f64 = archs.map(|arch| policy.score(&arch).unwrap().log_prob.exp()).sum();
    assert!((sum - 1.0).abs() < 1e-4, "{sum}");
}

/// Criterion for each of 3 seeds: after 400 observations of which the reward is the share of skip connections from
/// node 0, new samples have a higher mean reward than uniform ones.
#[test]
fn it_learns_predecessors_and_operations_of_darts() {
    let space = darts();
    let share = |arch: &Arch| space.format(arch).matches("('skip_connect', 0)").count() as f64 / 8.0;
    for seed in 0..3 {
        let (mut learner, mut rng) = build("reinforce", "lr = 0.01\nhidden = 16", space.clone(), seed).unwrap();
        learn(learner.as_mut(), &mut rng, 400, share);
        let learned = mean_reward(learner.as_mut(), &mut rng, 100, share);
        let (mut uniform, mut uniform_rng) = build("uniform", "", space.clone(), seed).unwrap();
        let random = mean_reward(uniform.as_mut(), &mut uniform_rng, 100, share);
        assert!(learned > random + 0.05, "seed {seed}: {learned} {random}");
    }
}

#[test]
fn probabilities_sum_to_one_and_are_those_of_the_samples() {
    let policy = policy(&[3, 3], PLAIN, 8.0);
    let space = tiny();
    let prob = |index| policy.score(&space.nth(index)).unwrap().log_prob.exp();
    let probs: Vec<f64> = (0..9).map(prob).collect();
    assert!((probs.iter().sum::<f64>() - 1.0).abs() < 1e-5);

    let mut rng = Streams::new(0).rng("test", 1);
    let (n, mut counts) = (5000, [0.0; 9]);
    for _ in 0..n {
        counts[space.index(&policy.sample(&mut rng).unwrap()) as usize] += 1.0;
    }
    let chi2: f64 = probs.iter().zip(counts).map(|(p, count)| (count - p * n as f64).powi(2) / (p * n as f64)).sum();
    // The 99.9% quantile for 8 degrees of freedom.
    assert!(chi2 < 26.12, "{chi2}: {probs:?} {counts:?}");

    let likeliest = (0..9).max_by(|a, b| probs[*a].total_cmp(&probs[*b])).unwrap();
    assert_eq!(policy.greedy().unwrap(), space.nth(likeliest as u64));
}

#[test]
fn temperature_flattens_and_tanh_bounds_the_logits() {
    let entropy = |temperature, tanh| {
        policy(&[5], LogitScaling { temperature, tanh }, 20.0).score(&Arch::new([0])).unwrap().entropy
    };
    assert!(entropy(0.2, 0.0) < entropy(1.0, 0.0) && entropy(1.0, 0.0) < entropy(5.0, 0.0));
    assert!(entropy(1.0, 0.0) < entropy(1.0, 0.01) && entropy(1.0, 0.01) <= 5_f64.ln());
    // Logits between -0.01 and 0.01 give an almost uniform policy for weights of any size.
    assert!(5_f64.ln() - entropy(1.0, 0.01) < 1e-3);
}

/// With equal accuracies, the advantage consists of entropy alone. The update must still be a multiple of the gradient
/// of `log pi`, without a gradient of the entropy.
#[test]
fn the_entropy_has_no_gradient() {
    let options = |weight: f64, batch| {
        let text = format!("entropy_weight = {weight:?}\nbatch = {batch}\nhidden = 4");
        parse_options("controller", &text.parse().unwrap()).unwrap()
    };
    let context = || ControllerContext { space: tiny(), rng: Streams::new(0).rng("test", 0) };
    let mut with = super::Reinforce::new(options(0.5, 10), context()).unwrap();
    let (first, second) = (Arch::new([0, 1]), Arch::new([2, 2]));
    with.observe(&first, 0.4).unwrap();
    // The first reward starts the baseline, so its advantage and gradient are 0.
    assert!(with.pending.iter().flatten().all(|g| *g == 0.0));
    with.observe(&second, 0.7).unwrap();

    let entropy = |arch| with.policy.score(arch).unwrap().entropy;
    let advantage = 0.3 + 0.5 * (entropy(&second) - entropy(&first));
    let (_, gradient) = with.policy.score_with_gradient(&second).unwrap();
    for (found, g) in with.pending.iter().flatten().zip(gradient.iter().flatten()) {
        assert!((found + advantage * f64::from(*g)).abs() < 1e-12);
    }
}

/// Criterion for each of 5 seeds: after 400 observations, the most probable architecture is the best of the nine, and
/// 100 new samples have a higher mean reward than 100 uniform ones.
#[test]
fn it_finds_the_best_of_nine_where_uniform_does_not_improve() {
    for seed in 0..5 {
        let (mut learner, mut rng) = build("reinforce", FAST, tiny(), seed).unwrap();
        learn(learner.as_mut(), &mut rng, 400, reward);
        let proposals = learner.propose(3, &mut rng).unwrap();
        assert_eq!(proposals[0], best(), "seed {seed}");
        let (mut uniform, mut uniform_rng) = build("uniform", "", tiny(), seed).unwrap();
        let learned = mean_reward(learner.as_mut(), &mut rng, 100, reward);
        let random = mean_reward(uniform.as_mut(), &mut uniform_rng, 100, reward);
        assert!(learned > random, "seed {seed}: {learned} {random}");
    }
}

#[test]
fn a_policy_loaded_in_the_middle_of_a_batch_continues_equally() {
    a_loaded_controller_continues_equally("reinforce", "lr = 0.0035\nbatch = 4\nsamples = 20\nhidden = 8", 30);
}

#[test]
fn a_state_of_another_size_is_an_error_and_changes_nothing() {
    let (small, _) = build("reinforce", "hidden = 8", tiny(), 0).unwrap();
    let (mut large, _) = build("reinforce", "hidden = 16", tiny(), 0).unwrap();
    let before = large.save().unwrap();
    let error = large.load(&small.save().unwrap()).unwrap_err().to_string();
    assert!(error.contains("expected tensor start of shape [1, 16], found shape [1, 8]"), "{error}");
    assert!(large.load(&crate::state::State::default()).is_err());
    assert_eq!(large.save().unwrap(), before);
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let run = |seed| {
        let (mut controller, mut rng) = build("reinforce", "hidden = 8\nlr = 0.01", nasbench201(), seed).unwrap();
        for k in 0..20 {
            let arch = controller.sample(&mut rng).unwrap();
            controller.observe(&arch, f64::from(k) / 20.0).unwrap();
        }
        let proposals = controller.propose(10, &mut rng).unwrap();
        assert_eq!(proposals.len(), 10);
        (proposals, controller.save().unwrap(), controller.metrics())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).1, run(2).1);
    assert!(run(1).2.iter().all(|(_, value)| value.is_finite()));
}

#[test]
fn invalid_options_and_observations_are_errors() {
    let bad = [
        ("hidden = 0", "controller.hidden: expected 1 to 4096, found 0"),
        ("lr = 0.0", "controller.lr: expected a finite number above 0, found 0"),
        ("clip = nan", "controller.clip: expected a finite number above 0, found NaN"),
        ("tanh = -1.0", "controller.tanh: expected a finite number of at least 0, found -1"),
        ("baseline_decay = 1.0", "controller.baseline_decay: expected at least 0 and below 1, found 1"),
        ("batch = 0", "controller.batch: expected at least 1, found 0"),
        ("weight-decay = 0.1", "did you mean `weight_decay`?"),
    ];
    for (options, message) in bad {
        let error = build("reinforce", options, tiny(), 0).err().unwrap().to_string();
        assert!(error.contains(message), "{error}");
    }
    let (mut controller, mut rng) = build("reinforce", "", tiny(), 0).unwrap();
    assert!(controller.observe(&Arch::new([0]), 0.5).is_err());
    assert!(controller.observe(&Arch::new([0, 0]), f64::NAN).is_err());
    assert!(controller.propose(0, &mut rng).unwrap().is_empty());
    // A temperature with infinite logits is an error with advice, not a panic.
    let (mut controller, mut rng) = build("reinforce", "temperature = 1e-300", tiny(), 0).unwrap();
    let error = controller.sample(&mut rng).unwrap_err().to_string();
    assert!(error.contains("raise controller.temperature"), "{error}");
}

#[test]
fn its_example_options_are_its_defaults() {
    let text = example(&super::Options::default());
    assert!(text.contains("entropy_weight = 0.005"), "{text}");
    let parsed: super::Options = parse_options("controller", &text.parse().unwrap()).unwrap();
    assert_eq!(parsed, super::Options::default());
}
