//! Tests of `fairnas`: equal counts, the distribution of the permutations, refused spaces, whole runs.

use super::*;
use crate::test_device::{TestDevice, test_device};
use nas_core::config::RunConfig;
use nas_core::controller::ControllerError;
use nas_core::data;
use nas_core::event::Event;
use nas_core::metrics::FairnessAudit;
use nas_core::network::{BuildNetwork, ChoiceSet, NetworkBuilder, NetworkError, Value};
use nas_core::registry::{all, find};
use nas_core::space::{ArchError, Darts, NasBench201, Scale, SpaceInfo, Tiny};
use nas_core::strategy::Step;
use nas_core::trainer::Session;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const SCALE: Scale = Scale { image: [8, 8, 1], classes: 10, width: 2, cells: 1 };

fn plan(strategy: &mut FairNas, space: &dyn SearchSpace, rng: &mut ChaCha8Rng) -> Vec<Path> {
    let mut draw = || Err(ControllerError::Other("fairnas draws no architectures from the sampler".into()));
    SharingStrategy::<TestDevice>::plan(strategy, &mut Sampler { space, draw: &mut draw, rng }).unwrap()
}

fn audit(space: &dyn SearchSpace) -> FairnessAudit {
    FairnessAudit::new(&space.decisions().iter().map(|d| d.choices.len()).collect::<Vec<_>>())
}

#[test]
fn counts_are_equal_after_every_plan_in_nasbench201() {
    let space = NasBench201::new(SCALE);
    let mut strategy = FairNas::new(FairNasOptions::default(), &space).unwrap();
    let (mut rng, mut audit) = (ChaCha8Rng::seed_from_u64(0), audit(&space));
    for step in 1..=200 {
        let paths = plan(&mut strategy, &space, &mut rng);
        assert_eq!(paths.len(), 5);
        for path in &paths {
            assert_eq!(path.weight, 1.0);
            space.validate(&path.arch).unwrap();
            audit.record(path.arch.choices()).unwrap();
        }
        for decision in 0..6 {
            assert_eq!(audit.histogram(decision), Some(&[step; 5][..]));
        }
    }
}

/// Each step has one topology. Every edge of it is trained with every operation exactly once, so the counts of a
/// decision between operations are equal, and those of every edge too.
#[test]
fn counts_are_equal_after_every_plan_in_darts() {
    let space = Darts::new(Scale { cells: 8, ..SCALE });
    let mut strategy = FairNas::new(FairNasOptions::default(), &space).unwrap();
    let (mut rng, mut audit) = (ChaCha8Rng::seed_from_u64(0), audit(&space));
    let mut edges: HashMap<(usize, usize, usize), [u64; 7]> = HashMap::new();
    let mut topologies = HashSet::new();
    for step in 1..=100 {
        let paths = plan(&mut strategy, &space, &mut rng);
        assert_eq!(paths.len(), 7);
        for path in &paths {
            space.validate(&path.arch).unwrap();
            audit.record(path.arch.choices()).unwrap();
            let genotype = space.genotype(&path.arch);
            for (kind, cell) in [&genotype.normal, &genotype.reduce].into_iter().enumerate() {
                for (node, (edge, decision)) in
                    cell.nodes.iter().enumerate().flat_map(|(node, pair)| pair.iter().zip(1..).map(move |e| (node, e)))
                {
                    let choice = path.arch.choices()[12 * kind + 3 * node + decision];
                    edges.entry((kind, node, edge.from)).or_default()[choice] += 1;
                }
            }
        }
        let topology = |path: &Path| path.arch.choices().iter().step_by(3).copied().collect::<Vec<_>>();
        assert!(paths.iter().all(|path| topology(path) == topology(&paths[0])));
        topologies.insert(topology(&paths[0]));
        for decision in 0..24 {
            if space.decisions()[decision].is_operation() {
                assert_eq!(audit.histogram(decision), Some(&[step; 7][..]));
            }
        }
        assert!(edges.values().all(|counts| counts.iter().all(|count| *count == counts[0])));
    }
    assert!(topologies.len() > 90 && edges.len() == 2 * (2 + 3 + 4 + 5), "{}", edges.len());
}

#[test]
fn the_mean_divides_by_the_number_of_paths() {
    let space = NasBench201::new(SCALE);
    let options = FairNasOptions { reduce: Reduce::Mean, ..FairNasOptions::default() };
    let mut strategy = FairNas::new(options, &space).unwrap();
    let paths = plan(&mut strategy, &space, &mut ChaCha8Rng::seed_from_u64(0));
    assert!(paths.iter().all(|path| path.weight == 0.2));
}

