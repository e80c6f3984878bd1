//! Published benchmarks that are part of the program.

use std::sync::OnceLock;

use super::error::TruthError;
use super::format::{Column, Unit, decode};
use super::measured::MeasuredTable;
use super::table::{TruthEntry, TruthTable};
use super::text;
use crate::options::did_you_mean;
use crate::sha256;

/// A published benchmark: several measured columns for all architectures of a space, in the order of their index.
///
/// The columns are unpacked on first use and stay in memory.
#[derive(Debug)]
pub struct BenchmarkTable {
    /// The name of the benchmark.
    pub name: &'static str,
    /// The search space whose architectures it measures.
    pub space: &'static str,
    /// The column of accuracies for `truth.table = "auto"`.
    pub default_column: &'static str,
    /// Authors, licence and measurement of the values.
    pub source: &'static str,
    /// Number of training runs behind each accuracy of a column; `None` if the benchmark does not publish it.
    seeds: fn(&str) -> Option<usize>,
    text: fn(usize) -> String,
    packed: &'static [u8],
    columns: OnceLock<Vec<Column>>,
}

/// All 15,625 architectures of `nasbench201`: accuracies on CIFAR-10, CIFAR-100 and ImageNet16-120, and parameters in
/// millions of the network with 16 channels and 5 cells per stage.
///
/// Index: base 5, edge 1<-0 most significant.
pub static NASBENCH201: BenchmarkTable = BenchmarkTable {
    name: "nasbench201",
    space: "nasbench201",
    default_column: "cifar10_test",
    source: "NAS-Bench-201 (Dong and Yang, ICLR 2020; MIT, Xuanyi Dong), 200 epochs of training, mean of up to 3 runs",
    seeds: |_| None,
    text: text::nasbench201,
    packed: include_bytes!("../../data/nasbench201.truth.gz"),
    columns: OnceLock::new(),
};

/// All 6,561 architectures of `macro`: three accuracies on CIFAR-10, their mean and standard deviation (of the
/// population), parameters and FLOPs.
///
/// Index: base 3, first layer most significant.
pub static NASBENCH_MACRO: BenchmarkTable = BenchmarkTable {
    name: "nasbench_macro",
    space: "macro",
    default_column: "mean_acc",
    source: "NAS-Bench-Macro (Su et al., CVPR 2021; Apache-2.0, Xiu Su), mean of 3 runs",
    seeds: |column| Some(if column == "mean_acc" { 3 } else { 1 }),
    text: text::nasbench_macro,
    packed: include_bytes!("../../data/nasbench_macro.truth.gz"),
    columns: OnceLock::new(),
};

impl BenchmarkTable {
    /// All embedded tables.
    pub fn all() -> [&'static Self; 2] {
        [&NASBENCH201, &NASBENCH_MACRO]
    }

