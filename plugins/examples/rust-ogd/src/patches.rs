//! What the weights of a layer multiply.

use nas_plugin_abi::{Input, Layer, LayerKind};

/// Calls `take(block, patch)` for the patches of the first `samples` images, at every `stride`-th output location; with
/// a 1 at the end where the layer has a bias.
pub fn each(layer: &Layer, input: &Input<'_>, samples: usize, stride: usize, mut take: impl FnMut(usize, &[f64])) {
    let [n, h, w, c] = input.shape;
    let at = |image: usize, y: usize, x: usize, channel: usize| {
        let value = f64::from(input.values[((image * h + y) * w + x) * c + channel]);
        if layer.relu { value.max(0.0) } else { value }
    };
    let channels = c / layer.groups;
    let locations = |axis: usize, size: usize| {
        let reach = layer.dilation[axis] * (layer.kernel[axis] - 1) + 1;
        let last = (size + 2 * layer.padding[axis]).checked_sub(reach);
        last.into_iter().flat_map(move |last| (0..=last).step_by(layer.stride[axis] * stride))
    };
    let mut patch = Vec::new();
    for image in 0..n.min(samples) {
        for top in locations(0, h) {
            for left in locations(1, w) {
                for block in 0..layer.groups {
                    patch.clear();
                    for (a, b) in (0..layer.kernel[0]).flat_map(|a| (0..layer.kernel[1]).map(move |b| (a, b))) {
                        // Padding shifts the window; what lies outside wraps to a huge number and is a zero.
                        let y = (top + a * layer.dilation[0]).wrapping_sub(layer.padding[0]);
                        let x = (left + b * layer.dilation[1]).wrapping_sub(layer.padding[1]);
                        let inside = y < h && x < w;
                        let channel = |i| if inside { at(image, y, x, block * channels + i) } else { 0.0 };
                        patch.extend((0..channels).map(channel));
                    }
                    if layer.kind == LayerKind::Linear {
                        patch.push(1.0);
                    }
                    take(block, &patch);
                }
            }
        }
    }
}
