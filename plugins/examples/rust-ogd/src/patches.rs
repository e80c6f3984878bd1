//! Input patches of a layer: the vectors that its weights multiply.

use nas_plugin_abi::{Input, Layer, LayerKind};

/// Calls `take(block, patch)` for the patches of the first `samples` images, at every `stride`-th output location. The
/// patches of a linear layer end with the constant 1 of its bias.
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
                        // An index in the padding before the image wraps to a huge number. Elements outside the image
                        // are 0.
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
