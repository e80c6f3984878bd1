//! A prefix tree gives the same results as one program at a time.

use crate::arch::Arch;
use crate::network::{Network, NetworkSpec, Pass, PrefixTree, Program, RunningMoments, tensor};
use crate::space::{NasBench201, NasBenchMacro, Scale, SearchSpace, Tiny};
use crate::streams::Streams;
use dfdx::tensor::Cpu;
use nas_ops::{Backend, OpError, Tensor4};
use rand::Rng;
use std::sync::Arc;

struct Case {
    network: Network<Cpu>,
    images: Tensor4<Cpu>,
    archs: Vec<Arch>,
    programs: Vec<Program>,
}

impl Case {
    /// `n` random architectures (some may be equal) on three random 4 x 4 images, with two weight sets that differ.
    fn new(space: &dyn SearchSpace, n: usize) -> Self {
        let streams = Streams::new(7);
        let spec = Arc::new(NetworkSpec::supernet(space).unwrap());
        let device = Cpu::default();
        let mut rng = streams.rng("test", 0);
        let mut random = |shape: [usize; 4]| {
            let values = (0..shape.iter().product()).map(|_| rng.random_range(-1.0..1.0)).collect();
            tensor(&device, values, shape).unwrap()
        };
        let mut network = Network::new(spec.clone(), &device, 2, &streams).unwrap();
        for (param, p) in spec.params.iter().enumerate() {
            network.set_param(network.slot(1, param), random(p.shape));
        }
        let [h, w, c] = space.scale().image;
        let images = random([3, h, w, c]);
        let mut rng = streams.rng("archs", 0);
        let archs: Vec<Arch> = (0..n).map(|_| space.sample(&mut rng)).collect();
        let programs = archs.iter().map(|arch| spec.program(space, arch).unwrap()).collect();
        Self { network, images, archs, programs }
    }

    fn one_by_one(&self, pass: &Pass<'_, Cpu>) -> Vec<Vec<u32>> {
        let infer = |program| self.network.infer(self.images.clone(), program, pass).unwrap();
        self.programs.iter().map(|program| bits(&infer(program).scores)).collect()
    }

    fn tree(&self, pass: &Pass<'_, Cpu>, bind: &dyn Fn(usize, usize) -> usize) -> Vec<Vec<u32>> {
        let tree = PrefixTree::new(&self.programs, bind);
        let mut scores = vec![Vec::new(); self.programs.len()];
        let keep = |program: usize, found: &Tensor4<Cpu>| {
            assert!(scores[program].is_empty());
            scores[program] = bits(found);
            Ok::<_, OpError>(true)
        };
        self.network.infer_tree(self.images.clone(), &tree, pass.norms, keep).unwrap();
        scores
    }
}

fn bits(scores: &Tensor4<Cpu>) -> Vec<u32> {
    Cpu::to_host(scores).into_iter().map(f32::to_bits).collect()
}

fn spaces() -> [Box<dyn SearchSpace>; 3] {
    let scale = |width| Scale { image: [4, 4, 3], classes: 5, width, cells: 1 };
    [Box::new(Tiny::new(scale(3))), Box::new(NasBenchMacro::new(scale(2))), Box::new(NasBench201::new(scale(2)))]
}

#[test]
fn scores_have_the_bits_of_one_by_one() {
    for space in spaces() {
        let case = Case::new(&*space, 24);
        assert_eq!(case.tree(&Pass::PLAIN, &|_, _| 0), case.one_by_one(&Pass::PLAIN), "{}", space.name());
    }
}

#[test]
fn so_they_have_with_running_statistics() {
    for space in spaces() {
        let case = Case::new(&*space, 8);
        let mut running = RunningMoments::exponential(case.network.spec());
        let measure = Pass { moments: true, ..Pass::PLAIN };
        for program in &case.programs {
            for (layer, moments, count) in case.network.infer(case.images.clone(), program, &measure).unwrap().moments {
                running.add_batch(layer, &moments, count);
            }
        }
        let table = running.table(case.network.device()).unwrap();
        let pass = Pass { norms: Some(&table), ..Pass::PLAIN };
        let tree = case.tree(&pass, &|_, _| 0);
        assert_eq!(tree, case.one_by_one(&pass), "{}", space.name());
        assert_ne!(tree, case.one_by_one(&Pass::PLAIN), "{}", space.name());
    }
}

/// Every layer's set depends on the architecture's last choice.
#[test]
fn so_they_have_with_bound_weights() {
    for space in spaces() {
        let case = Case::new(&*space, 12);
        let set = |number: usize, layer: usize| (case.archs[number].choices().last().unwrap() + layer) % 2;
        let expected = case.programs.iter().enumerate().map(|(number, program)| {
            let bind = |layer| set(number, layer);
            let pass = Pass { bind: Some(&bind), ..Pass::PLAIN };
            bits(&case.network.infer(case.images.clone(), program, &pass).unwrap().scores)
        });
        assert_eq!(case.tree(&Pass::PLAIN, &set), expected.collect::<Vec<_>>(), "{}", space.name());
    }
}

#[test]
fn the_walk_stops_when_told() {
    let case = Case::new(&*spaces()[1], 6);
    let tree = PrefixTree::new(&case.programs, &|_, _| 0);
    let mut seen = 0;
    let stop = |_: usize, _: &Tensor4<Cpu>| {
        seen += 1;
        Ok::<_, OpError>(seen < 2)
    };
    case.network.infer_tree(case.images.clone(), &tree, None, stop).unwrap();
    assert_eq!(seen, 2);
}
