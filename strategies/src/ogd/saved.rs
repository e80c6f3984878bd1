//! Saving and loading the state of `ogd`, so that a resumed strategy continues with the same bits.

use super::layer_record::{LastRefresh, LayerRecord};
use super::layout::{MatrixLayout, Tensor3};
use super::options::OgdSettings;
use super::projector::{Projector, ProjectorMatrices};
use super::recorded_inputs::{PatchStorage, RecordedInputs};
use super::statistics::{EpochStatistics, RunningMean};
use super::{Ogd, RecordKey};
use dfdx::prelude::{HasShape, ReshapeTo};
use nas_core::state::{HostTensor, State, StateError};
use nas_ops::{Backend, OpError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An `f64` as its bits.
type Bits = u64;

#[derive(Serialize, Deserialize)]
struct SavedInputs {
    count: Bits,
    /// Number of rows of each block; `None` for Gram matrices.
    rows: Option<usize>,
}

#[derive(Serialize, Deserialize)]
struct SavedProjector {
    trace_ratio: Bits,
    alpha_increase: Bits,
    /// The rank of a low-rank projector. `None` for a full projector, or for the identity if no tensor is saved.
    rank: Option<usize>,
}

#[derive(Serialize, Deserialize)]
struct SavedRecord {
    memory: Option<SavedInputs>,
    pending: Option<SavedInputs>,
    projector: Option<SavedProjector>,
    /// Step and alpha.
    last_refresh: Option<(u64, Bits)>,
    outdated: bool,
}

/// Each mean as its sum and number of values.
#[derive(Serialize, Deserialize)]
struct SavedStatistics {
    epoch: usize,
    norm_ratio: (Bits, u64),
    trace_ratio: (Bits, u64),
    groups: BTreeMap<String, (Bits, u64)>,
    alpha_increases: u64,
}

impl<D: Backend> Ogd<D> {
    pub(super) fn to_state(&self) -> Result<State, StateError> {
        let mut state = State::default();
        state.values.insert("next_step".into(), self.next_step.into());
        state.put("statistics", &save_statistics(&self.statistics))?;
        for (key, record) in &self.records {
            let name = self.record_name(*key);
            let saved = save_record(&mut state, &name, record).map_err(|e| mismatch(&name, &e.to_string()))?;
            state.put(&name, &saved)?;
        }
        Ok(state)
    }

    pub(super) fn set_state(&mut self, state: &State) -> Result<(), StateError> {
        let next_step = state.count("next_step")?;
        let statistics = load_statistics(state.get("statistics")?, &self.statistics)?;
        let mut records = BTreeMap::new();
        // `ogd` has a single weight set, 0.
        for (layer, layout) in self.layouts.iter().enumerate() {
            let key = (0, layer);
            let name = self.record_name(key);
            if let (Some(layout), true) = (layout, state.values.contains_key(&name)) {
                records.insert(key, load_record(state, &name, layout, &self.settings, &self.device)?);
            }
        }
        (self.next_step, self.statistics, self.records) = (next_step, statistics, records);
        Ok(())
    }

    fn record_name(&self, (set, layer): RecordKey) -> String {
        format!("{set}/{}", self.spec.layers[layer].name)
    }
}

fn mismatch(what: &str, found: &str) -> StateError {
    StateError { expected: format!("state of ogd for {what}"), found: found.into() }
}

fn save_statistics(statistics: &EpochStatistics) -> SavedStatistics {
    let save = |mean: &RunningMean| (mean.sum.to_bits(), mean.n);
    SavedStatistics {
        epoch: statistics.epoch,
        norm_ratio: save(&statistics.norm_ratio),
        trace_ratio: save(&statistics.trace_ratio),
        groups: statistics.groups.iter().map(|(group, mean)| (group.clone(), save(mean))).collect(),
        alpha_increases: statistics.alpha_increases,
    }
}

/// The statistics, if their groups are those of `current`.
fn load_statistics(saved: SavedStatistics, current: &EpochStatistics) -> Result<EpochStatistics, StateError> {
    let load = |(sum, n)| RunningMean { sum: f64::from_bits(sum), n };
    if !saved.groups.keys().eq(current.groups.keys()) {
        let expected = format!("statistics of the layer groups {:?}", current.groups.keys());
        return Err(StateError { expected, found: format!("{:?}", saved.groups.keys()) });
    }
    Ok(EpochStatistics {
        epoch: saved.epoch,
        norm_ratio: load(saved.norm_ratio),
        trace_ratio: load(saved.trace_ratio),
        groups: saved.groups.into_iter().map(|(group, mean)| (group, load(mean))).collect(),
        alpha_increases: saved.alpha_increases,
        record_s: 0.0,
        refresh_s: 0.0,
        project_s: 0.0,
    })
}

fn save_record<D: Backend>(state: &mut State, name: &str, record: &LayerRecord<D>) -> Result<SavedRecord, OpError> {
    let mut save = |part: &str, inputs: &Option<RecordedInputs>| {
        inputs.as_ref().map(|inputs| save_inputs(state, &format!("{name}/{part}"), inputs))
    };
    let (memory, pending) = (save("memory", &record.memory), save("pending", &record.pending));
    let projector = record.projector.as_ref().map(|p| save_projector(state, &format!("{name}/projector"), p));
    Ok(SavedRecord {
        memory,
        pending,
        projector: projector.transpose()?,
        last_refresh: record.last_refresh.map(|last| (last.step, last.alpha.to_bits())),
        outdated: record.outdated,
    })
}

fn load_record<D: Backend>(
    state: &State,
    name: &str,
    layout: &MatrixLayout,
    settings: &OgdSettings,
    device: &D,
) -> Result<LayerRecord<D>, StateError> {
    let saved: SavedRecord = state.get(name)?;
    if let Some((step, _)) = saved.last_refresh.filter(|(step, _)| *step > settings.total_steps()) {
        let found = format!("a projector of step {step}, which is after the end of this run");
        return Err(mismatch(name, &found));
    }
    let load = |part: &str, saved: Option<SavedInputs>| {
        saved.map(|saved| load_inputs(state, &format!("{name}/{part}"), saved, layout)).transpose()
    };
    let projector = saved.projector.map(|p| load_projector(state, &format!("{name}/projector"), p, layout, device));
    Ok(LayerRecord {
        memory: load("memory", saved.memory)?,
        pending: load("pending", saved.pending)?,
        projector: projector.transpose()?,
        last_refresh: saved.last_refresh.map(|(step, alpha)| LastRefresh { step, alpha: f64::from_bits(alpha) }),
        outdated: saved.outdated,
    })
}

/// Saves rows completely, and Gram matrices by their lower triangles.
fn save_inputs(state: &mut State, name: &str, inputs: &RecordedInputs) -> SavedInputs {
    let (blocks, d) = (inputs.blocks, inputs.patch_len);
    let (values, rows) = match &inputs.storage {
        PatchStorage::Rows(rows) => (rows.concat(), Some(rows.first().map_or(0, |block| block.len() / d))),
        PatchStorage::Gram(gram) => {
            (gram.chunks_exact(d).enumerate().flat_map(|(i, row)| &row[..=i % d]).copied().collect(), None)
        }
    };
    let shape = vec![blocks, rows.map_or(d * (d + 1) / 2, |n| n * d), 4];
    state
        .tensors
        .insert(name.into(), HostTensor { shape, values: values.iter().flat_map(|x| split_bits(*x)).collect() });
    SavedInputs { count: inputs.count.to_bits(), rows }
}

fn load_inputs(
    state: &State,
    name: &str,
    saved: SavedInputs,
    layout: &MatrixLayout,
) -> Result<RecordedInputs, StateError> {
    let (blocks, d) = (layout.blocks, layout.inputs);
    let size = match saved.rows {
        Some(n) => n.checked_mul(d).ok_or_else(|| mismatch(name, &format!("{n} rows")))?,
        None => d * (d + 1) / 2,
    };
    let values = &state.tensor(name, &[blocks, size, 4])?.values;
    let values: Vec<f64> = values.chunks_exact(4).map(join_bits).collect();
    let storage = match saved.rows {
        Some(0) => return Err(mismatch(name, "no rows")),
        Some(_) => PatchStorage::Rows(values.chunks_exact(size).map(<[f64]>::to_vec).collect()),
        None => {
            let mut gram = vec![0.0; blocks * d * d];
            for (gram, lower) in gram.chunks_exact_mut(d * d).zip(values.chunks_exact(size)) {
                let places = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j)));
                places.zip(lower).for_each(|((i, j), value)| gram[i * d + j] = *value);
            }
            PatchStorage::Gram(gram)
        }
    };
    Ok(RecordedInputs { blocks, patch_len: d, count: f64::from_bits(saved.count), storage })
}

