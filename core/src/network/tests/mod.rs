//! Properties of built networks that hold for all weights.

mod tree;

use super::program::common_prefix_length;
use super::{
    BuildNetwork, ChoiceSet, Network, NetworkBuilder, NetworkError, NetworkKind, NetworkSpec, Op, ParamStep, Pass,
    Program, Role, Value,
};
use crate::arch::Arch;
use crate::space::{NasBench201, Scale, SearchSpace, Tiny};
use crate::streams::Streams;
use crate::truth::BenchmarkTable;
use dfdx::prelude::*;
use nas_ops::{PoolKind, PoolSpec, Window};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn scale(image: usize, width: usize, cells: usize) -> Scale {
    Scale { image: [image, image, 3], classes: 10, width, cells }
}

fn benchmark() -> NasBench201 {
    NasBench201::new(scale(32, 16, 5))
}

/// The table's column is in millions with three decimals. In 204 rows it is no parameter count of any one network but
/// the mean over two or three runs, some of which trained an equivalent architecture (equal canonical text) in its
/// place; those are checked against all such means.
#[test]
fn parameter_counts_equal_the_benchmark_for_all_architectures() {
    let space = benchmark();
    let table = BenchmarkTable::for_space("nasbench201").unwrap();
    assert_eq!(space.count(), table.rows() as u64);
    let mut others = Vec::new();
    let mut equivalent: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for index in 0..space.count() {
        let arch = space.nth(index);
        assert_eq!(space.format(&arch), table.arch_text(index as usize).unwrap());
        let (spec, program) = NetworkSpec::stand_alone(&space, ChoiceSet::One(&arch)).unwrap();
        assert_eq!(spec.param_count() as u64, program.params);
        equivalent.entry(space.canonical(&arch)).or_default().insert(program.params);
        let millions = table.value("params_m", index as usize).unwrap();
        if !rounds_to(program.params as f64, millions) {
            others.push((space.canonical(&arch), millions));
        }
    }
    assert_eq!(others.len(), 204);
    for (canonical, millions) in others {
        let counts: Vec<u64> = equivalent[&canonical].iter().copied().collect();
        assert!(is_mean_of_runs(&counts, millions), "{canonical}: {millions} of {counts:?}");
    }
}

fn rounds_to(params: f64, millions: f64) -> bool {
    (params / 1e6 - millions).abs() < 0.000_501
}

fn is_mean_of_runs(counts: &[u64], millions: f64) -> bool {
    let pairs = || counts.iter().flat_map(|a| counts.iter().map(move |b| a + b));
    pairs().any(|sum| rounds_to(sum as f64 / 2.0, millions))
        || pairs().any(|sum| counts.iter().any(|c| rounds_to((sum + c) as f64 / 3.0, millions)))
}

/// 153.27 MFLOPs is what NAS-Bench-201 reports for its best architecture on CIFAR-10 with pooling,
/// normalisation and bias left out, as here.
#[test]
fn multiply_adds_of_a_known_architecture() {
    let space = benchmark();
    let text = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|";
    let (_, program) = NetworkSpec::stand_alone(&space, ChoiceSet::One(&space.parse(text).unwrap())).unwrap();
    assert_eq!(program.macs, 153_272_960);
    assert_eq!(program.params, 1_073_466);
}

#[test]
fn the_supernet_holds_the_layers_of_every_architecture_and_its_bn_has_no_parameters() {
    let space = benchmark();
    let spec = NetworkSpec::supernet(&space).unwrap();
    assert_eq!(spec.kind, NetworkKind::Supernet);
    assert!(spec.params.iter().all(|p| matches!(p.role, Role::Weight | Role::Bias)));
    // stem, 2 x 3 in the residual blocks, 15 cells of 6 edges with two convolutions, final BN, classifier.
    assert_eq!(spec.layers.len(), 1 + 2 * 3 + 15 * 6 * 2 + 2);
    for index in (0..space.count()).step_by(997) {
        spec.program(&space, &space.nth(index)).unwrap();
    }
}

#[test]
fn dead_branches_are_not_computed() {
    let space = NasBench201::new(scale(32, 16, 1));
    let spec = NetworkSpec::supernet(&space).unwrap();
    // The first edge ends in node 1, which nothing reads.
    let text = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|";
    let program = spec.program(&space, &space.parse(text).unwrap()).unwrap();
    let names: Vec<&str> = program.layers.iter().map(|l| spec.layers[*l].name.as_str()).collect();
    assert!(names.iter().all(|name| !name.contains("edge")), "{names:?}");
    assert_eq!(names.len(), 1 + 2 * 3 + 2);
}

