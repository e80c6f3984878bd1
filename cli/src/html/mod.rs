//! `report.html`: one file that needs no network, with the data of every figure as CSV beside it.

mod cell;
mod figures;
mod outliers;
mod svg;
mod tables;

use crate::archive::ArchivedSequence;
use crate::comparison::Comparison;
use crate::files;
use anyhow::Result;
use figures::Picture;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use svg::{colour, escape};

const STYLE: &str = include_str!("style.css");
const SORT: &str = include_str!("sort.js");
const PRINT: &str = include_str!("print.js");

/// What a report shows.
pub struct Report<'a> {
    /// Runs, figures and notes.
    pub comparison: &'a Comparison,
    /// Sequences with their labels.
    pub sequences: Vec<(String, ArchivedSequence)>,
    /// Directories that cannot be shown, and why.
    pub problems: Vec<(PathBuf, String)>,
}

impl Report<'_> {
    /// Writes `report.html` and `figures/*.csv` into a directory.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let pictures = figures::all(&self.comparison.variants, &self.sequences);
        let data = dir.join("figures");
        files::make_dir(&data)?;
        let files = pictures.iter().filter(|picture| picture.svg.is_some());
        let files = files.map(|picture| (data.join(format!("{}.csv", picture.name)), picture.csv.clone()));
        for (path, text) in files.chain([(dir.join("report.html"), self.page(&pictures))]) {
            files::write(&path, &text)?;
        }
        Ok(())
    }

    fn page(&self, pictures: &[Picture]) -> String {
        let labels: Vec<&str> = self.comparison.variants.iter().map(|variant| variant.label.as_str()).collect();
        let title = format!("nas-train: {}", escape(&labels.join(", ")));
        let mut body = format!("<h1>{title}</h1>\n{}", self.introduction());
        for (path, problem) in &self.problems {
            let path = escape(&path.display().to_string());
            let _ = writeln!(body, r#"<p class="warn">Not shown: {path}: {}</p>"#, escape(problem));
        }
        if !self.comparison.variants.is_empty() {
            body += "<h2>Summary</h2>\n";
            body += &tables::summary(self.comparison);
            body += &tables::differences(self.comparison);
        }
        for note in self.comparison.notes.iter().chain(&self.comparison.seeds_note) {
            let _ = writeln!(body, "<p>{}</p>", escape(note));
        }
        body += "<h2>Figures</h2>\n<div class=\"figures\">\n";
        pictures.iter().filter_map(figure).for_each(|figure| body += &figure);
        body += "</div>\n";
        let missing: Vec<&str> =
            pictures.iter().filter(|picture| picture.svg.is_none()).map(|picture| picture.title.as_str()).collect();
        if !missing.is_empty() {
            let _ = writeln!(body, "<p>No data for: {}.</p>", escape(&missing.join("; ")));
        }
        body += &tables::configuration(self.comparison);
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}<script>\n{SORT}{PRINT}</script>\n</body>\n\
             </html>\n"
        )
    }

    fn introduction(&self) -> String {
        let Some(run) = self.comparison.variants.iter().find_map(|variant| variant.runs.first()) else {
            return String::new();
        };
        let (result, config) = (&run.result, &run.config);
        let truth = result.truth.as_ref().map(|truth| format!(", truth {} (n = {})", truth.table, truth.n));
        let budget = match &self.comparison.budget {
            Some(budget) => format!("Budget: equal {}.", escape(budget)),
            None => "The runs were not planned with an equal budget.".into(),
        };
        format!(
            "<p>Space {}, data {}, controller {}, {} probe architectures{}. {budget}</p>\n",
            escape(&result.space),
            escape(&result.data),
            escape(&result.controller),
            config.probes.count,
            escape(&truth.unwrap_or_default()),
        )
    }
}

fn figure(picture: &Picture) -> Option<String> {
    let svg = picture.svg.as_ref()?;
    let entry = |(label, number): &(String, usize)| {
        format!(r#"<span><i style="background:{}"></i>{}</span>"#, colour(*number), escape(label))
    };
    let legend: String = picture.legend.iter().map(entry).collect();
    let legend = if legend.is_empty() { legend } else { format!("<div class=\"legend\">{legend}</div>\n") };
    let (title, caption, name) = (escape(&picture.title), escape(&picture.caption), &picture.name);
    let data = format!(r#"<a class="data" href="figures/{name}.csv">data</a>"#);
    Some(format!("<figure>\n<figcaption><b>{title}</b>{caption} {data}</figcaption>\n{legend}{svg}\n</figure>\n"))
}