/// An `f64` as four parts of 16 bits, each a whole number that `f32` represents exactly. [`HostTensor`] holds `f32`.
fn split_bits(x: f64) -> [f32; 4] {
    let bits = x.to_bits();
    [48, 32, 16, 0].map(|shift| f32::from((bits >> shift) as u16))
}

fn join_bits(parts: &[f32]) -> f64 {
    f64::from_bits(parts.iter().fold(0, |bits, part| bits << 16 | u64::from(*part as u16)))
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
        ProjectorMatrices::Identity => None,
        ProjectorMatrices::Full(m) => put(m).map(|_| None)?,
        ProjectorMatrices::LowRank(v) => Some(put(v)?),
    };
    let Projector { trace_ratio, alpha_increase, .. } = projector;
    Ok(SavedProjector { trace_ratio: trace_ratio.to_bits(), alpha_increase: alpha_increase.to_bits(), rank })
}

fn load_projector<D: Backend>(
    state: &State,
    name: &str,
    saved: SavedProjector,
    layout: &MatrixLayout,
    device: &D,
) -> Result<Projector<Tensor3<D>>, StateError> {
    let (blocks, d) = (layout.blocks, layout.inputs);
    let tensor = |n: usize| {
        let values = state.tensor(name, &[blocks, n, d])?.values.clone();
        device.try_tensor_from_vec(values, (blocks, n, d)).map_err(|e| mismatch(name, &format!("{e:?}")))
    };
    let matrices = match saved.rank {
        Some(n) => ProjectorMatrices::LowRank(tensor(n)?),
        None if state.tensors.contains_key(name) => ProjectorMatrices::Full(tensor(d)?),
        None => ProjectorMatrices::Identity,
    };
    let [trace_ratio, alpha_increase] = [saved.trace_ratio, saved.alpha_increase].map(f64::from_bits);
    Ok(Projector { matrices, trace_ratio, alpha_increase })
}
