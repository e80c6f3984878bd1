//! `report.html`: one file that needs no network, with the data of every picture as CSV beside it.

mod configuration;
mod own_files;
mod picture;
mod pictures;
mod svg;
mod tables;
mod training;

use crate::archive::ArchivedSequence;
use crate::comparison::Comparison;
use crate::files;
use crate::trainings::TrainingGroup;
use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use picture::Picture;
pub use pictures::architecture_svg;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const STYLE: &str = include_str!("style.css");
const SORT: &str = include_str!("sort.js");
const PRINT: &str = include_str!("print.js");

/// The content of a report.
pub struct HtmlReport<'a> {
    /// Variants, figures and notes.
    pub comparison: &'a Comparison,
    /// Sequences with the labels of their variants.
    pub sequences: Vec<(String, ArchivedSequence)>,
    /// Stand-alone trainings.
    pub trainings: Vec<TrainingGroup>,
    /// Directories and files that are not shown, with the reason.
    pub problems: Vec<(PathBuf, String)>,
}

/// The pictures of a report by section.
struct ReportPictures {
    /// Of runs and sequences.
    runs: Vec<Picture>,
    /// Of stand-alone trainings.
    trainings: Vec<Picture>,
}

impl ReportPictures {
    /// Name and content of the file of each picture that has data.
    fn data(&self) -> Vec<(String, &str)> {
        let shown = self.runs.iter().chain(&self.trainings).filter(|picture| picture.svg.is_some());
        shown.map(|picture| (format!("figures/{}.csv", picture.name), picture.csv.as_str())).collect()
    }
}

impl HtmlReport<'_> {
    /// Checks that a directory has no file that [`write`](Self::write) would replace, except those of an earlier
    /// report.
    ///
    /// # Errors
    /// The message names the file.
    pub fn check_replaceable(&self, dir: &Path) -> Result<()> {
        own_files::check(dir, self.pictures()?.data().into_iter().map(|(name, _)| name))
    }

    /// Writes `report.html`, then `figures/*.csv`, into a directory, in which they replace those of an earlier report.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let pictures = self.pictures()?;
        let data = pictures.data();
        own_files::remove_earlier(dir, &data.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>())?;
        // The page marks the other files as those of a report, which a further report may replace.
        files::write(&dir.join("report.html"), &self.page(&pictures)?.into_string())?;
        files::make_dir(&dir.join("figures"))?;
        data.iter().try_for_each(|(name, csv)| files::write(&dir.join(name), csv))
    }

    fn pictures(&self) -> Result<ReportPictures> {
        let runs = pictures::of_runs(&self.comparison.variants, &self.sequences)?;
        Ok(ReportPictures { runs, trainings: pictures::of_trainings(&self.trainings)? })
    }

    fn page(&self, pictures: &ReportPictures) -> Result<Markup> {
        let variants = self.comparison.variants.iter().map(|variant| variant.label.as_str());
        let labels: Vec<&str> = variants.chain(self.trainings.iter().map(|group| group.name.as_str())).collect();
        let title = format!("nas-train: {}", labels.join(", "));
        let trainings = training::section(&self.trainings, &pictures.trainings)?;
        Ok(html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="generator" content=(own_files::GENERATOR);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    h1 { (title) }
                    (self.body(&pictures.runs, &trainings))
                    script { (PreEscaped(SORT)) (PreEscaped(PRINT)) }
                }
            }
        })
    }

    fn body(&self, pictures: &[Picture], trainings: &Markup) -> Markup {
        let comparison = self.comparison;
        let missing: Vec<&str> =
            pictures.iter().filter(|picture| picture.svg.is_none()).map(|picture| picture.title.as_str()).collect();
        html! {
            (self.introduction())
            @for (path, problem) in &self.problems { p class="warn" { "Not shown: " (path.display()) ": " (problem) } }
            @if !comparison.variants.is_empty() {
                (tables::summary(comparison))
                @for note in comparison.notes.iter().chain(&comparison.seeds_note) { p { (note) } }
                (tables::differences(comparison))
            }
            (trainings)
            @if !pictures.is_empty() { h2 { "Pictures" } }
            div class="figures" { @for figure in pictures.iter().filter_map(Picture::figure) { (figure) } }
            @if !missing.is_empty() { p { "No data for: " (missing.join("; ")) "." } }
            @if !comparison.variants.is_empty() {
                (tables::further_figures(comparison))
                (tables::runs(comparison))
            }
            (configuration::configuration(comparison, &self.trainings))
        }
    }

    /// The names of the controllers of all runs.
    fn controllers(&self) -> String {
        let runs = self.comparison.variants.iter().flat_map(|variant| &variant.runs);
        let names: BTreeSet<&str> = runs.map(|run| run.result.controller.as_str()).collect();
        names.into_iter().collect::<Vec<_>>().join(" or ")
    }

    fn introduction(&self) -> Markup {
        let Some(run) = self.comparison.variants.iter().find_map(|variant| variant.runs.first()) else {
            return Markup::default();
        };
        let (result, config) = (&run.result, &run.config);
        html! {
            p {
                "Space " (result.space) ", data " (result.data) ", controller " (self.controllers()) ", "
                (config.probes.count) " probe architectures"
                @if let Some(truth) = &result.truth { ", truth table " (truth.table) " (n = " (truth.n) ")" }
                ". "
                @match &self.comparison.budget {
                    Some(budget) => { "Budget: equal " (budget) "." }
                    None => "The runs were not planned with an equal budget.",
                }
            }
        }
    }
}
