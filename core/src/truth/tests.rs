//! Kendall's tau of predictors that need no training, on the embedded tables.

use super::{BenchmarkTable, NASBENCH_MACRO, NASBENCH201};
use crate::metrics::{MetricError, TauEstimate, tau_with_interval};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Tau-b of one column with another over the architectures with these indices.
fn tau(
    table: &BenchmarkTable,
    columns: [&str; 2],
    indices: &[usize],
    resamples: usize,
) -> Result<TauEstimate, MetricError> {
    let [predictor, truth] =
        columns.map(|column| indices.iter().map(|i| table.value(column, *i).unwrap()).collect::<Vec<_>>());
    tau_with_interval(&predictor, &truth, resamples, &mut ChaCha8Rng::seed_from_u64(0))
}

/// SciPy 1.17.1 on all rows of the source tables `h` (NAS-Bench-201) and `m` (NAS-Bench-Macro):
/// ```python
/// scipy.stats.kendalltau(h.params_m, h.cifar10_test).statistic        # 0.5772572161317877
/// scipy.stats.kendalltau(h.params_m, h.imagenet16_test).statistic     # 0.5193210245757498
/// scipy.stats.kendalltau(h.cifar10_valid, h.cifar10_test).statistic   # 0.8918881123129541
/// scipy.stats.kendalltau(m.params, m.mean_acc).statistic              # 0.21766514020066727
/// scipy.stats.kendalltau(m.flops, m.mean_acc).statistic               # 0.556073793252369
/// ```
#[test]
fn taus_on_all_architectures_equal_those_of_scipy() {
    for (table, predictor, truth, expected) in [
        (&NASBENCH201, "params_m", "cifar10_test", 0.5772572161317877),
        (&NASBENCH201, "params_m", "imagenet16_test", 0.5193210245757498),
        (&NASBENCH201, "cifar10_valid", "cifar10_test", 0.8918881123129541),
        (&NASBENCH_MACRO, "params", "mean_acc", 0.21766514020066727),
        (&NASBENCH_MACRO, "flops", "mean_acc", 0.556073793252369),
    ] {
        let all: Vec<usize> = (0..table.rows()).collect();
        let estimate = tau(table, [predictor, truth], &all, 20).unwrap();
        assert!((estimate.tau - expected).abs() < 1e-12, "{predictor}: {}", estimate.tau);
        assert_eq!(estimate.n, table.rows());
        let interval = estimate.interval.unwrap();
        assert!(interval.lo < expected && expected < interval.hi && interval.hi - interval.lo < 0.05);
    }
}

/// With 64 architectures, a common number in the literature, the interval is about +-0.11.
#[test]
fn few_architectures_leave_a_wide_interval() {
    let some: Vec<usize> = (0..64).map(|i| i * 244).collect();
    let estimate = tau(&NASBENCH201, ["params_m", "cifar10_test"], &some, 1000).unwrap();
    let interval = estimate.interval.unwrap();
    assert!(interval.hi - interval.lo > 0.15, "{estimate:?}");
}

#[test]
fn equal_accuracies_have_no_tau() {
    let found = tau(&NASBENCH201, ["params_m", "cifar10_test"], &[0, 1], 0);
    assert_eq!(found, Err(MetricError::Constant { n: 2 }));
}

#[test]
fn unknown_columns_and_indices_are_errors() {
    assert!(NASBENCH201.value("macs", 1).is_err());
    assert!(NASBENCH201.value("params_m", 15_625).is_err());
}
