//! The rows of a table of networks: published ones and our own.

use super::measured::measured;
use super::{PublishedRow, PublishedTable, error_of};
use crate::trainings::TrainingGroup;
use anyhow::{Context, Result};
use nas_core::config::{RunConfig, SpaceConfig};
use nas_core::network::NetworkSpec;
use nas_core::trainer::build_space;

/// Whether the numbers of a row are quoted from a publication or measured by this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberSource {
    /// A publication.
    Quoted,
    /// This program.
    Measured,
}

impl NumberSource {
    /// The word in tables and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Quoted => "quoted",
            Self::Measured => "measured",
        }
    }
}

/// One network. Numbers are text, and empty where they are unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRow {
    /// The numbers as published or measured.
    pub row: PublishedRow,
    /// The source of the numbers.
    pub origin: NumberSource,
    /// Size of the network of this cell that this program builds.
    pub computed: Option<ComputedSize>,
    /// Number of own trainings.
    pub trainings: String,
}

/// The size of a network that this program builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComputedSize {
    /// Number of parameters, in millions.
    pub params_m: String,
    /// Number of multiply-adds, in millions.
    pub macs_m: String,
}

impl ComputedSize {
    /// The size of a network with these numbers of parameters and multiply-adds.
    pub fn new(params: u64, macs: u64) -> Self {
        Self { params_m: millions(params), macs_m: millions(macs) }
    }
}

/// A count in millions: with two decimals, as publications print it, or with four below 0.1.
fn millions(count: u64) -> String {
    let millions = count as f64 / 1e6;
    if millions < 0.1 { format!("{millions:.4}") } else { format!("{millions:.2}") }
}

impl NetworkRow {
    /// Top-1 error in percent.
    pub fn error(&self) -> String {
        error_of(&self.row.accuracy)
    }

    /// Top-5 error in percent.
    pub fn top5_error(&self) -> String {
        error_of(&self.row.top5_accuracy)
    }

    /// Number of parameters of our own network, in millions.
    pub fn computed_params(&self) -> String {
        self.computed.as_ref().map_or_else(String::new, |size| size.params_m.clone())
    }

    /// Number of multiply-adds of our own network, in millions.
    pub fn computed_macs(&self) -> String {
        self.computed.as_ref().map_or_else(String::new, |size| size.macs_m.clone())
    }
}

/// The rows of a published table, and below them a row for each group of own trainings.
///
/// # Errors
/// A named network that cannot be built.
pub fn networks(table: PublishedTable, trainings: &[TrainingGroup]) -> Result<Vec<NetworkRow>> {
    let row = |row: PublishedRow| {
        let computed = (!row.arch.is_empty()).then(|| size(table, &row.arch)).transpose()?;
        Ok(NetworkRow { row, origin: NumberSource::Quoted, computed, trainings: String::new() })
    };
    let published = table.rows()?.into_iter().map(row);
    published.chain(trainings.iter().map(|group| Ok(measured(group)))).collect()
}

/// Scale of the networks of DARTS (Liu et al. 2019, section 3.2) for a data set.
#[derive(Debug, Clone, Copy)]
pub struct DartsScale {
    /// Channels after the stem.
    pub width: usize,
    /// Number of cells.
    pub cells: usize,
    /// Height and width of the images.
    pub side: usize,
    /// Number of classes.
    pub classes: usize,
}

impl DartsScale {
    /// The scale for the images of a table.
    pub fn of(table: PublishedTable) -> Self {
        match table {
            PublishedTable::Cifar10 => Self { width: 36, cells: 20, side: 32, classes: 10 },
            PublishedTable::Imagenet => Self { width: 48, cells: 14, side: 224, classes: 1000 },
        }
    }
}

/// The size of the network of a named cell, without auxiliary head.
fn size(table: PublishedTable, arch: &str) -> Result<ComputedSize> {
    let DartsScale { width, cells, side, classes } = DartsScale::of(table);
    let config = RunConfig::from_table(&toml::toml! {
        [space]
        name = "darts"
    })?;
    let config = RunConfig { space: SpaceConfig { width, cells, ..config.space.clone() }, ..config };
    let space = build_space(&config, [side, side, 3], classes)?;
    let costs = NetworkSpec::costs_without_decisions(&*space.stand_alone(arch, false)?);
    let costs = costs.with_context(|| format!("the network of {arch}"))?;
    let params = costs.iter().map(|cost| cost.params).sum();
    Ok(ComputedSize::new(params, costs.iter().map(|cost| cost.macs).sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_networks_have_a_size() {
        assert_eq!(
            ComputedSize::new(4_210, 3_290_000),
            ComputedSize { params_m: "0.0042".into(), macs_m: "3.29".into() }
        );
    }
}
