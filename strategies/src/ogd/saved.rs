//! State that goes on exactly where it stopped.

use super::evidence::{Evidence, Form};
use super::layout::{Layout, Tensor3};
use super::options::Settings;
use super::projector::{Matrices, Projector};
use super::records::{Built, Record};
use super::tally::{Mean, Tally};
use super::{Key, Ogd};
use dfdx::prelude::{HasShape, ReshapeTo};
use nas_core::state::{HostTensor, State, StateError};
use nas_ops::{Backend, OpError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An `f64` by its bits: a decimal text might come back as its neighbour.
type Bits = u64;

#[derive(Serialize, Deserialize)]
struct SavedEvidence {
    count: Bits,
    /// Rows of each block, or `None` for a Gram matrix.
    rows: Option<usize>,
}

#[derive(Serialize, Deserialize)]
struct SavedProjector {
    trace_ratio: Bits,
    raised: Bits,
    /// `Some(n)`: of low rank `n`; `None`: full, or the identity if there is no tensor.
    rank: Option<usize>,
}

#[derive(Serialize, Deserialize)]
struct SavedRecord {
    memory: Option<SavedEvidence>,
    pending: Option<SavedEvidence>,
    projector: Option<SavedProjector>,
    built: Option<(u64, Bits)>,
    stale: bool,
}

#[derive(Serialize, Deserialize)]
struct SavedTally {
    epoch: usize,
    norm_ratio: (Bits, u64),
    trace_ratio: (Bits, u64),
    groups: BTreeMap<String, (Bits, u64)>,
    jitter_events: u64,
}

impl<D: Backend> Ogd<D> {
    pub(super) fn to_state(&self) -> Result<State, StateError> {
        let mut state = State::default();
        state.values.insert("next_step".into(), self.next_step.into());
        put(&mut state, "tally", &saved_tally(&self.tally))?;
        for (key, record) in &self.records {
            let name = self.record_name(*key);
            let saved = save_record(&mut state, &name, record).map_err(|e| fault(&name, &e.to_string()))?;
            put(&mut state, &name, &saved)?;
        }
        Ok(state)
    }

    pub(super) fn set_state(&mut self, state: &State) -> Result<(), StateError> {
        let next_step = state.count("next_step")?;
        let tally = loaded_tally(get(state, "tally")?, &self.tally)?;
        let mut records = BTreeMap::new();
        // All sets that this strategy's `bind` can name.
        for (layer, layout) in self.layouts.iter().enumerate() {
            let key = (0, layer);
            let name = self.record_name(key);
            if let (Some(layout), true) = (layout, state.values.contains_key(&name)) {
                records.insert(key, load_record(state, &name, layout, &self.settings, &self.device)?);
            }
        }
        (self.next_step, self.tally, self.records) = (next_step, tally, records);
        Ok(())
    }

    fn record_name(&self, (set, layer): Key) -> String {
        format!("{set}/{}", self.spec.layers[layer].name)
    }
}

fn fault(what: &str, found: &str) -> StateError {
    StateError { expected: format!("state of ogd for {what}"), found: found.into() }
}

fn put(state: &mut State, name: &str, value: &impl Serialize) -> Result<(), StateError> {
    let value = serde_json::to_value(value).map_err(|e| fault(name, &e.to_string()))?;
    state.values.insert(name.into(), value);
    Ok(())
}

fn get<T: DeserializeOwned>(state: &State, name: &str) -> Result<T, StateError> {
    let value = state.values.get(name).ok_or_else(|| fault(name, "none"))?;
    T::deserialize(value).map_err(|e| fault(name, &e.to_string()))
}

fn saved_tally(tally: &Tally) -> SavedTally {
    let save = |mean: &Mean| (mean.sum.to_bits(), mean.n);
    SavedTally {
        epoch: tally.epoch,
        norm_ratio: save(&tally.norm_ratio),
        trace_ratio: save(&tally.trace_ratio),
        groups: tally.groups.iter().map(|(group, mean)| (group.clone(), save(mean))).collect(),
        jitter_events: tally.jitter_events,
    }
}

fn loaded_tally(saved: SavedTally, now: &Tally) -> Result<Tally, StateError> {
    let load = |(sum, n)| Mean { sum: f64::from_bits(sum), n };
    if !saved.groups.keys().eq(now.groups.keys()) {
        let expected = format!("layers {:?}", now.groups.keys());
        return Err(StateError { expected, found: format!("{:?}", saved.groups.keys()) });
    }
    Ok(Tally {
        epoch: saved.epoch,
        norm_ratio: load(saved.norm_ratio),
        trace_ratio: load(saved.trace_ratio),
        groups: saved.groups.into_iter().map(|(group, mean)| (group, load(mean))).collect(),
        jitter_events: saved.jitter_events,
        seconds: [0.0; 3],
    })
}

fn save_record<D: Backend>(state: &mut State, name: &str, record: &Record<D>) -> Result<SavedRecord, OpError> {
    let mut evidence = |part: &str, evidence: &Option<Evidence>| {
        evidence.as_ref().map(|evidence| save_evidence(state, &format!("{name}/{part}"), evidence))
    };
    let (memory, pending) = (evidence("memory", &record.memory), evidence("pending", &record.pending));
    let projector = record.projector.as_ref().map(|p| save_projector(state, &format!("{name}/projector"), p));
    Ok(SavedRecord {
        memory,
        pending,
        projector: projector.transpose()?,
        built: record.built.map(|built| (built.step, built.alpha.to_bits())),
        stale: record.stale,
    })
}

fn load_record<D: Backend>(
    state: &State,
    name: &str,
    layout: &Layout,
    settings: &Settings,
    device: &D,
) -> Result<Record<D>, StateError> {
    let saved: SavedRecord = get(state, name)?;
    if saved.built.is_some_and(|(step, _)| step > settings.total_steps()) {
        return Err(fault(name, "a projector of a later step than this run has"));
    }
    let evidence = |part: &str, saved: Option<SavedEvidence>| {
        saved.map(|saved| load_evidence(state, &format!("{name}/{part}"), saved, layout)).transpose()
    };
    let projector = saved.projector.map(|p| load_projector(state, &format!("{name}/projector"), p, layout, device));
    Ok(Record {
        memory: evidence("memory", saved.memory)?,
        pending: evidence("pending", saved.pending)?,
        projector: projector.transpose()?,
        built: saved.built.map(|(step, alpha)| Built { step, alpha: f64::from_bits(alpha) }),
        stale: saved.stale,
    })
}

/// Rows as they are; of Gram matrices the lower triangles.
fn save_evidence(state: &mut State, name: &str, evidence: &Evidence) -> SavedEvidence {
    let (blocks, d) = (evidence.blocks, evidence.inputs);
    let (values, rows) = match &evidence.form {
        Form::Rows(rows) => (rows.concat(), Some(rows.first().map_or(0, |block| block.len() / d))),
        Form::Gram(gram) => {
            (gram.chunks_exact(d).enumerate().flat_map(|(i, row)| &row[..=i % d]).copied().collect(), None)
        }
    };
    let shape = vec![blocks, rows.map_or(d * (d + 1) / 2, |n| n * d), 4];
    state.tensors.insert(name.into(), HostTensor { shape, values: values.iter().flat_map(|x| limbs(*x)).collect() });
    SavedEvidence { count: evidence.count.to_bits(), rows }
}

fn load_evidence(state: &State, name: &str, saved: SavedEvidence, layout: &Layout) -> Result<Evidence, StateError> {
    let (blocks, d) = (layout.blocks, layout.inputs);
    let size = match saved.rows {
        Some(n) => n.checked_mul(d).ok_or_else(|| fault(name, &format!("{n} rows")))?,
        None => d * (d + 1) / 2,
    };
    let values = &state.tensor(name, &[blocks, size, 4])?.values;
    let values: Vec<f64> = values.chunks_exact(4).map(from_limbs).collect();
    let form = match saved.rows {
        Some(0) => return Err(fault(name, "no rows")),
        Some(_) => Form::Rows(values.chunks_exact(size).map(<[f64]>::to_vec).collect()),
        None => {
            let mut gram = vec![0.0; blocks * d * d];
            for (gram, lower) in gram.chunks_exact_mut(d * d).zip(values.chunks_exact(size)) {
                let places = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j)));
                places.zip(lower).for_each(|((i, j), value)| gram[i * d + j] = *value);
            }
            Form::Gram(gram)
        }
    };
    Ok(Evidence { blocks, inputs: d, count: f64::from_bits(saved.count), form })
}