#[test]
fn a_disconnected_architecture_still_evaluates_to_the_bias() {
    let space = NasBench201::new(scale(8, 4, 1));
    let spec = Arc::new(NetworkSpec::supernet(&space).unwrap());
    let program = spec.program(&space, &space.nth(0)).unwrap();
    assert!(matches!(program.instrs[0].op, Op::Zeros([1, 1, 16])));
    let device = Cpu::default();
    let network = Network::new(spec.clone(), &device, 1, &Streams::new(0)).unwrap();
    let images = super::tensor(&device, vec![0.5; 2 * 8 * 8 * 3], [2, 8, 8, 3]).unwrap();
    let scores = network.infer(images, &program, &Pass::PLAIN).unwrap().scores.as_vec();
    let bias = network.params().last().unwrap().as_vec();
    assert_eq!(scores, [bias.clone(), bias].concat());
}

#[test]
fn all_values_of_the_input_are_freed_and_shapes_are_as_built() {
    let space = Tiny::new(scale(9, 4, 1));
    let spec = Arc::new(NetworkSpec::supernet(&space).unwrap());
    let device = Cpu::default();
    let network = Network::new(spec.clone(), &device, 1, &Streams::new(0)).unwrap();
    for index in 0..9 {
        let program = spec.program(&space, &space.nth(index)).unwrap();
        let images = super::tensor(&device, vec![0.1; 3 * 9 * 9 * 3], [3, 9, 9, 3]).unwrap();
        let scores = network.infer(images, &program, &Pass::PLAIN).unwrap().scores;
        assert_eq!(*scores.shape(), (3, 1, 1, 10));
        assert!(
            program
                .last_use
                .iter()
                .take(program.instrs.len())
                .enumerate()
                .all(|(v, last)| *last >= v.saturating_sub(1))
        );
    }
}

#[test]
fn weight_sets_start_equal_and_bind_chooses_among_them() {
    let space = Tiny::new(scale(8, 4, 1));
    let spec = Arc::new(NetworkSpec::supernet(&space).unwrap());
    let device = Cpu::default();
    let mut network = Network::new(spec.clone(), &device, 2, &Streams::new(3)).unwrap();
    assert_eq!(network.sets(), 2);
    let program = spec.program(&space, &Arch::new([2, 1])).unwrap();
    let images = super::tensor(&device, (0..192).map(|i| (i as f32).sin()).collect(), [1, 8, 8, 3]).unwrap();
    let run = |network: &Network<Cpu>, set: usize| {
        let bind = move |_| set;
        let pass = Pass { bind: Some(&bind), ..Pass::PLAIN };
        network.infer(images.clone(), &program, &pass).unwrap().scores.as_vec()
    };
    let before = run(&network, 0);
    assert_eq!(before, run(&network, 1));
    let bias = network.slot(1, spec.params.len() - 1);
    network.set_param(bias, super::tensor(&device, vec![1.0; 10], [1, 1, 1, 10]).unwrap());
    assert_eq!(before, run(&network, 0));
    assert_ne!(before, run(&network, 1));
    let unbound = Pass { bind: Some(&|_| 2), ..Pass::PLAIN };
    assert!(network.infer(images.clone(), &program, &unbound).is_err());
}

#[test]
fn updates_of_a_wrong_shape_change_no_weight() {
    let spec = Arc::new(NetworkSpec::supernet(&Tiny::new(scale(8, 4, 1))).unwrap());
    let mut network = Network::new(spec.clone(), &Cpu::default(), 1, &Streams::new(3)).unwrap();
    let values = |network: &Network<Cpu>| network.params().iter().map(|p| p.as_vec()).collect::<Vec<_>>();
    let before = values(&network);
    let step = |param: usize, update: usize| {
        let (layer, role) = (spec.params[param].layer, spec.params[param].role);
        let [weight, update] = [param, update].map(|param| network.params()[param].clone());
        ParamStep { param, set: 0, layer, role, gradient: weight.clone(), weight, update: Some(update) }
    };
    let (mut good, mut bad) = (vec![step(0, 0)], vec![step(0, 0), step(1, 0)]);
    assert!(matches!(network.apply(&mut bad), Err(nas_ops::OpError::Shape { .. })));
    assert_eq!(values(&network), before);
    network.apply(&mut good).unwrap();
    assert_eq!(values(&network)[0], before[0].iter().map(|w| 2.0 * w).collect::<Vec<_>>());
    assert_eq!(values(&network)[1..], before[1..]);
}

