//! Truth tables from CSV files.

use std::collections::BTreeMap;
use std::path::Path;

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};

use super::accuracy_unit::AccuracyUnit;
use super::error::TruthError;
use super::table::{TruthEntry, TruthTable};
use crate::csv_lines::CsvLines;
use crate::{read_file, sha256};

/// Largest size of a table in bytes. A table of a million architectures has about 100 MB.
const MAX_FILE: u64 = 1_000_000_000;

/// Positions of the columns.
struct Header {
    arch: usize,
    accuracy: usize,
    seed: Option<usize>,
}

/// The training runs of one architecture.
#[derive(Default)]
struct Runs {
    /// The line of each seed. The only key is `None` in a table without seeds.
    lines: BTreeMap<Option<u64>, u64>,
    sum: f64,
}

impl TruthTable {
    /// Reads a CSV file; see [`TruthTable::from_csv`].
    ///
    /// # Errors
    /// A file that cannot be read, or the errors of [`TruthTable::from_csv`].
    pub fn load<E: ToString>(
        path: &Path,
        space: &str,
        unit: AccuracyUnit,
        normalise: impl Fn(&str) -> Result<String, E>,
    ) -> Result<Self, TruthError> {
        let bytes =
            read_file::bytes(path, MAX_FILE).map_err(|source| TruthError::Read { path: path.to_owned(), source })?;
        Self::from_csv(&bytes, space, &path.display().to_string(), unit, normalise)
            .map_err(|source| TruthError::File { path: path.to_owned(), source: Box::new(source) })
    }

    /// Reads CSV with the header `arch,accuracy` or `arch,seed,accuracy`, in any order. Further columns are ignored.
    ///
    /// `unit` is the unit of the accuracies. The accuracy of an architecture is the mean over its seeds. `normalise`
    /// converts the text of an architecture to the form in which the space prints it, or returns the reason why the
    /// text is none.
    ///
    /// # Errors
    /// A table without rows, a missing or repeated column, a field that is not of its type, an architecture of another
    /// space, two rows of one architecture and seed, or accuracies of another unit.
    pub fn from_csv<E: ToString>(
        bytes: &[u8],
        space: &str,
        name: &str,
        unit: AccuracyUnit,
        normalise: impl Fn(&str) -> Result<String, E>,
    ) -> Result<Self, TruthError> {
        let mut reader = ReaderBuilder::new().has_headers(false).trim(Trim::All).from_reader(bytes);
        let mut records = reader.records();
        let mut lines = CsvLines::of(bytes);
        let header = records.next().ok_or(TruthError::Empty)?.map_err(|error| located(error, &mut lines))?;
        let header = header_of(&header, lines.at(header.position()))?;
        let mut runs: BTreeMap<String, Runs> = BTreeMap::new();
        let mut highest = 0.0_f64;
        for record in records {
            let record = record.map_err(|error| located(error, &mut lines))?;
            let line = lines.at(record.position());
            let text = &record[header.arch];
            let arch = normalise(text).map_err(|reason| TruthError::UnknownArch {
                line,
                arch: text.to_owned(),
                space: space.to_owned(),
                reason: reason.to_string(),
            })?;
            let seed = header.seed.map(|column| seed_of(&record[column], line)).transpose()?;
            let accuracy = accuracy_of(&record[header.accuracy], unit, line)?;
            highest = highest.max(accuracy);
            let runs = runs.entry(arch).or_default();
            if let Some(first) = runs.lines.insert(seed, line) {
                return Err(TruthError::Duplicate { line, first, arch: text.to_owned(), seed });
            }
            runs.sum += accuracy;
        }
        if runs.is_empty() {
            return Err(TruthError::Empty);
        }
        if unit == AccuracyUnit::Percent && highest <= 1.0 {
            return Err(TruthError::Fractions { highest });
        }
        let entry = |runs: Runs| {
            let seeds = runs.lines.len();
            TruthEntry { accuracy: runs.sum / seeds as f64, seeds: Some(seeds) }
        };
        Ok(Self {
            space: space.to_owned(),
            name: name.to_owned(),
            entries: runs.into_iter().map(|(arch, runs)| (arch, entry(runs))).collect(),
            sha256: sha256::of(bytes),
            source: format!("read from {name}"),
        })
    }
}

fn header_of(record: &StringRecord, line: u64) -> Result<Header, TruthError> {
    let find = |column: &'static str| {
        let mut indices = record.iter().enumerate().filter(|(_, name)| *name == column).map(|(index, _)| index);
        match (indices.next(), indices.next()) {
            (_, Some(_)) => Err(TruthError::RepeatedColumn { line, column }),
            (index, None) => Ok(index),
        }
    };
    let required = |column| {
        let missing = || TruthError::MissingColumn { line, column, found: record.iter().map(str::to_owned).collect() };
        find(column)?.ok_or_else(missing)
    };
    if find("purpose")?.is_some() {
        return Err(TruthError::SharedWeights);
    }
    Ok(Header { arch: required("arch")?, accuracy: required("accuracy")?, seed: find("seed")? })
}

