//! The builder with which a search space describes its networks.

use super::{AuxiliaryHead, BuildNetwork, ChoiceSet, Instr, LayerId, LayerKind, NetworkKind, NetworkSpec, Op, Program};
use nas_ops::{ConvSpec, OpError, PoolSpec, Window};

/// Errors of building a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Sizes that do not fit, for example an image smaller than a window.
    #[error("layer {layer}: {source}")]
    Size {
        /// Name of the layer.
        layer: String,
        /// The sizes that do not fit.
        source: OpError,
    },
    /// A layer that the network does not have, or has with other sizes.
    #[error("layer {0} is not in this network: it was built from another space or at another scale")]
    UnknownLayer(String),
    /// Terms of a sum or parts of a concatenation that differ in size, or an empty list of them.
    #[error(
        "expected at least one value, all of equal size (sum) or of equal height and width (concatenation), found sizes [h, w, c] {0:?}"
    )]
    Join(Vec<[usize; 3]>),
    /// Channels that are zero or do not divide into groups, or a linear layer on an input with height and width.
    #[error("layer {layer}: {problem}")]
    Layer {
        /// Name of the layer.
        layer: String,
        /// The problem, with the found sizes.
        problem: String,
    },
}

/// A value within a network: an activation of shape `[h, w, c]` for each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    /// Index of the value in the program; `None` for zeros, which are not computed.
    source: Option<usize>,
    /// Height, width and channels.
    pub size: [usize; 3],
}

impl Value {
    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.size[2]
    }
}

/// A convolution with optional ReLU and batch normalisation. The number of input channels follows from the input, and
/// the parameters of batch normalisation from the kind of network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvUnit {
    /// Whether a ReLU is applied to the input.
    pub relu: bool,
    /// Kernel, stride, padding, dilation.
    pub window: Window,
    /// Number of groups; `None` for a depthwise convolution, with as many groups as input channels.
    pub groups: Option<usize>,
    /// Number of output channels.
    pub c_out: usize,
    /// Whether batch normalisation follows.
    pub norm: bool,
}

impl ConvUnit {
    /// ReLU, dense `k x k` convolution with padding `k / 2`, batch normalisation.
    pub fn relu_conv_bn(k: usize, stride: usize, c_out: usize) -> Self {
        Self { relu: true, ..Self::conv_bn(k, stride, c_out) }
    }

    /// Dense `k x k` convolution with padding `k / 2`, batch normalisation.
    pub fn conv_bn(k: usize, stride: usize, c_out: usize) -> Self {
        Self { norm: true, ..Self::plain(k, stride, c_out) }
    }

    /// Dense `k x k` convolution with padding `k / 2`.
    pub fn plain(k: usize, stride: usize, c_out: usize) -> Self {
        Self { relu: false, window: Window::same(k, stride, 1), groups: Some(1), c_out, norm: false }
    }
}

enum Layers<'a> {
    Growing(&'a mut NetworkSpec),
    Fixed(&'a NetworkSpec),
}

impl Layers<'_> {
    fn spec(&self) -> &NetworkSpec {
        match self {
            Self::Growing(spec) => spec,
            Self::Fixed(spec) => spec,
        }
    }
}

/// Cost of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerCost {
    /// Name of the layer.
    pub layer: String,
    /// Number of parameters.
    pub params: u64,
    /// Multiply-adds for one image; 0 for batch normalisation.
    pub macs: u64,
    /// Whether the layer belongs to the auxiliary head.
    pub auxiliary: bool,
}

/// Builder of one network. A search space calls its methods in [`BuildNetwork::build_network`].
pub struct NetworkBuilder<'a> {
    layers: Layers<'a>,
    instrs: Vec<Instr>,
    costs: Vec<(LayerId, u64)>,
    auxiliary: Option<(AuxiliaryHead, std::ops::Range<usize>)>,
}

impl<'a> NetworkBuilder<'a> {
    pub(super) fn growing(spec: &'a mut NetworkSpec) -> Self {
        Self { layers: Layers::Growing(spec), instrs: Vec::new(), costs: Vec::new(), auxiliary: None }
    }

    pub(super) fn fixed(spec: &'a NetworkSpec) -> Self {
        Self { layers: Layers::Fixed(spec), instrs: Vec::new(), costs: Vec::new(), auxiliary: None }
    }

    pub(super) fn finish(mut self, space: &dyn BuildNetwork, choices: ChoiceSet<'_>) -> Result<Program, NetworkError> {
        let output = space.build_network(&mut self, choices)?;
        let output = self.materialise(output);
        let head = self.auxiliary.take().map(|(head, _)| head);
        let (params, macs) = self.total(0..self.costs.len());
        let own = head.map_or((params, macs), |head| (params - head.params, macs - head.macs));
        Ok(Program::prune(self.instrs, output, own, head))
    }

