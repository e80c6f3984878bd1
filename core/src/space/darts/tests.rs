//! The text of genotypes, and networks compared with PyTorch: `core/tests/fixtures/darts/generate.py` wrote the files.

use super::*;
use crate::network::{Network, NetworkSpec, Pass, Program, Role, tensor};
use crate::streams::Streams;
use dfdx::prelude::*;
use nas_ops::Backend;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use std::sync::Arc;

const ALL_OPTIONS: DartsOptions =
    DartsOptions { none: true, predecessors: Predecessors::WithReplacement, stem: Stem::Auto };

fn scale(side: usize, width: usize, cells: usize, classes: usize) -> Scale {
    Scale { image: [side, side, 3], classes, width, cells }
}

fn space() -> Darts {
    Darts::new(scale(32, 16, 8, 10))
}

#[test]
fn costs_of_the_published_cells_equal_pytorch() {
    let mut rows = 0;
    for line in include_str!("../../../tests/fixtures/darts/counts.csv").lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |i: usize| fields[i].parse::<usize>().unwrap();
        let scale = scale(number(5), number(2), number(3), number(4));
        let stem = if fields[1] == "cifar" { Stem::Cifar } else { Stem::Imagenet };
        let genotype = Genotype::parse(fields[0]).unwrap();
        let network = CellNetwork::new(&genotype, scale, stem, fields[6] == "1");
        let (spec, program) = NetworkSpec::stand_alone(&network, ChoiceSet::All).unwrap();
        let head = program.auxiliary.map_or((0, 0), |head| (head.params, head.macs));
        assert_eq!((program.params + head.0, program.macs + head.1), (number(7) as u64, number(8) as u64), "{line}");
        assert_eq!(spec.param_count(), number(7));
        let costs = NetworkSpec::costs_without_decisions(&network).unwrap();
        let of_head =
            |wanted| costs.iter().filter(|cost| cost.auxiliary == wanted).map(|cost| cost.params).sum::<u64>();
        assert_eq!((of_head(false), of_head(true)), (program.params, head.0));
        rows += 1;
    }
    assert_eq!(rows, 24);
}

/// `sin(k + 0.7 i + 0.013 i^2)`, as in `generate.py`.
fn wave(k: f64, len: usize) -> Vec<f64> {
    (0..len).map(|i| i as f64).map(|i| (k + 0.7 * i + 0.013 * i * i).sin()).collect()
}

/// The initial value of a parameter, as in `generate.py`.
fn weights(name: &str, role: Role, shape: [usize; 4]) -> Vec<f32> {
    let phase: usize = name.bytes().enumerate().map(|(i, byte)| (i + 1) * usize::from(byte)).sum();
    let values = wave((phase % 1009) as f64, shape.iter().product());
    let scale = (3.0 / shape[..3].iter().product::<usize>() as f64).sqrt();
    let value = |wave: f64| match role {
        Role::Weight => scale * wave,
        Role::Scale => 1.0 + 0.2 * wave,
        Role::Bias | Role::Shift => 0.2 * wave,
    };
    values.into_iter().map(|wave| value(wave) as f32).collect()
}

fn network(spec: NetworkSpec) -> Network<Cpu> {
    let (spec, device) = (Arc::new(spec), Cpu::default());
    let mut network = Network::new(spec.clone(), &device, 1, &Streams::new(0)).unwrap();
    for (slot, param) in spec.params.iter().enumerate() {
        network.set_param(slot, tensor(&device, weights(&param.name, param.role, param.shape), param.shape).unwrap());
    }
    network
}

fn images(n: usize, side: usize) -> Tensor<(usize, usize, usize, usize), f32, Cpu> {
    let values = wave(0.0, n * side * side * 3).into_iter().map(|x| x as f32).collect();
    tensor(&Cpu::default(), values, [n, side, side, 3]).unwrap()
}

/// Compares numbers with those of a line, in units of the largest.
fn assert_close(line: &str, found: &[f64], tolerance: f64) {
    let expected: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert_eq!(found.len(), expected.len(), "{line}");
    let largest = expected.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() <= tolerance * largest, "{line}: {found} {expected}");
    }
}

