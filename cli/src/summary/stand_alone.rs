//! The summary of a stand-alone training.

use super::{TrainingResult, percent, row, section};
use crate::text::{duration, table};
use crate::trainings::TrainingGroup;
use nas_core::metrics::Summary;
use nas_core::result::{EvalFigures, StandAloneResult};
use std::path::Path;

impl TrainingResult for StandAloneResult {
    fn interrupted(&self) -> bool {
        self.interrupted
    }

    fn summary(&self, dir: &Path) -> String {
        let Self { arch, space, data, seed, evaluated_on, eval_images, epochs, .. } = self;
        let stopped = if self.interrupted { " (interrupted)" } else { "" };
        let title = format!("{arch}\n{space}, {data}, seed {seed}: stand-alone training{stopped}\n");
        let accuracy = |figures: Option<EvalFigures>| percent(figures.map(|figures| figures.accuracy));
        let top5 = percent(self.last.map(|last| last.top5_accuracy));
        let best = self.best.map_or(String::new(), |best| format!(" (epoch {})", best.epoch + 1));
        let rows = vec![
            row("images", format!("{eval_images} {evaluated_on}")),
            row("accuracy after the last epoch", accuracy(self.last)),
            row("top-5 accuracy", top5),
            row("highest accuracy", format!("{}{best}", accuracy(self.best))),
        ];
        let cost = vec![
            row("parameters", self.params),
            row("multiply-adds", self.macs),
            row("epochs, steps", format!("{epochs}, {}", self.steps)),
            row("time", duration(self.wall_s)),
        ];
        let files = format!("All files are in {}\n", dir.display());
        [title, section("Accuracy", rows), section("Cost", cost), files].join("\n")
    }
}

/// The accuracies of trainings that differ by their seeds, with mean and sample standard deviation.
pub fn seeds_table(group: &TrainingGroup) -> String {
    let last = |result: &StandAloneResult| result.last.map(|last| last.accuracy);
    let best = |result: &StandAloneResult| result.best.map(|best| best.accuracy);
    let row = |result: &StandAloneResult| [result.seed.to_string(), percent(last(result)), percent(best(result))];
    let mean = |summary: Option<Summary>| match summary {
        None => "-".into(),
        Some(Summary { mean, std: Some(std), .. }) => format!("{mean:.2} ± {std:.2} %"),
        Some(Summary { mean, std: None, .. }) => format!("{mean:.2} %"),
    };
    let means = ["mean".into(), mean(group.summary(last)), mean(group.summary(best))];
    let rows = group.runs.iter().map(|run| row(&run.result)).chain([means]);
    let table = table(["seed", "last epoch", "highest"], rows);
    format!("{} trainings\n{table}\nAll files are in {}\n", group.runs.len(), group.name)
}
