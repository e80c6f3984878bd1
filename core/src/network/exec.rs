//! Holds the weights of a network and runs programs on them.

use super::drop_path::DropPath;
use super::{
    Instr, LayerId, LayerKind, NetworkSpec, NormTable, Op, ParamId, ParamStep, PrefixTree, Program, Role, init,
    program::common_prefix_length,
};
use crate::streams::Streams;
use dfdx::prelude::{NoneTape, Tape};
use nas_ops::{Activation, Backend, Moments, NormArgs, OpError, Tensor4, UnitSpec};
use std::sync::Arc;

/// The weights of a network on a device, in one or more sets: set 0 is shared by all architectures unless a strategy
/// binds some of them to others.
#[derive(Debug, Clone)]
pub struct Network<D: Backend> {
    spec: Arc<NetworkSpec>,
    device: D,
    params: Vec<Tensor4<D>>,
}

/// Options of a pass: batch-norm statistics, weights, and what to capture.
pub struct Pass<'a, D: Backend> {
    /// Fixed batch-norm statistics; `None` takes those of the batch.
    pub norms: Option<&'a NormTable<D>>,
    /// Number of images whose inputs of a layer are captured; `None` captures none.
    pub capture: Option<&'a dyn Fn(LayerId) -> usize>,
    /// Which weight set each layer uses; `None` is set 0 everywhere.
    pub bind: Option<&'a dyn Fn(LayerId) -> usize>,
    /// Whether to return the moments of normalising layers.
    pub moments: bool,
    /// The factors of drop path; `None` drops nothing.
    pub drop_path: Option<&'a DropPath>,
}

impl<D: Backend> Pass<'_, D> {
    /// Batch statistics, nothing kept, shared weights.
    pub const PLAIN: Self = Self { norms: None, capture: None, bind: None, moments: false, drop_path: None };

    /// The weight set of an instruction.
    fn set(&self, instr: &Instr) -> usize {
        instr.op.layer().zip(self.bind).map_or(0, |(layer, bind)| bind(layer))
    }
}

/// The results of the common prefix of several programs.
///
/// [`Network::run_prefix`] computes them once; [`Network::run_suffix`] continues each program from a clone.
#[derive(Clone)]
pub struct SharedPrefix<D: Backend> {
    /// Layers of the prefix, ascending, each once.
    pub layers: Vec<LayerId>,
    values: Vec<Option<D::Activation>>,
    captured: Vec<Captured<D>>,
    moments: Vec<(LayerId, Moments<D>, usize)>,
}

/// The input of a convolution or linear layer, as it was in one pass.
#[derive(Debug, Clone)]
pub struct Captured<D: Backend> {
    /// The layer.
    pub layer: LayerId,
    /// Its input `[n, h, w, c_in]`, before the layer's own ReLU.
    pub input: Tensor4<D>,
}

/// Result of a forward pass.
pub struct Forward<D: Backend> {
    /// Class scores, `[n, 1, 1, classes]`.
    pub scores: Tensor4<D>,
    /// Class scores of the auxiliary head, `[n, 1, 1, classes]`, if the program has one.
    pub auxiliary: Option<Tensor4<D>>,
    /// The inputs asked for, in order of execution.
    pub captured: Vec<Captured<D>>,
    /// Moments of each normalising layer if the pass asks for them, with the number of values per channel that each is
    /// taken over.
    pub moments: Vec<(LayerId, Moments<D>, usize)>,
}

impl<D: Backend> Network<D> {
    /// A network with `sets` weight sets, all with the same initial weights: uniform in `±1 / sqrt(fan_in)` for weights
    /// and biases, scales 1, shifts 0 (the defaults of PyTorch).
    ///
    /// # Errors
    /// A failing device.
    pub fn new(spec: Arc<NetworkSpec>, device: &D, sets: usize, streams: &Streams) -> Result<Self, OpError> {
        let mut params = Vec::with_capacity(spec.params.len() * sets);
        for _ in 0..sets {
            for (id, param) in spec.params.iter().enumerate() {
                // One stream per parameter: a layer's first weights do not depend on which other layers there are.
                let mut rng = streams.rng(&format!("weights/{}", param.name), 0);
                let weight = &spec.params[spec.layers[param.layer].params.start];
                let fan_in = weight.shape[..3].iter().product();
                let values = init::initial(&spec.params[id], fan_in, &mut rng);
                params.push(tensor(device, values, param.shape)?);
            }
        }
        Ok(Self { spec, device: device.clone(), params })
    }

    /// The layers and parameters.
    pub fn spec(&self) -> &Arc<NetworkSpec> {
        &self.spec
    }

    /// The device that holds the weights.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Number of weight sets.
    pub fn sets(&self) -> usize {
        self.params.len() / self.spec.params.len().max(1)
    }

    /// The tensors of all parameters, weight set by weight set.
    pub fn params(&self) -> &[Tensor4<D>] {
        &self.params
    }

    /// The position of a parameter of one weight set in [`params`](Self::params).
    pub fn slot(&self, set: usize, param: ParamId) -> usize {
        set * self.spec.params.len() + param
    }

