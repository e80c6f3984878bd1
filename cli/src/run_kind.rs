//! The kinds of trainings that write a run directory.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a run directory holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// A supernet and the search on it: a run.
    Supernet,
    /// A number of architectures trained one after another with shared weights.
    Sequence(usize),
    /// An architecture, as text, with weights of its own.
    Retrain(String),
}

impl RunKind {
    /// The kind that a manifest states.
    pub fn of(manifest: &Value) -> Self {
        let sequence = manifest["sequence"].as_u64().and_then(|n| usize::try_from(n).ok());
        match (sequence, manifest["arch"].as_str()) {
            (Some(n), _) => Self::Sequence(n),
            (None, Some(arch)) => Self::Retrain(arch.into()),
            (None, None) => Self::Supernet,
        }
    }

    /// The difference to another kind as text, for example `--sequence (4, now 5)`.
    pub fn difference(&self, new: &Self) -> Option<String> {
        match (self, new) {
            (old, new) if old == new => None,
            (Self::Sequence(old), Self::Sequence(new)) => Some(format!("--sequence ({old}, now {new})")),
            (Self::Retrain(old), Self::Retrain(new)) => Some(format!("architecture ({old}, now {new})")),
            (old, new) => Some(format!("kind ({}, now {})", old.noun(), new.noun())),
        }
    }

    fn noun(&self) -> &'static str {
        match self {
            Self::Supernet => "run of a supernet",
            Self::Sequence(_) => "sequence",
            Self::Retrain(_) => "stand-alone training",
        }
    }

    /// Number of architectures trained one after another; none for other kinds.
    pub fn sequence(&self) -> Option<usize> {
        match self {
            Self::Sequence(n) => Some(*n),
            _ => None,
        }
    }

    /// The architecture of a stand-alone training; none for other kinds.
    pub fn arch(&self) -> Option<&str> {
        match self {
            Self::Retrain(arch) => Some(arch),
            _ => None,
        }
    }
}