/// The four 16-bit digits of the bits of a number, each a whole number that `f32` holds exactly.
fn limbs(x: f64) -> [f32; 4] {
    let bits = x.to_bits();
    [48, 32, 16, 0].map(|shift| f32::from((bits >> shift) as u16))
}

fn from_limbs(limbs: &[f32]) -> f64 {
    f64::from_bits(limbs.iter().fold(0, |bits, limb| bits << 16 | u64::from(*limb as u16)))
}

fn save_projector<D: Backend>(
    state: &mut State,
    name: &str,
    projector: &Projector<Tensor3<D>>,
) -> Result<SavedProjector, OpError> {
    let mut put = |tensor: &Tensor3<D>| -> Result<usize, OpError> {
        let (blocks, n, d) = *tensor.shape();
        let flat = tensor.clone().try_reshape_like(&(1, blocks, n, d)).map_err(OpError::device("ogd"))?;
        let saved = HostTensor { shape: vec![blocks, n, d], values: D::to_host(&flat) };
        state.tensors.insert(name.into(), saved);
        Ok(n)
    };
    let rank = match &projector.matrices {
        Matrices::Identity => None,
        Matrices::Full(m) => put(m).map(|_| None)?,
        Matrices::LowRank(v) => Some(put(v)?),
    };
    let Projector { trace_ratio, raised, .. } = projector;
    Ok(SavedProjector { trace_ratio: trace_ratio.to_bits(), raised: raised.to_bits(), rank })
}

fn load_projector<D: Backend>(
    state: &State,
    name: &str,
    saved: SavedProjector,
    layout: &Layout,
    device: &D,
) -> Result<Projector<Tensor3<D>>, StateError> {
    let (blocks, d) = (layout.blocks, layout.inputs);
    let tensor = |n: usize| {
        let values = state.tensor(name, &[blocks, n, d])?.values.clone();
        device.try_tensor_from_vec(values, (blocks, n, d)).map_err(|e| fault(name, &format!("{e:?}")))
    };
    let matrices = match saved.rank {
        Some(n) => Matrices::LowRank(tensor(n)?),
        None if state.tensors.contains_key(name) => Matrices::Full(tensor(d)?),
        None => Matrices::Identity,
    };
    let [trace_ratio, raised] = [saved.trace_ratio, saved.raised].map(f64::from_bits);
    Ok(Projector { matrices, trace_ratio, raised })
}