    /// Replaces one parameter tensor.
    pub fn set_param(&mut self, slot: usize, value: Tensor4<D>) {
        self.params[slot] = value;
    }

    /// Adds the updates of `params` to the weights of this network. `params` must hold the current weights, and hold
    /// the new ones afterwards.
    ///
    /// # Errors
    /// Updates of other shapes than their weights, with which no weight changes, or a failing device.
    pub fn apply(&mut self, params: &mut [ParamStep<D>]) -> Result<(), OpError> {
        for param in &*params {
            if let Some(update) = &param.update {
                // Until the end, the update takes the place of the weight: `params` then owns the weight alone, and it
                // changes in place.
                self.set_param(self.slot(param.set, param.param), update.clone());
            }
        }
        let pairs = params.iter_mut().filter_map(|param| Some((&mut param.weight, param.update.as_ref()?)));
        let added = D::add_to(&mut pairs.collect::<Vec<_>>());
        for param in params.iter().filter(|param| param.update.is_some()) {
            self.set_param(self.slot(param.set, param.param), param.weight.clone());
        }
        added
    }

    /// Runs a program on images `[n, h, w, c]`.
    ///
    /// # Errors
    /// Images of another size than the program was built for, or a failing device.
    pub fn forward<T: Tape<f32, D>>(
        &self,
        images: Tensor4<D>,
        program: &Program,
        pass: &Pass<'_, D>,
        tape: &mut T,
    ) -> Result<Forward<D>, OpError> {
        let values = vec![Some(D::Activation::constant(&images)?)];
        drop(images);
        let prefix = SharedPrefix { layers: Vec::new(), values, captured: Vec::new(), moments: Vec::new() };
        self.run_suffix(prefix, program, pass, tape)
    }

    /// Runs the common prefix of several programs, once for all of them. `bind(program, layer)` is the
    /// weight set that a program uses at a layer.
    ///
    /// Devices on which several tapes cannot add to the gradient of one value run nothing here: the prefix consists of
    /// the images.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn run_prefix<T: Tape<f32, D>>(
        &self,
        images: &Tensor4<D>,
        programs: &[&Program],
        bind: &dyn Fn(usize, LayerId) -> usize,
        pass: &Pass<'_, D>,
        tape: &mut T,
    ) -> Result<SharedPrefix<D>, OpError> {
        let mut run = Run { network: self, pass, captured: Vec::new(), moments: Vec::new() };
        let mut values = vec![Some(D::Activation::constant(images)?)];
        let mut layers = Vec::new();
        let length = if D::Activation::ACCUMULATES_GRADIENTS { common_prefix_length(programs, bind) } else { 0 };
        for instr in programs.iter().take(1).flat_map(|program| &program.instrs[..length]) {
            let y = run.step(instr, pass.set(instr), &values, tape)?;
            values.push(Some(y));
            layers.extend(instr.op.layer());
        }
        layers.sort_unstable();
        layers.dedup();
        Ok(SharedPrefix { values, layers, captured: run.captured, moments: run.moments })
    }

    /// Runs the remaining instructions of a program.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn run_suffix<T: Tape<f32, D>>(
        &self,
        prefix: SharedPrefix<D>,
        program: &Program,
        pass: &Pass<'_, D>,
        tape: &mut T,
    ) -> Result<Forward<D>, OpError> {
        let SharedPrefix { mut values, captured, moments, .. } = prefix;
        let mut run = Run { network: self, pass, captured, moments };
        for (i, instr) in program.instrs.iter().enumerate().skip(values.len() - 1) {
            let y = run.step(instr, pass.set(instr), &values, tape)?;
            // Free what no later instruction reads.
            for input in &instr.inputs {
                if program.last_use[*input] == i {
                    values[*input] = None;
                }
            }
            values.push(Some(y));
        }
        // No instruction reads the scores of the auxiliary head, so they have not been freed.
        let auxiliary = program.auxiliary.and_then(|head| values[head.scores].take());
        let scores = values.pop().flatten().ok_or_else(|| missing(program.instrs.len()))?;
        let scores = scores.to_tensor(tape)?;
        let auxiliary = auxiliary.map(|scores| scores.to_tensor(tape)).transpose()?;
        Ok(Forward { scores, auxiliary, captured: run.captured, moments: run.moments })
    }

    /// Runs a program without a gradient tape. `pass` still selects captured inputs and moments.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn infer(&self, images: Tensor4<D>, program: &Program, pass: &Pass<'_, D>) -> Result<Forward<D>, OpError> {
        self.forward(images, program, pass, &mut NoneTape)
    }

    /// Runs all programs of a tree without a gradient tape. An instruction that several programs share runs once. Calls
    /// `each` with the number and the class scores of each program, in the order of the tree, until it returns false.
    ///
    /// The scores have the same bits as those of [`infer`](Self::infer). `norms` are fixed statistics as in [`Pass`].
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and what `each` returns.
    pub fn infer_tree<E: From<OpError>>(
        &self,
        images: Tensor4<D>,
        tree: &PrefixTree,
        norms: Option<&NormTable<D>>,
        mut each: impl FnMut(usize, &Tensor4<D>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let pass = Pass { norms, ..Pass::PLAIN };
        let mut run = Run { network: self, pass: &pass, captured: Vec::new(), moments: Vec::new() };
        let mut values = vec![Some(D::Activation::constant(&images)?)];
        drop(images);
        for step in tree.steps() {
            let y = run.step(&step.instr, step.set, &values, &mut NoneTape)?;
            if !step.ends.is_empty() {
                let scores = y.to_tensor(&mut NoneTape)?;
                for program in &step.ends {
                    if !each(*program, &scores)? {
                        return Ok(());
                    }
                }
            }
            values.push(Some(y));
            step.free.iter().for_each(|value| values[*value] = None);
        }
        Ok(())
    }
}