/// Pearson's chi-square statistic of 24,000 permutations over 5! = 120 equally likely cells (119 degrees of freedom),
/// for each of the six edges. The same for the pairs of choices of edges 0 and 1: 25 cells, 24 degrees of freedom.
/// Thresholds are `scipy.stats.chi2.ppf(0.999, df)`: 173.62 and 51.18.
#[test]
fn permutations_are_uniform_and_independent_between_decisions() {
    let space = NasBench201::new(SCALE);
    let mut strategy = FairNas::new(FairNasOptions::default(), &space).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let steps = 24_000;
    let mut orders: Vec<BTreeMap<Vec<usize>, u32>> = vec![BTreeMap::new(); 6];
    let mut pairs: BTreeMap<[usize; 2], u32> = BTreeMap::new();
    for _ in 0..steps {
        let paths = plan(&mut strategy, &space, &mut rng);
        for (edge, orders) in orders.iter_mut().enumerate() {
            *orders.entry(paths.iter().map(|path| path.arch.choices()[edge]).collect()).or_default() += 1;
        }
        // Only the first path counts, because the other paths of a step depend on it.
        let choices = paths[0].arch.choices();
        *pairs.entry([choices[0], choices[1]]).or_default() += 1;
    }
    let chi_square = |counts: Vec<u32>, cells: usize| -> f64 {
        assert_eq!(counts.len(), cells, "every cell occurs");
        let expected = f64::from(steps) / cells as f64;
        counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
    };
    for orders in orders {
        let found = chi_square(orders.into_values().collect(), 120);
        assert!(found < 173.62, "{found}");
    }
    let found = chi_square(pairs.into_values().collect(), 25);
    assert!(found < 51.18, "{found}");
}

/// A space without networks, with given numbers of choices.
struct Counts(SpaceInfo);

impl Counts {
    fn new(counts: &[usize]) -> Self {
        let decision = |(i, count): (usize, &usize)| {
            Decision::operation(format!("layer {i}"), (0..*count).map(|choice| choice.to_string()))
        };
        Self(SpaceInfo { name: "counts", decisions: counts.iter().enumerate().map(decision).collect(), scale: SCALE })
    }
}

impl SearchSpace for Counts {
    fn info(&self) -> &SpaceInfo {
        &self.0
    }

    fn parse(&self, text: &str) -> Result<Arch, ArchError> {
        Err(self.error(text, "this space has no text form".into()))
    }

    fn format(&self, arch: &Arch) -> String {
        format!("{:?}", arch.choices())
    }
}

impl BuildNetwork for Counts {
    fn build_network(&self, net: &mut NetworkBuilder<'_>, _: ChoiceSet<'_>) -> Result<Value, NetworkError> {
        Ok(net.input(SCALE.image))
    }
}

fn refusal(options: FairNasOptions, counts: &[usize]) -> String {
    FairNas::new(options, &Counts::new(counts)).err().unwrap().to_string()
}

#[test]
fn unequal_numbers_of_choices_are_an_error_that_lists_the_decisions() {
    assert_eq!(
        refusal(FairNasOptions::default(), &[3, 2, 3, 1]),
        "strategy fairnas cannot train space counts: strict fairness requires the same number of choices in every \
         decision, found 3 choices: layer 0, layer 2; 2 choices: layer 1; 1 choices: layer 3; set strategy.unequal = \
         \"lcm\" to train 6 architectures per step, which contain every choice of a decision equally often, or use \
         another strategy"
    );
    assert!(refusal(FairNasOptions::default(), &[2, 2, 2, 2, 2, 2, 4]).contains("layer 2, layer 3 and 2 more; "));
    let lcm = FairNasOptions { unequal: UnequalChoices::Lcm, ..FairNasOptions::default() };
    assert!(refusal(lcm.clone(), &[7, 11, 13, 17]).contains("more than 1024 architectures"));
    assert!(refusal(lcm, &[3, 0]).contains("more than 1024 architectures"));
    assert!(refusal(FairNasOptions::default(), &[usize::from(u16::MAX); 2]).contains("more than 1024 architectures"));
}

#[test]
fn lcm_gives_all_choices_of_a_decision_equal_counts() {
    let space = Counts::new(&[3, 2, 4, 1]);
    let options = FairNasOptions { unequal: UnequalChoices::Lcm, ..FairNasOptions::default() };
    let mut strategy = FairNas::new(options, &space).unwrap();
    let (mut rng, mut audit) = (ChaCha8Rng::seed_from_u64(2), audit(&space));
    for step in 1..=50 {
        let paths = plan(&mut strategy, &space, &mut rng);
        assert_eq!(paths.len(), 12);
        paths.iter().for_each(|path| audit.record(path.arch.choices()).unwrap());
        assert_eq!(audit.histogram(0), Some(&[4 * step; 3][..]));
        assert_eq!(audit.histogram(1), Some(&[6 * step; 2][..]));
        assert_eq!(audit.histogram(2), Some(&[3 * step; 4][..]));
        assert_eq!(audit.histogram(3), Some(&[12 * step][..]));
    }
}

