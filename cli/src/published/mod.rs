//! Published results: tables 1 and 2 of Niu et al. 2021 (arXiv 2003.13089), which compare networks on CIFAR-10 and
//! ImageNet.

mod columns;
mod measured;
mod network;

pub use columns::{NetworkColumn, known, notes, shown_columns};
pub use network::{ComputedSize, DartsScale, NetworkRow, NumberSource, networks};

use anyhow::Result;
use serde::Deserialize;

/// A published table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PublishedTable {
    /// Table 1: networks on CIFAR-10
    Cifar10,
    /// Table 2: networks on ImageNet, 224 x 224 pixels
    Imagenet,
}

/// A row of a published table. Numbers are text, with the decimals of the publication; a number that it does not state
/// is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct PublishedRow {
    /// Name of the network or the search method.
    pub method: String,
    /// `human`, `random`, or the method of the search.
    pub kind: String,
    /// Top-1 accuracy on the test images, in percent.
    pub accuracy: String,
    /// Standard deviation of the accuracy over trainings, in percentage points.
    pub deviation: String,
    /// Top-5 accuracy, in percent.
    pub top5_accuracy: String,
    /// Number of parameters, in millions.
    pub params_m: String,
    /// Number of multiply-adds, in millions.
    pub macs_m: String,
    /// Cost of the search, in GPU days.
    pub gpu_days: String,
    /// Name of our own architecture with the same cell; empty if there is none.
    pub arch: String,
    /// The publication that the table cites for the row.
    pub source: String,
    /// What a reader must know to compare the row.
    pub comment: String,
}

impl PublishedTable {
    /// All rows, in the order of the publication.
    ///
    /// # Errors
    /// None in practice: a test reads the embedded files.
    pub fn rows(self) -> Result<Vec<PublishedRow>> {
        let text = match self {
            Self::Cifar10 => include_str!("cifar10.csv"),
            Self::Imagenet => include_str!("imagenet.csv"),
        };
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        Ok(reader.deserialize().collect::<Result<_, _>>()?)
    }

    /// The data set whose images the networks classify.
    pub fn data(self) -> &'static str {
        match self {
            Self::Cifar10 => "cifar10",
            Self::Imagenet => "folder",
        }
    }

    /// The publication of the table.
    pub fn source(self) -> &'static str {
        match self {
            Self::Cifar10 => "Niu et al. 2021, table 1",
            Self::Imagenet => "Niu et al. 2021, table 2",
        }
    }
}

/// 100 minus a percentage, with the same decimals: `97.38` gives `2.62`. Empty for an empty text.
pub fn error_of(accuracy: &str) -> String {
    let decimals = accuracy.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    accuracy.parse::<f64>().map_or(String::new(), |accuracy| format!("{:.decimals$}", 100.0 - accuracy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_complete_and_their_numbers_are_numbers() {
        for (table, rows) in [(PublishedTable::Cifar10, 17), (PublishedTable::Imagenet, 16)] {
            let found = table.rows().unwrap();
            assert_eq!(found.len(), rows);
            for row in found {
                let PublishedRow { accuracy, deviation, top5_accuracy, params_m, macs_m, gpu_days, .. } = &row;
                for number in [deviation, top5_accuracy, macs_m, gpu_days] {
                    assert!(number.is_empty() || number.parse::<f64>().is_ok_and(|number| number > 0.0), "{row:?}");
                }
                assert!(accuracy.parse::<f64>().is_ok_and(|accuracy| (60.0..100.0).contains(&accuracy)), "{row:?}");
                assert!(params_m.parse::<f64>().is_ok_and(|params| (1.0..30.0).contains(&params)), "{row:?}");
                assert!(![&row.method, &row.kind, &row.source].iter().any(|text| text.is_empty()), "{row:?}");
            }
        }
    }

    #[test]
    fn errors_keep_the_decimals_of_accuracies() {
        assert_eq!(["97.38", "74.7", "70", ""].map(error_of), ["2.62", "25.3", "30", ""]);
    }
}
