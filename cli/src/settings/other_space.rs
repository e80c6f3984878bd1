//! Hints for architectures of another search space.

use crate::exit::UsageError;
use anyhow::Error;
use nas_core::quote_start;
use nas_core::registry::{SpaceDescriptor, all};
use nas_core::space::{ArchError, Scale};
use nas_core::trainer::RunError;
use toml::Table;

/// Replaces the error of an architecture that is not in its space by one that names the spaces that accept it. Other
/// errors stay as they are.
pub fn with_hint(error: Error) -> Error {
    let Some(ArchError { space, text, .. }) = error.chain().find_map(arch_error) else { return error };
    let accepts = |other: &&&SpaceDescriptor| {
        let SpaceDescriptor { name, width, cells, build, .. } = ***other;
        let scale = Scale { image: [32, 32, 3], classes: 10, width, cells };
        name != space && build(scale, &Table::new()).is_ok_and(|built| built.stand_alone(text, false).is_ok())
    };
    let spaces = all::<SpaceDescriptor>().unwrap_or_default();
    let others: Vec<String> = spaces.iter().filter(accepts).map(|other| format!("--space {}", other.name)).collect();
    match others.is_empty() {
        true => error,
        false => {
            let (text, others) = (quote_start(text), others.join(" or "));
            UsageError(format!("architecture `{text}` is not in space {space}: add {others}")).into()
        }
    }
}

fn arch_error<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a ArchError> {
    match cause.downcast_ref() {
        Some(RunError::Arch(error)) => Some(error),
        _ => cause.downcast_ref(),
    }
}