    pub(super) fn layer_costs(mut self, network: &dyn BuildNetwork) -> Result<Vec<LayerCost>, NetworkError> {
        network.build_network(&mut self, ChoiceSet::All)?;
        let head = self.auxiliary.as_ref().map_or(0..0, |(_, costs)| costs.clone());
        let cost = |(number, (layer, macs)): (usize, &(LayerId, u64))| LayerCost {
            layer: self.layers.spec().layers[*layer].name.clone(),
            params: self.params_of(*layer),
            macs: *macs,
            auxiliary: head.contains(&number),
        };
        Ok(self.costs.iter().enumerate().map(cost).collect())
    }

    /// Whether the network is a supernet or stands alone.
    pub fn kind(&self) -> NetworkKind {
        self.layers.spec().kind
    }

    /// Adds the auxiliary head: `build` adds its layers and returns its class scores. Call it at most once per network.
    ///
    /// # Errors
    /// The errors of `build`.
    pub fn auxiliary(
        &mut self,
        build: impl FnOnce(&mut Self) -> Result<Value, NetworkError>,
    ) -> Result<(), NetworkError> {
        let first = self.costs.len();
        let scores = build(self)?;
        let scores = self.materialise(scores);
        let costs = first..self.costs.len();
        let (params, macs) = self.total(costs.clone());
        self.auxiliary = Some((AuxiliaryHead { scores, params, macs }, costs));
        Ok(())
    }

    /// The input images of shape `[h, w, c]`.
    pub fn input(&self, size: [usize; 3]) -> Value {
        Value { source: Some(0), size }
    }

    /// A value of zeros. It is not computed: sums skip it, and operations that map zeros to zeros return zeros.
    pub fn zeros(&self, size: [usize; 3]) -> Value {
        Value { source: None, size }
    }

    /// Adds a convolution with its ReLU and batch normalisation.
    ///
    /// # Errors
    /// Sizes or groups that do not fit.
    pub fn conv(&mut self, name: &str, x: Value, unit: ConvUnit) -> Result<Value, NetworkError> {
        let [h, w, c_in] = x.size;
        let groups = unit.groups.unwrap_or(c_in);
        let fail = |problem: &str| Err(NetworkError::Layer { layer: name.into(), problem: problem.into() });
        if c_in == 0 || unit.c_out == 0 {
            return fail("expected at least one channel on each side; give a larger width");
        }
        if groups == 0 || !c_in.is_multiple_of(groups) || !unit.c_out.is_multiple_of(groups) {
            return fail(&format!("{c_in} to {} channels do not divide into {groups} groups", unit.c_out));
        }
        let size = unit.window.output([h, w]).map_err(|source| NetworkError::Size { layer: name.into(), source })?;
        let conv = ConvSpec { window: unit.window, groups };
        let norm = unit.norm.then(|| self.affine());
        let kind = LayerKind::Conv { relu: unit.relu, conv, c_in, c_out: unit.c_out, norm };
        let taps = unit.window.kernel[0] * unit.window.kernel[1] * c_in / groups;
        let macs = (size[0] * size[1] * unit.c_out * taps) as u64;
        self.layer(name, kind, x, [size[0], size[1], unit.c_out], macs)
    }

    /// Adds batch normalisation.
    ///
    /// # Errors
    /// A network of another space.
    pub fn norm(&mut self, name: &str, x: Value) -> Result<Value, NetworkError> {
        let kind = LayerKind::Norm { channels: x.channels(), affine: self.affine() };
        self.layer(name, kind, x, x.size, 0)
    }

    /// Adds a linear layer with bias from `[1, 1, c]` to `classes` scores.
    ///
    /// # Errors
    /// A network of another space, or an input with height or width above 1.
    pub fn linear(&mut self, name: &str, x: Value, classes: usize) -> Result<Value, NetworkError> {
        if x.size[..2] != [1, 1] {
            return Err(NetworkError::Layer {
                layer: name.into(),
                problem: format!("expected size 1 x 1, found {:?}", x.size),
            });
        }
        let kind = LayerKind::Linear { c_in: x.channels(), c_out: classes };
        let macs = (x.channels() * classes) as u64;
        let x = Value { source: Some(self.materialise(x)), ..x };
        self.layer(name, kind, x, [1, 1, classes], macs)
    }

    /// Adds average or maximum pooling.
    ///
    /// # Errors
    /// An image smaller than the window.
    pub fn pool(&mut self, x: Value, pool: PoolSpec) -> Result<Value, NetworkError> {
        let [h, w, c] = x.size;
        let size = pool.window.output([h, w]).map_err(|source| NetworkError::Size { layer: "pool".into(), source })?;
        Ok(self.homogeneous(Op::Pool(pool), x, [size[0], size[1], c]))
    }

    /// Adds the selection of the pixels in odd rows and columns, with zeros outside of an image of odd size. A 1x1
    /// convolution of the result is one of stride 2 on the image shifted by one pixel.
    pub fn odd_pixels(&mut self, x: Value) -> Value {
        let [h, w, c] = x.size;
        self.homogeneous(Op::OddPixels, x, [h.div_ceil(2), w.div_ceil(2), c])
    }

