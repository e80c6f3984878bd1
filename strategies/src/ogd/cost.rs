//! Memory and operations of the projectors, for the notes at the start of a run.

use super::layout::MatrixLayout;
use super::options::{AlphaUnit, MemoryPolicy, OgdSettings, ProjectorRule};
use nas_core::network::{LayerKind, Role};
use nas_core::space::SearchSpace;
use nas_core::strategy::StrategyContext;
use nas_core::streams::Streams;
use nas_ops::Backend;

/// Number of random architectures over which the operations of a step are averaged.
const SAMPLED_ARCHS: usize = 32;

/// Elements and multiply-adds of the projectors, summed over layers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProjectionCost {
    /// Elements of the projectors, which is also the number of elements of the Gram matrices.
    pub elements: f64,
    /// Multiply-adds to compute the projectors from Gram matrices: a Cholesky decomposition and a triangular inverse.
    pub refresh: f64,
    /// Multiply-adds to project one update of every layer.
    pub project: f64,
    /// Multiply-adds to record one patch of every layer.
    pub record: f64,
}

impl ProjectionCost {
    /// Upper bound for these layers: the cost when no projector has low rank.
    pub fn of<'a>(layouts: impl Iterator<Item = &'a MatrixLayout>) -> Self {
        layouts.fold(Self::default(), |sum, layout| {
            let [blocks, d, outputs] = [layout.blocks, layout.inputs, layout.outputs].map(|n| n as f64);
            Self {
                elements: sum.elements + blocks * d * d,
                refresh: sum.refresh + blocks * d * d * d / 3.0,
                project: sum.project + 2.0 * blocks * d * d * outputs,
                record: sum.record + blocks * d * d / 2.0,
            }
        })
    }
}

/// Notes at the start of a run: memory, operations, settings, and parameters that are not projected.
pub fn notes<D: Backend>(
    context: &StrategyContext<D>,
    settings: &OgdSettings,
    layouts: &[Option<MatrixLayout>],
) -> Vec<String> {
    let spec = &context.spec;
    let all = ProjectionCost::of(layouts.iter().flatten());
    let largest = layouts.iter().flatten().map(|layout| layout.inputs).max().unwrap_or(0);
    let projectors: usize = layouts.iter().flatten().map(|layout| layout.blocks).sum();
    let covered = layouts.iter().flatten().count();
    let mut notes = vec![
        format!(
            "ogd keeps {projectors} projectors for {covered} layers, of size up to {largest} x {largest}; memory: at \
             most {} (f32) on the device for the projectors and {} (f64) on the host for the recorded inputs",
            mebibytes(4.0 * all.elements),
            mebibytes(16.0 * all.elements),
        ),
        operations_note(context, layouts),
        settings_note(settings),
    ];
    let affine = spec.params.iter().filter(|p| matches!(p.role, Role::Scale | Role::Shift)).count();
    if affine > 0 {
        notes.push(format!("ogd does not project the {affine} scale and shift parameters of batch normalisation"));
    }
    let is_linear = |kind: &LayerKind| matches!(kind, LayerKind::Linear { .. });
    if layouts.iter().zip(&spec.layers).any(|(layout, layer)| layout.is_none() && is_linear(&layer.kind)) {
        notes.push("ogd does not project the linear layers, because strategy.classifier = false".into());
    }
    notes
}

/// Multiply-adds of a step, averaged over random architectures, since a step projects only the layers it trains.
fn operations_note<D: Backend>(context: &StrategyContext<D>, layouts: &[Option<MatrixLayout>]) -> String {
    let mut rng = Streams::new(0).rng("ogd cost", 0);
    let (mut sum, mut forward, mut n) = (ProjectionCost::default(), 0.0, 0.0);
    for _ in 0..SAMPLED_ARCHS {
        let arch = SearchSpace::sample(&*context.space, &mut rng);
        let Ok(program) = context.spec.program(&*context.space, &arch) else { continue };
        let cost = ProjectionCost::of(program.layers.iter().filter_map(|layer| layouts.get(*layer)?.as_ref()));
        sum.refresh += cost.refresh;
        sum.project += cost.project;
        sum.record += cost.record;
        forward += program.macs as f64;
        n += 1.0;
    }
    let mean = |total: f64| if n > 0.0 { with_prefix(total / n) } else { "unknown".into() };
    format!(
        "ogd: multiply-adds of a step, mean of {SAMPLED_ARCHS} random architectures: at most {} to compute the \
         projectors, {} to project, {} for each recorded patch of every layer; the forward pass of one image takes {}",
        mean(sum.refresh),
        mean(sum.project),
        mean(sum.record),
        mean(forward),
    )
}

fn settings_note(settings: &OgdSettings) -> String {
    let memory = match settings.memory {
        MemoryPolicy::Previous => "the previous architecture".into(),
        MemoryPolicy::ALL => "all earlier architectures".into(),
        MemoryPolicy::Decaying(factor) => format!("all earlier architectures, older ones decayed by {factor}"),
    };
    let options = &settings.options;
    let rule = match options.rule {
        ProjectorRule::Normalised => "normalised",
        ProjectorRule::Accumulated => "accumulated",
    };
    let unit = match options.alpha_unit {
        AlphaUnit::Energy => "in units of the mean squared patch element",
        AlphaUnit::Absolute => "in absolute units",
    };
    let control =
        if options.shrink_only { "; control: updates are only shortened, their direction is kept" } else { "" };
    format!("ogd protects the outputs of {memory}: rule {rule}, alpha {} {unit}{control}", settings.alpha)
}

fn mebibytes(n: f64) -> String {
    format!("{:.1} MiB", n / f64::from(1 << 20))
}

/// A count with a decimal prefix: `12.3 M`.
fn with_prefix(n: f64) -> String {
    match n {
        n if n >= 1e9 => format!("{:.2} G", n / 1e9),
        n if n >= 1e6 => format!("{:.1} M", n / 1e6),
        n => format!("{:.1} k", n / 1e3),
    }
}
