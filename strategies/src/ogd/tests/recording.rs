//! Recorded inputs of a step, computed on the device where it can, against those that the host computes.

use super::super::layout::MatrixLayout;
use super::super::options::SampleSelection;
use super::super::recorded_inputs::{PatchStorage, RecordedInputs};
use super::super::recording::{CapturedInput, record};
use super::random_rows;
use crate::test_device::{TestDevice, test_device};
use dfdx::prelude::{HasShape, TensorFromVec};
use nas_core::network::LayerKind;
use nas_ops::{ConvSpec, Tensor4, Window};

fn conv(relu: bool, c_in: usize, groups: usize) -> MatrixLayout {
    let conv = ConvSpec { window: Window::same(3, 1, 1), groups };
    MatrixLayout::of(&LayerKind::Conv { relu, conv, c_in, c_out: 2 * groups, norm: None }).unwrap()
}

/// Layers with more and with fewer patches than elements in a patch, with every selection of images.
#[test]
fn the_device_records_what_the_host_does() {
    let linear = MatrixLayout::of(&LayerKind::Linear { c_in: 4, c_out: 2 }).unwrap();
    let layers = [(conv(true, 2, 1), 6), (conv(false, 4, 4), 6), (conv(true, 40, 1), 4), (linear, 1)];
    let images = |layout: &MatrixLayout, size: usize, channels: usize| {
        let values = random_rows(5 * size * size, channels, layout.inputs as u64);
        let tensor: Tensor4<TestDevice> = test_device().tensor_from_vec(values.clone(), (5, size, size, channels));
        (values, tensor)
    };
    for samples in [SampleSelection::First(2), SampleSelection::All, SampleSelection::BatchMean] {
        for stride in [1, 2] {
            let inputs = [2, 4, 40, 4].iter().zip(&layers).map(|(c, (layout, size))| images(layout, *size, *c));
            let inputs: Vec<_> = inputs.collect();
            let captured = inputs
                .iter()
                .zip(&layers)
                .enumerate()
                .map(|(layer, ((_, input), (layout, _)))| CapturedInput { key: (0, layer), layout: *layout, input });
            let mut found = record(captured.collect(), samples, stride).unwrap();
            found.sort_by_key(|(key, _)| *key);
            assert_eq!(found.len(), layers.len());
            for ((key, found), ((values, tensor), (layout, size))) in found.iter().zip(inputs.iter().zip(&layers)) {
                let dims = [*size, *size, tensor.shape().3];
                let expected = RecordedInputs::from_images(layout, values.clone(), dims, samples, stride).unwrap();
                assert_close(found, &expected, &format!("layer {}, {samples:?}, stride {stride}", key.1));
            }
        }
    }
}

fn assert_close(found: &RecordedInputs, expected: &RecordedInputs, case: &str) {
    assert_eq!((found.blocks, found.patch_len, found.count), (expected.blocks, expected.patch_len, expected.count));
    let (found, expected) = match (&found.storage, &expected.storage) {
        (PatchStorage::Gram(found), PatchStorage::Gram(expected)) => (found.clone(), expected.clone()),
        (PatchStorage::Rows(found), PatchStorage::Rows(expected)) => (found.concat(), expected.concat()),
        _ => panic!("{case}: rows on one side, Gram matrices on the other"),
    };
    assert_eq!(found.len(), expected.len(), "{case}");
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * (1.0 + b.abs());
    assert!(found.iter().zip(&expected).all(close), "{case}");
}