    /// Adds a ReLU, `max(x, 0)`.
    pub fn relu(&mut self, x: Value) -> Value {
        self.homogeneous(Op::Relu, x, x.size)
    }

    /// Adds drop path: in training, each image of `x` is replaced by zeros with the probability of
    /// [`DropPath`](super::DropPath). In a supernet, returns `x` unchanged.
    pub fn drop_path(&mut self, x: Value) -> Value {
        match self.kind() {
            NetworkKind::StandAlone => self.homogeneous(Op::DropPath, x, x.size),
            NetworkKind::Supernet => x,
        }
    }

    /// Adds a ReLU6, `min(max(x, 0), 6)`.
    pub fn relu6(&mut self, x: Value) -> Value {
        self.homogeneous(Op::Relu6, x, x.size)
    }

    /// Adds global average pooling: the mean over height and width.
    pub fn global_avg_pool(&mut self, x: Value) -> Value {
        self.homogeneous(Op::GlobalAvgPool, x, [1, 1, x.channels()])
    }

    /// Adds the sum of values of equal size. The sum of one value is the value itself.
    ///
    /// # Errors
    /// No terms, or unequal sizes.
    pub fn sum(&mut self, terms: &[Value]) -> Result<Value, NetworkError> {
        let size = match terms.first() {
            Some(first) if terms.iter().all(|t| t.size == first.size) => first.size,
            _ => return Err(NetworkError::Join(terms.iter().map(|t| t.size).collect())),
        };
        let inputs: Vec<usize> = terms.iter().filter_map(|t| t.source).collect();
        match inputs.len() {
            0 => Ok(self.zeros(size)),
            1 => Ok(Value { source: Some(inputs[0]), size }),
            _ => Ok(self.push(Op::Sum, inputs, size)),
        }
    }

    /// Adds the concatenation of values on their channels.
    ///
    /// # Errors
    /// No parts, or unequal sizes.
    pub fn concat(&mut self, parts: &[Value]) -> Result<Value, NetworkError> {
        let [h, w, _] = match parts.first() {
            Some(first) if parts.iter().all(|p| p.size[..2] == first.size[..2]) => first.size,
            _ => return Err(NetworkError::Join(parts.iter().map(|t| t.size).collect())),
        };
        let inputs = parts.iter().map(|part| self.materialise(*part)).collect();
        Ok(self.push(Op::Concat, inputs, [h, w, parts.iter().map(Value::channels).sum()]))
    }

    fn affine(&self) -> bool {
        self.kind() == NetworkKind::StandAlone
    }

    fn params_of(&self, layer: LayerId) -> u64 {
        self.layers.spec().params_of(layer).iter().map(|p| p.len() as u64).sum()
    }

    /// Parameters and multiply-adds of some layers.
    fn total(&self, costs: std::ops::Range<usize>) -> (u64, u64) {
        let costs = &self.costs[costs];
        (costs.iter().map(|(layer, _)| self.params_of(*layer)).sum(), costs.iter().map(|(_, macs)| macs).sum())
    }

    /// Adds a layer with `macs` multiply-adds for one image.
    fn layer(
        &mut self,
        name: &str,
        kind: LayerKind,
        x: Value,
        size: [usize; 3],
        macs: u64,
    ) -> Result<Value, NetworkError> {
        let known = self.layers.spec().layer(name);
        let id: LayerId = match (&mut self.layers, known) {
            (layers, Some(id)) if layers.spec().layers[id].kind == kind => id,
            (Layers::Growing(spec), None) => spec.add(name, kind),
            _ => return Err(NetworkError::UnknownLayer(name.into())),
        };
        self.costs.push((id, macs));
        // A layer with shift or bias maps zeros to non-zeros, so its input must be computed.
        let zero_stays_zero = !matches!(
            kind,
            LayerKind::Conv { norm: Some(true), .. } | LayerKind::Norm { affine: true, .. } | LayerKind::Linear { .. }
        );
        if zero_stays_zero {
            return Ok(self.homogeneous(Op::Layer(id), x, size));
        }
        let input = self.materialise(x);
        Ok(self.push(Op::Layer(id), vec![input], size))
    }

    /// Adds an operation that maps zeros to zeros; zeros as input give zeros without a computation.
    fn homogeneous(&mut self, op: Op, x: Value, size: [usize; 3]) -> Value {
        match x.source {
            Some(input) => self.push(op, vec![input], size),
            None => self.zeros(size),
        }
    }

    fn materialise(&mut self, x: Value) -> usize {
        match x.source {
            Some(source) => source,
            None => {
                self.instrs.push(Instr { op: Op::Zeros(x.size), inputs: vec![0] });
                self.instrs.len()
            }
        }
    }

    fn push(&mut self, op: Op, inputs: Vec<usize>, size: [usize; 3]) -> Value {
        self.instrs.push(Instr { op, inputs });
        Value { source: Some(self.instrs.len()), size }
    }
}
