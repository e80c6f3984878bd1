//! The summary of a stand-alone training.

use super::{Outcome, percent, row, section};
use crate::text::table;
use nas_core::metrics::Summary;
use nas_core::result::{StandAloneResult, TestFigures};
use std::path::Path;

impl Outcome for StandAloneResult {
    fn interrupted(&self) -> bool {
        self.interrupted
    }

    fn summary(&self, dir: &Path) -> String {
        let Self { arch, space, data, seed, evaluated_on, eval_images, epochs, .. } = self;
        let stopped = if self.interrupted { " (interrupted)" } else { "" };
        let title = format!("{arch}\n{space}, {data}, seed {seed}: stand-alone training{stopped}\n");
        let accuracy = |figures: Option<TestFigures>| percent(figures.map(|figures| figures.accuracy));
        let top5 = percent(self.last.map(|last| last.top5_accuracy));
        let best = self.best.map_or(String::new(), |best| format!(" (epoch {})", best.epoch + 1));
        let rows = vec![
            row("images", format!("{eval_images} {evaluated_on}")),
            row("accuracy after the last epoch", accuracy(self.last)),
            row("among the five largest scores", top5),
            row("highest accuracy", format!("{}{best}", accuracy(self.best))),
        ];
        let cost = vec![
            row("parameters", self.params),
            row("multiply-adds", self.macs),
            row("epochs, updates", format!("{epochs}, {}", self.steps)),
            row("time", format!("{:.1} s", self.wall_s)),
        ];
        let files = format!("All files are in {}\n", dir.display());
        [title, section("Accuracy", rows), section("Cost", cost), files].join("\n")
    }
}

/// The accuracies of trainings that differ by their seeds, with mean and sample standard deviation.
pub fn seeds_table(results: &[StandAloneResult], out: &Path) -> String {
    let accuracy = |figures: &Option<TestFigures>| figures.map(|figures| figures.accuracy);
    let rows = results.iter().map(|r| [r.seed.to_string(), percent(accuracy(&r.last)), percent(accuracy(&r.best))]);
    let of = |pick: &dyn Fn(&StandAloneResult) -> Option<f64>| {
        let values: Vec<f64> = results.iter().filter_map(pick).collect();
        Summary::of(&values).map_or("-".into(), |summary| match summary.std {
            Some(std) => format!("{:.2} ± {std:.2} %", summary.mean),
            None => format!("{:.2} %", summary.mean),
        })
    };
    let mean = ["mean".into(), of(&|r| accuracy(&r.last)), of(&|r| accuracy(&r.best))];
    let table = table(["seed", "last epoch", "highest"], rows.chain([mean]));
    format!("{} trainings\n{table}\nAll files are in {}\n", results.len(), out.display())
}
