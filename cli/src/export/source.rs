//! Reading a network from a run directory.

use super::{ExportedNetwork, unsupported};
use crate::archive::{Archived, ArchivedRetrain, ArchivedRun};
use crate::args::ExportArgs;
use crate::data::DataIdentity;
use crate::device::compute;
use crate::exit::UsageError;
use crate::record::{BEST_WEIGHTS, WEIGHTS};
use crate::signal::cancel;
use crate::trained_run::{TrainedRun, weights_of};
use anyhow::{Context, Result};
use nas_core::config::BnMode;
use nas_core::registry::TrainingDevice;
use nas_core::trainer::{EvalImages, FrozenNetwork};
use serde_json::Value;

/// Largest pixel value. Runs measure means and deviations on values from 0 to 255, other programs on values from 0 to
/// 1.
const WHITE: f32 = 255.0;

impl ExportedNetwork {
    /// Reads the network that the options choose.
    ///
    /// # Errors
    /// Options of the other kind of run, missing weights, and an architecture of another space.
    pub fn read(args: &ExportArgs, run: &Archived) -> Result<Self> {
        let dir = args.run.display();
        let network = match run {
            Archived::Run(_) if args.best => {
                let problem =
                    "--best: expected a stand-alone training (`nas-train retrain`), found a run of a supernet";
                Err(UsageError(format!("{problem}, {dir}")).into())
            }
            Archived::Retrain(_) if args.arch.is_some() => {
                let problem = "--arch: expected a run of a supernet, found a stand-alone training of one architecture";
                Err(UsageError(format!("{problem}, {dir}")).into())
            }
            Archived::Retrain(_) if args.data.data_dir.is_some() => {
                let problem = "--data-dir has no effect: a stand-alone training is exported without its data";
                Err(UsageError(format!("{problem} ({dir})")).into())
            }
            Archived::Run(run) => sub_net(args, run),
            Archived::Retrain(run) => stand_alone(args, run),
            Archived::Sequence(_) => {
                let problem =
                    "is a sequence of `nas-train disturbance`: expected a run of a supernet or of `nas-train retrain`";
                Err(UsageError(format!("{dir} {problem}")).into())
            }
        }?;
        match unsupported(&network.network) {
            Some(operation) => Err(UsageError(format!("{dir}: the network has {operation}")).into()),
            None => Ok(network),
        }
    }
}

/// The network of a stand-alone training.
fn stand_alone(args: &ExportArgs, run: &ArchivedRetrain) -> Result<ExportedNetwork> {
    let name = if args.best { BEST_WEIGHTS } else { WEIGHTS };
    let (path, file) = (args.run.join(name), weights_of(&args.run, name, &run.manifest)?);
    let data = DataIdentity::of(&run.manifest)
        .with_context(|| format!("{}: manifest.json has no `data`", args.run.display()))?;
    let arch = &run.result.arch;
    let (network, about) = FrozenNetwork::stand_alone(&run.config, arch, data.shape, data.classes, &path, &file)?;
    let eval = &about["eval"];
    let numbers = |key: &str| -> Vec<f32> {
        let values = eval[key].as_array().into_iter().flatten();
        values.filter_map(Value::as_f64).map(|value| value as f32 / WHITE).collect()
    };
    let classes = eval["classes"].as_array().into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect();
    Ok(ExportedNetwork {
        network,
        space: run.result.space.clone(),
        arch: arch.clone(),
        image: data.shape,
        mean: numbers("mean"),
        std: numbers("std"),
        classes,
        statistics: "running averages of the training".into(),
    })
}

/// An architecture with the shared weights of a supernet.
fn sub_net(args: &ExportArgs, archived: &ArchivedRun) -> Result<ExportedNetwork> {
    let selected = archived.result.selected.as_ref().map(|selected| &selected.arch);
    let arch = args.arch.as_ref().or(selected).ok_or_else(|| {
        UsageError(format!("{} has no selected architecture: choose one with --arch ARCH", args.run.display()))
    })?;
    let mut run = TrainedRun::read(&args.run, &[], &args.data)?;
    let config = &mut run.settings.config;
    if config.eval.bn == BnMode::Batch {
        // An exported network cannot use the statistics of a batch.
        config.eval.bn = BnMode::Recalibrate;
    }
    compute!(&run.settings.config, |device| sub_net_on(arch, &run, &device))
}

fn sub_net_on<D: TrainingDevice>(arch: &str, run: &TrainedRun, device: &D) -> Result<ExportedNetwork> {
    let data = run.data(cancel()?, |_| ())?;
    let session = run.session(&data, device, EvalImages::Validation)?;
    let space = session.space();
    let arch = space.parse(arch).map_err(|error| UsageError(error.to_string()))?;
    let (size, eval) = (session.size(), &run.settings.config.eval);
    let in_unit = |values: &[f32]| values.iter().map(|value| value / WHITE).collect();
    let statistics = match eval.bn {
        BnMode::Running => "running averages of the supernet's training".into(),
        _ => {
            let images = eval.recalibrate_images.min(size.train_images);
            format!("measured on {images} training images for this architecture (eval.recalibrate_images)")
        }
    };
    let network = session.freeze(&arch);
    let network = network.with_context(|| format!("cannot export {}: choose another --arch", space.format(&arch)))?;
    Ok(ExportedNetwork {
        network,
        space: space.name().into(),
        arch: space.format(&arch),
        image: size.scale.image,
        mean: in_unit(&size.eval.mean),
        std: in_unit(&size.eval.std),
        classes: size.eval.classes,
        statistics,
    })
}