    /// The table of a search space.
    pub fn for_space(space: &str) -> Option<&'static Self> {
        Self::all().into_iter().find(|table| table.space == space)
    }

    /// All columns, in the order of the source table.
    pub fn columns(&self) -> &[Column] {
        self.columns.get_or_init(|| decode(self.packed).expect("invariant: the embedded tables decode, as tests check"))
    }

    /// The number of architectures.
    pub fn rows(&self) -> usize {
        self.columns().first().map_or(0, |column| column.values.len())
    }

    /// The column of this name.
    ///
    /// # Errors
    /// No such column.
    pub fn column(&self, name: &str) -> Result<&Column, TruthError> {
        let columns = self.columns();
        let known = || columns.iter().map(|column| column.name.as_str()).collect();
        columns.iter().find(|column| column.name == name).ok_or_else(|| self.unknown(name, known()))
    }

    fn unknown(&self, name: &str, known: Vec<&str>) -> TruthError {
        TruthError::UnknownColumn {
            table: self.name,
            found: name.to_owned(),
            hint: did_you_mean(name, known.iter().copied()),
            columns: known.into_iter().map(Into::into).collect(),
        }
    }

    /// The names that `truth.table` accepts for the space: columns with accuracies, and tables made by `nas-train
    /// truth`.
    pub fn truth_columns(&self) -> Vec<&str> {
        let accuracies = self.columns().iter().filter(|column| column.unit == Unit::Percent);
        let measured = MeasuredTable::of_space(self.space).map(|table| table.column);
        accuracies.map(|column| column.name.as_str()).chain(measured).collect()
    }

    /// The value of a column for the architecture with this index.
    ///
    /// # Errors
    /// No such column or index.
    pub fn value(&self, column: &str, index: usize) -> Result<f64, TruthError> {
        let rows = self.rows();
        let value = self.column(column)?.values.get(index).copied();
        value.ok_or(TruthError::UnknownIndex { table: self.name, rows, index })
    }

    /// The text of the architecture with this index.
    ///
    /// # Errors
    /// No such index.
    pub fn arch_text(&self, index: usize) -> Result<String, TruthError> {
        let rows = self.rows();
        let text = (index < rows).then(|| (self.text)(index));
        text.ok_or(TruthError::UnknownIndex { table: self.name, rows, index })
    }

    /// A column of accuracies as a truth table named `table/column`.
    ///
    /// # Errors
    /// No such column, or a column of other values than accuracies.
    pub fn truth(&self, column: &str) -> Result<TruthTable, TruthError> {
        let accuracies = self.column(column).map_err(|_| self.unknown(column, self.truth_columns()))?;
        if accuracies.unit != Unit::Percent {
            let accuracies = self.truth_columns().into_iter().map(Into::into).collect();
            return Err(TruthError::NotAccuracy { table: self.name, column: column.to_owned(), accuracies });
        }
        let seeds = (self.seeds)(column);
        let entries = accuracies.values.iter().enumerate();
        Ok(TruthTable {
            space: self.space.to_owned(),
            name: format!("{}/{column}", self.name),
            entries: entries.map(|(i, &accuracy)| ((self.text)(i), TruthEntry { accuracy, seeds })).collect(),
            sha256: sha256::of(self.packed),
            source: self.source.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The CSV file behind an embedded table. `trim` removes trailing zeros down to one decimal, as Python prints.
    fn csv(table: &BenchmarkTable, trim: bool) -> String {
        let names: Vec<&str> = table.columns().iter().map(|column| column.name.as_str()).collect();
        let mut text = format!("arch,{}\n", names.join(","));
        for row in 0..table.rows() {
            text += &table.arch_text(row).unwrap();
            for column in table.columns() {
                let mut value = format!("{:.*}", column.decimals as usize, column.values[row]);
                while trim && value.ends_with('0') && !value.ends_with(".0") {
                    value.pop();
                }
                text += ",";
                text += &value;
            }
            text += "\n";
        }
        text
    }

    /// The hashes are the `sha256sum` of the CSV files that `core/data/regenerate.py` packed.
    #[test]
    fn tables_are_lossless() {
        assert_eq!(
            sha256::of(csv(&NASBENCH201, true).as_bytes()),
            "f585eb6dd1b07e857aa62ed01086f9def1a19e4a8e530459dae4e57c6bdba5ea"
        );
        assert_eq!(
            sha256::of(csv(&NASBENCH_MACRO, false).as_bytes()),
            "ef99b92a4ce0297f4cb679fa2555e9a59c64e2580bd5ff999f4e375523f6a2ee"
        );
    }

    #[test]
    fn tables_fit_in_the_program() {
        let size: usize = BenchmarkTable::all().iter().map(|table| table.packed.len()).sum();
        assert!(size < 250_000, "{size}");
    }

    #[test]
    fn looks_up_by_index_and_column() {
        assert_eq!((NASBENCH201.rows(), NASBENCH_MACRO.rows()), (15_625, 6_561));
        assert_eq!(NASBENCH201.value("params_m", 2).unwrap(), 0.101);
        assert_eq!(NASBENCH_MACRO.value("flops", 1).unwrap(), 14_115_328.0);
        assert_eq!(NASBENCH_MACRO.arch_text(5).unwrap(), "00000012");
        assert!(matches!(
            NASBENCH_MACRO.value("flops", 6561),
            Err(TruthError::UnknownIndex { rows: 6561, index: 6561, .. })
        ));
        assert!(NASBENCH201.arch_text(usize::MAX).is_err());
        assert_eq!(BenchmarkTable::for_space("macro").unwrap().name, "nasbench_macro");
        assert!(BenchmarkTable::for_space("darts").is_none());
    }

    #[test]
    fn a_column_becomes_a_truth_table() {
        let truth = NASBENCH201.truth(NASBENCH201.default_column).unwrap();
        assert_eq!((truth.space.as_str(), truth.name.as_str()), ("nasbench201", "nasbench201/cifar10_test"));
        assert_eq!((truth.len(), truth.sha256.len()), (15_625, 64));
        let (best, entry) = truth.best().unwrap();
        assert_eq!(entry, TruthEntry { accuracy: 94.37, seeds: None });
        // Two architectures have this accuracy. The first by text is the best.
        assert_eq!(best, NASBENCH201.arch_text(11_663).unwrap());
        assert_eq!(NASBENCH201.value("cifar10_test", 11_667).unwrap(), 94.37);
        let truth = NASBENCH_MACRO.truth("mean_acc").unwrap();
        assert_eq!(truth.get("00000002"), Some(TruthEntry { accuracy: 65.86, seeds: Some(3) }));
    }

    #[test]
    fn wrong_columns_are_named_with_the_right_ones() {
        let error = NASBENCH201.truth("cifar10-test").unwrap_err().to_string();
        assert!(
            error.contains("unknown column `cifar10-test` of table nasbench201, did you mean `cifar10_test`?"),
            "{error}"
        );
        let error = NASBENCH201.truth("zzz").unwrap_err().to_string();
        assert!(
            error.contains("or one of cifar10_valid, ") && error.ends_with("imagenet16_test, digits_alone"),
            "{error}"
        );
        let error = NASBENCH_MACRO.truth("std").unwrap_err().to_string();
        assert!(error.ends_with("choose one of test_acc_1, test_acc_2, test_acc_3, mean_acc"), "{error}");
    }
}
