//! Parsers of option values. Their errors state what was expected.

use nas_core::config::TruthSamples;
use std::fmt::Display;
use std::str::FromStr;

/// A list of values separated by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T: FromStr<Err: Display>> FromStr for List<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let value = |part: &str| match part.trim() {
            "" => Err("expected values separated by commas, without an empty one".into()),
            part => part.parse().map_err(|error| format!("`{part}`: {error}")),
        };
        text.split(',').map(value).collect::<Result<_, _>>().map(Self)
    }
}

/// Parses a whole number from 1.
pub fn positive(text: &str) -> Result<i64, String> {
    whole(text, 1)
}

/// Parses a whole number from 0.
pub fn count(text: &str) -> Result<i64, String> {
    whole(text, 0)
}

fn whole(text: &str, least: i64) -> Result<i64, String> {
    let is_large = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if number >= least => Ok(number),
        Err(_) if is_large => Err(format!("expected a whole number of at most {}", i64::MAX)),
        _ => Err(format!("expected a whole number of at least {least}")),
    }
}

/// Parses a finite number above 0.
pub fn above_zero(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "expected a number above 0".into())
}

/// Checks a number of architectures or `all`.
pub fn samples(text: &str) -> Result<String, String> {
    TruthSamples::parse(text).map(|_| text.into())
}

/// Checks that the text has the form `section.key=value`.
pub fn assignment(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if key.trim().split('.').all(|part| !part.trim().is_empty()) => Ok(text.into()),
        _ => Err("expected section.key=value, for instance train.epochs=5".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert_eq!((positive("3"), count("0"), above_zero("1e30")), (Ok(3), Ok(0), Ok(1e30)));
        for text in ["0", "-1", "1.5", "x", "99999999999999999999"] {
            assert!(positive(text).is_err(), "{text}");
        }
        for text in ["0", "-0.1", "nan", "inf", ""] {
            assert!(above_zero(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_are_separated_by_commas() {
        assert_eq!("1, 2".parse(), Ok(List(vec![1, 2])));
        assert!("1,,2".parse::<List<usize>>().is_err() && "1,x".parse::<List<usize>>().unwrap_err().contains("`x`"));
    }

    #[test]
    fn assignments_need_a_key() {
        assert!(assignment("train.epochs=5").is_ok() && assignment("a=").is_ok());
        for text in ["train.epochs", "=5", "train.=5", ""] {
            assert!(assignment(text).is_err(), "{text}");
        }
    }
}
