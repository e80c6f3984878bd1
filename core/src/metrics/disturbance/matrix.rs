//! The matrix form: architectures trained one after another with shared weights (the paper's figure 1b).

use serde::{Deserialize, Serialize};

use crate::metrics::error::{MetricError, finite, same_length};

/// Accuracies in percent: row i is architecture i, column j is the moment after training architecture j.
///
/// Upper triangular: an architecture has no accuracy before its own training (`None` for j < i).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<Option<f64>>>", into = "Vec<Vec<Option<f64>>>")]
pub struct DisturbanceMatrix {
    /// `columns[j][i]` for i in 0..=j.
    columns: Vec<Vec<f64>>,
}

/// The figures of a [`DisturbanceMatrix`] `A` of N architectures, in percent and percentage points.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatrixSummary {
    /// Accuracy right after own training: the mean of `A[i][i]`.
    pub own: f64,
    /// Accuracy of all architectures at the end: the mean of `A[i][N-1]`.
    #[serde(rename = "final")]
    pub end: f64,
    /// Accuracy lost until the end: the mean of `A[i][i] - A[i][N-1]` over all but the last architecture, which nothing
    /// has disturbed; `None` for N = 1. Negative when the architectures help each other.
    pub drop: Option<f64>,
    /// What training one more architecture does to an earlier one: the mean of `A[i][j] - A[i][j-1]` over all i < j;
    /// `None` for N = 1. Negative when it disturbs.
    pub change_per_task: Option<f64>,
}

impl DisturbanceMatrix {
    /// The matrix before the first training.
    pub fn new() -> Self {
        Self::default()
    }

    /// From rows as printed: square, `None` exactly where j < i.
    pub fn from_rows(rows: Vec<Vec<Option<f64>>>) -> Result<Self, MetricError> {
        let n = rows.len();
        let mut columns = vec![Vec::new(); n];
        for (row, values) in rows.iter().enumerate() {
            same_length("column", n, values.len())?;
            for (column, value) in values.iter().enumerate() {
                match value {
                    Some(accuracy) if column >= row => columns[column].push(*accuracy),
                    None if column < row => {}
                    Some(_) => return Err(MetricError::NotTriangular { row, column, expected: "null" }),
                    None => return Err(MetricError::NotTriangular { row, column, expected: "an accuracy" }),
                }
            }
        }
        let mut matrix = Self::new();
        columns.into_iter().try_for_each(|column| matrix.push(column))?;
        Ok(matrix)
    }

    /// Appends the moment after one more training: the accuracies of all architectures so far, in the order of training,
    /// the one just trained last.
    pub fn push(&mut self, accuracies: Vec<f64>) -> Result<(), MetricError> {
        same_length("architecture trained so far", self.columns.len() + 1, accuracies.len())?;
        finite(&accuracies)?;
        self.columns.push(accuracies);
        Ok(())
    }

    /// The number of architectures.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether nothing has been trained yet.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The matrix by rows, as printed.
    pub fn rows(&self) -> Vec<Vec<Option<f64>>> {
        (0..self.len()).map(|i| self.columns.iter().map(|column| column.get(i).copied()).collect()).collect()
    }

    /// The figures; `None` for an empty matrix.
    pub fn summary(&self) -> Option<MatrixSummary> {
        let last = self.columns.last()?;
        let n = self.len() as f64;
        let own: Vec<f64> = self.columns.iter().filter_map(|column| column.last().copied()).collect();
        // The last architecture adds 0 to the sum, so only the divisor leaves it out.
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

impl TryFrom<Vec<Vec<Option<f64>>>> for DisturbanceMatrix {
    type Error = MetricError;

    fn try_from(rows: Vec<Vec<Option<f64>>>) -> Result<Self, MetricError> {
        Self::from_rows(rows)
    }
}

impl From<DisturbanceMatrix> for Vec<Vec<Option<f64>>> {
    fn from(matrix: DisturbanceMatrix) -> Self {
        matrix.rows()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Own 40, 50, 60; final 30, 45, 60; lost 10 and 5; changes -6, -4, -5 of earlier architectures.
    #[test]
    fn figures_by_hand() {
        let matrix = DisturbanceMatrix::from_rows(vec![
            vec![Some(40.0), Some(34.0), Some(30.0)],
            vec![None, Some(50.0), Some(45.0)],
            vec![None, None, Some(60.0)],
        ])
        .unwrap();
        assert_eq!(
            matrix.summary(),
            Some(MatrixSummary { own: 50.0, end: 45.0, drop: Some(7.5), change_per_task: Some(-5.0) })
        );
    }

    #[test]
    fn json_has_the_printed_form() {
        let mut matrix = DisturbanceMatrix::new();
        matrix.push(vec![40.0]).unwrap();
        matrix.push(vec![35.5, 50.0]).unwrap();
        let text = serde_json::to_string(&matrix).unwrap();
        assert_eq!(text, "[[40.0,35.5],[null,50.0]]");
        assert_eq!(serde_json::from_str::<DisturbanceMatrix>(&text).unwrap(), matrix);
        assert!(serde_json::from_str::<DisturbanceMatrix>("[[40.0,null],[null,50.0]]").is_err());
        let summary = serde_json::to_string(&matrix.summary().unwrap()).unwrap();
        assert_eq!(summary, r#"{"own":45.0,"final":42.75,"drop":4.5,"change_per_task":-4.5}"#);
    }

    #[test]
    fn one_architecture_is_not_disturbed_and_none_has_no_figures() {
        let mut matrix = DisturbanceMatrix::new();
        assert!(matrix.is_empty());
        assert_eq!(matrix.summary(), None);
        matrix.push(vec![40.0]).unwrap();
        assert_eq!(matrix.summary(), Some(MatrixSummary { own: 40.0, end: 40.0, drop: None, change_per_task: None }));
    }

    #[test]
    fn refuses_what_is_not_triangular() {
        let rows = |rows: &[&[Option<f64>]]| DisturbanceMatrix::from_rows(rows.iter().map(|r| r.to_vec()).collect());
        assert!(matches!(rows(&[&[Some(1.0)], &[None]]), Err(MetricError::Length { expected: 2, found: 1, .. })));
        assert!(matches!(
            rows(&[&[Some(1.0), Some(1.0)], &[Some(1.0), Some(1.0)]]),
            Err(MetricError::NotTriangular { row: 1, column: 0, expected: "null" })
        ));
        assert!(matches!(
            rows(&[&[Some(1.0), None], &[None, Some(1.0)]]),
            Err(MetricError::NotTriangular { row: 0, column: 1, expected: "an accuracy" })
        ));
        assert!(matches!(rows(&[&[Some(f64::NAN)]]), Err(MetricError::NotFinite { .. })));
        assert!(matches!(DisturbanceMatrix::new().push(vec![]), Err(MetricError::Length { .. })));
    }

    proptest! {
        #[test]
        fn rows_round_trip_and_constant_rows_are_not_disturbed(own in prop::collection::vec(0.0f64..100.0, 1..8)) {
            let mut matrix = DisturbanceMatrix::new();
            for trained in 1..=own.len() {
                matrix.push(own[..trained].to_vec()).unwrap();
            }
            prop_assert_eq!(&DisturbanceMatrix::from_rows(matrix.rows()).unwrap(), &matrix);
            let summary = matrix.summary().unwrap();
            prop_assert_eq!(summary.own, summary.end);
            prop_assert_eq!(summary.drop.unwrap_or(0.0), 0.0);
            prop_assert_eq!(summary.change_per_task.unwrap_or(0.0), 0.0);
        }
    }
}
