//! Loss and accuracy of class scores, summed over batches.

use crate::metrics::Evaluation;
use nas_ops::{Backend, Tensor4};

/// Counts correctly classified images and sums cross-entropies.
#[derive(Debug, Clone, Default)]
pub struct AccuracyCounter {
    correct: usize,
    /// Images whose class has one of the five largest scores.
    correct_top5: usize,
    /// In nats.
    loss: f64,
    images: usize,
}

impl AccuracyCounter {
    /// Adds the class scores `[n, 1, 1, classes]` of a batch. Images with a NaN among their scores count as wrong.
    pub fn add<D: Backend>(&mut self, scores: &Tensor4<D>, labels: &[usize]) {
        let scores = D::to_host(scores);
        let classes = scores.len() / labels.len();
        for (row, label) in scores.chunks(classes).zip(labels) {
            self.correct += usize::from(argmax(row) == Some(*label));
            self.correct_top5 += usize::from(rank(row, *label).is_some_and(|rank| rank < 5));
            self.loss += cross_entropy(row, *label);
        }
        self.images += labels.len();
    }

    /// Top-5 accuracy, in percent.
    pub fn top5_accuracy(&self) -> f64 {
        100.0 * self.correct_top5 as f64 / self.images as f64
    }

    /// Mean cross-entropy in nats and accuracy in percent over all images added.
    pub fn means(&self) -> Evaluation {
        let images = self.images as f64;
        Evaluation { loss: self.loss / images, accuracy: 100.0 * self.correct as f64 / images }
    }
}

/// Number of scores before that of the label: larger ones, and equal ones with a smaller index. `None` if a score is
/// NaN.
fn rank(scores: &[f32], label: usize) -> Option<usize> {
    let own = scores[label];
    let before = |(class, score): &(usize, &f32)| **score > own || (**score == own && *class < label);
    let rank = scores.iter().enumerate().filter(before).count();
    (!scores.iter().any(|score| score.is_nan())).then_some(rank)
}

/// The position of the largest score, the first of equal ones; `None` if a score is NaN.
fn argmax(scores: &[f32]) -> Option<usize> {
    let best = |best: usize, i: usize| if scores[i] > scores[best] { i } else { best };
    (0..scores.len()).reduce(best).filter(|_| !scores.iter().any(|s| s.is_nan()))
}

/// `ln sum exp(s) - s[label]`, in `f64`.
fn cross_entropy(scores: &[f32], label: usize) -> f64 {
    let largest = scores.iter().fold(f64::NEG_INFINITY, |m, s| m.max(f64::from(*s)));
    let sum: f64 = scores.iter().map(|s| (f64::from(*s) - largest).exp()).sum();
    sum.ln() + largest - f64::from(scores[label])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::tensor;
    use dfdx::prelude::Cpu;

    #[test]
    fn argmax_takes_the_first_of_equals_and_no_nan() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(argmax(&[1.0, f32::NAN]), None);
        assert_eq!(argmax(&[]), None);
    }

    #[test]
    fn the_rank_counts_larger_scores_and_earlier_equal_ones() {
        let scores = [2.0, 5.0, 2.0, 1.0];
        assert_eq!([0, 1, 2, 3].map(|label| rank(&scores, label)), [Some(1), Some(0), Some(2), Some(3)]);
        assert_eq!(rank(&[1.0, f32::NAN], 0), None);
    }

    #[test]
    fn cross_entropy_of_equal_scores_is_the_logarithm_of_their_number() {
        assert!((cross_entropy(&[7.0; 4], 2) - 4.0_f64.ln()).abs() < 1e-12);
        assert!((cross_entropy(&[1000.0, 0.0], 1) - 1000.0).abs() < 1e-9);
    }

    /// Three of four images over two batches are right.
    #[test]
    fn means_are_over_the_images_of_all_batches() {
        let scores = |values: &[f32]| tensor(&Cpu::default(), values.to_vec(), [values.len() / 2, 1, 1, 2]).unwrap();
        let mut counter = AccuracyCounter::default();
        counter.add::<Cpu>(&scores(&[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]), &[0, 1, 0]);
        counter.add::<Cpu>(&scores(&[2.0, 2.0]), &[0]);
        let means = counter.means();
        assert_eq!(means.accuracy, 75.0);
        let (right, wrong) = ((1.0 + (-1.0_f64).exp()).ln(), (1.0 + 1.0_f64.exp()).ln());
        assert!((means.loss - (2.0 * right + wrong + 2.0_f64.ln()) / 4.0).abs() < 1e-6, "{means:?}");
    }
}