/// Scores, and gradients of the sum of their squares, of three programs that share their stem.
fn three_programs(network: &Network<Cpu>, programs: &[Program], together: bool) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let images = super::tensor(&Cpu::default(), (0..1536).map(|i| (i as f32).sin()).collect(), [8, 8, 8, 3]).unwrap();
    let mut stem = OwnedTape::default();
    let sharing: Vec<&Program> = programs.iter().take(if together { programs.len() } else { 1 }).collect();
    let prefix = network.run_prefix(&images, &sharing, &|_, _| 0, &Pass::PLAIN, &mut stem).unwrap();
    assert_eq!(prefix.layers.is_empty(), !together);
    let mut scores = Vec::new();
    let mut totals = network.params().iter().map(|p| vec![0.0; p.shape().num_elements()]).collect::<Vec<_>>();
    let mut add = |mut gradients: Gradients<f32, Cpu>| {
        for (total, param) in totals.iter_mut().zip(network.params()) {
            gradients.try_alloc_for(param).unwrap();
            total.iter_mut().zip(gradients.get(param).as_vec()).for_each(|(total, more)| *total += more);
        }
    };
    for program in programs {
        let mut tape = OwnedTape::default();
        let y = network.run_suffix(prefix.clone(), program, &Pass::PLAIN, &mut tape).unwrap().scores;
        scores.push(y.as_vec());
        add(y.put_tape(tape).square().sum::<(), _>().backward());
    }
    add(Cpu::default().zeros::<()>().put_tape(stem).backward());
    (scores, totals)
}

#[test]
fn what_programs_begin_with_runs_once_with_the_same_scores_and_gradients() {
    let space = Tiny::new(scale(8, 4, 1));
    let spec = Arc::new(NetworkSpec::supernet(&space).unwrap());
    let network = Network::new(spec.clone(), &Cpu::default(), 1, &Streams::new(0)).unwrap();
    let programs = [1, 5, 6].map(|index| spec.program(&space, &space.nth(index)).unwrap());
    let (scores, gradients) = three_programs(&network, &programs, true);
    let (expected_scores, expected) = three_programs(&network, &programs, false);
    assert_eq!(scores, expected_scores);
    for (found, expected) in gradients.iter().flatten().zip(expected.iter().flatten()) {
        assert!((found - expected).abs() <= 1e-4 * (1.0 + expected.abs()), "{found} {expected}");
    }
}

#[test]
fn programs_with_other_weights_share_nothing() {
    let space = Tiny::new(scale(8, 4, 1));
    let spec = NetworkSpec::supernet(&space).unwrap();
    let program = spec.program(&space, &space.nth(1)).unwrap();
    let programs = [&program, &program];
    assert_eq!(common_prefix_length(&programs, &|_, _| 0), programs[0].instrs.len() - 1);
    assert_eq!(common_prefix_length(&programs, &|program, _| program), 0);
    assert_eq!(common_prefix_length(&programs[..1], &|_, _| 0), 0);
    assert_eq!(common_prefix_length(&[], &|_, _| 0), 0);
}

#[test]
fn capture_keeps_what_is_asked_for() {
    let space = Tiny::new(scale(8, 4, 1));
    let spec = Arc::new(NetworkSpec::supernet(&space).unwrap());
    let device = Cpu::default();
    let network = Network::new(spec.clone(), &device, 1, &Streams::new(0)).unwrap();
    let program = spec.program(&space, &Arch::new([0, 2])).unwrap();
    let wanted = spec.layer("layer1.conv3x3").unwrap();
    let capture = |layer| if layer == wanted { 2 } else { 0 };
    let images = super::tensor(&device, vec![0.3; 3 * 8 * 8 * 3], [3, 8, 8, 3]).unwrap();
    let pass = Pass { capture: Some(&capture), ..Pass::PLAIN };
    let captured = network.infer(images, &program, &pass).unwrap().captured;
    assert_eq!(captured.len(), 1);
    assert_eq!((captured[0].layer, *captured[0].input.shape()), (wanted, (2, 4, 4, 4)));
}

/// A pool that is larger than the image.
struct LargePool;

impl BuildNetwork for LargePool {
    fn build_network(&self, net: &mut NetworkBuilder<'_>, _: ChoiceSet<'_>) -> Result<Value, NetworkError> {
        let x = net.input([1, 1, 3]);
        net.pool(x, PoolSpec { kind: PoolKind::Average, window: Window::valid(2, 2) })
    }
}

#[test]
fn images_that_vanish_are_an_error() {
    let error = NetworkSpec::supernet(&LargePool).unwrap_err().to_string();
    assert!(error.contains("pool") && error.contains("1 x 1"), "{error}");
}
