//! The rows of a table of networks: published ones and our own.

use crate::published::{PublishedRow, PublishedTable, error_of};
use anyhow::Result;

/// Who states the numbers of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A publication.
    Quoted,
}

impl Origin {
    /// The word in tables and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Quoted => "quoted",
        }
    }
}

/// One network. Numbers are text, and empty where they are unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRow {
    /// The numbers as published or measured.
    pub row: PublishedRow,
    /// Who states them.
    pub origin: Origin,
    /// Parameters and multiply-adds of our own network of the same cell, in millions.
    pub computed: Option<ComputedSize>,
}

/// The size of a network that this program builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComputedSize {
    /// Number of parameters, in millions.
    pub params_m: String,
    /// Number of multiply-adds, in millions.
    pub macs_m: String,
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

/// The rows of a published table.
///
/// # Errors
/// A named network that cannot be built.
pub fn published(table: PublishedTable) -> Result<Vec<NetworkRow>> {
    let row = |row: PublishedRow| Ok(NetworkRow { row, origin: Origin::Quoted, computed: None });
    table.rows()?.into_iter().map(row).collect()
}
