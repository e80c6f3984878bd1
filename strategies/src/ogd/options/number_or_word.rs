//! A value that is a number or a word.

use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The value of an option that takes a number or a word: `0.3` or `"auto"`.
#[derive(Debug, Clone, PartialEq)]
pub enum NumberOrWord {
    /// A number, or a text that parses as one.
    Number(f64),
    /// Any other text.
    Word(String),
}

impl NumberOrWord {
    /// A word.
    pub fn word(word: &str) -> Self {
        Self::Word(word.into())
    }
}

impl fmt::Display for NumberOrWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => write!(f, "{word:?}"),
        }
    }
}

impl Serialize for NumberOrWord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // A count is written as a whole number: 8, not 8.0.
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                serializer.serialize_i64(*number as i64)
            }
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Word(word) => serializer.serialize_str(word),
        }
    }
}

impl<'de> Deserialize<'de> for NumberOrWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrWordVisitor;

        impl Visitor<'_> for NumberOrWordVisitor {
            type Value = NumberOrWord;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a word")
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<NumberOrWord, E> {
                Ok(NumberOrWord::Number(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<NumberOrWord, E> {
                Ok(NumberOrWord::Number(number as f64))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<NumberOrWord, E> {
                Ok(NumberOrWord::Number(number as f64))
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<NumberOrWord, E> {
                Ok(word.parse().map_or_else(|_| NumberOrWord::word(word), NumberOrWord::Number))
            }
        }

        deserializer.deserialize_any(NumberOrWordVisitor)
    }
}
