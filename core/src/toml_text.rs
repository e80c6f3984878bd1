//! Parsing of TOML that the program did not write itself, with a limit on its depth.

use std::str::FromStr;
use std::thread;
use toml::{Table, Value};

/// Largest depth of sections, keys and lists. The deepest keys, such as `data.synthetic.size`, have three parts.
pub const MAX_DEPTH: usize = 8;

/// Stack of the thread that parses. The parser limits the parts of a key and the nesting of a value to 80 each, so a
/// short text may describe 6,400 tables inside each other. They overflow a stack of usual size when parsed, and when
/// dropped.
const STACK: usize = 256 << 20;

/// Reason for rejecting a text.
#[derive(Debug, thiserror::Error)]
pub enum TomlProblem {
    /// The text is not TOML.
    #[error("is not TOML: {}", .0.message())]
    Syntax(toml::de::Error),
    /// The text is deeper than [`MAX_DEPTH`], or the thread that parses it cannot run.
    #[error("{0}")]
    Other(String),
}

/// Parses a document ([`Table`]) or a single value ([`Value`]).
///
/// # Errors
/// Text that is not TOML or too deep.
pub fn parse<T>(text: &str) -> Result<T, TomlProblem>
where
    T: FromStr<Err = toml::de::Error> + Levels + Send,
{
    let other = |problem: &str| TomlProblem::Other(problem.into());
    let parse = || {
        let parsed: T = text.parse().map_err(TomlProblem::Syntax)?;
        match parsed.exceed(MAX_DEPTH) {
            true => Err(other(&format!("is nested too deeply, expected at most {MAX_DEPTH} levels"))),
            false => Ok(parsed),
        }
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, parse);
        let thread =
            thread.map_err(|error| other(&format!("cannot be parsed, because no thread can be started: {error}")))?;
        thread.join().unwrap_or_else(|_| Err(other("cannot be parsed")))
    })
}

/// The levels of tables and lists of a document or value.
pub trait Levels {
    /// Whether there are more than `levels` levels.
    fn exceed(&self, levels: usize) -> bool;
}

impl Levels for Table {
    fn exceed(&self, levels: usize) -> bool {
        !self.is_empty() && (levels == 0 || self.values().any(|value| value.exceed(levels - 1)))
    }
}

impl Levels for Value {
    fn exceed(&self, levels: usize) -> bool {
        match self {
            Self::Table(table) => table.exceed(levels),
            Self::Array(items) => {
                !items.is_empty() && (levels == 0 || items.iter().any(|item| item.exceed(levels - 1)))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `levels` values inside each other, each behind a key of 79 parts.
    fn nested(levels: usize) -> String {
        let key = vec!["a"; 79].join(".");
        (0..levels).fold("1".to_owned(), |inner, _| format!("{{{key} = {inner}}}"))
    }

    #[test]
    fn deep_text_is_refused() {
        for text in [&nested(79), &nested(1), "[[[[[[[[[1]]]]]]]]]"] {
            assert!(matches!(parse::<Value>(text), Err(TomlProblem::Other(problem)) if problem.contains("at most 8")));
            assert!(matches!(parse::<Table>(&format!("a.b = {text}")), Err(TomlProblem::Other(_))));
        }
        assert!(matches!(parse::<Value>(&nested(81)), Err(TomlProblem::Syntax(_))));
    }

    #[test]
    fn documents_and_values_are_parsed() {
        assert_eq!(parse::<Value>("[[1]]").unwrap().to_string(), "[[1]]");
        assert_eq!(parse::<Table>("a.b.c.d.e.f.g.h = 1").unwrap().to_string(), "[a.b.c.d.e.f.g]\nh = 1\n");
        assert!(matches!(parse::<Table>("a.b.c.d.e.f.g.h.i = 1"), Err(TomlProblem::Other(_))));
        assert!(matches!(parse::<Table>("a = "), Err(TomlProblem::Syntax(_))));
    }
}
