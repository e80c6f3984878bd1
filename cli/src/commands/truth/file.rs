//! The CSV file of a truth table.

use super::rows::{HEADER, Rows, csv_row, decimals};
use super::table_settings::TableSettingsFile;
use crate::claim::Claim;
use crate::exit::UsageError;
use crate::files;
use anyhow::{Context, Result};
use nas_core::durable;
use nas_core::read_file;
use nas_core::result::StandAloneResult;
use nas_core::space::SearchSpace;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Table;

/// The largest size of a table in bytes: more than a million rows.
const LIMIT: u64 = 1 << 28;

/// The figures of a row of a truth table.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct TruthRow {
    /// Accuracy in percent.
    pub accuracy: f64,
    /// Mean training loss of the last epoch, in nats.
    train_loss: f64,
    params: u64,
    macs: u64,
}

impl TruthRow {
    /// The figures of a training; none if it was interrupted.
    pub fn of(result: &StandAloneResult) -> Option<Self> {
        let StandAloneResult { last, train_loss, params, macs, .. } = result;
        Some(Self { accuracy: last.as_ref()?.accuracy, train_loss: (*train_loss)?, params: *params, macs: *macs })
    }
}

/// A truth table that grows row by row.
pub struct TruthFile {
    path: PathBuf,
    file: File,
    rows: Rows,
    _claim: Claim,
}

impl TruthFile {
    /// Opens an existing table to resume it, or creates a table and its settings file. An incomplete last row is
    /// removed. A table without a complete header is new: its first write was interrupted. `timeout` is the longest
    /// time to wait for a program of another machine that writes to the table.
    ///
    /// # Errors
    /// The table has other settings, another format or a damaged row, another program writes to it, or a file cannot be
    /// read or written.
    pub fn open(path: &Path, settings: &Table, space: &dyn SearchSpace, timeout: Duration) -> Result<Self> {
        let failed = || format!("cannot write {}", path.display());
        let beside = TableSettingsFile::beside(path, settings);
        // A refused start creates no table.
        beside.check()?;
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(UsageError(format!("{} is not a file; choose another --out", path.display())).into());
        }
        let parent = path.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(parent).with_context(|| format!("cannot create the directory {}", parent.display()))?;
        // Taken before the table is opened, which another process may replace.
        let claim = Claim::take_within(&path.with_extension("owner"), path, timeout)?;
        let file = File::options().create(true).append(true).open(path).with_context(failed)?;
        // The content of both files is read and written with the lock only.
        files::lock(&file, path)?;
        let text = read_file::text(path, LIMIT).with_context(|| format!("cannot read {}", path.display()))?;
        let header = csv_row(HEADER)?;
        let mut table = Self { path: path.into(), file, rows: Rows::default(), _claim: claim };
        if header.starts_with(&text) && text.len() < header.len() {
            if !beside.check()? {
                beside.write()?;
            }
            table.file.set_len(0).with_context(failed)?;
            table.append(&header)?;
            durable::sync_dir(parent).with_context(failed)?;
        } else {
            // A killed process leaves an incomplete last row.
            let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
            table.rows = Rows::parse(whole, space).with_context(|| path.display().to_string())?;
            if !beside.check()? {
                return Err(beside.missing());
            }
            table.file.set_len(whole.len() as u64).with_context(failed)?;
        }
        Ok(table)
    }

    /// Whether the table contains an architecture with a seed.
    pub fn holds(&self, arch: &str, seed: u64) -> bool {
        self.rows.accuracies().contains_key(&(arch.into(), seed))
    }

    /// Appends a row. It is on the disk when the function returns.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, arch: &str, seed: u64, row: &TruthRow) -> Result<()> {
        self.append(&Self::line(arch, seed, row)?)?;
        self.rows.insert(arch, seed, row.accuracy);
        Ok(())
    }

    /// Adds rows, and writes the rows of `items` at the end of the table, in this order. Rows of other trainings stay
    /// before them. The file is replaced as a whole.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn merge(&mut self, items: &[(String, u64)], rows: BTreeMap<(String, u64), TruthRow>) -> Result<()> {
        let text =
            read_file::text(&self.path, LIMIT).with_context(|| format!("cannot read {}", self.path.display()))?;
        let order: BTreeSet<&(String, u64)> = items.iter().collect();
        let mut lines: BTreeMap<(String, u64), String> = BTreeMap::new();
        let mut merged = csv_row(HEADER)?;
        for line in text.split_inclusive('\n').skip(1) {
            match self.rows.key(line).filter(|key| order.contains(key)) {
                Some(key) => drop(lines.insert(key, line.into())),
                None => merged += line,
            }
        }
        for ((arch, seed), row) in rows {
            let line = Self::line(&arch, seed, &row)?;
            self.rows.insert(&arch, seed, row.accuracy);
            lines.entry((arch, seed)).or_insert(line);
        }
        merged.extend(items.iter().filter_map(|item| lines.remove(item)));
        files::write_shared(&self.path, &merged)
    }

    fn line(arch: &str, seed: u64, row: &TruthRow) -> Result<String> {
        let TruthRow { accuracy, train_loss, params, macs } = row;
        let (accuracy, train_loss) = (decimals(*accuracy), decimals(*train_loss));
        csv_row([arch, &seed.to_string(), &accuracy, &train_loss, &params.to_string(), &macs.to_string()])
    }

    fn append(&mut self, row: &str) -> Result<()> {
        let written = self.file.write_all(row.as_bytes()).and_then(|()| self.file.sync_data());
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// The rows of the table.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }
}
