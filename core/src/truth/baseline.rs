//! Trivial predictors: what counting parameters or FLOPs earns, the row that every ranking has to beat.

use rand::Rng;

use super::embedded::EmbeddedTable;
use super::error::TruthError;
use crate::metrics::{MetricError, TauEstimate, tau_with_interval};

impl EmbeddedTable {
    /// Kendall's tau-b of one column (`params_m`, `flops`) against another (`cifar10_test`) over the architectures with
    /// these indices, with its bootstrap interval; pass the indices that the strategies are judged on.
    ///
    /// The outer error is a wrong column or index; the inner one a tau that is undefined on this choice.
    pub fn baseline<R: Rng + ?Sized>(
        &self,
        predictor: &str,
        truth: &str,
        indices: &[usize],
        resamples: usize,
        rng: &mut R,
    ) -> Result<Result<TauEstimate, MetricError>, TruthError> {
        let pick = |column: &str| -> Result<Vec<f64>, TruthError> {
            indices.iter().map(|&index| self.value(column, index)).collect()
        };
        Ok(tau_with_interval(&pick(predictor)?, &pick(truth)?, resamples, rng))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{NASBENCH_MACRO, NASBENCH201};
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// SciPy 1.17.1 on all rows of the source tables `h` (NAS-Bench-201) and `m` (NAS-Bench-Macro):
    /// ```python
    /// scipy.stats.kendalltau(h.params_m, h.cifar10_test).statistic        # 0.5772572161317877
    /// scipy.stats.kendalltau(h.params_m, h.imagenet16_test).statistic     # 0.5193210245757498
    /// scipy.stats.kendalltau(h.cifar10_valid, h.cifar10_test).statistic   # 0.8918881123129541
    /// scipy.stats.kendalltau(m.params, m.mean_acc).statistic              # 0.21766514020066727
    /// scipy.stats.kendalltau(m.flops, m.mean_acc).statistic               # 0.556073793252369
    /// ```
    #[test]
    fn equal_scipy_on_all_architectures() {
        for (table, predictor, truth, expected) in [
            (&NASBENCH201, "params_m", "cifar10_test", 0.5772572161317877),
            (&NASBENCH201, "params_m", "imagenet16_test", 0.5193210245757498),
            (&NASBENCH201, "cifar10_valid", "cifar10_test", 0.8918881123129541),
            (&NASBENCH_MACRO, "params", "mean_acc", 0.21766514020066727),
            (&NASBENCH_MACRO, "flops", "mean_acc", 0.556073793252369),
        ] {
            let all: Vec<usize> = (0..table.rows()).collect();
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            let estimate = table.baseline(predictor, truth, &all, 20, &mut rng).unwrap().unwrap();
            assert!((estimate.tau - expected).abs() < 1e-12, "{predictor}: {}", estimate.tau);
            assert_eq!(estimate.n, table.rows());
            let interval = estimate.interval.unwrap();
            assert!(interval.lo < expected && expected < interval.hi && interval.hi - interval.lo < 0.05);
        }
    }

    /// algorithms of this field are compared on 64 probes or so: the interval there is about +-0.11.
    #[test]
    fn few_architectures_leave_a_wide_interval() {
        let some: Vec<usize> = (0..64).map(|i| i * 244).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let estimate = NASBENCH201.baseline("params_m", "cifar10_test", &some, 1000, &mut rng).unwrap().unwrap();
        let interval = estimate.interval.unwrap();
        assert!(interval.hi - interval.lo > 0.15, "{estimate:?}");
    }

    #[test]
    fn wrong_columns_indices_and_constant_choices_are_errors() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        assert!(NASBENCH201.baseline("macs", "cifar10_test", &[1, 2], 0, &mut rng).is_err());
        assert!(NASBENCH201.baseline("params_m", "cifar10_test", &[1, 15_625], 0, &mut rng).is_err());
        assert_eq!(
            NASBENCH201.baseline("params_m", "cifar10_test", &[0, 1], 0, &mut rng).unwrap(),
            Err(MetricError::Constant { n: 2 })
        );
    }
}