/// A supernet's program with all operations at both strides, and stand-alone networks of published cells with 7x7 and
/// 1x7-7x1 convolutions and with equal edges.
#[test]
fn scores_and_gradients_equal_pytorch() {
    let mut lines = include_str!("../../../tests/fixtures/darts/subnets.txt").lines().peekable();
    let mut compared = 0;
    while let Some(head) = lines.next() {
        let words: Vec<&str> = head.split(' ').collect();
        let scale = scale(8, words[3].parse().unwrap(), words[4].parse().unwrap(), 10);
        let (spec, program): (NetworkSpec, Program) = if words[2] == "affine" {
            let genotype = Genotype::parse(words[5]).unwrap();
            NetworkSpec::stand_alone(&CellNetwork::new(&genotype, scale, Stem::Cifar, false), ChoiceSet::All).unwrap()
        } else {
            let space = Darts::with_options(scale, ALL_OPTIONS);
            let spec = NetworkSpec::supernet(&space).unwrap();
            let program = spec.program(&space, &space.parse(words[5]).unwrap()).unwrap();
            (spec, program)
        };
        let network = network(spec);
        let mut tape = OwnedTape::default();
        let scores = network.forward(images(4, 8), &program, &Pass::PLAIN, &mut tape).unwrap().scores;
        let host = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<_>>();
        assert_close(lines.next().unwrap(), &host(scores.as_vec()), 1e-4);
        let dy: Vec<f32> = wave(1.0, 40).into_iter().map(|x| x as f32).collect();
        let dy = tensor(&Cpu::default(), dy, [4, 1, 1, 10]).unwrap();
        let loss = (scores.put_tape(tape) * dy).sum::<(), _>();
        assert_close(lines.next().unwrap(), &[f64::from(loss.array())], 1e-4);
        let gradients = loss.backward();
        let active: usize = program.layers.iter().map(|layer| network.spec().params_of(*layer).len()).sum();
        let mut found = 0;
        while let Some(line) = lines.next_if(|line| line.starts_with("gradient")) {
            let name = line.split(' ').nth(1).unwrap();
            let slot = network.spec().params.iter().position(|param| param.name == name);
            let slot = slot.unwrap_or_else(|| panic!("no parameter {name}"));
            let gradient = host(Cpu::to_host(&gradients.get(&network.params()[slot])));
            let dot = |k| wave(k, gradient.len()).iter().zip(&gradient).map(|(wave, g)| wave * g).sum::<f64>();
            let squares = gradient.iter().map(|g| g * g).sum();
            let sums = [dot(2.0), dot(3.0), squares];
            // The largest is the sum of squares, so the other sums are compared in units of the norm.
            let norm = f64::max(squares.sqrt(), 1.0);
            let line: Vec<f64> = line.split(' ').skip(2).map(|word| word.parse().unwrap()).collect();
            for (unit, (sum, expected)) in [norm, norm, norm * norm].iter().zip(sums.iter().zip(&line)) {
                assert!((sum - expected).abs() <= 2e-3 * unit, "{name}: {sums:?} {line:?}");
            }
            found += 1;
        }
        assert_eq!(found, active, "{head}");
        compared += found;
    }
    assert!(compared > 300, "{compared}");
}

/// The head has weights and scores of its own, and the program without it has the same layers and scores.
#[test]
fn the_auxiliary_head_changes_no_score() {
    for (side, stem) in [(32, Stem::Cifar), (8, Stem::Cifar), (27, Stem::Cifar), (64, Stem::Imagenet)] {
        let genotype = Genotype::parse("darts_v2").unwrap();
        let of = |auxiliary| CellNetwork::new(&genotype, scale(side, 2, 4, 3), stem, auxiliary);
        let (spec, with) = NetworkSpec::stand_alone(&of(true), ChoiceSet::All).unwrap();
        let without = spec.program_without_decisions(&of(false)).unwrap();
        assert_eq!((with.params, with.macs, without.auxiliary), (without.params, without.macs, None));
        let network = network(spec);
        let run = |program: &Program| network.infer(images(2, side), program, &Pass::PLAIN).unwrap();
        let (both, one) = (run(&with), run(&without));
        assert_eq!(both.scores.as_vec(), one.scores.as_vec());
        assert!(one.auxiliary.is_none());
        let auxiliary = both.auxiliary.unwrap();
        assert_eq!(*auxiliary.shape(), (2, 1, 1, 3));
        assert_ne!(auxiliary.as_vec(), both.scores.as_vec());
        assert!(auxiliary.as_vec().iter().all(|score| score.is_finite()));
    }
}

