//! The help of options that set configuration keys: taken from the documentation of the keys, with their defaults.

use super::Cli;
use clap::{Arg, Command, Parser};
use nas_core::config::RunConfig;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The documentation of a configuration key and its default, for the option that sets the key.
#[derive(Debug, Default)]
struct KeyHelp {
    meaning: Option<String>,
    default: Option<String>,
}

/// Completes the help of every option that sets a configuration key, in the command and its subcommands.
///
/// An option without help takes the first paragraph of the key's documentation. The key's default is added, unless the
/// help states a default already.
pub fn with_config_help(command: Command) -> Command {
    complete(command, &help_by_option())
}

fn complete(command: Command, helps: &BTreeMap<&'static str, KeyHelp>) -> Command {
    let completed = command.mut_args(|arg| match arg.get_long().and_then(|long| helps.get(long)) {
        Some(help) => complete_option(arg, help),
        None => arg,
    });
    completed.mut_subcommands(|subcommand| complete(subcommand, helps))
}

fn complete_option(arg: Arg, help: &KeyHelp) -> Arg {
    let own = arg.get_help().map(ToString::to_string);
    let mut text = own.or_else(|| help.meaning.clone()).unwrap_or_default();
    // An option with a default of its own has another meaning in its command, and a switch has no value to state.
    let is_free = arg.get_default_values().is_empty() && arg.get_action().takes_values() && !text.contains("[default");
    if let Some(default) = help.default.as_ref().filter(|_| is_free) {
        text += &format!(" [default: {default}]");
    }
    arg.help(text)
}

/// The help of each option that sets a configuration key, by the name of the option.
fn help_by_option() -> BTreeMap<&'static str, KeyHelp> {
    let meanings = RunConfig::meanings();
    let defaults = RunConfig::from_table(&Table::new()).ok().and_then(|config| config.to_table().ok());
    let defaults = defaults.unwrap_or_default();
    let options = Cli::try_parse_from(["nas-train"]).map(|cli| cli.run.named()).unwrap_or_default();
    let help = |key: &str| KeyHelp {
        meaning: meanings.get(key).map(|text| first_paragraph(text)),
        default: find(&defaults, key).map(shown),
    };
    options.into_iter().map(|option| (option.flag, help(option.key))).collect()
}

/// The lines before an empty line or an indented one, as one sentence without its full stop, as help texts are.
fn first_paragraph(text: &str) -> String {
    let lines = text.lines().take_while(|line| !line.is_empty() && !line.starts_with(' '));
    lines.collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}

fn find<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        Some((section, key)) => find(table.get(section)?.as_table()?, key),
        None => table.get(key),
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_option_of_a_key_has_a_help_and_a_default() {
        let mut command = with_config_help(Cli::command());
        let help = command.render_help().to_string();
        for option in help_by_option().keys() {
            let arg = command.get_arguments().find(|arg| arg.get_long() == Some(option));
            let text = arg.and_then(Arg::get_help).map(ToString::to_string).unwrap_or_default();
            assert!(text.len() > 10, "--{option}: {help}");
        }
        for words in ["[default: plain]", "[default: 40]", "[default: depends on --space]"] {
            assert!(help.contains(words), "{words} in {help}");
        }
    }

    #[test]
    fn every_option_has_one_default() {
        let mut command = with_config_help(Cli::command());
        command.build();
        for subcommand in command.get_subcommands_mut() {
            for option in subcommand.render_help().to_string().split("\n  ") {
                assert!(option.matches("[default: ").count() <= 1, "{option}");
                assert!(!option.contains("--no-weights") || !option.contains("[default: "), "{option}");
            }
        }
    }

    #[test]
    fn a_first_paragraph_leaves_out_the_list_of_words() {
        assert_eq!(first_paragraph("Which way\nto go.\n  \"up\": Up.\n"), "Which way to go");
        assert_eq!(first_paragraph("One.\n\nTwo."), "One");
    }
}
