//! Parsers of option values. Their errors state what was expected.

use nas_core::config::TruthSamples;
use nas_core::quote;

/// A list of values separated by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

/// Parses names separated by commas.
pub fn names(text: &str) -> Result<List<String>, String> {
    list(text, |part| Ok(part.into()))
}

/// Parses whole numbers from 1, separated by commas.
pub fn positive_numbers(text: &str) -> Result<List<i64>, String> {
    list(text, positive)
}

/// Parses whole numbers from 0, separated by commas.
pub fn counts(text: &str) -> Result<List<i64>, String> {
    list(text, count)
}

fn list<T>(text: &str, value: impl Fn(&str) -> Result<T, String>) -> Result<List<T>, String> {
    let value = |part: &str| match part.trim() {
        "" => Err("expected values separated by commas, without an empty one".into()),
        part => value(part).map_err(|problem| format!("`{}`: {problem}", quote(part))),
    };
    text.split(',').map(value).collect::<Result<_, _>>().map(List)
}

/// Parses a whole number from 1.
pub fn positive(text: &str) -> Result<i64, String> {
    whole(text, 1)
}

/// Parses a whole number from 0.
pub fn count(text: &str) -> Result<i64, String> {
    whole(text, 0)
}

/// As [`count`], as a `usize`.
pub fn count_usize(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| count(text).err().unwrap_or_default())
}

fn whole(text: &str, least: i64) -> Result<i64, String> {
    let is_large = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if number >= least => Ok(number),
        Err(_) if is_large => Err(format!("expected a whole number of at most {}", i64::MAX)),
        _ => Err(format!("expected a whole number of at least {least}")),
    }
}

/// Parses a whole number from `LEAST` to `MOST`.
pub fn from_to<const LEAST: u32, const MOST: u32>(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (LEAST..=MOST).contains(number));
    number.ok_or_else(|| format!("expected a whole number from {LEAST} to {MOST}"))
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

/// Checks that the text sets an option of the controller that a search uses.
pub fn controller_option(text: &str) -> Result<String, String> {
    let option = option_of(text, "controller", "controller")?;
    match option.split('=').next().map(str::trim) {
        Some("controller.samples") => {
            Err("it has no effect on `search`, where --budget is the number of proposals".into())
        }
        _ => Ok(option),
    }
}

/// Checks that the text sets an option of the search space.
pub fn space_option(text: &str) -> Result<String, String> {
    option_of(text, "space", "search space")
}

/// Checks that the text sets a key that an evaluation of given weights uses.
pub fn evaluation_setting(text: &str) -> Result<String, String> {
    let key = assignment(text)?.split_once('=').map(|(key, _)| key.trim().to_owned()).unwrap_or_default();
    match key.split_once('.') {
        Some(("eval", "weight_average")) => {
            Err("the average is taken during training, so the run has to set it".into())
        }
        Some(("eval" | "truth", _)) => Ok(text.into()),
        _ => {
            Err("expected a setting of the evaluation or of the truth table, eval.KEY=VALUE or truth.KEY=VALUE".into())
        }
    }
}

fn option_of(text: &str, section: &str, component: &str) -> Result<String, String> {
    match assignment(text)?.split('.').next().map(str::trim) {
        Some(found) if found == section => Ok(text.into()),
        _ => Err(format!("expected an option of the {component}, {section}.KEY=VALUE")),
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
    fn numbers_outside_of_their_limits_are_refused() {
        assert_eq!((from_to::<1, 9>("1"), from_to::<1, 9>("9")), (Ok(1), Ok(9)));
        for text in ["0", "10", "-1", "x", ""] {
            assert_eq!(from_to::<1, 9>(text), Err("expected a whole number from 1 to 9".into()), "{text}");
        }
    }

    #[test]
    fn lists_are_separated_by_commas() {
        assert_eq!((positive_numbers("1, 2"), counts("0")), (Ok(List(vec![1, 2])), Ok(List(vec![0]))));
        assert_eq!(names("plain, ogd"), Ok(List(vec!["plain".into(), "ogd".into()])));
        for (text, problem) in
            [("1,,2", "empty"), ("1,x", "`x`: "), ("0", "at least 1"), ("18446744073709551615", "at most")]
        {
            assert!(positive_numbers(text).unwrap_err().contains(problem), "{text}");
        }
    }

    #[test]
    fn assignments_need_a_key() {
        assert!(assignment("train.epochs=5").is_ok() && assignment("a=").is_ok());
        for text in ["train.epochs", "=5", "train.=5", ""] {
            assert!(assignment(text).is_err(), "{text}");
        }
        assert!(space_option("space.stem=cifar").is_ok() && controller_option("space.stem=cifar").is_err());
        assert!(evaluation_setting("eval.images=9").is_ok() && evaluation_setting("truth.samples=all").is_ok());
        assert!(evaluation_setting("eval.weight_average=0.9").is_err() && evaluation_setting("train.lr=1").is_err());
        assert_eq!(space_option("train.lr=1"), Err("expected an option of the search space, space.KEY=VALUE".into()));
    }
}
