//! Sums and concatenations.

use super::{
    buffer::Buffer,
    image::{Image, STRIP, Scaling, Source},
    norm::add,
    simd::{Isa, Kernel, Lanes, dispatch, each_block},
};
use crate::{
    OpError,
    shape::{check_parts, check_terms, elements},
};
use dfdx::tensor::{Cpu, Tape};
use rayon::prelude::*;

/// Numbers of a task, about, which stay in the second-level cache while all terms are added.
const CHUNK: usize = 16 * 1024;
/// Pixels that one task copies.
const PIXELS: usize = 4 * 1024;

/// As [`crate::reference::sum`].
pub fn sum<T: Tape<f32, Cpu>>(terms: &[&Image], tape: &mut T) -> Result<Image, OpError> {
    let dims = check_terms(terms.iter().map(|term| term.dims))?;
    if let [only] = terms {
        return Ok((*only).clone());
    }
    let (sources, channels) = (terms.iter().map(|term| term.source()).collect::<Vec<_>>(), dims.3);
    let mut total = Buffer::stale(elements(dims));
    let chunk = CHUNK.div_ceil(channels) * channels;
    total.par_chunks_mut(chunk).enumerate().for_each(|(i, total)| {
        let range = i * chunk..i * chunk + total.len();
        for (term, source) in sources.iter().enumerate() {
            dispatch(AddTerm { total, source: source.part(range.clone()), channels, fresh: term == 0 });
        }
    });
    let y = Image::new(dims, total);
    if T::OWNS_TAPE {
        let (output, inputs) = (y.slot(), terms.iter().map(|term| term.slot()).collect::<Vec<_>>());
        tape.add_backward_op(move |_| {
            if let Some(dy) = output.take() {
                inputs.iter().for_each(|input| input.share(&dy));
            }
            Ok(())
        });
    }
    Ok(y)
}

/// Adds the numbers of a source, or fills with them.
struct AddTerm<'a> {
    total: &'a mut [f32],
    source: Source<'a>,
    channels: usize,
    fresh: bool,
}

impl Kernel for AddTerm<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { total, source, channels, fresh } = self;
        if source.pending.is_none() {
            return if fresh { total.copy_from_slice(source.values) } else { add(total, source.values) };
        }
        let numbers = STRIP.div_ceil(channels) * channels;
        for (total, values) in total.chunks_mut(numbers).zip(source.values.chunks(numbers)) {
            each_block!(I, channels, |N, first, count| {
                let scaling = source.channels::<N>(first, count);
                for (total, values) in total.chunks_exact_mut(channels).zip(values.chunks_exact(channels)) {
                    let mut value = Scaling::apply::<I>(scaling, Lanes::load_some(values, first, count));
                    if !fresh {
                        value = value.plus(Lanes::load_some(total, first, count));
                    }
                    value.store_some(total, first, count);
                }
            });
        }
    }
}

/// As [`crate::reference::concat`].
pub fn concat<T: Tape<f32, Cpu>>(parts: &[&Image], tape: &mut T) -> Result<Image, OpError> {
    let dims = check_parts(parts.iter().map(|part| part.dims))?;
    if let [only] = parts {
        return Ok((*only).clone());
    }
    let channels = dims.3;
    let mut whole = Buffer::stale(elements(dims));
    let mut first = 0;
    for part in parts {
        let (count, part) = (part.dims.3, part.plain());
        let tasks = whole.par_chunks_mut(PIXELS * channels).zip(part.par_chunks(PIXELS * count));
        tasks.for_each(|(whole, part)| {
            for (whole, part) in whole.chunks_exact_mut(channels).zip(part.chunks_exact(count)) {
                whole[first..first + count].copy_from_slice(part);
            }
        });
        first += count;
    }
    let y = Image::new(dims, whole);
    if T::OWNS_TAPE {
        let output = y.slot();
        let inputs = parts.iter().map(|part| (part.dims.3, part.slot())).collect::<Vec<_>>();
        tape.add_backward_op(move |_| {
            let Some(dy) = output.take() else { return Ok(()) };
            let mut first = 0;
            for (count, input) in &inputs {
                input.add(dy.len() / channels * count, |dx, fresh| {
                    let tasks = dx.par_chunks_mut(PIXELS * count).zip(dy.par_chunks(PIXELS * channels));
                    tasks.for_each(|(dx, dy)| {
                        for (dx, dy) in dx.chunks_exact_mut(*count).zip(dy.chunks_exact(channels)) {
                            let dy = &dy[first..first + count];
                            if fresh { dx.copy_from_slice(dy) } else { add(dx, dy) }
                        }
                    });
                });
                first += count;
            }
            Ok(())
        });
    }
    Ok(y)
}
