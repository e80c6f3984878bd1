//! Pareto fronts of accuracy against multiply-adds, from the searches in the run directories.

use super::super::picture::Picture;
use super::super::svg::{Chart, Marks, Series};
use super::legend;
use crate::archive::ArchivedRun;
use crate::comparison::VariantRuns;
use crate::csv_text::CsvText;
use anyhow::Result;
use nas_core::read_file;
use nas_core::trainer::Candidate;
use std::fs;
use std::path::Path;

/// Largest size of a front, in bytes.
const MAX_SIZE: u64 = 1 << 24;

/// A curve for each search in a directory `search-*` of a run; none without searches.
pub fn picture(variants: &[VariantRuns]) -> Result<Option<Picture>> {
    let (mut series, mut csv) =
        (Vec::new(), CsvText::new(["variant", "seed", "search", "arch", "accuracy", "params", "macs"])?);
    for variant in variants {
        for (run, name, front) in variant.runs.iter().flat_map(|run| fronts(run)) {
            let seed = run.result.seed;
            for candidate in &front {
                csv.row([
                    variant.label.as_str(),
                    &seed.to_string(),
                    &name,
                    &candidate.arch,
                    &candidate.accuracy.to_string(),
                    &candidate.params.to_string(),
                    &candidate.macs.to_string(),
                ])?;
            }
            let points = front.iter().map(|candidate| (candidate.macs as f64 / 1e6, candidate.accuracy)).collect();
            let label = format!("{} seed {seed}, {name}", variant.label);
            series.push(Series { label, colour: series.len(), points, band: Vec::new() });
        }
    }
    if series.is_empty() {
        return Ok(None);
    }
    let (legend, title) = (legend(&series), "Pareto fronts of the searches".to_owned());
    let caption = "Candidates with a higher accuracy than every candidate of the same search with fewer or equally many multiply-adds.".into();
    let (x, y) = ("million multiply-adds".into(), "shared-weight accuracy in %".into());
    let svg = Chart { title: title.clone(), x, y, marks: Marks::Dots, series }.svg();
    Ok(Some(Picture { name: "front".into(), title, caption, svg, wide: false, legend, csv: csv.finish()? }))
}

/// The fronts in a run directory, by the name of their search. A front that cannot be read is left out.
fn fronts(run: &ArchivedRun) -> Vec<(&ArchivedRun, String, Vec<Candidate>)> {
    let entries = fs::read_dir(&run.path).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.starts_with("search-"));
    names.sort();
    let read = |name: String| Some((run, name.clone(), front(&run.path.join(name).join("front.csv"))?));
    names.into_iter().filter_map(read).collect()
}

fn front(path: &Path) -> Option<Vec<Candidate>> {
    let bytes = read_file::bytes(path, MAX_SIZE).ok()?;
    let candidates = csv::Reader::from_reader(&bytes[..]).deserialize().collect::<Result<Vec<Candidate>, _>>();
    candidates.ok().filter(|front| front.iter().all(|candidate| candidate.accuracy.is_finite()))
}