#[test]
fn images_that_are_too_small_are_refused_and_odd_ones_are_rounded_up() {
    for (side, options, expected) in [
        (3, DartsOptions::default(), "expected images of at least 4 x 4, found 3 x 3"),
        (32, DartsOptions { stem: Stem::Imagenet, ..DartsOptions::default() }, "at least 64 x 64, found 32 x 32"),
    ] {
        let error = NetworkSpec::supernet(&Darts::with_options(scale(side, 2, 3, 10), options)).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let genotype = Genotype::parse("darts_v1").unwrap();
    let error =
        NetworkSpec::stand_alone(&CellNetwork::new(&genotype, scale(4, 2, 3, 10), Stem::Auto, true), ChoiceSet::All)
            .unwrap_err();
    assert!(
        error.to_string().contains("at least 2 x 2 pixels after the second reduction cell, found 1 x 1"),
        "{error}"
    );
    for side in (4..20).chain([65, 130]) {
        let space = Darts::with_options(scale(side, 1, 3, 10), ALL_OPTIONS);
        let spec = NetworkSpec::supernet(&space).unwrap();
        for name in ["darts_v1", "darts_v2"] {
            spec.program(&space, &space.parse(name).unwrap()).unwrap();
        }
    }
}

#[test]
fn architectures_share_the_weights_of_equal_operations_on_equal_edges() {
    let space = space();
    let spec = NetworkSpec::supernet(&space).unwrap();
    let layers = |text: &str| {
        let program = spec.program(&space, &space.parse(text).unwrap()).unwrap();
        program.layers.iter().map(|layer| spec.layers[*layer].name.clone()).collect::<Vec<_>>()
    };
    let (first, second) = (layers("darts_v1"), layers("darts_v2"));
    let of_node = |layers: &[String], node: &str| {
        let start = format!("stage0.cell0.{node}.");
        layers.iter().filter(|layer| layer.starts_with(&start)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(of_node(&first, "node2"), of_node(&second, "node2"));
    assert_eq!(of_node(&first, "node3").len(), 4);
    assert!(of_node(&first, "node3").iter().all(|layer| of_node(&second, "node3").contains(layer)));
    // Two equal edges are one set of weights here, and two in a network of their own.
    let space = Darts::with_options(scale(32, 4, 3, 10), ALL_OPTIONS);
    let twice = space.parse(&every("sep_conv_3x3").replace(", 1)", ", 0)")).unwrap();
    let (own, program) = NetworkSpec::stand_alone(&space, ChoiceSet::One(&twice)).unwrap();
    assert_eq!(own.param_count() as u64, program.params);
    assert!(own.layer("stage0.cell0.node2.from0.again.sep_conv_3x3.first.pointwise").is_some());
    NetworkSpec::supernet(&space).unwrap().program(&space, &twice).unwrap();
}

/// A genotype with one operation on all edges, from nodes 0 and 1.
fn every(op: &str) -> String {
    let edges = [format!("('{op}', 0)"), format!("('{op}', 1)")].join(", ");
    let cell = [edges.as_str(); 4].join(", ");
    format!("Genotype(normal=[{cell}], normal_concat=range(2, 6), reduce=[{cell}], reduce_concat=range(2, 6))")
}

#[test]
fn the_text_form_is_that_of_darts() {
    let space = space();
    let v2 = space.parse("darts_v2").unwrap();
    let text = space.format(&v2);
    assert!(text.starts_with("Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "), "{text}");
    assert!(text.ends_with("('skip_connect', 2)], reduce_concat=range(2, 6))"), "{text}");
    let spaced =
        text.replace(", ", " ,\n ").replace('(', "( ").replace('\'', "\"").replace("range( 2 ,\n 6)", "[2,3,4,5,]");
    assert_eq!(space.parse(&spaced).unwrap(), v2);
    let (normal, reduce) = text.strip_prefix("Genotype(").unwrap().split_once(", reduce=").unwrap();
    let swapped = format!("Genotype(reduce={}, {normal})", reduce.strip_suffix(')').unwrap());
    assert_eq!(space.parse(&swapped).unwrap(), v2);
    for name in published::NAMES {
        let genotype = Genotype::parse(name).unwrap();
        assert_eq!(Genotype::parse(&genotype.to_string()).unwrap(), genotype);
        space.stand_alone(name, true).unwrap();
    }
}

#[test]
fn wrong_genotypes_are_errors_that_tell_the_reason() {
    let good = every("max_pool_3x3");
    let edge = "('max_pool_3x3', 1)";
    let replaced = |from: &str, to: &str| good.replacen(from, to, 1);
    let problems = [
        ("".to_owned(), "or one of amoebanet_a, darts_v1, darts_v2, nasnet_a"),
        ("darts_v3".into(), "did you mean `darts_v"),
        (replaced(edge, "('max_pool_3x3', 2)"), "normal: node 2 has predecessor 2, expected a node from 0 to 1"),
        (replaced(edge, "('max_pool_3x3', -1)"), "expected the number of a node, found `-1)"),
        (replaced(edge, "('max_pool_3x3', 0)"), "normal: node 2 has predecessor 0 twice, expected two different ones"),
        (replaced(&format!(", {edge}"), ""), "normal has 7 edges, expected two for each node"),
        (
            replaced("('max_pool_3x3', 0), ('max_pool_3x3', 1), ", ""),
            "normal_concat contains node 5, expected nodes from 2 to 4",
        ),
        (replaced("max_pool_3x3", "max_pol_3x3"), "unknown operation `max_pol_3x3`, did you mean `max_pool_3x3`?"),
        (replaced("max_pool_3x3", "sep_conv_7x7"), "`sep_conv_7x7`, which occurs in published cells only"),
        (replaced("max_pool_3x3", "none"), "set space.none = true"),
        (replaced("range(2, 6)", "range(2, 7)"), "normal_concat contains node 6, expected nodes from 2 to 5"),
        (replaced("range(2, 6)", "range(1, 6)"), "normal_concat contains node 1"),
        (replaced("range(2, 6)", "[2, 3, 3]"), "normal_concat contains node 3 twice"),
        (replaced("range(2, 6)", "[]"), "normal_concat is empty"),
        (replaced("range(2, 6)", "[3, 4, 5]"), "normal_concat is [3, 4, 5], expected range(2, 6)"),
        (replaced("range(2, 6)", "range(2, 999999999999)"), "ends at 999999999999"),
        (
            replaced("normal_concat", "normal_concatt"),
            "unknown argument `normal_concatt`, did you mean `normal_concat`?",
        ),
        (replaced("reduce=", "normal="), "argument normal is given twice"),
        (replaced(", reduce_concat=range(2, 6)", ""), "argument reduce_concat is missing"),
        (format!("{good} and more"), "unexpected text after the genotype: `and more`"),
        (good[..good.len() - 1].into(), "expected `,` or `)`, found the end of the text"),
        ("nasnet_a".into(), "normal has 10 edges, expected 8: two for each of 4 nodes"),
    ];
    let space = space();
    for (text, problem) in problems {
        let error = space.parse(&text).unwrap_err().to_string();
        assert!(error.contains(problem) && error.ends_with("an example is `darts_v2`"), "{text}: {error}");
    }
    assert_eq!(space.format(&space.parse(&good).unwrap()), good);
}

#[test]
fn sizes_of_the_space() {
    let size = |none, predecessors| {
        Darts::with_options(scale(32, 4, 8, 10), DartsOptions { none, predecessors, stem: Stem::Auto }).count()
    };
    let pairs = 3 * 6 * 10;
    assert_eq!(size(false, Predecessors::Distinct), (pairs * 49_u64.pow(4)).pow(2));
    assert_eq!(size(true, Predecessors::Distinct), (pairs * 64_u64.pow(4)).pow(2));
    assert_eq!(size(true, Predecessors::WithReplacement), u64::MAX);
    let descriptor = inventory::iter::<SpaceDescriptor>.into_iter().find(|space| space.name == "darts").unwrap();
    let error = (descriptor.build)(scale(32, 4, 2, 10), &Table::new()).err().unwrap().to_string();
    assert!(error.contains("at least 3 cells (--cells), found 2"), "{error}");
    let unknown = descriptor.check_options(&"nonee = true".parse().unwrap()).unwrap_err().to_string();
    assert!(unknown.starts_with("unknown option `space.nonee`, did you mean `none`?"), "{unknown}");
}

proptest! {
    /// The order of the edges of a node changes neither the canonical form nor, up to rounding, the function.
    #[test]
    fn the_order_within_a_node_does_not_matter(seed: u64, swapped: u8) {
        let space = Darts::with_options(scale(8, 2, 3, 10), ALL_OPTIONS);
        let arch = space.sample(&mut Streams::new(seed).rng("test", 0));
        let mut genotype = space.genotype(&arch);
        for (node, edges) in genotype.normal.nodes.iter_mut().chain(&mut genotype.reduce.nodes).enumerate() {
            if swapped >> node & 1 == 1 {
                edges.swap(0, 1);
            }
        }
        let other = space.parse(&genotype.to_string()).unwrap();
        prop_assert_eq!(space.canonical(&other), space.canonical(&arch));
        prop_assert_eq!(space.parse(&space.canonical(&arch)).map(|arch| space.canonical(&arch)), Ok(space.canonical(&arch)));
        let spec = NetworkSpec::supernet(&space).unwrap();
        let layers = |arch| spec.program(&space, arch).unwrap().layers;
        prop_assert_eq!(layers(&arch), layers(&other));
    }

    #[test]
    fn any_text_is_a_genotype_or_an_error(text in "(Genotype\\()?(normal|reduce|_concat|=|\\[|\\]|\\(|\\)|'|,| |range|none|skip_connect|[0-9]){0,40}") {
        if let Ok(genotype) = Genotype::parse(&text) {
            prop_assert!(genotype.normal.check("normal").is_ok());
        }
    }
}
