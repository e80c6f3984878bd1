//! Writing for people, whoever has closed which pipe.

use comfy_table::{Table, presets};
use std::io::{ErrorKind, Write};

/// Writes a line to stderr. If stderr is closed, there is nobody to tell.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Writes results to stdout, a line end added. A reader that has seen enough (`| head`) is no failure.
///
/// # Errors
/// Anything but a closed pipe, a full disk for instance.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let written = writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}

/// A line for each row below a header, for eyes and `grep` alike.
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = plain();
    table.set_header(header.map(str::to_uppercase));
    rows.into_iter().for_each(|row| {
        table.add_row(row);
    });
    trimmed(&table, "")
}

/// Lines of a name and its value, values below each other.
pub fn pairs(rows: &[(String, String)]) -> String {
    let mut table = plain();
    for (name, value) in rows {
        table.add_row([name, value]);
    }
    trimmed(&table, "  ")
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// The lines of a table with this indent and nothing at their ends.
fn trimmed(table: &Table, indent: &str) -> String {
    let line = |line: &str| format!("{indent}{}\n", line.strip_prefix(' ').unwrap_or(line).trim_end());
    table.to_string().lines().map(line).collect()
}

/// `1234567` as `1.23 M`.
pub fn short(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{:.1} k", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} M", count as f64 / 1e6),
        _ => format!("{:.2} G", count as f64 / 1e9),
    }
}

/// Seconds as `12.3 s`, `4 m 05 s` or `3 h 07 m`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} m {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} m", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shortened() {
        assert_eq!((short(999), short(12_345), short(1_073_466)), ("999".into(), "12.3 k".into(), "1.07 M".into()));
        assert_eq!(
            (duration(3.25), duration(245.0), duration(11_220.0)),
            ("3.2 s".into(), "4 m 05 s".into(), "3 h 07 m".into())
        );
    }

    #[test]
    fn pairs_align_their_values() {
        assert_eq!(pairs(&[("a".into(), "1".into()), ("long".into(), "2".into())]), "  a     1\n  long  2\n");
    }
}