#[test]
fn a_decision_with_a_single_choice_fits_any_number_of_paths() {
    assert_eq!(FairNas::new(FairNasOptions::default(), &Counts::new(&[3, 1, 3])).unwrap().paths, 3);
    assert_eq!(FairNas::new(FairNasOptions::default(), &Counts::new(&[1, 1])).unwrap().paths, 1);
}

#[test]
fn the_notes_state_the_cost_and_the_effect_of_the_sum() {
    let strategy = FairNas::new(FairNasOptions::default(), &Tiny::new(SCALE)).unwrap();
    let notes = SharingStrategy::<TestDevice>::notes(&strategy);
    assert!(notes[0].contains("costs 3 sub-net passes") && notes[0].contains("3 times larger"), "{notes:?}");
}

thread_local! {
    /// Hashes of the weights after each update of a `hashed-fairnas` run on this thread.
    static WEIGHTS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// `fairnas`, which also hashes the weights after every update.
struct HashedWeights<D: Backend>(Box<dyn SharingStrategy<D>>);

impl<D: Backend> SharingStrategy<D> for HashedWeights<D> {
    fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, StrategyError> {
        self.0.plan(sampler)
    }

    fn after_update(&mut self, step: &Step<D>) -> Result<(), StrategyError> {
        let mut hasher = DefaultHasher::new();
        for param in &step.params {
            param.param.hash(&mut hasher);
            D::to_host(&param.weight).iter().for_each(|weight| weight.to_bits().hash(&mut hasher));
        }
        WEIGHTS.with_borrow_mut(|weights| weights.push(hasher.finish()));
        Ok(())
    }
}

inventory::submit! {
    StrategyDescriptor {
        name: "hashed-fairnas",
        summary: "for tests",
        reference: "this project",
        options: &String::new,
        cpu: &|options, context| Ok(Box::new(HashedWeights(build(options, context)?))),
        #[cfg(feature = "cuda")]
        cuda: &|options, context| Ok(Box::new(HashedWeights(build(options, context)?))),
    }
}

/// Runs `strategy` on the space `tiny` with 30 training images. Returns the smallest and the largest number of updates
/// of any choice after each epoch.
fn run(strategy: &str, batch_size: usize, probes: usize) -> Vec<(u64, u64)> {
    let text = format!(
        "[strategy]\nname = \"{strategy}\"\n[space]\nname = \"tiny\"\nwidth = 2\n\
         [data]\nlimit_train = 30\nlimit_valid = 20\n\
         [train]\nepochs = 4\nbatch_size = {batch_size}\n[eval]\nimages = 20\nbatch_size = 20\n\
         [probes]\ncount = {probes}\nsingle_step_every = {probes}\n[search]\nproposals = 1\n[truth]\nsamples = \"0\"\n"
    );
    let config = RunConfig::from_table(&text.parse().unwrap()).unwrap();
    let dataset = Arc::new(data::load(&config.data.name, &config.data).unwrap());
    let mut session = Session::new(&config, dataset, &test_device()).unwrap();
    let mut counts = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Epoch(epoch) = event {
            counts.push(epoch.fairness);
        }
        Ok(())
    };
    let result = session.run(&mut observer, &AtomicBool::new(false)).unwrap();
    assert_eq!(result.subnet_passes, 3 * result.steps);
    assert_eq!(result.images, 30 * 3 * 4);
    let fairness = result.fairness.unwrap();
    assert_eq!((fairness.min, fairness.max, fairness.mean), (result.steps, result.steps, result.steps as f64));
    counts
}

#[test]
fn counts_are_equal_after_every_step_of_a_run() {
    // The batch holds all 30 images, so an epoch is one step and its event has the counts after that step.
    assert_eq!(run("fairnas", 30, 0), [(1, 1), (2, 2), (3, 3), (4, 4)]);
}

#[test]
fn evaluation_does_not_change_the_training() {
    let weights = |probes| {
        WEIGHTS.take();
        run("hashed-fairnas", 10, probes);
        WEIGHTS.take()
    };
    let without = weights(0);
    assert_eq!(without.len(), 12);
    assert_eq!(without, weights(3));
}

#[test]
fn the_registered_default_options_parse() {
    let descriptor = find::<StrategyDescriptor>("fairnas").unwrap();
    let options = parse_options::<FairNasOptions>("strategy", &(descriptor.options)().parse().unwrap()).unwrap();
    assert_eq!((options.reduce, options.unequal), (Reduce::Sum, UnequalChoices::Refuse));
    assert!(all::<StrategyDescriptor>().unwrap().len() >= 3);
}
