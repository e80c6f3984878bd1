//! The matrix products of [`MatrixLayout`] equal the outputs of the layers.

use super::super::layout::MatrixLayout;
use super::super::options::SampleSelection;
use super::{distance, f64s, random_rows, rows, times};
use crate::test_device::{TestDevice, test_device};
use dfdx::prelude::{NoneTape, TensorFromVec};
use nas_core::network::LayerKind;
use nas_ops::{ConvSpec, Tensor4, Window, reference};

fn tensor(shape: (usize, usize, usize, usize), seed: u64) -> Tensor4<TestDevice> {
    let values = random_rows(shape.0 * shape.1 * shape.2, shape.3, seed);
    test_device().tensor_from_vec(values, shape)
}

/// `[blocks, n, inputs]` times `[blocks, inputs, outputs]`, as rows `[n, blocks * outputs]`.
fn products(layout: &MatrixLayout, rows: &[f32], matrices: &[f32]) -> Vec<f64> {
    let MatrixLayout { blocks, inputs, outputs, .. } = *layout;
    let n = rows.len() / (blocks * inputs);
    let mut all = vec![0.0; n * blocks * outputs];
    for block in 0..blocks {
        let part = |values: &[f32], size: usize| f64s(&values[block * size..][..size]);
        let y = times(&part(rows, n * inputs), &part(matrices, inputs * outputs), inputs);
        for (i, row) in y.chunks_exact(outputs).enumerate() {
            all[(i * blocks + block) * outputs..][..outputs].copy_from_slice(row);
        }
    }
    all
}

#[test]
fn dense_grouped_and_depthwise_convolutions() {
    for (groups, kernel, stride, relu) in [(1, 3, 1, true), (1, 1, 1, false), (3, 3, 2, true), (6, 5, 1, true)] {
        let conv = ConvSpec { window: Window::same(kernel, stride, 1), groups };
        let kind = LayerKind::Conv { relu, conv, c_in: 6, c_out: 12, norm: None };
        let layout = MatrixLayout::of(&kind).unwrap();
        let (x, weight) = (tensor((3, 7, 6, 6), 1), tensor((kernel, kernel, 6 / groups, 12), 2));
        let activated = if relu { reference::relu(&x, &mut NoneTape).unwrap() } else { x.clone() };
        let expected = f64s(&reference::conv2d(&activated, &weight, conv, &mut NoneTape).unwrap().as_vec());
        let rows = rows(&layout, &x, SampleSelection::All, 1);
        let matrices = layout.join(&weight, None).unwrap();
        let found = products(&layout, &rows, &matrices.as_vec());
        assert!(distance(&found, &expected) < 1e-4, "{groups} groups");
        let (again, bias) = layout.split(matrices, &weight).unwrap();
        assert!(again.as_vec() == weight.as_vec() && bias.is_none(), "{groups} groups");
    }
}

#[test]
fn linear_layers_with_their_bias() {
    let layout = MatrixLayout::of(&LayerKind::Linear { c_in: 9, c_out: 4 }).unwrap();
    let (x, weight, bias) = (tensor((5, 1, 1, 9), 3), tensor((1, 1, 9, 4), 4), tensor((1, 1, 1, 4), 5));
    let expected = f64s(&reference::linear(&x, &weight, Some(&bias), &mut NoneTape).unwrap().as_vec());
    let rows = rows(&layout, &x, SampleSelection::All, 2);
    let matrices = layout.join(&weight, Some(&bias)).unwrap();
    assert!(distance(&products(&layout, &rows, &matrices.as_vec()), &expected) < 1e-5);
    let (again, bias_again) = layout.split(matrices, &weight).unwrap();
    assert_eq!((again.as_vec(), bias_again.unwrap().as_vec()), (weight.as_vec(), bias.as_vec()));
}

#[test]
fn samples_and_location_stride_select_rows() {
    let conv = ConvSpec { window: Window::same(3, 1, 1), groups: 1 };
    let kind = LayerKind::Conv { relu: true, conv, c_in: 2, c_out: 3, norm: Some(false) };
    let layout = MatrixLayout::of(&kind).unwrap();
    let x = tensor((4, 5, 4, 2), 6);
    let row = |rows: &[f32], i: usize| rows[i * 18..][..18].to_vec();
    let all = rows(&layout, &x, SampleSelection::All, 1);
    assert_eq!(all.len(), 4 * 20 * 18);
    assert_eq!(rows(&layout, &x, SampleSelection::First(3), 1), all[..3 * 20 * 18]);
    assert_eq!(rows(&layout, &x, SampleSelection::First(9), 1), all);
    // Stride 2 selects 3 x 2 of the 5 x 4 locations. Location 3 of them is row 2, column 2 of the image.
    let some = rows(&layout, &x, SampleSelection::All, 2);
    assert_eq!(some.len(), 4 * 6 * 18);
    assert_eq!(row(&some, 3), row(&all, 2 * 4 + 2));
    let mean = f64s(&rows(&layout, &x, SampleSelection::BatchMean, 1));
    let means: Vec<f64> =
        (0..20 * 18).map(|i| (0..4).map(|n| f64::from(all[n * 20 * 18 + i])).sum::<f64>() / 4.0).collect();
    assert!(distance(&mean, &means) < 1e-6);
}
