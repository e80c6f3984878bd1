//! Limits of size and cost.

use crate::config::ConfigError;
use crate::space::SearchSpace;
use crate::trainer::{RunError, stand_alone_cost};

/// Number of architectures up to which the whole space is searched for the smallest one.
const MAX_ENUMERATED_ARCHS: u64 = 50_000;

/// Upper limits that every proposal obeys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Largest number of parameters of the stand-alone network.
    pub params: Option<u64>,
    /// Largest number of multiply-adds for one image.
    pub macs: Option<u64>,
}

impl Limits {
    /// Whether an architecture of this size and cost obeys the limits.
    pub fn allow(&self, params: u64, macs: u64) -> bool {
        self.params.is_none_or(|most| params <= most) && self.macs.is_none_or(|most| macs <= most)
    }

    /// The error after `count` samples in a row beyond the limits.
    pub(super) fn too_low(&self, count: usize) -> ConfigError {
        let (key, found) = match (self.params, self.macs) {
            (Some(params), None) => ("--max-params", params.to_string()),
            (Some(params), Some(macs)) => ("--max-params", format!("{params} with --max-macs {macs}")),
            (None, macs) => ("--max-macs", macs.unwrap_or_default().to_string()),
        };
        let expected =
            format!("a limit that one of {count} samples in a row obeys (raise it, or use another --controller)");
        ConfigError::Range { key, expected, found }
    }

    /// Checks that some architecture obeys the limits. Spaces of more than 50,000 architectures are not searched.
    ///
    /// # Errors
    /// Limits that no architecture obeys. The message names the smallest or cheapest one.
    pub(super) fn check(&self, space: &dyn SearchSpace) -> Result<(), RunError> {
        if *self == Self::default() || space.count() > MAX_ENUMERATED_ARCHS {
            return Ok(());
        }
        let mut smallest: Option<(u64, String)> = None;
        let mut cheapest: Option<(u64, String)> = None;
        for index in 0..space.count() {
            let arch = space.nth(index);
            let (params, macs) = stand_alone_cost(space, &arch)?;
            if self.allow(params, macs) {
                return Ok(());
            }
            for (least, value) in [(&mut smallest, params), (&mut cheapest, macs)] {
                if least.as_ref().is_none_or(|(known, _)| value < *known) {
                    *least = Some((value, space.format(&arch)));
                }
            }
        }
        let refuse = |key, what: &str, (least, arch): (u64, String), given: u64| {
            let expected = format!("at least {least}, the {what} architecture, {arch}");
            Err(ConfigError::Range { key, expected, found: given.to_string() }.into())
        };
        match (self.params, self.macs, smallest, cheapest) {
            (Some(given), _, Some(least), _) if given < least.0 => {
                refuse("--max-params", "parameters of the smallest", least, given)
            }
            (_, Some(given), _, Some(least)) if given < least.0 => {
                refuse("--max-macs", "multiply-adds of the cheapest", least, given)
            }
            (Some(params), Some(macs), ..) => {
                let expected =
                    "a limit that an architecture obeys together with --max-macs (raise one of the two)".to_owned();
                let found = format!("{params} parameters and {macs} multiply-adds");
                Err(ConfigError::Range { key: "--max-params", expected, found }.into())
            }
            _ => Ok(()),
        }
    }
}
