//! Disturbance matrix: architectures trained one after another with shared weights (DINAS, figure 1b).

use crate::metrics::error::{MetricError, finite, same_length};

/// Accuracies in percent. Row `i`, column `j` is the accuracy of architecture `i` after the training of architecture
/// `j`.
///
/// The matrix is upper triangular, because architecture `i` is not evaluated before its own training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DisturbanceMatrix {
    /// `columns[j][i]` for i in 0..=j.
    columns: Vec<Vec<f64>>,
}

/// The figures of a [`DisturbanceMatrix`] `A` of N architectures, in percent and percentage points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MatrixSummary {
    /// Mean accuracy right after an architecture's own training: the mean of `A[i][i]`.
    pub own: f64,
    /// Mean accuracy of all architectures at the end: the mean of `A[i][N-1]`.
    pub end: f64,
    /// Mean accuracy lost until the end: the mean of `A[i][i] - A[i][N-1]` over all architectures but the last, after
    /// which nothing is trained. `None` for N = 1; negative if the architectures help each other.
    pub drop: Option<f64>,
    /// Mean change of an earlier architecture by the training of one more: the mean of `A[i][j] - A[i][j-1]` over all
    /// `i < j`. `None` for N = 1; negative values mean disturbance.
    pub change_per_task: Option<f64>,
}

impl DisturbanceMatrix {
    /// A matrix without architectures.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the column after one more training: the accuracies of all architectures so far, in the order of
    /// training.
    ///
    /// # Errors
    /// A wrong number of accuracies, or values that are not finite.
    pub fn push(&mut self, accuracies: Vec<f64>) -> Result<(), MetricError> {
        same_length("architecture trained so far", self.columns.len() + 1, accuracies.len())?;
        finite(&accuracies)?;
        self.columns.push(accuracies);
        Ok(())
    }

    /// Number of trained architectures.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether no architecture has been trained.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The rows of the matrix, with `None` below the diagonal.
    pub fn rows(&self) -> Vec<Vec<Option<f64>>> {
        (0..self.len()).map(|i| self.columns.iter().map(|column| column.get(i).copied()).collect()).collect()
    }

    /// Computes the figures; `None` for an empty matrix.
    pub fn summary(&self) -> Option<MatrixSummary> {
        let last = self.columns.last()?;
        let n = self.len() as f64;
        let own: Vec<f64> = self.columns.iter().filter_map(|column| column.last().copied()).collect();
        // The last architecture adds 0 to the sum, so only the divisor must exclude it.
        let lost: f64 = own.iter().zip(last).map(|(own, end)| own - end).sum();
        let changed: f64 = self
            .columns
            .iter()
            .zip(self.columns.iter().skip(1))
            .flat_map(|(before, after)| before.iter().zip(after).map(|(before, after)| after - before))
            .sum();
        let several = self.len() > 1;
        Some(MatrixSummary {
            own: own.iter().sum::<f64>() / n,
            end: last.iter().sum::<f64>() / n,
            drop: several.then(|| lost / (n - 1.0)),
            change_per_task: several.then(|| changed / (n * (n - 1.0) / 2.0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Own accuracies 40, 50, 60; final ones 30, 45, 60; losses 10 and 5; changes -6, -4, -5 of earlier architectures.
    #[test]
    fn figures_by_hand() {
        let mut matrix = DisturbanceMatrix::new();
        for column in [vec![40.0], vec![34.0, 50.0], vec![30.0, 45.0, 60.0]] {
            matrix.push(column).unwrap();
        }
        assert_eq!(matrix.rows()[1], [None, Some(50.0), Some(45.0)]);
        assert_eq!(
            matrix.summary(),
            Some(MatrixSummary { own: 50.0, end: 45.0, drop: Some(7.5), change_per_task: Some(-5.0) })
        );
    }

    #[test]
    fn a_single_architecture_has_no_drop_and_an_empty_matrix_no_figures() {
        let mut matrix = DisturbanceMatrix::new();
        assert!(matrix.is_empty());
        assert_eq!(matrix.summary(), None);
        matrix.push(vec![40.0]).unwrap();
        assert_eq!(matrix.summary(), Some(MatrixSummary { own: 40.0, end: 40.0, drop: None, change_per_task: None }));
    }

    #[test]
    fn a_column_of_another_length_or_without_numbers_is_an_error() {
        let mut matrix = DisturbanceMatrix::new();
        assert!(matches!(matrix.push(vec![]), Err(MetricError::Length { expected: 1, found: 0, .. })));
        assert!(matches!(matrix.push(vec![f64::NAN]), Err(MetricError::NotFinite { .. })));
        assert!(matrix.is_empty());
    }

    proptest! {
        #[test]
        fn constant_accuracies_are_not_disturbed(own in prop::collection::vec(0.0f64..100.0, 1..8)) {
            let mut matrix = DisturbanceMatrix::new();
            for trained in 1..=own.len() {
                matrix.push(own[..trained].to_vec()).unwrap();
            }
            let diagonal: Vec<f64> = matrix.rows().iter().enumerate().filter_map(|(i, row)| row[i]).collect();
            prop_assert_eq!(&diagonal, &own);
            let summary = matrix.summary().unwrap();
            prop_assert_eq!(summary.own, summary.end);
            prop_assert_eq!(summary.drop.unwrap_or(0.0), 0.0);
            prop_assert_eq!(summary.change_per_task.unwrap_or(0.0), 0.0);
        }
    }
}