pub(crate) fn tensor<D: Backend>(device: &D, values: Vec<f32>, shape: [usize; 4]) -> Result<Tensor4<D>, OpError> {
    let [a, b, c, d] = shape;
    device.try_tensor_from_vec(values, (a, b, c, d)).map_err(OpError::device("tensor"))
}

fn missing(value: usize) -> OpError {
    OpError::Shape { op: "program", expected: format!("value {value} to be computed"), found: "none".into() }
}

struct Run<'a, D: Backend> {
    network: &'a Network<D>,
    pass: &'a Pass<'a, D>,
    captured: Vec<Captured<D>>,
    moments: Vec<(LayerId, Moments<D>, usize)>,
}

impl<D: Backend> Run<'_, D> {
    fn step<T: Tape<f32, D>>(
        &mut self,
        instr: &Instr,
        set: usize,
        values: &[Option<D::Activation>],
        tape: &mut T,
    ) -> Result<D::Activation, OpError> {
        let value = |index: usize| values[index].as_ref().ok_or_else(|| missing(index));
        let all = || instr.inputs.iter().map(|i| value(*i)).collect::<Result<Vec<_>, _>>();
        let x = value(instr.inputs[0])?;
        match &instr.op {
            Op::Layer(layer) => self.layer(*layer, set, x, tape),
            Op::Pool(spec) => x.pool2d(*spec, tape),
            Op::DropPath => match self.pass.drop_path {
                Some(drop_path) => x.scale_images(&drop_path.factors(x.dims().0), tape),
                None => Ok(x.clone()),
            },
            Op::OddPixels => x.odd_pixels(tape),
            Op::Relu => x.relu(tape),
            Op::Relu6 => x.relu6(tape),
            Op::GlobalAvgPool => x.global_avg_pool(tape),
            Op::Sum => D::Activation::sum(&all()?, tape),
            Op::Concat => D::Activation::concat(&all()?, tape),
            Op::Zeros([h, w, c]) => {
                let zeros = self.network.device.try_zeros_like(&(x.dims().0, *h, *w, *c));
                D::Activation::constant(&zeros.map_err(OpError::device("zeros"))?)
            }
        }
    }

    fn layer<T: Tape<f32, D>>(
        &mut self,
        id: LayerId,
        set: usize,
        x: &D::Activation,
        tape: &mut T,
    ) -> Result<D::Activation, OpError> {
        let spec = &self.network.spec;
        let layer = &spec.layers[id];
        let param = |role: Role| {
            let index = spec.params_of(id).iter().position(|p| p.role == role)?;
            self.network.params.get(self.network.slot(set, layer.params.start + index))
        };
        let weight = || param(Role::Weight).ok_or_else(|| unbound(&layer.name, set));
        let fixed = self.pass.norms.and_then(|table| table[id].as_ref());
        let affine = param(Role::Scale).zip(param(Role::Shift));
        let norm = NormArgs { fixed, affine, return_moments: self.pass.moments };
        let images = self.pass.capture.map_or(0, |wanted| wanted(id));
        if images > 0 {
            self.captured.push(Captured { layer: id, input: x.first_images(images)? });
        }
        let (y, moments) = match layer.kind {
            LayerKind::Conv { relu, conv, norm: Some(_), .. } => {
                x.unit(weight()?, UnitSpec { relu, conv }, norm, tape)?
            }
            LayerKind::Conv { relu: true, conv, norm: None, .. } => (x.relu_conv2d(weight()?, conv, tape)?, None),
            LayerKind::Conv { relu: false, conv, norm: None, .. } => (x.conv2d(weight()?, conv, tape)?, None),
            LayerKind::Norm { .. } => x.batch_norm(norm, tape)?,
            LayerKind::Linear { .. } => (x.linear(weight()?, param(Role::Bias), tape)?, None),
        };
        if let Some(moments) = moments {
            let (n, h, w, _) = y.dims();
            self.moments.push((id, moments, n * h * w));
        }
        Ok(y)
    }
}

fn unbound(layer: &str, set: usize) -> OpError {
    OpError::Shape {
        op: "network",
        expected: format!("weights of layer {layer}"),
        found: format!("no weight set {set}"),
    }
}
