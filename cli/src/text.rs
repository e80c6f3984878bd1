//! Terminal output that tolerates closed pipes, and formats for tables, counts and durations.

use crate::text_table::{NO_BREAK_SPACE, TextTable, terminal_width};
use std::borrow::Cow;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Start and end of bold text on a terminal. The tables of this program contain no other control sequences.
const BOLD: [&str; 2] = ["\u{1b}[1m", "\u{1b}[0m"];

/// Text with its control characters escaped. Paths and other text from outside the program could change the colours of
/// a terminal or hide parts of a message. Line ends, tabs and bold text of tables stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_escaped = |c: char| c.is_control() && !['\n', '\t'].contains(&c);
    if !text.contains(is_escaped) {
        return text.into();
    }
    let (mut printable, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let kept = BOLD.iter().find(|sequence| rest.starts_with(**sequence)).map_or(c.len_utf8(), |bold| bold.len());
        if is_escaped(c) && kept == c.len_utf8() {
            printable.extend(c.escape_default());
        } else {
            printable += &rest[..kept];
        }
        rest = &rest[kept..];
    }
    printable.into()
}

/// Writes a line to standard error, with control characters escaped. A closed or full standard error is ignored.
pub fn eprint_line(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(line));
}

/// Writes text and a line end to standard output, with control characters escaped. A closed pipe (`| head`) is not an
/// error.
///
/// # Errors
/// Standard output cannot be written for another reason, such as a full disk.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let written = writeln!(stdout, "{}", printable(text.trim_end())).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}

/// A table with a header in capitals and no borders. Without a terminal, each row is one line, so that `grep` works on
/// it.
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = TextTable::new(header.map(str::to_uppercase));
    rows.into_iter().for_each(|row| table.row(row));
    table.for_stdout(usize::MAX)
}

/// Indented lines of name and value, with the values aligned.
pub fn pairs(rows: &[(String, String)]) -> String {
    let mut table = TextTable::default();
    for (name, value) in rows {
        table.row([name.replace(' ', NO_BREAK_SPACE), value.clone()]);
    }
    let width = terminal_width().unwrap_or(usize::MAX);
    let lines = table.upright(width.saturating_sub(2), false);
    lines.lines().map(|line| format!("  {line}\n")).collect()
}

/// A count in short form: `1234567` becomes `1.23 M`. Counts below 10,000 are exact.
pub fn short(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        // The ends of the ranges are rounded up to the next unit.
        10_000..999_950 => format!("{:.1} k", count as f64 / 1e3),
        999_950..999_995_000 => format!("{:.2} M", count as f64 / 1e6),
        _ => format!("{:.2} G", count as f64 / 1e9),
    }
}

/// A duration in seconds as `12.3 s`, `4 m 05 s` or `3 h 07 m`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} m {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} m", whole / 3600, whole / 60 % 60),
    }
}

/// A number and a noun with the plural ending `s`: `1 run`, `3 runs`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A word of a command, quoted for a shell where necessary.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// A path as a word of a shell command.
pub fn shell_path(path: &Path) -> String {
    shell_word(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_except_in_bold_text() {
        assert_eq!(printable("a\tb\n\u{e9}"), "a\tb\n\u{e9}");
        assert_eq!(printable("a\u{1b}[31m\r\u{9b}\u{e9}\n"), "a\\u{1b}[31m\\r\\u{9b}\u{e9}\n");
        assert_eq!(printable("\u{1b}[1mbold\u{1b}[0m\u{1b}[2J"), "\u{1b}[1mbold\u{1b}[0m\\u{1b}[2J");
    }

    #[test]
    fn counts_and_durations_have_a_short_form() {
        assert_eq!((short(999), short(12_345), short(1_073_466)), ("999".into(), "12.3 k".into(), "1.07 M".into()));
        assert_eq!(
            (duration(3.25), duration(245.0), duration(11_220.0)),
            ("3.2 s".into(), "4 m 05 s".into(), "3 h 07 m".into())
        );
        assert_eq!([0, 1, 2].map(|count| counted(count, "epoch")), ["0 epochs", "1 epoch", "2 epochs"]);
    }

    #[test]
    fn the_values_of_pairs_are_aligned() {
        assert_eq!(pairs(&[("a".into(), "1".into()), ("long".into(), "2".into())]), "  a     1\n  long  2\n");
    }
}
