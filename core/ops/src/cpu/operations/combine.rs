//! Sums and concatenations.

use crate::{
    OpError,
    cpu::{
        activation::CpuActivation,
        buffer::Buffer,
        elementwise::add_assign,
        simd::{Isa, Kernel, Lanes, dispatch, each_block},
        source::{NormLanes, STRIP_LEN, Source},
    },
    shape::{check_parts, check_terms, elements},
    tape::Recorder,
};
use dfdx::tensor::Cpu;
use rayon::prelude::*;

/// Elements of the sum per parallel task, about: they stay in the second-level cache while all terms are added.
const CHUNK_LEN: usize = 16 * 1024;
/// Pixels that one parallel task copies.
const CHUNK_PIXELS: usize = 4 * 1024;

/// As [`crate::reference::sum`].
pub fn sum(terms: &[&CpuActivation], tape: &mut dyn Recorder<Cpu>) -> Result<CpuActivation, OpError> {
    let dims = check_terms(terms.iter().map(|term| term.dims()))?;
    if let [only] = terms {
        return Ok((*only).clone());
    }
    let (sources, channels) = (terms.iter().map(|term| term.source()).collect::<Vec<_>>(), dims.3);
    let mut total = Buffer::uninitialised(elements(dims));
    let chunk = CHUNK_LEN.div_ceil(channels) * channels;
    total.par_chunks_mut(chunk).enumerate().for_each(|(i, total)| {
        let range = i * chunk..i * chunk + total.len();
        for (term, source) in sources.iter().enumerate() {
            dispatch(AddTerm { total, source: source.slice(range.clone()), channels, overwrite: term == 0 });
        }
    });
    let y = CpuActivation::new(dims, total);
    if tape.is_recording() {
        let (output, inputs) = (y.gradient(), terms.iter().map(|term| term.gradient()).collect::<Vec<_>>());
        tape.record(Box::new(move |_| {
            if let Some(dy) = output.take() {
                inputs.iter().for_each(|input| input.add_shared(&dy));
            }
            Ok(())
        }));
    }
    Ok(y)
}

/// Adds the normalised values of a source to `total`, or fills `total` with them if `overwrite`.
struct AddTerm<'a> {
    total: &'a mut [f32],
    source: Source<'a>,
    channels: usize,
    overwrite: bool,
}

impl Kernel for AddTerm<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { total, source, channels, overwrite } = self;
        if source.pending.is_none() {
            return if overwrite { total.copy_from_slice(source.values) } else { add_assign(total, source.values) };
        }
        let strip = STRIP_LEN.div_ceil(channels) * channels;
        for (total, values) in total.chunks_mut(strip).zip(source.values.chunks(strip)) {
            each_block!(I, channels, |N, first, count| {
                let norm = source.norm_lanes::<N>(first, count);
                for (total, values) in total.chunks_exact_mut(channels).zip(values.chunks_exact(channels)) {
                    let mut value = NormLanes::apply::<I>(norm, Lanes::load_some(values, first, count));
                    if !overwrite {
                        value = value.plus(Lanes::load_some(total, first, count));
                    }
                    value.store_some(total, first, count);
                }
            });
        }
    }
}

/// As [`crate::reference::concat`].
pub fn concat(parts: &[&CpuActivation], tape: &mut dyn Recorder<Cpu>) -> Result<CpuActivation, OpError> {
    let dims = check_parts(parts.iter().map(|part| part.dims()))?;
    if let [only] = parts {
        return Ok((*only).clone());
    }
    let channels = dims.3;
    let mut whole = Buffer::uninitialised(elements(dims));
    let mut first = 0;
    for part in parts {
        let (count, part) = (part.dims().3, part.normalised());
        let tasks = whole.par_chunks_mut(CHUNK_PIXELS * channels).zip(part.par_chunks(CHUNK_PIXELS * count));
        tasks.for_each(|(whole, part)| {
            for (whole, part) in whole.chunks_exact_mut(channels).zip(part.chunks_exact(count)) {
                whole[first..first + count].copy_from_slice(part);
            }
        });
        first += count;
    }
    let y = CpuActivation::new(dims, whole);
    if tape.is_recording() {
        let output = y.gradient();
        let inputs = parts.iter().map(|part| (part.dims().3, part.gradient())).collect::<Vec<_>>();
        tape.record(Box::new(move |_| {
            let Some(dy) = output.take() else { return Ok(()) };
            let mut first = 0;
            for (count, input) in &inputs {
                input.accumulate(dy.len() / channels * count, |dx, overwrite| {
                    let tasks = dx.par_chunks_mut(CHUNK_PIXELS * count).zip(dy.par_chunks(CHUNK_PIXELS * channels));
                    tasks.for_each(|(dx, dy)| {
                        for (dx, dy) in dx.chunks_exact_mut(*count).zip(dy.chunks_exact(channels)) {
                            let dy = &dy[first..first + count];
                            if overwrite { dx.copy_from_slice(dy) } else { add_assign(dx, dy) }
                        }
                    });
                });
                first += count;
            }
            Ok(())
        }));
    }
    Ok(y)
}