fn seed_of(field: &str, line: u64) -> Result<u64, TruthError> {
    let expected = "a whole number from 0";
    field.parse().map_err(|_| TruthError::NotANumber { line, column: "seed", expected, found: field.to_owned() })
}

fn accuracy_of(field: &str, unit: AccuracyUnit, line: u64) -> Result<f64, TruthError> {
    let not_a_number = || TruthError::NotANumber {
        line,
        column: "accuracy",
        expected: match unit {
            AccuracyUnit::Percent => "a number in percent",
            AccuracyUnit::Fraction => "a fraction",
        },
        found: field.to_owned(),
    };
    let accuracy: f64 = field.parse().map_err(|_| not_a_number())?;
    if accuracy.is_nan() {
        return Err(not_a_number());
    }
    if !(0.0..=unit.whole()).contains(&accuracy) {
        let found = field.to_owned();
        return Err(match unit {
            AccuracyUnit::Percent => TruthError::OutOfRange { line, found },
            AccuracyUnit::Fraction => TruthError::NotAFraction { line, found },
        });
    }
    Ok(unit.percent(accuracy, field))
}

/// An error of the CSV reader, with its line.
fn located(error: csv::Error, lines: &mut CsvLines) -> TruthError {
    match error.kind() {
        ErrorKind::UnequalLengths { pos: Some(pos), expected_len, len } => {
            TruthError::Fields { line: lines.at(Some(pos)), expected: *expected_len, found: *len }
        }
        ErrorKind::Utf8 { pos: Some(pos), .. } => TruthError::NotText { line: lines.at(Some(pos)) },
        _ => TruthError::Csv(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::error::Error;
    use std::fs;

    fn read(text: &[u8]) -> Result<TruthTable, TruthError> {
        read_in(AccuracyUnit::Percent, text)
    }

    fn read_in(unit: AccuracyUnit, text: &[u8]) -> Result<TruthTable, TruthError> {
        let digits = |arch: &str| match arch.trim_start_matches('=') {
            digits if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => Ok(digits.to_owned()),
            _ => Err("expected digits"),
        };
        TruthTable::from_csv(text, "toy", "toy.csv", unit, digits)
    }

    fn message(text: &str) -> String {
        read(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn averages_over_seeds() {
        let table = read(b"seed,arch,wall_s,accuracy\n0,12,1.5,90\n1,12,1.5,91\n0,01,2,50.5\n").unwrap();
        assert_eq!((table.len(), table.is_empty()), (2, false));
        assert_eq!(table.get("12"), Some(TruthEntry { accuracy: 90.5, seeds: Some(2) }));
        assert_eq!(table.get("01"), Some(TruthEntry { accuracy: 50.5, seeds: Some(1) }));
        assert_eq!(table.get("99"), None);
        assert_eq!(table.iter().map(|(arch, _)| arch).collect::<Vec<_>>(), ["01", "12"]);
        assert_eq!(table.best().unwrap().0, "12");
        assert_eq!(table.space, "toy");
    }

    /// `printf 'arch,accuracy\n1,50\n' | sha256sum`
    #[test]
    fn hash_is_of_the_bytes() {
        let table = read(b"arch,accuracy\n1,50\n").unwrap();
        assert_eq!(table.sha256, "7e022bfe8bce9b8e85013d61def887ef5af1d974675024c4178b873e1f5d136a");
    }

    #[test]
    fn accepts_other_line_ends_spaces_quotes_and_a_byte_order_mark() {
        let table = read("\u{feff}arch , accuracy\r\n\"1\" , 50.0\r\n\r\n=2, 1e1".as_bytes()).unwrap();
        assert_eq!(table.get("1").unwrap().accuracy, 50.0);
        assert_eq!(table.get("2").unwrap().accuracy, 10.0);
    }

    #[test]
    fn errors_name_the_problem_and_the_line() {
        for (text, expected) in [
            ("", "the table is empty: expected a header"),
            ("\n\n", "the table is empty: expected a header"),
            ("arch,accuracy\n", "the table is empty: expected a header"),
            ("arch,acc\n1,50\n", "line 1: expected a header with a column 'accuracy', found 'arch', 'acc'; add or"),
            ("1,50\n", "line 1: expected a header with a column 'arch', found '1', '50'"),
            ("arch,accuracy,arch\n", "line 1: the header names the column 'arch' twice"),
            (
                "arch,accuracy\n1,50\n2,high\n",
                "line 3: expected a number in percent in column 'accuracy', found 'high'",
            ),
            ("arch,accuracy\n1,\n", "line 2: expected a number in percent in column 'accuracy', found ''"),
            ("arch,accuracy\n1,nan\n", "line 2: expected a number in percent in column 'accuracy', found 'nan'"),
            ("arch,accuracy\n1,-0.5\n", "line 2: expected an accuracy in percent, from 0 to 100, found -0.5"),
            ("arch,accuracy\n1,inf\n", "line 2: expected an accuracy in percent, from 0 to 100, found inf"),
            ("arch,accuracy\n\n\n1,100.5\n", "line 4: expected an accuracy in percent, from 0 to 100, found 100.5"),
            ("arch,seed,accuracy\n1,a,50\n", "line 2: expected a whole number from 0 in column 'seed', found 'a'"),
            ("arch,seed,accuracy\n1,,50\n", "line 2: expected a whole number from 0 in column 'seed', found ''"),
            ("arch,accuracy\n1,50\n2,1\n=1,51\n", "line 4: architecture =1 is already in line 2; remove one"),
            ("arch,seed,accuracy\n1,7,50\n1,7,50\n", "line 3: architecture 1 with seed 7 is already in line 2;"),
            ("arch,accuracy\n1,50,3\n", "line 2: expected 2 fields as in the header, found 3; put double quotes"),
            ("arch,accuracy\r\n1,50\r\n\r\n2,high\r\n", "line 4: expected a number in percent"),
            ("arch,accuracy\r1,50\r2,high\r", "line 3: expected a number in percent"),
            ("\n\narch,acc\n", "line 3: expected a header"),
            ("arch,note,accuracy\n1,\"two\nlines\",50\n2,,high\n", "line 4: expected a number in percent"),
            ("arch,accuracy\n\n1,50\n\n2,50,3\n", "line 5: expected 2 fields"),
            ("arch,accuracy\nx,50\n", "line 2: 'x' is not an architecture of space toy: expected digits"),
        ] {
            let found = message(text);
            assert!(found.starts_with(expected), "{text:?}\n{found}\n{expected}");
        }
        let error = read(b"arch,accuracy\n1,50\n\xff,1\n").unwrap_err().to_string();
        assert!(error.starts_with("line 3: found bytes that are not UTF-8"), "{error}");
    }

    #[test]
    fn other_separators_than_commas_are_named() {
        for text in ["arch;accuracy\n1;50\n", "arch\taccuracy\n1\t50\n"] {
            assert!(message(text).ends_with("separate the columns by commas, not by semicolons or tabs"), "{text}");
        }
        assert!(message("arch\n1\n").ends_with("add or rename the column"));
    }

    #[test]
    fn fractions_are_read_only_on_demand() {
        let fractions = "arch,accuracy\n1,0.724\n2,1\n3,7e-1\n";
        let message = message(fractions);
        assert!(message.starts_with("no accuracy exceeds 1 (the highest is 1)") && message.contains("truth.unit"));
        let table = read_in(AccuracyUnit::Fraction, fractions.as_bytes()).unwrap();
        assert_eq!(["1", "2", "3"].map(|arch| table.get(arch).unwrap().accuracy), [72.4, 100.0, 70.0]);
        for (field, expected) in [("72.4", "from 0 to 1, found 72.4"), ("x", "a fraction in column 'accuracy'")] {
            let text = format!("arch,accuracy\n1,{field}\n");
            let error = read_in(AccuracyUnit::Fraction, text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn messages_quote_a_part_of_long_fields() {
        let long = "\u{1b}".to_owned() + &"9".repeat(100_000);
        for text in [
            format!("{long},accuracy\n"),
            format!("arch,accuracy\n1,{long}\n"),
            format!("arch,accuracy\n1,{}\n", "9".repeat(1000)),
            format!("arch,seed,accuracy\n1,{long},3\n"),
            format!("arch,accuracy\n{long},3\n"),
        ] {
            let message = message(&text);
            assert!(message.len() < 1000 && !message.contains('\u{1b}'), "{message}");
        }
    }

    #[test]
    fn errors_of_a_file_name_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("truth.csv");
        let load = || TruthTable::load(&path, "toy", AccuracyUnit::Percent, |arch| Ok::<_, String>(arch.to_owned()));
        let error = load().unwrap_err();
        assert!(error.to_string().contains("truth.csv") && error.source().is_some());
        fs::write(&path, "arch\n").unwrap();
        let error = load().unwrap_err();
        assert!(error.to_string().contains("truth.csv"));
        assert!(error.source().unwrap().to_string().starts_with("line 1: "));
        fs::write(&path, "arch,accuracy\n1,50\n").unwrap();
        assert_eq!(load().unwrap().name, path.display().to_string());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn never_panics_on_near_tables(body in "[0-9,.\"\n\rx-]{0,80}") {
            let _ = read(format!("arch,seed,accuracy\n{body}").as_bytes());
        }
    }
}
