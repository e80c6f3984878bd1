//! The operations of an edge.

use crate::network::{ConvUnit, NetworkBuilder, NetworkError, NetworkKind, Value};
use nas_ops::{PoolKind, PoolSpec, Window};

/// An operation of an edge. Convolutions have a ReLU before them and batch normalisation after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CellOp {
    /// Zeros.
    None,
    /// Maximum under a 3x3 window.
    MaxPool3x3,
    /// Mean under a 3x3 window, where padding does not count.
    AvgPool3x3,
    /// Identity; a factorised reduction at stride 2.
    SkipConnect,
    /// Separable 3x3 convolution, applied twice.
    SepConv3x3,
    /// Separable 5x5 convolution, applied twice.
    SepConv5x5,
    /// Separable 7x7 convolution, applied twice. Only in published cells.
    SepConv7x7,
    /// Separable 3x3 convolution with dilation 2.
    DilConv3x3,
    /// Separable 5x5 convolution with dilation 2.
    DilConv5x5,
    /// 1x7 convolution, then 7x1 convolution. Only in published cells.
    Conv7x1x1x7,
}

impl CellOp {
    /// All operations.
    pub const ALL: [Self; 10] = [
        Self::None,
        Self::MaxPool3x3,
        Self::AvgPool3x3,
        Self::SkipConnect,
        Self::SepConv3x3,
        Self::SepConv5x5,
        Self::SepConv7x7,
        Self::DilConv3x3,
        Self::DilConv5x5,
        Self::Conv7x1x1x7,
    ];

    /// Name in the text of a genotype.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::MaxPool3x3 => "max_pool_3x3",
            Self::AvgPool3x3 => "avg_pool_3x3",
            Self::SkipConnect => "skip_connect",
            Self::SepConv3x3 => "sep_conv_3x3",
            Self::SepConv5x5 => "sep_conv_5x5",
            Self::SepConv7x7 => "sep_conv_7x7",
            Self::DilConv3x3 => "dil_conv_3x3",
            Self::DilConv5x5 => "dil_conv_5x5",
            Self::Conv7x1x1x7 => "conv_7x1_1x7",
        }
    }

    /// The operation of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.name() == name)
    }

    /// Builds the operation from `x` at stride 1 or 2; the number of channels stays the same. In a supernet, batch
    /// normalisation follows a pool (as in DARTS, where it balances the pools against the convolutions).
    pub(super) fn build(
        self,
        net: &mut NetworkBuilder<'_>,
        name: &str,
        x: Value,
        stride: usize,
    ) -> Result<Value, NetworkError> {
        let name = format!("{name}.{}", self.name());
        match self {
            Self::None => {
                let [h, w, c] = x.size;
                Ok(net.zeros([h.div_ceil(stride), w.div_ceil(stride), c]))
            }
            Self::MaxPool3x3 => pool(net, &name, x, PoolKind::Max, stride),
            Self::AvgPool3x3 => pool(net, &name, x, PoolKind::Average, stride),
            Self::SkipConnect if stride == 1 => Ok(x),
            Self::SkipConnect => factorised_reduction(net, &name, x, x.channels()),
            Self::SepConv3x3 => twice_separable(net, &name, x, 3, stride),
            Self::SepConv5x5 => twice_separable(net, &name, x, 5, stride),
            Self::SepConv7x7 => twice_separable(net, &name, x, 7, stride),
            Self::DilConv3x3 => separable(net, &name, x, Window::same(3, stride, 2)),
            Self::DilConv5x5 => separable(net, &name, x, Window::same(5, stride, 2)),
            Self::Conv7x1x1x7 => {
                let row = Window { kernel: [1, 7], stride: [1, stride], padding: [0, 3], dilation: [1; 2] };
                let column = Window { kernel: [7, 1], stride: [stride, 1], padding: [3, 0], dilation: [1; 2] };
                let unit = ConvUnit { window: row, relu: true, ..ConvUnit::plain(1, 1, x.channels()) };
                let y = net.conv(&format!("{name}.row"), x, unit)?;
                let unit = ConvUnit { window: column, ..ConvUnit::conv_bn(1, 1, x.channels()) };
                net.conv(&format!("{name}.column"), y, unit)
            }
        }
    }
}

fn pool(
    net: &mut NetworkBuilder<'_>,
    name: &str,
    x: Value,
    kind: PoolKind,
    stride: usize,
) -> Result<Value, NetworkError> {
    let y = net.pool(x, PoolSpec { kind, window: Window::same(3, stride, 1) })?;
    match net.kind() {
        NetworkKind::Supernet => net.norm(&format!("{name}.bn"), y),
        NetworkKind::StandAlone => Ok(y),
    }
}

/// ReLU, depthwise convolution, 1x1 convolution, batch normalisation.
fn separable(net: &mut NetworkBuilder<'_>, name: &str, x: Value, window: Window) -> Result<Value, NetworkError> {
    let channels = x.channels();
    let depthwise = ConvUnit { window, groups: None, relu: true, ..ConvUnit::plain(1, 1, channels) };
    let y = net.conv(&format!("{name}.depthwise"), x, depthwise)?;
    net.conv(&format!("{name}.pointwise"), y, ConvUnit::conv_bn(1, 1, channels))
}

/// Two separable convolutions; the first one has the stride.
fn twice_separable(
    net: &mut NetworkBuilder<'_>,
    name: &str,
    x: Value,
    k: usize,
    stride: usize,
) -> Result<Value, NetworkError> {
    let y = separable(net, &format!("{name}.first"), x, Window::same(k, stride, 1))?;
    separable(net, &format!("{name}.second"), y, Window::same(k, 1, 1))
}

/// Halves height and width, rounded up, and changes the number of channels: ReLU, two 1x1 convolutions of stride 2 side
/// by side, the second on the image shifted by one pixel, then batch normalisation. The first convolution has
/// `c_out / 2` outputs, rounded down.
pub(super) fn factorised_reduction(
    net: &mut NetworkBuilder<'_>,
    name: &str,
    x: Value,
    c_out: usize,
) -> Result<Value, NetworkError> {
    let x = net.relu(x);
    let odd = net.odd_pixels(x);
    let mut parts = Vec::new();
    if c_out > 1 {
        parts.push(net.conv(&format!("{name}.even"), x, ConvUnit::plain(1, 2, c_out / 2))?);
    }
    parts.push(net.conv(&format!("{name}.odd"), odd, ConvUnit::plain(1, 1, c_out - c_out / 2))?);
    let y = net.concat(&parts)?;
    net.norm(&format!("{name}.bn"), y)
}
