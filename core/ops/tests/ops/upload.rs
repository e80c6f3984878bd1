//! Copies to a device that go on beside its work.

use crate::problem::{TestDevice, on_every_device};
use nas_ops::{OpError, Upload};

fn upload<D: TestDevice>(len: usize, first: f32) -> (Upload<D>, Vec<f32>) {
    let values: Vec<f32> = (0..len).map(|i| first + i as f32).collect();
    (D::shared().upload(values.clone(), (1, 1, 1, len)).unwrap(), values)
}

/// Several at once and in any order, more than once with the same sizes, some of them dropped.
fn values_arrive_where_they_belong<D: TestDevice>() {
    for round in 0..4 {
        let [a, b, c] = [30, 50, 30].map(|len| upload::<D>(len, 100.0 * round as f32 + len as f32));
        drop(upload::<D>(50, -1.0));
        for (upload, values) in [c, a, b] {
            assert_eq!(D::to_host(&upload.tensor().unwrap()), values);
        }
    }
    assert!(D::to_host(&upload::<D>(0, 0.0).0.tensor().unwrap()).is_empty());
}

/// Kernels run between the copy and the wait, and reuse memory.
fn the_device_works_meanwhile<D: TestDevice>() {
    use dfdx::prelude::TryAdd;
    let (mut next, mut sum) = (Some(upload::<D>(40, 0.0)), vec![0.0; 40]);
    let mut total = D::shared().upload(sum.clone(), (1, 1, 1, 40)).unwrap().tensor().unwrap();
    for step in 1..6 {
        let (current, values) = next.replace(upload(40, step as f32)).unwrap();
        total = total.try_add(current.tensor().unwrap()).unwrap();
        sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    assert_eq!(D::to_host(&total), sum);
}

fn refuses_another_number_of_values<D: TestDevice>() {
    let error = D::shared().upload(vec![1.0; 5], (1, 2, 3, 1)).unwrap_err();
    assert!(matches!(error, OpError::Shape { .. } | OpError::Device { .. }), "{error}");
}

on_every_device!(values_arrive_where_they_belong, the_device_works_meanwhile, refuses_another_number_of_values);
