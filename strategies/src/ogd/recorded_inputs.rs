//! Recorded inputs of a layer, from which its projector is computed.

use super::layout::MatrixLayout;
use super::linalg::add_gram;
use super::options::SampleSelection;
use nas_ops::OpError;

/// Rows per strip in the computation of a Gram matrix, so that a strip in `f64` stays in the cache.
const ROWS_PER_STRIP: usize = 256;

/// Recorded patches of a layer. A projector depends on them only through their Gram matrix.
///
/// The patches themselves are kept while there are fewer of them than elements in a patch, and their Gram matrix from
/// then on: the smaller of the two.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedInputs {
    /// Number of blocks of the layer, see [`MatrixLayout`].
    pub blocks: usize,
    /// Elements of a patch, `d` in the equations.
    pub patch_len: usize,
    /// Number of patches in each block. [`decay`](Self::decay) makes it fractional.
    pub count: f64,
    /// The patches or their Gram matrices.
    pub storage: PatchStorage,
}

/// The patches `R` of all blocks, or their Gram matrices.
#[derive(Debug, Clone, PartialEq)]
pub enum PatchStorage {
    /// `R`: for each block its rows, `[n, d]`.
    Rows(Vec<Vec<f64>>),
    /// The lower triangles of `S = R^T R`, `[blocks, d, d]`. Elements above the diagonal are undefined.
    Gram(Vec<f64>),
}

impl RecordedInputs {
    /// Recorded inputs from patches `[blocks, n, d]`.
    pub fn new(layout: &MatrixLayout, rows: &[f32]) -> Self {
        let MatrixLayout { blocks, inputs: patch_len, .. } = *layout;
        let size = rows.len() / blocks;
        let storage = if size < patch_len * patch_len {
            let block = |block: &[f32]| block.iter().copied().map(f64::from).collect();
            PatchStorage::Rows(rows.chunks_exact(size).map(block).collect())
        } else {
            PatchStorage::Gram(gram_matrices(rows.chunks_exact(size), patch_len))
        };
        Self { blocks, patch_len, count: (size / patch_len) as f64, storage }
    }

    /// Recorded inputs from the Gram matrices `[blocks, d, d]` of `count` patches in each block.
    pub fn from_gram(layout: &MatrixLayout, count: usize, gram: Vec<f64>) -> Self {
        let MatrixLayout { blocks, inputs: patch_len, .. } = *layout;
        Self { blocks, patch_len, count: count as f64, storage: PatchStorage::Gram(gram) }
    }

    /// Recorded inputs from the input images of a layer, `[h, w, c]` each: from the selected images, at every
    /// `stride`-th output location.
    ///
    /// # Errors
    /// The images do not fit the layer, or there are none.
    pub fn from_images(
        layout: &MatrixLayout,
        images: Vec<f32>,
        dims: [usize; 3],
        samples: SampleSelection,
        stride: usize,
    ) -> Result<Self, OpError> {
        let size = dims.iter().product();
        let mut all: Option<Self> = None;
        // One image at a time: its patches hold up to nine times as many numbers, and have to stay in the cache.
        for image in layout.select_images(images, size, samples).chunks_exact(size) {
            let new = Self::new(layout, &layout.patch_rows(image, dims, stride)?);
            match &mut all {
                Some(all) => all.add(new),
                None => all = Some(new),
            }
        }
        all.ok_or_else(|| OpError::Shape { op: "ogd", expected: "at least one image".into(), found: "none".into() })
    }

    /// `trace(S)` summed over the blocks, the sum of the squares of all patch elements.
    pub fn trace(&self) -> f64 {
        match &self.storage {
            PatchStorage::Rows(rows) => rows.iter().flatten().map(|x| x * x).sum(),
            PatchStorage::Gram(gram) => {
                let size = self.patch_len * self.patch_len;
                gram.chunks_exact(size).flat_map(|s| s.iter().step_by(self.patch_len + 1)).sum()
            }
        }
    }

    /// Mean square of a patch element, over all blocks.
    pub fn energy(&self) -> f64 {
        let elements = self.count * (self.blocks * self.patch_len) as f64;
        if elements > 0.0 { self.trace() / elements } else { 0.0 }
    }

    /// Multiplies `S` by `factor` and leaves the count as it is.
    pub fn scale(&mut self, factor: f64) {
        let root = factor.sqrt();
        match &mut self.storage {
            PatchStorage::Rows(rows) => rows.iter_mut().flatten().for_each(|x| *x *= root),
            PatchStorage::Gram(gram) => gram.iter_mut().for_each(|x| *x *= factor),
        }
    }

    /// Multiplies both `S` and the count by `factor`, so that later patches weigh more than these.
    pub fn decay(&mut self, factor: f64) {
        if factor != 1.0 {
            self.scale(factor);
            self.count *= factor;
        }
    }

    /// Adds the patches of `other`, which belong to the same layer.
    pub fn add(&mut self, mut other: Self) {
        self.count += other.count;
        if let (PatchStorage::Rows(mine), PatchStorage::Rows(others)) = (&mut self.storage, &mut other.storage) {
            mine.iter_mut().zip(others).for_each(|(mine, other)| mine.append(other));
            if mine.first().is_some_and(|block| block.len() >= self.patch_len * self.patch_len) {
                self.convert_to_gram();
            }
            return;
        }
        self.convert_to_gram();
        let size = self.patch_len * self.patch_len;
        let PatchStorage::Gram(mine) = &mut self.storage else { return };
        match other.storage {
            PatchStorage::Gram(others) => mine.iter_mut().zip(others).for_each(|(mine, other)| *mine += other),
            PatchStorage::Rows(rows) => {
                mine.chunks_exact_mut(size).zip(rows).for_each(|(mine, rows)| add_gram(mine, &rows, self.patch_len));
            }
        }
    }

    /// Replaces stored rows by their Gram matrices.
    fn convert_to_gram(&mut self) {
        if let PatchStorage::Rows(rows) = &self.storage {
            self.storage = PatchStorage::Gram(gram_matrices(rows.iter().map(Vec::as_slice), self.patch_len));
        }
    }
}

/// Lower triangles of the Gram matrices of the rows of each block, `[blocks, d, d]`.
fn gram_matrices<'a, T: Copy + Into<f64> + 'a>(blocks: impl ExactSizeIterator<Item = &'a [T]>, d: usize) -> Vec<f64> {
    let mut gram = vec![0.0; blocks.len() * d * d];
    let mut strip = Vec::with_capacity(ROWS_PER_STRIP * d);
    for (gram, rows) in gram.chunks_exact_mut(d * d).zip(blocks) {
        for rows in rows.chunks(ROWS_PER_STRIP * d) {
            strip.clear();
            strip.extend(rows.iter().map(|&x| x.into()));
            add_gram(gram, &strip, d);
        }
    }
    gram
}
