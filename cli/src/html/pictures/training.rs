//! Learning curves and networks of stand-alone trainings.

use super::super::picture::Picture;
use super::super::svg::{Chart, Marks};
use super::mean::mean_with_range;
use super::{cell, legend};
use crate::csv_text::CsvText;
use crate::trainings::TrainingGroup;
use anyhow::Result;

/// A metric whose learning curve is drawn.
struct LearningCurve {
    /// Name of the data file.
    name: &'static str,
    title: &'static str,
    /// Title of the vertical axis.
    y: &'static str,
    /// `split` in `metrics.csv`.
    split: &'static str,
    /// `metric` in `metrics.csv`.
    metric: &'static str,
}

const CURVES: [LearningCurve; 2] = [
    LearningCurve {
        name: "training_loss",
        title: "Learning curves: training loss",
        y: "cross-entropy in nats",
        split: "train",
        metric: "mean_loss",
    },
    LearningCurve {
        name: "training_accuracy",
        title: "Learning curves: accuracy",
        y: "accuracy in %",
        split: "eval",
        metric: "accuracy",
    },
];

/// The learning curves, and then each trained architecture once.
///
/// # Errors
/// None in practice: the data files are written to memory.
pub fn pictures(trainings: &[TrainingGroup]) -> Result<Vec<Picture>> {
    let mut pictures = Vec::new();
    if !trainings.is_empty() {
        for curve in CURVES {
            pictures.push(curve.picture(trainings)?);
        }
    }
    for (number, group) in trainings.iter().enumerate() {
        let network = |group: &TrainingGroup| (group.first().space.clone(), group.first().arch.clone());
        let same: Vec<&TrainingGroup> = trainings.iter().filter(|other| network(other) == network(group)).collect();
        if std::ptr::eq(same[0], group) {
            let names: Vec<&str> = same.iter().map(|other| other.name.as_str()).collect();
            pictures.extend(cell::of_training(number, &names.join(", "), &group.runs[0])?);
        }
    }
    Ok(pictures)
}

impl LearningCurve {
    /// One line per group: the mean over its seeds, and the range between them as a band.
    fn picture(&self, trainings: &[TrainingGroup]) -> Result<Picture> {
        let (mut series, mut csv) = (Vec::new(), CsvText::new(["training", "seed", "epoch", "value"])?);
        for (colour, group) in trainings.iter().enumerate() {
            let mut curves = Vec::new();
            for run in &group.runs {
                let rows = || run.metrics.iter().filter(|row| row.split == self.split && row.metric == self.metric);
                for row in rows() {
                    let (seed, epoch, value) =
                        (run.result.seed.to_string(), row.epoch.to_string(), row.value.to_string());
                    csv.row([&group.name, &seed, &epoch, &value])?;
                }
                // The value after the first epoch, which is epoch 0, stands at 1.
                curves.push(rows().map(|row| (row.epoch as u64 + 1, row.value)).collect());
            }
            series.push(mean_with_range(&group.name, colour, &curves));
        }
        let (legend, title) = (legend(&series), self.title.to_owned());
        let (x, y, marks) = ("epochs".into(), self.y.into(), Marks::Lines);
        let svg = Chart { title: title.clone(), x, y, marks, series }.svg();
        let caption = "Mean over seeds; the band is the range between them.".into();
        Ok(Picture { name: self.name.into(), title, caption, svg, wide: false, legend, csv: csv.finish()? })
    }
}
