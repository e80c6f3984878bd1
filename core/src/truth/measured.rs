//! Truth tables made by `nas-train truth` that are part of the program.

use super::accuracy_unit::AccuracyUnit;
use super::error::TruthError;
use super::table::TruthTable;

/// Stand-alone accuracies of some architectures of a space on one data set.
#[derive(Debug)]
pub struct MeasuredTable {
    /// The search space.
    pub space: &'static str,
    /// The data set.
    pub data: &'static str,
    /// The name for `truth.table`, as if the table were a column of the space's embedded benchmark.
    pub column: &'static str,
    /// The command that measured the values.
    pub source: &'static str,
    /// The CSV file that the command wrote. The configuration is in the TOML file beside it.
    csv: &'static str,
}

static TABLES: [MeasuredTable; 1] = [MeasuredTable {
    space: "nasbench201",
    data: "digits",
    column: "digits_alone",
    source: "250 random architectures with 8 channels and one cell per stage, 3 seeds each, by `nas-train truth --samples \
             250 --seeds 3 --epochs 6 --lr-schedule cosine`",
    csv: include_str!("../../data/digits_nasbench201.csv"),
}];

impl MeasuredTable {
    /// The table of a space and a data set.
    pub fn find(space: &str, data: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.space == space && table.data == data)
    }

    /// All tables of a space.
    pub fn of_space(space: &str) -> impl Iterator<Item = &'static Self> {
        TABLES.iter().filter(move |table| table.space == space)
    }

    /// The table of a space by its column.
    pub fn column(space: &str, column: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.space == space && table.column == column)
    }

    /// The mean accuracies over seeds. For `normalise` see [`TruthTable::from_csv`].
    ///
    /// # Errors
    /// The errors of `normalise`; the table itself is tested.
    pub fn truth<E: ToString>(&self, normalise: impl Fn(&str) -> Result<String, E>) -> Result<TruthTable, TruthError> {
        let name = format!("{}/{}", self.space, self.column);
        let table = TruthTable::from_csv(self.csv.as_bytes(), self.space, &name, AccuracyUnit::Percent, normalise)?;
        Ok(TruthTable { source: self.source.into(), ..table })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sha256sum core/data/digits_nasbench201.csv`
    #[test]
    fn the_digits_table_is_unchanged() {
        let table = MeasuredTable::find("nasbench201", "digits").unwrap();
        let truth = table.truth(|text| Ok::<_, String>(text.to_owned())).unwrap();
        assert_eq!(truth.len(), 250);
        assert!(truth.iter().all(|(_, entry)| entry.seeds == Some(3)));
        assert_eq!(truth.sha256, "8581d216d5451f318b9f432c17efedbc3b6ce5d1533b3cd290a1bc94971093dd");
        assert_eq!(truth.name, "nasbench201/digits_alone");
        assert!(MeasuredTable::find("nasbench201", "cifar10").is_none());
        assert!(MeasuredTable::column("nasbench201", "digits_alone").is_some());
    }
}
