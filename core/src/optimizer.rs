//! Stochastic gradient descent over the parameters of a step, and the learning-rate schedule.

use crate::network::ParamStep;
use nas_ops::{Backend, OpError, SgdParam, SgdSpec, Tensor4};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Learning-rate schedule over a run of `n` steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LrSchedule {
    /// `lr` in every step.
    Constant,
    /// From `lr` to `lr_min` on a line: `lr + (lr_min - lr) t / n`.
    Linear,
    /// From `lr` to `lr_min` on half a cosine: `lr_min + (lr - lr_min) (1 + cos(pi t / n)) / 2`.
    Cosine,
}

impl LrSchedule {
    /// The learning rate of step number `step`, from 0, of `total` steps.
    pub fn lr(self, lr: f64, lr_min: f64, step: u64, total: u64) -> f64 {
        match self {
            Self::Constant => lr,
            Self::Linear => lr + (lr_min - lr) * step as f64 / total.max(1) as f64,
            Self::Cosine => {
                let t = step as f64 / total.max(1) as f64;
                lr_min + 0.5 * (lr - lr_min) * (1.0 + (std::f64::consts::PI * t).cos())
            }
        }
    }
}

/// SGD with momentum, weight decay and clipping (see [`SgdSpec`]) over the parameters that a step runs through.
///
/// A parameter outside a step's paths keeps its velocity unchanged and costs nothing. Its velocity is therefore the
/// decayed sum of the gradients of its own steps, even if many steps of other paths lie between them.
#[derive(Debug)]
pub struct Sgd<D: Backend> {
    /// Factor of the velocity of the previous step, in `[0, 1)`.
    pub momentum: f64,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
    /// Factor of the L2 penalty on all parameters, including biases, scales and shifts.
    pub weight_decay: f64,
    /// Largest 2-norm of all gradients of a step together; larger gradients are scaled down to it.
    pub clip: f64,
    /// By parameter; `None` before its first step.
    velocities: Vec<Option<Tensor4<D>>>,
}

impl<D: Backend> Sgd<D> {
    /// An optimizer for `slots` parameters without velocities.
    pub fn new(momentum: f64, nesterov: bool, weight_decay: f64, clip: f64, slots: usize) -> Self {
        Self { momentum, nesterov, weight_decay, clip, velocities: vec![None; slots] }
    }

    /// Computes the updates of `params` from their gradients. `slot` gives the position of a parameter among all
    /// parameters. Returns the 2-norm of the gradients before clipping; where it is not finite, no update is set and no
    /// velocity changes.
    ///
    /// # Errors
    /// Gradients of other shapes than their weights, or a failing device.
    pub fn compute_updates(
        &mut self,
        params: &mut [ParamStep<D>],
        lr: f64,
        slot: impl Fn(&ParamStep<D>) -> usize,
    ) -> Result<f64, OpError> {
        let slots = params.iter().map(slot).collect::<Vec<_>>();
        let given = params.iter_mut().zip(&slots).map(|(param, slot)| {
            let ParamStep { weight, gradient, update, .. } = param;
            SgdParam { weight, gradient, velocity: self.velocities[*slot].take(), update }
        });
        let mut given = given.collect::<Vec<_>>();
        let Self { momentum, nesterov, weight_decay, clip, .. } = *self;
        let norm = D::sgd(&mut given, SgdSpec { lr, momentum, nesterov, weight_decay, clip });
        given.into_iter().zip(slots).for_each(|(param, slot)| self.velocities[slot] = param.velocity);
        norm
    }

    /// The velocity of each parameter; `None` before its first step.
    pub fn velocities(&self) -> &[Option<Tensor4<D>>] {
        &self.velocities
    }

    /// Replaces the velocities, one entry for each parameter.
    pub fn set_velocities(&mut self, velocities: Vec<Option<Tensor4<D>>>) {
        self.velocities = velocities;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Role, tensor};
    use dfdx::prelude::{Cpu, TryAdd};

