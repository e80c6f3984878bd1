//! Two strategies that choose the architectures of a step and leave the gradients unchanged.

use nas_plugin_abi::{Context, Error, Planner, Result, Strategy, export_strategies};

/// Plain sampling: `paths` sampled architectures per step. The update uses the mean of their gradients.
pub struct Plain {
    paths: usize,
}

impl Strategy for Plain {
    const NAME: &'static str = "plugin-plain";
    const SUMMARY: &'static str = "ordinary SGD on sampled architectures, as a plugin";
    const REFERENCE: &'static str =
        "Pham et al., Efficient Neural Architecture Search via Parameter Sharing, ICML 2018";
    const OPTIONS: &'static str = "paths = 1\n";

    fn create(context: &Context<'_>) -> Result<Self> {
        match context.count("paths")? {
            paths @ 1..=1024 => Ok(Self { paths }),
            paths => Err(Error::invalid(format!("strategy.paths: expected 1 to 1024, found {paths}"))),
        }
    }

    fn plan(&mut self, planner: &mut Planner<'_>) -> Result {
        let weight = f64::from(1.0 / self.paths as f32);
        for _ in 0..self.paths {
            let arch = planner.draw()?;
            planner.add(&arch, weight)?;
        }
        Ok(())
    }
}

/// Strict fairness: each step trains every choice of every decision exactly once.
///
/// A step draws a random permutation of the `m` choices of each decision. Architecture `p` of `m` takes entry `p` of
/// each permutation.
pub struct FairNas {
    /// Number of choices of every decision.
    choices: u32,
}

impl Strategy for FairNas {
    const NAME: &'static str = "plugin-fairnas";
    const SUMMARY: &'static str = "each step trains every choice of every decision exactly once, as a plugin";
    const REFERENCE: &'static str =
        "Chu et al., FairNAS: Rethinking Evaluation Fairness of Weight Sharing NAS, ICCV 2021";

    fn create(context: &Context<'_>) -> Result<Self> {
        let counts = context.model.decisions.iter().map(|d| d.choices.len() as u32);
        let choices = counts.clone().max().unwrap_or(1);
        if counts.clone().any(|count| count != choices && count != 1) {
            let found = counts.map(|count| count.to_string()).collect::<Vec<_>>().join(", ");
            return Err(Error::unsupported(format!(
                "expected the same number of choices in every decision, found {found}"
            )));
        }
        Ok(Self { choices })
    }

    fn plan(&mut self, planner: &mut Planner<'_>) -> Result {
        let counts = planner.counts().to_vec();
        let mut orders = Vec::new();
        for count in counts {
            let mut order: Vec<u32> = (0..self.choices).map(|choice| choice % count).collect();
            planner.shuffle(&mut order)?;
            orders.push(order);
        }
        for path in 0..self.choices as usize {
            let arch: Vec<u32> = orders.iter().map(|order| order[path]).collect();
            planner.add(&arch, 1.0)?;
        }
        Ok(())
    }
}

export_strategies!(Plain, FairNas);
