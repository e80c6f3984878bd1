//! Options of a command line that the value of another key makes ineffective. A configuration file may have such keys,
//! because several commands can share it.

use super::Settings;
use super::origin::Origin;
use crate::exit::UsageError;
use nas_core::config::RunConfig;
use nas_core::optimizer::LrSchedule;
use nas_core::truth::table_file;

/// Returns an error for an option without effect on all settings that it belongs to: those of one run, or of the
/// variants of a comparison.
///
/// # Errors
/// The option, with the value that makes it ineffective.
pub fn check_effects(all: &[Settings]) -> Result<(), UsageError> {
    let of_command = |origin: &Origin| matches!(origin, Origin::Set(_) | Origin::Flag(_) | Origin::Derived(_));
    for settings in all {
        for (key, origin) in settings.origins.all().filter(|(_, origin)| of_command(origin)) {
            let Some(problem) = reason(&settings.config, key) else { continue };
            let mut owners = all.iter().filter(|other| other.origin(key) == origin);
            if owners.all(|owner| reason(&owner.config, key).is_some()) {
                return Err(UsageError(format!("{origin} has no effect, because {problem}; leave it out")));
            }
        }
    }
    Ok(())
}

/// Why a key has no effect in a configuration; none if it has one.
fn reason(config: &RunConfig, key: &str) -> Option<String> {
    let data = |name: &str| {
        let is_other = config.data.name != name;
        is_other.then(|| format!("data.name is {}, not {name}", config.data.name))
    };
    match key {
        "train.lr_min" if config.train.lr_schedule == LrSchedule::Constant => {
            Some("train.lr_schedule is constant".into())
        }
        "truth.unit" if !table_file::is_file(&config.truth.table) => {
            Some(format!("truth.table is {}, not a CSV file", config.truth.table))
        }
        _ if key.starts_with("data.idx.") => data("idx"),
        _ if key.starts_with("data.synthetic.") => data("synthetic"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::RunArgs;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        run: RunArgs,
    }

    fn settings(options: &str) -> Settings {
        let line = Line::parse_from(["nas-train"].into_iter().chain(options.split_whitespace()));
        Settings::resolve(&line.run).unwrap()
    }

    fn problem(options: &str) -> Option<String> {
        check_effects(&[settings(options)]).err().map(|error| error.0)
    }

    #[test]
    fn an_option_without_effect_is_an_error_with_the_reason() {
        for (options, expected) in [
            ("--set train.lr_min=0.001", "because train.lr_schedule is constant"),
            ("--set truth.unit=fraction", "because truth.table is auto, not a CSV file"),
            ("--set data.synthetic.size=8", "because data.name is digits, not synthetic"),
            ("--set data.idx.layout=emnist", "because data.name is digits, not idx"),
        ] {
            let problem = problem(options).unwrap();
            assert!(problem.contains(expected) && problem.contains("; leave it out"), "{problem}");
        }
        for options in [
            "--lr-schedule cosine --set train.lr_min=0.001",
            "--truth t.csv --set truth.unit=fraction",
            "--data synthetic --set data.synthetic.size=8",
        ] {
            assert_eq!(problem(options), None, "{options}");
        }
    }

    #[test]
    fn an_option_that_affects_one_variant_is_accepted() {
        let common = "--set train.lr_min=0.001";
        let with_cosine = settings(&format!("{common} --lr-schedule cosine"));
        assert!(check_effects(&[settings(common), with_cosine]).is_ok());
        assert!(check_effects(&[settings(common), settings(common)]).is_err());
    }
}
