//! The operations compared with results of PyTorch. `tests/fixtures/generate.py` wrote the files and describes their
//! format.

use crate::problem::{Answer, Call, Dims, Implementation, Native, Problem, Reference, Vectors, assert_close};
use dfdx::tensor::Cpu;
use nas_ops::{ConvSpec, PoolKind, PoolSpec, UnitSpec, Window};
use std::collections::HashMap;

/// One case of a file.
struct Case {
    name: String,
    /// Parameters of the operation, in the order of `generate.py`.
    numbers: Vec<usize>,
    tensors: HashMap<String, (Dims, Vec<f32>)>,
}

impl Case {
    /// Parses all cases of a file.
    fn all(text: &str) -> Vec<Self> {
        let mut cases = Vec::new();
        for line in text.lines() {
            let mut words = line.split(' ');
            let head = words.next().unwrap();
            if head == "case" {
                let name = words.next().unwrap().to_string();
                let numbers = words.map(|word| word.parse().unwrap()).collect();
                cases.push(Self { name, numbers, tensors: HashMap::new() });
                continue;
            }
            let mut dim = || words.next().unwrap().parse::<usize>().unwrap();
            let dims = (dim(), dim(), dim(), dim());
            let unit = words.next().unwrap().parse::<f32>().unwrap();
            let values = words.skip(1).map(|word| word.parse::<f32>().unwrap() * unit).collect();
            cases.last_mut().unwrap().tensors.insert(head.to_string(), (dims, values));
        }
        cases
    }

    fn window(&self) -> Window {
        let pair = |i: usize| [self.numbers[i], self.numbers[i + 1]];
        Window { kernel: pair(0), stride: pair(2), padding: pair(4), dilation: pair(6) }
    }

    fn vectors(&self) -> Vectors {
        Vectors { fixed: self.tensors.contains_key("mean"), affine: self.tensors.contains_key("scale") }
    }

    fn conv(&self) -> ConvSpec {
        ConvSpec { window: self.window(), groups: self.numbers[8] }
    }

    /// Solves the case and compares the output, the moments, and the gradients of those `inputs` that the case has.
    fn check<I: Implementation>(&self, call: Call, inputs: &[&str]) {
        let present = inputs.iter().filter(|&&name| self.tensors.contains_key(name));
        let problem = Problem {
            call,
            inputs: present.clone().map(|&name| self.tensors[name].clone()).collect(),
            dy: self.tensors["dy"].1.clone(),
        };
        let Answer { y, gradients, moments } = problem.solve::<I>().unwrap();
        let (dims, inferred) = problem.infer::<I>().unwrap();
        assert_eq!(dims, self.tensors["y"].0, "{}: shape", self.name);
        assert_eq!(y, inferred, "{}: with and without tape", self.name);
        self.compare("y", &y);
        let learned = present.filter(|name| !["mean", "variance"].contains(name));
        for (name, gradient) in learned.zip(gradients) {
            self.compare(&format!("d{name}"), &gradient);
        }
        if let (Some((mean, variance)), false) = (moments, self.vectors().fixed) {
            self.compare("batch_mean", &mean);
            self.compare("batch_variance", &variance);
        }
    }

    fn compare(&self, tensor: &str, found: &[f32]) {
        assert_close(&format!("{} of {}", tensor, self.name), found, &self.tensors[tensor].1, 2e-5);
    }
}

const NORM: [&str; 4] = ["mean", "variance", "scale", "shift"];

fn conv<I: Implementation>() {
    for case in Case::all(include_str!("../fixtures/conv.txt")) {
        case.check::<I>(Call::Conv(case.conv()), &["x", "w"]);
    }
}

fn pool<I: Implementation>() {
    for case in Case::all(include_str!("../fixtures/pool.txt")) {
        let kind = if case.numbers[8] == 1 { PoolKind::Max } else { PoolKind::Average };
        case.check::<I>(Call::Pool(PoolSpec { kind, window: case.window() }), &["x"]);
    }
}

fn odd_pixels<I: Implementation>() {
    for case in Case::all(include_str!("../fixtures/odd_pixels.txt")) {
        case.check::<I>(Call::OddPixels, &["x"]);
    }
}

fn relu6<I: Implementation>() {
    for case in Case::all(include_str!("../fixtures/relu6.txt")) {
        case.check::<I>(Call::Relu6, &["x"]);
    }
}

fn norm<I: Implementation>() {
    for case in Case::all(include_str!("../fixtures/norm.txt")) {
        case.check::<I>(Call::Norm(case.vectors()), &[&["x"], &NORM[..]].concat());
    }
}

fn unit<I: Implementation>() {
    for case in Case::all(include_str!("../fixtures/unit.txt")) {
        let spec = UnitSpec { relu: case.numbers[9] == 1, conv: case.conv() };
        case.check::<I>(Call::Unit(spec, case.vectors()), &[&["x", "w"], &NORM[..]].concat());
    }
}

fn linear<I: Implementation>() {
    for case in Case::all(include_str!("../fixtures/linear.txt")) {
        case.check::<I>(Call::Linear, &["x", "w", "b"]);
    }
}

macro_rules! instantiate {
    ($($module:ident: $implementation:ty;)+) => {
        $(mod $module {
            use super::*;
            #[test]
            fn conv() {
                super::conv::<$implementation>();
            }
            #[test]
            fn pool() {
                super::pool::<$implementation>();
            }
            #[test]
            fn odd_pixels() {
                super::odd_pixels::<$implementation>();
            }
            #[test]
            fn relu6() {
                super::relu6::<$implementation>();
            }
            #[test]
            fn norm() {
                super::norm::<$implementation>();
            }
            #[test]
            fn unit() {
                super::unit::<$implementation>();
            }
            #[test]
            fn linear() {
                super::linear::<$implementation>();
            }
        })+
    };
}

instantiate! {
    reference: Reference<Cpu>;
    cpu: Native<Cpu>;
}

#[cfg(feature = "cuda")]
instantiate! {
    cuda: Native<dfdx::tensor::Cuda>;
}
