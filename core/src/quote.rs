//! Foreign text and numbers inside messages.

/// Largest number of characters of foreign text in a message.
const LONGEST: usize = 200;
/// Largest number of characters of the start of a text.
const LONGEST_START: usize = 60;
/// Largest number of characters of a message that another program wrote.
const LONGEST_MESSAGE: usize = 2000;

/// Foreign text for a message: at most 200 characters, with control characters escaped.
///
/// Text of files, arguments and plugins may be of any length. Control characters could change the colours of a terminal
/// or hide parts of a message.
pub fn quote(text: &str) -> String {
    shorten(text, LONGEST)
}

/// The start of a foreign text that is long by nature, such as a genotype: at most 60 characters.
pub fn quote_start(text: &str) -> String {
    shorten(text, LONGEST_START)
}

/// A message of a plugin: at most 2,000 characters, with control characters escaped.
pub fn quote_message(text: &str) -> String {
    shorten(text, LONGEST_MESSAGE)
}

fn shorten(text: &str, longest: usize) -> String {
    let mut quoted = String::new();
    for (number, c) in text.chars().enumerate() {
        if number == longest {
            return quoted + "...";
        }
        if c.is_control() { quoted.extend(c.escape_default()) } else { quoted.push(c) }
    }
    quoted
}

/// A number for a message in its short form: `0.05`, `1e300` instead of a 1 with 300 zeros, `3e-7`.
pub fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && value.is_finite() && !(1e-4..1e15).contains(&magnitude) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}

/// A given value for a message: a number of more than 20 characters in its short form, any other text as [`quote`].
pub fn value(text: &str) -> String {
    match text.parse() {
        Ok(given) if text.len() > 20 => number(given),
        _ => quote(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_and_control_characters_are_escaped() {
        assert_eq!(quote("caf\u{e9} \"x\""), "caf\u{e9} \"x\"");
        assert_eq!(quote("a\u{1b}[31m\nb\u{9b}"), "a\\u{1b}[31m\\nb\\u{9b}");
        assert_eq!(quote(&"\u{e9}".repeat(200)), "\u{e9}".repeat(200));
        assert_eq!(quote(&"\u{e9}".repeat(201)), "\u{e9}".repeat(200) + "...");
        assert_eq!(quote_start(&"a".repeat(61)), "a".repeat(60) + "...");
        assert_eq!(quote_message(&"a".repeat(2001)), "a".repeat(2000) + "...");
    }

    #[test]
    fn values_are_numbers_or_text() {
        assert_eq!(value(&1e300.to_string()), "1e300");
        assert_eq!((value("18446744073709551615"), value("007")), ("18446744073709551615".into(), "007".into()));
        assert_eq!(value(&"x".repeat(300)).len(), 203);
    }

    #[test]
    fn numbers_are_short() {
        let texts = [(0.0, "0"), (0.05, "0.05"), (-2.5, "-2.5"), (1e300, "1e300"), (3e-7, "3e-7"), (f64::NAN, "NaN")];
        for (value, text) in texts {
            assert_eq!(number(value), text);
        }
        assert_eq!(
            (number(-1e20), number(12345.0), number(f64::INFINITY)),
            ("-1e20".into(), "12345".into(), "inf".into())
        );
    }
}
