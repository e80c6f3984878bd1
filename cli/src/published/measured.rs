//! Rows of own trainings: results of `nas-train retrain`.

use super::{ComputedSize, NetworkRow, NumberSource, PublishedRow};
use crate::data::DataIdentity;
use crate::text::counted;
use crate::trainings::TrainingGroup;
use serde_json::Value;

/// The row of trainings that differ in their seeds only.
pub fn measured(group: &TrainingGroup) -> NetworkRow {
    let accuracy = group.summary(|result| result.last.map(|last| last.accuracy));
    let top5 = group.summary(|result| result.last.map(|last| last.top5_accuracy));
    let text = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.2}"));
    let first = group.first();
    let row = PublishedRow {
        method: group.name.clone(),
        kind: "retrained".into(),
        accuracy: text(accuracy.map(|summary| summary.mean)),
        deviation: text(accuracy.and_then(|summary| summary.std)),
        top5_accuracy: text(top5.map(|summary| summary.mean)),
        source: "this program".into(),
        comment: format!(
            "architecture {}, {} on {} images{}, evaluated on {} {} images",
            first.arch,
            counted(first.epochs, "epoch"),
            first.train_images,
            kind(&group.runs[0].manifest),
            first.eval_images,
            first.evaluated_on
        ),
        ..PublishedRow::default()
    };
    let computed = Some(ComputedSize::new(first.params, first.macs));
    NetworkRow { row, origin: NumberSource::Measured, computed, trainings: group.runs.len().to_string() }
}

/// Size and number of classes of the images of a run: ` of 32 x 32 pixels in 10 classes`. A folder of images need not
/// be the data set of the published networks.
fn kind(manifest: &Value) -> String {
    let text = |DataIdentity { shape: [height, width, _], classes, .. }| {
        format!(" of {height} x {width} pixels in {classes} classes")
    };
    DataIdentity::of(manifest).map_or_else(String::new, text)
}
