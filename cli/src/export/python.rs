//! Networks as PyTorch modules.

use super::ExportedNetwork;
use nas_core::network::{Instr, LayerKind, LayerSpec, Op};
use nas_ops::{PoolKind, PoolSpec, Window};
use serde_json::json;

/// The layers of every network.
const LAYERS: &str = r#"
class Conv(nn.Conv2d):
    """norm(conv(relu(x))); ReLU and batch normalisation are optional."""

    def __init__(self, c_in, c_out, kernel, *, relu=False, norm=False, affine=False, **window):
        super().__init__(c_in, c_out, kernel, bias=False, **window)
        self.relu = relu
        self.norm = nn.BatchNorm2d(c_out, affine=affine) if norm else nn.Identity()

    def forward(self, x):
        return self.norm(super().forward(F.relu(x) if self.relu else x))


class Norm(nn.Module):
    def __init__(self, channels, affine=False):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x):
        return self.norm(x)


class Linear(nn.Linear):
    """A linear layer on images of one pixel."""

    def forward(self, x):
        return super().forward(x.flatten(1))[:, :, None, None]
"#;

/// The constructor of the network up to its layers.
const NETWORK: &str = r#"
class Network(nn.Module):
    def __init__(self):
        super().__init__()
"#;

/// The part of the network after its layers, up to its operations.
const FORWARD: &str = r#"
    def add(self, name, layer):
        """Adds a layer inside of the modules that its name lists."""
        *path, last = name.split(".")
        parent = self
        for part in path:
            if part not in parent._modules:
                parent.add_module(part, nn.Module())
            parent = parent._modules[part]
        parent.add_module(last, layer)

    def forward(self, x0):
        layer = self.get_submodule
"#;

/// The end of the file.
const LOAD: &str = r#"

def load(file):
    """The network with the weights of a safetensors file, for evaluation."""
    network = Network()
    network.load_state_dict(load_file(file), strict=True)
    return network.eval()
"#;

impl ExportedNetwork {
    /// The text of a Python file with a module whose `state_dict` has the names of
    /// [`safetensors`](ExportedNetwork::safetensors). `normalise` includes the normalisation of the images.
    pub fn python(&self, normalise: bool) -> String {
        let program = &self.network.program;
        let mut text = format!(
            "\"\"\"A network written by nas-train {}, for PyTorch.\n\n{}\n\n    network = load(\"FILE.safetensors\")\n\"\"\"\n\n\
             import torch\nimport torch.nn.functional as F\nfrom safetensors.torch import load_file\nfrom torch import nn\n\n",
            env!("CARGO_PKG_VERSION"),
            self.summary(normalise)
        );
        let constants = [
            ("SPACE", json!(self.space)),
            ("ARCHITECTURE", json!(self.arch)),
            ("MEAN", json!(self.mean)),
            ("STD", json!(self.std)),
            ("CLASSES", json!(self.classes)),
        ];
        // Strings, numbers and lists are written in JSON as in Python.
        constants.iter().for_each(|(name, value)| line(&mut text, &format!("{name} = {value}")));
        text += &format!("\n{LAYERS}\n{NETWORK}");
        for layer in &program.layers {
            let LayerSpec { name, kind, .. } = &self.network.spec.layers[*layer];
            line(&mut text, &format!("        self.add({}, {})", json!(name), constructor(kind)));
        }
        text += FORWARD;
        if normalise {
            line(&mut text, "        mean, std = (x0.new_tensor(values).view(1, -1, 1, 1) for values in (MEAN, STD))");
            line(&mut text, "        x0 = (x0 - mean) / std");
        }
        for (number, instr) in program.instrs.iter().enumerate() {
            line(&mut text, &format!("        x{} = {}", number + 1, self.expression(instr)));
        }
        line(&mut text, &format!("        return x{}.flatten(1)", program.instrs.len()));
        text + LOAD
    }

    /// An operation as an expression.
    fn expression(&self, Instr { op, inputs }: &Instr) -> String {
        let all = |separator: &str| inputs.iter().map(|input| format!("x{input}")).collect::<Vec<_>>().join(separator);
        let x = format!("x{}", inputs[0]);
        match op {
            Op::Layer(layer) => format!("layer({})({x})", json!(self.network.spec.layers[*layer].name)),
            Op::Pool(PoolSpec { kind, window }) => {
                let Window { kernel, .. } = window;
                let (function, more) = match kind {
                    PoolKind::Max => ("max_pool2d", ""),
                    PoolKind::Average => ("avg_pool2d", ", count_include_pad=False"),
                };
                // The default stride of a pool is its kernel.
                let stride = pair(window.stride);
                format!("F.{function}({x}, {}, stride={stride}{}{more})", pair(*kernel), options(window, false))
            }
            Op::DropPath => x,
            Op::OddPixels => format!("F.pad({x}, (0, 1, 0, 1))[:, :, 1::2, 1::2]"),
            Op::Relu => format!("F.relu({x})"),
            Op::Relu6 => format!("F.relu6({x})"),
            Op::GlobalAvgPool => format!("{x}.mean((2, 3), keepdim=True)"),
            Op::Sum => all(" + "),
            Op::Concat => format!("torch.cat(({},), 1)", all(", ")),
            Op::Zeros([h, w, c]) => format!("{x}.new_zeros({x}.shape[0], {c}, {h}, {w})"),
        }
    }
}

/// The module of a layer.
fn constructor(kind: &LayerKind) -> String {
    match *kind {
        LayerKind::Conv { relu, conv, c_in, c_out, norm } => {
            let mut text = format!("Conv({c_in}, {c_out}, {}{}", pair(conv.window.kernel), options(&conv.window, true));
            if conv.groups != 1 {
                text += &format!(", groups={}", conv.groups);
            }
            let flags = [("relu", relu), ("norm", norm.is_some()), ("affine", norm == Some(true))];
            flags.iter().filter(|(_, set)| *set).for_each(|(name, _)| text += &format!(", {name}=True"));
            text + ")"
        }
        LayerKind::Norm { channels, affine } => {
            format!("Norm({channels}{})", if affine { ", affine=True" } else { "" })
        }
        LayerKind::Linear { c_in, c_out } => format!("Linear({c_in}, {c_out})"),
    }
}

/// The properties of a window that differ from PyTorch's defaults, without its kernel. `stride` includes the stride.
fn options(window: &Window, stride: bool) -> String {
    let Window { stride: strides, padding, dilation, .. } = *window;
    let all =
        [("stride", strides, [1, 1], stride), ("padding", padding, [0, 0], true), ("dilation", dilation, [1, 1], true)];
    let set = all.iter().filter(|(_, value, default, included)| *included && value != default);
    set.map(|(name, value, ..)| format!(", {name}={}", pair(*value))).collect()
}

/// One number for a pair of equal ones.
fn pair([vertical, horizontal]: [usize; 2]) -> String {
    if vertical == horizontal { vertical.to_string() } else { format!("({vertical}, {horizontal})") }
}

fn line(text: &mut String, line: &str) {
    *text += line;
    text.push('\n');
}