    fn param(slot: usize, weight: &[f32], gradient: &[f32]) -> ParamStep<Cpu> {
        let make = |v: &[f32]| tensor(&Cpu::default(), v.to_vec(), [1, 1, 1, v.len()]).unwrap();
        let (weight, gradient) = (make(weight), make(gradient));
        ParamStep { param: slot, set: 0, layer: 0, role: Role::Weight, weight, gradient, update: None }
    }

    /// ```python
    /// for nesterov in (False, True):
    ///     w = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5])); v = torch.nn.Parameter(torch.tensor([3.0]))
    ///     opt = torch.optim.SGD([w, v], lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=nesterov)
    ///     for gw, gv in (([3.0, 4.0, 0.0], [12.0]), ([0.1, -0.2, 0.3], [0.4])):
    ///         w.grad, v.grad = torch.tensor(gw), torch.tensor(gv)
    ///         torch.nn.utils.clip_grad_norm_([w, v], 5.0)
    ///         opt.step()
    ///         print(w.tolist(), v.tolist())
    /// ```
    #[test]
    fn two_steps_equal_those_of_pytorch() {
        let expected = [
            (
                false,
                [[0.883_615_4, -2.151_846_2, 0.499_5], [0.767_985_64, -2.266_355_8, 0.468_550_5]],
                [2.535_461_7, 2.074_841_7],
            ),
            (
                true,
                [[0.778_869_3, -2.288_507_7, 0.499_05], [0.664_118, -2.369_155, 0.440_696_8]],
                [2.117_377, 1.661_078],
            ),
        ];
        for (nesterov, w, v) in expected {
            let mut sgd = Sgd::new(0.9, nesterov, 0.01, 5.0, 2);
            let (mut first, mut second) = (vec![1.0, -2.0, 0.5], vec![3.0]);
            for (step, (gw, gv)) in [([3.0, 4.0, 0.0], [12.0]), ([0.1, -0.2, 0.3], [0.4])].iter().enumerate() {
                let mut params = [param(0, &first, gw), param(1, &second, gv)];
                let norm = sgd.compute_updates(&mut params, 0.1, |p| p.param).unwrap();
                assert!((norm - [13.0, 0.547_722_6][step]).abs() < 1e-6);
                let apply = |p: &ParamStep<Cpu>| {
                    let sum = p.weight.clone().try_add(p.update.clone().unwrap()).unwrap();
                    sum.as_vec()
                };
                (first, second) = (apply(&params[0]), apply(&params[1]));
                assert!(first.iter().zip(w[step]).all(|(a, b)| (a - b).abs() < 1e-6), "{first:?}");
                assert!((second[0] - v[step]).abs() < 1e-6, "{second:?}");
            }
        }
    }

    #[test]
    fn a_nan_gradient_makes_no_update_and_keeps_the_velocities() {
        let updates = |gradients: &[f32]| {
            let mut sgd = Sgd::new(0.9, false, 0.0, 5.0, 1);
            let step = |gradient: &f32| {
                let mut params = [param(0, &[1.0], &[*gradient])];
                assert_eq!(sgd.compute_updates(&mut params, 0.1, |p| p.param).unwrap().is_nan(), gradient.is_nan());
                params[0].update.as_ref().map(|update| update.as_vec()[0])
            };
            gradients.iter().map(step).collect::<Vec<_>>()
        };
        let (clean, with_nan) = (updates(&[2.0, 1.0]), updates(&[2.0, f32::NAN, 1.0]));
        assert_eq!(with_nan, [clean[0], None, clean[1]]);
    }

    #[test]
    fn a_cosine_starts_at_lr_and_ends_at_lr_min() {
        let lr = |step| LrSchedule::Cosine.lr(0.025, 0.001, step, 100);
        assert_eq!(lr(0), 0.025);
        assert!((lr(50) - 0.013).abs() < 1e-12 && (lr(100) - 0.001).abs() < 1e-12);
        assert_eq!(LrSchedule::Constant.lr(0.1, 0.001, 50, 100), 0.1);
        let line = [0, 25, 100].map(|step| LrSchedule::Linear.lr(0.4, 0.0, step, 100));
        assert_eq!(line, [0.4, 0.30000000000000004, 0.0]);
    }
}
