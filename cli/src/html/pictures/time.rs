//! Time of a run.

use super::super::picture::Picture;
use super::super::svg::bars;
use crate::comparison::VariantRuns;
use crate::csv_text::CsvText;
use anyhow::Result;
use nas_core::metrics::Summary;

/// A bar per variant: seconds of training, and of everything else.
pub fn picture(variants: &[VariantRuns]) -> Result<Picture> {
    let (mut parts, mut csv) = (Vec::new(), CsvText::new(["variant", "seed", "train_s", "rest_s"])?);
    for variant in variants {
        let (mut train, mut rest) = (Vec::new(), Vec::new());
        for run in &variant.runs {
            let (train_s, rest_s) = (run.result.train_s, run.result.wall_s - run.result.train_s);
            let seed = run.result.seed.to_string();
            csv.row([variant.label.as_str(), &seed, &train_s.to_string(), &rest_s.to_string()])?;
            train.push(train_s);
            rest.push(rest_s);
        }
        let mean = |values: &[f64]| Summary::of(values).map_or(0.0, |summary| summary.mean);
        parts.push((variant.label.clone(), vec![mean(&train), mean(&rest)]));
    }
    let title = "Time of a run";
    Ok(Picture {
        name: "time".into(),
        title: title.into(),
        caption: "Mean over seeds.".into(),
        svg: bars(title, "s", &parts),
        wide: false,
        legend: vec![("training".into(), 0), ("probe architectures, search, truth table".into(), 1)],
        csv: csv.finish()?,
    })
}
