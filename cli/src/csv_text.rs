//! CSV files made in memory.

use anyhow::Result;
use csv::Writer;

/// A CSV file that grows row by row. Fields are quoted where needed.
pub struct CsvText {
    writer: Writer<Vec<u8>>,
}

impl CsvText {
    /// A file with this header.
    ///
    /// # Errors
    /// None in practice: the file is written to memory.
    pub fn new<'a>(header: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut writer = Writer::from_writer(Vec::new());
        writer.write_record(header)?;
        Ok(Self { writer })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// A row that is not as long as the header.
    pub fn row(&mut self, fields: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<()> {
        Ok(self.writer.write_record(fields)?)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// None in practice: the file is written to memory.
    pub fn finish(self) -> Result<String> {
        Ok(String::from_utf8(self.writer.into_inner()?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_needed() {
        let mut csv = CsvText::new(["variant", "seed"]).unwrap();
        csv.row(["ogd:a=1,b=2", "0"]).unwrap();
        assert_eq!(csv.finish().unwrap(), "variant,seed\n\"ogd:a=1,b=2\",0\n");
    }
}
