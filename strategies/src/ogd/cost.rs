//! What the projectors cost, in words for the start of a run.

use super::layout::Layout;
use super::options::{AlphaUnit, Memory, Rule, Settings};
use nas_core::network::{LayerKind, Role};
use nas_core::space::SearchSpace;
use nas_core::strategy::StrategyContext;
use nas_core::streams::Streams;
use nas_ops::Backend;

/// Random architectures over which the work of a step is averaged.
const ARCHS: usize = 32;

/// Multiply-adds and bytes, as sums over layers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// Numbers in the projectors, or in the Gram matrices.
    pub numbers: f64,
    /// Multiply-adds of computing the projectors from Gram matrices: a Cholesky decomposition and a triangular inverse.
    pub refresh: f64,
    /// Multiply-adds of projecting the updates.
    pub project: f64,
    /// Multiply-adds of recording one patch at each layer.
    pub record: f64,
}

impl Cost {
    /// The cost of these layers at most, that is while no projector is of low rank.
    pub fn of<'a>(layouts: impl Iterator<Item = &'a Layout>) -> Self {
        layouts.fold(Self::default(), |sum, layout| {
            let [blocks, d, outputs] = [layout.blocks, layout.inputs, layout.outputs].map(|n| n as f64);
            Self {
                numbers: sum.numbers + blocks * d * d,
                refresh: sum.refresh + blocks * d * d * d / 3.0,
                project: sum.project + 2.0 * blocks * d * d * outputs,
                record: sum.record + blocks * d * d / 2.0,
            }
        })
    }
}

/// The notes of a run.
pub fn notes<D: Backend>(context: &StrategyContext<D>, settings: &Settings, layouts: &[Option<Layout>]) -> Vec<String> {
    let spec = &context.spec;
    let all = Cost::of(layouts.iter().flatten());
    let largest = layouts.iter().flatten().map(|layout| layout.inputs).max().unwrap_or(0);
    let projectors: usize = layouts.iter().flatten().map(|layout| layout.blocks).sum();
    let covered = layouts.iter().flatten().count();
    let mut notes = vec![
        format!(
            "ogd keeps {projectors} projectors for {covered} layers, up to {largest} x {largest}: at most {} as f32 \
             beside the weights, and {} as f64 for the recorded inputs",
            bytes(4.0 * all.numbers),
            bytes(16.0 * all.numbers),
        ),
        step_note(context, layouts),
        rule_note(settings),
    ];
    let affine = spec.params.iter().filter(|p| matches!(p.role, Role::Scale | Role::Shift)).count();
    if affine > 0 {
        notes.push(format!("ogd does not cover the {affine} scale and shift parameters of batch normalisations"));
    }
    let is_linear = |kind: &LayerKind| matches!(kind, LayerKind::Linear { .. });
    if layouts.iter().zip(&spec.layers).any(|(layout, layer)| layout.is_none() && is_linear(&layer.kind)) {
        notes.push("ogd does not cover the linear layers: classifier = false".into());
    }
    notes
}

/// The work of a step, averaged over random architectures: only their own layers are touched.
fn step_note<D: Backend>(context: &StrategyContext<D>, layouts: &[Option<Layout>]) -> String {
    let mut rng = Streams::new(0).rng("ogd cost", 0);
    let (mut sum, mut forward, mut n) = (Cost::default(), 0.0, 0.0);
    for _ in 0..ARCHS {
        let arch = SearchSpace::sample(&*context.space, &mut rng);
        let Ok(program) = context.spec.program(&*context.space, &arch) else { continue };
        let cost = Cost::of(program.layers.iter().filter_map(|layer| layouts.get(*layer)?.as_ref()));
        sum.refresh += cost.refresh;
        sum.project += cost.project;
        sum.record += cost.record;
        forward += program.macs as f64;
        n += 1.0;
    }
    let mean = |total: f64| if n > 0.0 { amount(total / n) } else { "unknown".into() };
    format!(
        "multiply-adds of a step of ogd, mean of {ARCHS} random architectures: at most {} to compute the projectors, \
         {} to project, {} for each recorded patch of every layer; one image forward takes {}",
        mean(sum.refresh),
        mean(sum.project),
        mean(sum.record),
        mean(forward),
    )
}

fn rule_note(settings: &Settings) -> String {
    let memory = match settings.memory {
        Memory::Previous => "the previous architecture".into(),
        Memory::ALL => "all earlier architectures".into(),
        Memory::Fading(factor) => format!("earlier architectures, fading by {factor} with each"),
    };
    let options = &settings.options;
    let rule = match options.rule {
        Rule::Normalised => "normalised",
        Rule::Accumulated => "accumulated",
    };
    let unit = match options.alpha_unit {
        AlphaUnit::Energy => "times the mean patch energy",
        AlphaUnit::Absolute => "absolute",
    };
    let shrink = if options.shrink_only { "; as a control, by the length of updates alone" } else { "" };
    format!("ogd protects the outputs of {memory}: rule {rule}, alpha {} {unit}{shrink}", settings.alpha)
}

fn bytes(n: f64) -> String {
    format!("{:.1} MiB", n / f64::from(1 << 20))
}

fn amount(n: f64) -> String {
    match n {
        n if n >= 1e9 => format!("{:.2} G", n / 1e9),
        n if n >= 1e6 => format!("{:.1} M", n / 1e6),
        n => format!("{:.1} k", n / 1e3),
    }
}
