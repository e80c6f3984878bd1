//! The options of `describe`.

use super::parse::{from_to, positive, space_option};
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

/// Options of `describe`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct DescribeArgs {
    /// Name of a component, as `nas-train list` prints it
    #[arg(required = true)]
    pub name: Option<String>,
    /// Shared library with additional strategies; repeat the option for several
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub plugin: Vec<PathBuf>,
    /// The subcommand; the description of a component if there is none.
    #[command(subcommand)]
    pub command: Option<DescribeCommand>,
}

/// The subcommands of `describe`.
#[derive(Debug, Subcommand)]
pub enum DescribeCommand {
    /// Print parameters and multiply-adds of an architecture as a stand-alone network, and draw it
    Arch(DescribeArchArgs),
}

/// Options of `describe arch`.
#[derive(Debug, Args)]
pub struct DescribeArchArgs {
    /// Architecture in the notation of the search space, or the name of a published one (darts_v1, darts_v2, nasnet_a
    /// and amoebanet_a in darts, fairnas_a in fairnas)
    pub arch: String,
    /// Search space, from `nas-train list spaces` [default: nasbench201]
    #[arg(long, value_name = "NAME")]
    pub space: Option<String>,
    /// Base number of channels, those after the stem in most search spaces [default: depends on --space]
    #[arg(long, value_name = "C", value_parser = positive)]
    pub width: Option<i64>,
    /// Number of cells, per stage or in total as the search space defines it [default: depends on --space]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub cells: Option<i64>,
    /// Number of classes
    #[arg(long, value_name = "K", default_value_t = 10, value_parser = from_to::<1, 1_000_000>)]
    pub classes: u32,
    /// Height and width of the images in pixels
    #[arg(long, value_name = "S", default_value_t = 32, value_parser = from_to::<1, 4096>)]
    pub image: u32,
    /// Set an option of the search space, such as space.stem=imagenet; repeat the option for several
    #[arg(long, value_name = "space.KEY=VALUE", value_parser = space_option)]
    pub set: Vec<String>,
    /// New SVG file for a drawing of the architecture
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub svg: Option<PathBuf>,
}
