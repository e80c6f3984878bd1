//! Metrics over the course of training.

use super::super::picture::Picture;
use super::super::svg::{Chart, Marks};
use super::legend;
use super::mean::mean_with_range;
use crate::archive::ArchivedRun;
use crate::comparison::VariantRuns;
use crate::csv_text::CsvText;
use anyhow::Result;
use nas_core::metrics::mean;

/// A metric whose curve is drawn.
struct Curve {
    /// Name of the data file.
    name: &'static str,
    title: &'static str,
    /// Title of the vertical axis.
    y: &'static str,
    /// Follows the general caption.
    caption: &'static str,
    /// `split` in `metrics.csv`.
    split: &'static str,
    /// `metric` in `metrics.csv`, for the interval of the run's probe architectures.
    metric: fn(usize) -> String,
}

const OF_TRAINING: [Curve; 4] = [
    Curve {
        name: "disturbance",
        title: "Performance disturbance",
        y: "change in points",
        caption: " Mean absolute change of the probe architectures' accuracies over the interval (DINAS, figure 3a).",
        split: "probe",
        metric: |interval| format!("disturbance_{interval}"),
    },
    Curve {
        name: "rank_stability",
        title: "Rank stability",
        y: "Kendall tau",
        caption: " Kendall tau between the probe architectures' rankings an interval apart (DINAS, figure 3b).",
        split: "probe",
        metric: |interval| format!("rank_stability_{interval}"),
    },
    Curve {
        name: "probe_accuracy",
        title: "Accuracy of the probe architectures",
        y: "mean accuracy in %",
        caption: "",
        split: "probe",
        metric: |_| "mean_accuracy".into(),
    },
    Curve {
        name: "train_loss",
        title: "Training loss",
        y: "cross-entropy in nats",
        caption: "",
        split: "train",
        metric: |_| "mean_loss".into(),
    },
];

const OF_CONTROLLER: [Curve; 2] = [
    Curve {
        name: "controller_reward",
        title: "Reward of the controller",
        y: "accuracy from 0 to 1",
        caption: "",
        split: "controller",
        metric: |_| "reward".into(),
    },
    Curve {
        name: "controller_entropy",
        title: "Entropy of the controller",
        y: "nats",
        caption: "",
        split: "controller",
        metric: |_| "entropy".into(),
    },
];

/// The curves of training loss and probe architectures.
pub fn of_training(variants: &[VariantRuns]) -> Result<Vec<Picture>> {
    OF_TRAINING.iter().map(|curve| curve.picture(variants)).collect()
}

/// The curves of the controller.
pub fn of_controller(variants: &[VariantRuns]) -> Result<Vec<Picture>> {
    OF_CONTROLLER.iter().map(|curve| curve.picture(variants)).collect()
}

impl Curve {
    /// One line per variant: the mean over its runs, and the range between them as a band.
    fn picture(&self, variants: &[VariantRuns]) -> Result<Picture> {
        let (mut series, mut csv) = (Vec::new(), CsvText::new(["variant", "seed", "passes", "value"])?);
        for (colour, variant) in variants.iter().enumerate() {
            let mut curves = Vec::new();
            for run in &variant.runs {
                let (curve, passes_per_step) = (self.values(run), passes_per_step(run));
                for (step, value) in &curve {
                    let passes = (*step as f64 * passes_per_step).round();
                    csv.row([
                        variant.label.as_str(),
                        &run.result.seed.to_string(),
                        &passes.to_string(),
                        &value.to_string(),
                    ])?;
                }
                curves.push(curve);
            }
            // Equal steps of different seeds may have different numbers of passes.
            let mean_passes = mean(variant.runs.iter().map(passes_per_step)).unwrap_or(1.0);
            let mut line = mean_with_range(&variant.label, colour, &curves);
            line.points.iter_mut().for_each(|(x, _)| *x *= mean_passes);
            series.push(line);
        }
        let legend = legend(&series);
        let (title, x, y) = (self.title.to_owned(), "sub-net passes".into(), self.y.into());
        let svg = Chart { title: title.clone(), x, y, marks: Marks::Lines, series }.svg();
        let caption = format!("Mean over seeds; the band is the range between them.{}", self.caption);
        Ok(Picture { name: self.name.into(), title, caption, svg, wide: false, legend, csv: csv.finish()? })
    }

    /// Step and value of each row of the metric.
    fn values(&self, run: &ArchivedRun) -> Vec<(u64, f64)> {
        let metric = (self.metric)(run.config.probes.interval);
        let rows = run.metrics.iter().filter(|row| row.split == self.split && row.metric == metric);
        rows.map(|row| (row.step, row.value)).collect()
    }
}

/// The mean number of sub-net passes of a step. With some strategies, the number differs from step to step.
fn passes_per_step(run: &ArchivedRun) -> f64 {
    run.result.subnet_passes as f64 / run.result.steps.max(1) as f64
}
