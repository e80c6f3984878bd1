//! `nas-train describe arch`: the size and the cost of an architecture, and its figure.

use crate::args::{Cli, DescribeArchArgs, RunArgs};
use crate::exit::{ExitStatus, UsageError};
use crate::files;
use crate::html::architecture_svg;
use crate::settings::Settings;
use crate::text::{eprint_line, pairs, print, table};
use anyhow::{Context, Result};
use clap::Parser;
use nas_core::network::{LayerCost, NetworkSpec};
use nas_core::space::SearchSpace;
use nas_core::trainer::build_space;

/// Prints the costs of an architecture as a stand-alone network, and draws it.
pub fn describe_arch(args: &DescribeArchArgs) -> Result<ExitStatus> {
    let DescribeArchArgs { space, width, cells, set, .. } = args;
    let defaults = Cli::parse_from(["nas-train"]).run;
    let run = RunArgs { space: space.clone(), width: *width, cells: *cells, set: set.clone(), ..defaults };
    let settings = Settings::resolve(&run)?;
    let side = args.image as usize;
    let space = build_space(&settings.config, [side, side, 3], args.classes as usize)
        .map_err(|error| settings.explain(error.into()))?;
    args.svg.as_deref().map_or(Ok(()), files::check_new)?;
    let costs = costs(&*space, &args.arch).map_err(|error| settings.explain(error))?;
    if let Some(file) = &args.svg {
        let svg = architecture_svg(&*space, &args.arch);
        let svg = svg.ok_or_else(|| {
            UsageError(format!("cannot draw an architecture of space {}: leave --svg out", space.name()))
        })?;
        files::write_new(file, svg.as_bytes())?;
        eprint_line(&format!("drawing: {}", file.display()));
    }
    print(&text(&*space, &args.arch, &costs))?;
    Ok(ExitStatus::Success)
}

/// The costs of all layers, those of the auxiliary head included if the space defines one for images of this size.
fn costs(space: &dyn SearchSpace, arch: &str) -> Result<Vec<LayerCost>> {
    let of = |auxiliary| anyhow::Ok(NetworkSpec::costs_without_decisions(&*space.stand_alone(arch, auxiliary)?));
    let costs = of(true)?.or(of(false)?);
    costs.with_context(|| format!("the network of space {}", space.name()))
}

fn text(space: &dyn SearchSpace, arch: &str, costs: &[LayerCost]) -> String {
    let scale = space.scale();
    let [height, width, _] = scale.image;
    let written = space.parse(arch).map(|arch| space.format(&arch)).ok();
    let written = written
        .or_else(|| space.parse_genotype(arch).map(|genotype| genotype.to_string()))
        .unwrap_or_else(|| arch.into());
    let facts = pairs(&[
        ("space".into(), space.name().into()),
        ("architecture".into(), written),
        ("width, cells".into(), format!("{}, {}", scale.width, scale.cells)),
        ("images".into(), format!("{height} x {width}, {} classes", scale.classes)),
    ]);
    let mut stages: Vec<(&str, u64, u64)> = Vec::new();
    for cost in costs {
        // Layers are named by their place, from the outside to the inside.
        let stage = cost.layer.split('.').next().unwrap_or_default();
        match stages.iter_mut().find(|(name, ..)| *name == stage) {
            Some((_, params, macs)) => (*params, *macs) = (*params + cost.params, *macs + cost.macs),
            None => stages.push((stage, cost.params, cost.macs)),
        }
    }
    let total = |of_head: &dyn Fn(bool) -> bool| {
        let counted = || costs.iter().filter(|cost| of_head(cost.auxiliary));
        (counted().map(|cost| cost.params).sum::<u64>(), counted().map(|cost| cost.macs).sum::<u64>())
    };
    let row = |(name, params, macs): (&str, u64, u64)| [name.to_owned(), params.to_string(), macs.to_string()];
    let mut rows: Vec<_> = stages.into_iter().map(row).collect();
    let (params, macs) = total(&|auxiliary| !auxiliary);
    rows.push(row(("total", params, macs)));
    if costs.iter().any(|cost| cost.auxiliary) {
        let (params, macs) = total(&|_| true);
        rows.push(row(("total with auxiliary head", params, macs)));
    }
    format!("{facts}\n{}", table(["stage", "parameters", "multiply-adds"], rows))
}
