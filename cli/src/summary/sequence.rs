//! The summary of a sequence, and its `matrix.csv`.

use super::{TrainingResult, percent, points, row, section};
use crate::csv_text::CsvText;
use crate::text::{counted, table};
use nas_core::metrics::Summary;
use nas_core::result::{AccuracyChange, SequenceResult};
use std::collections::BTreeMap;
use std::path::Path;

impl TrainingResult for SequenceResult {
    fn interrupted(&self) -> bool {
        self.interrupted
    }

    fn summary(&self, dir: &Path) -> String {
        let SequenceResult { strategy, space, data, seed, sequence, epochs_each, .. } = self;
        let stopped = if self.interrupted { ", interrupted" } else { "" };
        let (archs, epochs) = (counted(*sequence, "architecture"), counted(*epochs_each, "epoch"));
        let title = format!("{strategy} on {space}, {data}, seed {seed}: {archs}, {epochs} each{stopped}\n");
        let means = vec![
            row("own: right after own training", percent(self.own)),
            row("final: after the last training", percent(self.r#final)),
            row("drop: own minus final, mean without the last", points(self.drop)),
            row("change of earlier ones per training", points(self.change_per_task)),
        ];
        let parts = [
            title,
            format!("Accuracy in % of architecture i (row) after the training of j (column)\n{}", matrix(self)),
            section("Disturbance", means),
            format!(
                "Change in points by the number of layers shared with the trained architecture\n{}",
                by_shared(&self.steps)
            ),
            format!("All files are in {}\n", dir.display()),
        ];
        parts.join("\n")
    }

    fn files(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let mut csv = CsvText::new(["arch", "trained", "accuracy"])?;
        for (i, accuracies) in self.matrix.iter().enumerate() {
            for (j, accuracy) in accuracies.iter().enumerate() {
                if let Some(accuracy) = accuracy {
                    csv.row([i.to_string(), j.to_string(), accuracy.to_string()])?;
                }
            }
        }
        Ok(vec![("matrix.csv", csv.finish()?)])
    }
}

fn matrix(result: &SequenceResult) -> String {
    let cell = |value: &Option<f64>| value.map_or("      ".into(), |v| format!("{v:>6.1}"));
    let line = |(i, row): (usize, &Vec<Option<f64>>)| {
        format!("  {i:>3} {}\n", row.iter().map(cell).collect::<String>().trim_end())
    };
    let header: String = (0..result.matrix.len()).map(|j| format!("{j:>6}")).collect();
    format!("      {}\n", header.trim_end()) + &result.matrix.iter().enumerate().map(line).collect::<String>()
}

/// The mean change of accuracy for each number of shared layers (DINAS, section 5.4).
fn by_shared(steps: &[AccuracyChange]) -> String {
    let mut changes: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    steps.iter().for_each(|step| changes.entry(step.shared).or_default().push(step.change));
    let rows = changes.into_iter().filter_map(|(shared, changes)| {
        let Summary { n, mean, .. } = Summary::of(&changes).ok()?;
        Some([shared.to_string(), n.to_string(), format!("{mean:+.2}")])
    });
    table(["shared", "n", "change"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_averaged_by_shared_layers() {
        let step = |shared, change| AccuracyChange { trained: 1, earlier: 0, shared, change };
        let text = by_shared(&[step(2, -3.0), step(0, 0.5), step(2, -1.0)]);
        let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows, [["0", "1", "+0.50"], ["2", "2", "-2.00"]]);
    }
}
