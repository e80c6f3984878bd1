//! The matrix that a sequence ends with.

use super::{Outcome, row, section};
use crate::text::table;
use nas_core::result::{SequenceResult, SequenceStep};
use std::collections::BTreeMap;
use std::path::Path;

impl Outcome for SequenceResult {
    fn interrupted(&self) -> bool {
        self.interrupted
    }

    fn report(&self, dir: &Path) -> String {
        let SequenceResult { strategy, space, data, seed, sequence, epochs_each, .. } = self;
        let title = format!(
            "{strategy} on {space}, {data}, seed {seed}: {sequence} architectures, {epochs_each} epochs each\n"
        );
        let parts = [
            title,
            format!("Accuracy in percent of architecture i (row) after the training of j (column)\n{}", matrix(self)),
            section("Disturbance", summary(self)),
            format!("By the number of layers shared with the architecture trained\n{}", by_shared(&self.steps)),
            format!("Everything is in {}\n", dir.display()),
        ];
        parts.join("\n")
    }

    fn tables(&self) -> Vec<(&'static str, String)> {
        let mut text = String::from("arch,trained,accuracy\n");
        for (i, accuracies) in self.matrix.iter().enumerate() {
            for (j, accuracy) in accuracies.iter().enumerate() {
                if let Some(accuracy) = accuracy {
                    text += &format!("{i},{j},{accuracy}\n");
                }
            }
        }
        vec![("matrix.csv", text)]
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

fn summary(result: &SequenceResult) -> Vec<(String, String)> {
    let points = |value: Option<f64>| value.map_or("-".into(), |v| format!("{v:.2} points"));
    let percent = |value: Option<f64>| value.map_or("-".into(), |v| format!("{v:.2} %"));
    vec![
        row("own: after own training", percent(result.own)),
        row("final: after the last training", percent(result.r#final)),
        row("drop: own minus final, but the last", points(result.drop)),
        row("change per training", points(result.change_per_task)),
    ]
}

/// DINAS section 5.4: mean change of accuracy for each number of shared layers.
fn by_shared(steps: &[SequenceStep]) -> String {
    let mut groups: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    steps.iter().for_each(|step| groups.entry(step.shared).or_default().push(step.change));
    let rows = groups.into_iter().map(|(shared, changes)| {
        let mean = changes.iter().sum::<f64>() / changes.len() as f64;
        [shared.to_string(), changes.len().to_string(), format!("{mean:+.2}")]
    });
    table(["shared", "n", "change"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_averaged_by_shared_layers() {
        let step = |shared, change| SequenceStep { trained: 1, earlier: 0, shared, change };
        let text = by_shared(&[step(2, -3.0), step(0, 0.5), step(2, -1.0)]);
        let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows, [["0", "1", "+0.50"], ["2", "2", "-2.00"]]);
    }
}
