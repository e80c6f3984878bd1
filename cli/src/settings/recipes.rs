//! Training recipes: configurations with the published settings of stand-alone training.

use super::layer::ConfigLayer;
use super::origin::Origin;
use crate::exit::UsageError;
use anyhow::{Context, Result};
use nas_core::quote;
use toml::Value;

/// A named recipe.
struct Recipe {
    name: &'static str,
    /// The configuration, in TOML.
    text: &'static str,
}

/// All recipes.
const RECIPES: [Recipe; 5] = [
    Recipe { name: "darts-cifar", text: include_str!("../../recipes/darts-cifar.toml") },
    Recipe { name: "dinas-cifar", text: include_str!("../../recipes/dinas-cifar.toml") },
    Recipe { name: "darts-imagenet", text: include_str!("../../recipes/darts-imagenet.toml") },
    Recipe { name: "nasbench201", text: include_str!("../../recipes/nasbench201.toml") },
    Recipe { name: "macro", text: include_str!("../../recipes/macro.toml") },
];

/// The names of all recipes.
pub fn names() -> Vec<&'static str> {
    RECIPES.iter().map(|recipe| recipe.name).collect()
}

/// The configuration of a recipe, as its file has it.
///
/// # Errors
/// An unknown name.
pub fn text(name: &str) -> Result<&'static str> {
    let recipe = RECIPES.iter().find(|recipe| recipe.name == name);
    let known = names().join(", ");
    let unknown = || UsageError(format!("unknown recipe `{}`: the recipes are {known}", quote(name)));
    Ok(recipe.ok_or_else(unknown)?.text)
}

/// The keys of a recipe.
///
/// # Errors
/// An unknown name.
pub fn layer(name: &str) -> Result<ConfigLayer> {
    let table = text(name)?.parse().with_context(|| format!("recipe {name}"))?;
    Ok(ConfigLayer { origin: Origin::Recipe(name.into()), table })
}

/// Refuses a recipe in layers that name another search space than the recipe.
///
/// # Errors
/// The error has the origin of the other name.
pub fn check_space(layers: &[ConfigLayer]) -> Result<()> {
    let recipe = layers.iter().find_map(|layer| match &layer.origin {
        Origin::Recipe(name) => Some((name, layer.component("space")?)),
        _ => None,
    });
    let Some((name, space)) = recipe else { return Ok(()) };
    let text = |value: &Value| quote(value.as_str().unwrap_or_default());
    let named = layers.iter().filter_map(|layer| Some((&layer.origin, layer.component("space")?)));
    match named.rev().find(|(_, named)| *named != space) {
        None => Ok(()),
        Some((origin, other)) => {
            let remedy = "leave --recipe out, or choose a recipe of that space";
            let (space, other) = (text(space), text(other));
            Err(UsageError(format!("{origin}: recipe {name} is for space {space}, found {other}: {remedy}")).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_is_a_configuration() {
        for name in names() {
            let layer = layer(name).unwrap();
            layer.check().unwrap();
            assert!(layer.component("space").is_some(), "{name} names no space");
        }
    }
}
