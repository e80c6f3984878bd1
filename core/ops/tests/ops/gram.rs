//! Gram matrices of input patches: the plain implementation against a closed form, and a GPU against the plain one.

use crate::problem::TestDevice;
use dfdx::prelude::*;
use nas_ops::{ConvSpec, InputPatches, OpError, Tensor4, Window, reference};

fn input<D: TestDevice>(dims: (usize, usize, usize, usize), seed: u64) -> Tensor4<D> {
    use rand::{Rng, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let len = dims.0 * dims.1 * dims.2 * dims.3;
    D::shared().tensor_from_vec((0..len).map(|_| rng.random_range(-1.0..1.0)).collect(), dims)
}

/// A window of two pixels of one channel slides over `1 -2 3`: the patches are (1, -2) and (-2, 3).
#[test]
fn a_small_case_has_its_closed_form() {
    let x: Tensor4<Cpu> = Cpu::default().tensor_from_vec(vec![1.0, -2.0, 3.0], (1, 1, 3, 1));
    let window = Window { kernel: [1, 2], ..Window::valid(1, 1) };
    let gram = |relu, constant| {
        let conv = ConvSpec { window, groups: 1 };
        let patches = InputPatches { input: &x, images: 1, relu, conv, constant };
        reference::gram_matrices(&[patches]).unwrap().remove(0)
    };
    assert_eq!(gram(false, false), [5.0, 0.0, -8.0, 13.0]);
    assert_eq!(gram(true, false), [1.0, 0.0, 0.0, 9.0]);
    assert_eq!(gram(true, true), [1.0, 0.0, 0.0, 0.0, 9.0, 0.0, 1.0, 3.0, 2.0]);
}

/// Dense, strided, dilated, grouped and depthwise convolutions and a linear layer, with tiles of both sizes, with one
/// and with several parts; all of the images or the first ones.
#[cfg(feature = "cuda")]
#[test]
fn a_gpu_has_the_sums_of_the_plain_implementation() {
    use nas_ops::Backend;
    let conv = |window, groups| ConvSpec { window, groups };
    let cases = [
        ((2, 6, 5, 3), usize::MAX, conv(Window::same(3, 1, 1), 1), false),
        ((3, 7, 7, 8), 2, conv(Window::same(3, 2, 1), 1), false),
        ((2, 9, 8, 4), 2, conv(Window::same(3, 1, 2), 4), false),
        ((2, 6, 6, 6), 1, conv(Window::same(5, 1, 1), 2), false),
        ((4, 24, 24, 2), usize::MAX, conv(Window::same(3, 1, 1), 1), false),
        ((70, 1, 1, 19), usize::MAX, conv(Window::valid(1, 1), 1), true),
        ((1, 4, 4, 18), 1, conv(Window::valid(1, 2), 1), false),
    ];
    for relu in [false, true] {
        let tensors = cases.map(|(dims, ..)| (input::<Cpu>(dims, 1), input::<Cuda>(dims, 1)));
        let (mut host, mut device) = (Vec::new(), Vec::new());
        for ((x, y), (_, images, conv, constant)) in tensors.iter().zip(cases) {
            host.push(InputPatches { input: x, images, relu, conv, constant });
            device.push(InputPatches { input: y, images, relu, conv, constant });
        }
        let expected = reference::gram_matrices(&host).unwrap();
        let found = Cuda::gram_matrices(&device).unwrap().unwrap();
        assert_eq!(found.len(), cases.len());
        for ((found, expected), case) in found.iter().zip(&expected).zip(&cases) {
            assert_eq!(found.len(), expected.len(), "{case:?}");
            let close = |(found, expected): (&f64, &f64)| (found - expected).abs() <= 1e-12 * (1.0 + expected.abs());
            assert!(found.iter().zip(expected).all(close), "{case:?}");
        }
        assert_eq!(Cuda::gram_matrices(&device).unwrap().unwrap(), found, "equal bits on every call");
    }
    assert_eq!(Cuda::gram_matrices(&[]).unwrap(), Some(Vec::new()));
}

fn refuses<D: TestDevice>(gram: impl Fn(&[InputPatches<'_, D>]) -> Result<(), OpError>) {
    let x = input::<D>((2, 3, 3, 4), 1);
    for (images, window, groups) in
        [(0, Window::valid(1, 1), 1), (2, Window::valid(5, 1), 1), (2, Window::valid(1, 1), 3)]
    {
        let conv = ConvSpec { window, groups };
        let error = gram(&[InputPatches { input: &x, images, relu: false, conv, constant: false }]).unwrap_err();
        assert!(matches!(error, OpError::Shape { op: "gram_matrices", .. }), "{error}");
    }
}

#[test]
fn inputs_that_do_not_fit_are_errors() {
    refuses::<Cpu>(|inputs| reference::gram_matrices(inputs).map(|_| ()));
    #[cfg(feature = "cuda")]
    refuses::<Cuda>(|inputs| <Cuda as nas_ops::Backend>::gram_matrices(inputs).map(|_| ()));
}
