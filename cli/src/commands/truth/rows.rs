//! The rows of a truth table: reading with checks, and writing.

use crate::exit::UsageError;
use anyhow::Result;
use csv::{ReaderBuilder, StringRecord, Writer};
use nas_core::space::SearchSpace;
use std::collections::BTreeMap;

/// The columns, in the order in which `nas-train truth` writes them.
pub const HEADER: [&str; 6] = ["arch", "seed", "accuracy", "train_loss", "params", "macs"];

/// Accuracies in percent by architecture and seed.
#[derive(Default)]
pub struct Rows(BTreeMap<(String, u64), f64>);

impl Rows {
    /// Reads the text of a table. Its lines are complete.
    ///
    /// # Errors
    /// The first line is not the header, or a later line is not a row or repeats one. The message has the line and the
    /// reason.
    pub fn parse(text: &str, space: &dyn SearchSpace) -> Result<Self, UsageError> {
        let mut lines = text.lines().zip(1_u64..);
        let header = lines.next().map_or("", |(line, _)| line);
        if fields(header).is_none_or(|found| found != HEADER[..]) {
            return Err(UsageError(format!("expected the header {}, found {header}", HEADER.join(","))));
        }
        let (mut rows, mut seen) = (Self::default(), BTreeMap::new());
        for (line, number) in lines {
            let damaged = |problem: String| {
                UsageError(format!("line {number}: {problem}; remove the line, and the same command makes it again"))
            };
            let (arch, seed, accuracy) = row(line, space).map_err(damaged)?;
            if let Some(first) = seen.insert((arch.clone(), seed), number) {
                return Err(damaged(format!("architecture {arch} with seed {seed} is already in line {first}")));
            }
            rows.insert(&arch, seed, accuracy);
        }
        Ok(rows)
    }

    /// Adds a row with an accuracy as the table has it, so that equal accuracies stay equal when the table is read.
    pub fn insert(&mut self, arch: &str, seed: u64, accuracy: f64) {
        let written = decimals(accuracy).parse().unwrap_or(accuracy);
        self.0.insert((arch.into(), seed), written);
    }

    /// Architecture and seed of a line of the table.
    pub fn key(&self, line: &str) -> Option<(String, u64)> {
        let fields = fields(line)?;
        let key = (fields.get(0)?.to_owned(), fields.get(1)?.parse().ok()?);
        self.0.contains_key(&key).then_some(key)
    }

    /// The accuracies by architecture and seed.
    pub fn accuracies(&self) -> &BTreeMap<(String, u64), f64> {
        &self.0
    }
}

/// Architecture, seed and accuracy of a row.
fn row(line: &str, space: &dyn SearchSpace) -> Result<(String, u64, f64), String> {
    let fields = fields(line).ok_or("it is not a row of a CSV file")?;
    let found: Vec<&str> = fields.iter().collect();
    let [arch, seed, accuracy, train_loss, params, macs] = found[..] else {
        return Err(format!("expected {} fields as in the header, found {}", HEADER.len(), found.len()));
    };
    let arch = space.parse(arch).map_err(|error| error.to_string())?;
    let whole = |name: &str, text: &str| {
        text.parse::<u64>().map_err(|_| format!("expected a whole number from 0 as {name}, found {text}"))
    };
    let number = |name: &str, text: &str| {
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| format!("expected a number as {name}, found {text}"))
    };
    let accuracy_in_percent = number("accuracy", accuracy)?;
    if !(0.0..=100.0).contains(&accuracy_in_percent) {
        return Err(format!("expected an accuracy in percent, from 0 to 100, found {accuracy}"));
    }
    number("train_loss", train_loss)?;
    whole("params", params)?;
    whole("macs", macs)?;
    Ok((space.format(&arch), whole("seed", seed)?, accuracy_in_percent))
}

/// An accuracy or a loss with four decimals, which resolve a single image out of a million.
pub fn decimals(value: f64) -> String {
    format!("{value:.4}")
}

/// The fields of a line.
fn fields(line: &str) -> Option<StringRecord> {
    ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes()).records().next()?.ok()
}

/// A line of a CSV file, with its line end.
///
/// # Errors
/// None in practice: the line is written to memory.
pub fn csv_row<'a>(fields: impl IntoIterator<Item = &'a str>) -> Result<String> {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(fields)?;
    Ok(String::from_utf8(writer.into_inner()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nas_core::space::{Scale, Tiny};

    fn parse(rows: &str) -> Result<Rows, UsageError> {
        let tiny = Tiny::new(Scale { image: [8, 8, 3], classes: 4, width: 8, cells: 1 });
        Rows::parse(&format!("{}{rows}", csv_row(HEADER).unwrap()), &tiny)
    }

    #[test]
    fn a_damaged_row_is_refused_with_its_line() {
        let good = "20,0,50.0000,1.2000,100,2000\n";
        assert_eq!(parse(good).unwrap().accuracies()[&("20".into(), 0)], 50.0);
        for (row, problem) in [
            ("20,1,nan,1.2,100,2000", "expected a number as accuracy, found nan"),
            ("20,1,500,1.2,100,2000", "expected an accuracy in percent, from 0 to 100, found 500"),
            ("20,1,-1,1.2,100,2000", "from 0 to 100, found -1"),
            ("99,1,50,1.2,100,2000", "architecture `99` is not in space tiny"),
            ("20,-1,50,1.2,100,2000", "expected a whole number from 0 as seed, found -1"),
            ("20,1,50,inf,100,2000", "expected a number as train_loss, found inf"),
            ("20,1,50,1.2,many,2000", "expected a whole number from 0 as params, found many"),
            ("20,1,50,1.2,100", "expected 6 fields as in the header, found 5"),
            ("", "it is not a row of a CSV file"),
            ("\0\0", "expected 6 fields"),
            ("20,0,51.0000,1.2,100,2000", "architecture 20 with seed 0 is already in line 2"),
        ] {
            let error = parse(&format!("{good}{row}\n")).err().unwrap().to_string();
            assert!(error.starts_with("line 3: ") && error.contains(problem), "{row}: {error}");
        }
    }
}
