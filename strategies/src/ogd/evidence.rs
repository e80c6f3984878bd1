//! What a projector knows of a layer's inputs.

use super::layout::Layout;
use super::linalg::add_gram;
use super::options::Samples;
use nas_ops::OpError;

/// Rows of a strip that is multiplied with itself while it is in the cache.
const STRIP: usize = 256;

/// Recorded patches of a layer, as themselves while they are fewer than their elements and as their Gram matrix from
/// then on: whichever is smaller holds all that a projector depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Independent products of the layer.
    pub blocks: usize,
    /// Elements of a patch.
    pub inputs: usize,
    /// Number of patches in each block; older ones may count less.
    pub count: f64,
    /// The patches, or what stands for them.
    pub form: Form,
}

/// The patches `R` of all blocks, or their Gram matrices.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// `R`: for each block its rows.
    Rows(Vec<Vec<f64>>),
    /// The lower triangles of `S = R^T R`, `[blocks, inputs, inputs]`, and anything above them.
    Gram(Vec<f64>),
}

impl Evidence {
    /// Evidence from rows `[blocks, n, inputs]`.
    pub fn new(layout: &Layout, rows: &[f32]) -> Self {
        let Layout { blocks, inputs, .. } = *layout;
        let size = rows.len() / blocks;
        let form = if size < inputs * inputs {
            Form::Rows(rows.chunks_exact(size).map(|block| block.iter().copied().map(f64::from).collect()).collect())
        } else {
            Form::Gram(gram(rows.chunks_exact(size), inputs))
        };
        Self { blocks, inputs, count: (size / inputs) as f64, form }
    }

    /// Evidence from images of `[h, w, c]` that go into a layer: from some of them, at every `stride`-th output location.
    ///
    /// # Errors
    /// Images that do not fit the layer, or none.
    pub fn of_images(
        layout: &Layout,
        images: Vec<f32>,
        dims: [usize; 3],
        samples: Samples,
        stride: usize,
    ) -> Result<Self, OpError> {
        let size = dims.iter().product();
        let mut all: Option<Self> = None;
        // Image by image, so that the patches, nine times as many numbers, stay in the cache.
        for image in layout.seen(images, size, samples).chunks_exact(size) {
            let new = Self::new(layout, &layout.rows(image, dims, stride)?);
            match &mut all {
                Some(all) => all.add(new),
                None => all = Some(new),
            }
        }
        all.ok_or_else(|| OpError::Shape { op: "ogd", expected: "an image at least".into(), found: "none".into() })
    }

    /// `trace(S)`, the sum of all squared elements.
    pub fn trace(&self) -> f64 {
        match &self.form {
            Form::Rows(rows) => rows.iter().flatten().map(|x| x * x).sum(),
            Form::Gram(gram) => {
                let size = self.inputs * self.inputs;
                gram.chunks_exact(size).flat_map(|s| s.iter().step_by(self.inputs + 1)).sum()
            }
        }
    }

    /// The mean square of an element.
    pub fn energy(&self) -> f64 {
        let elements = self.count * (self.blocks * self.inputs) as f64;
        if elements > 0.0 { self.trace() / elements } else { 0.0 }
    }

    /// `S *= factor`, without a change of the count.
    pub fn scale(&mut self, factor: f64) {
        let root = factor.sqrt();
        match &mut self.form {
            Form::Rows(rows) => rows.iter_mut().flatten().for_each(|x| *x *= root),
            Form::Gram(gram) => gram.iter_mut().for_each(|x| *x *= factor),
        }
    }

    /// Lets everything count less by `factor`.
    pub fn fade(&mut self, factor: f64) {
        if factor != 1.0 {
            self.scale(factor);
            self.count *= factor;
        }
    }

    /// Adds the patches of `other`.
    pub fn add(&mut self, mut other: Self) {
        self.count += other.count;
        if let (Form::Rows(mine), Form::Rows(others)) = (&mut self.form, &mut other.form) {
            mine.iter_mut().zip(others).for_each(|(mine, other)| mine.append(other));
            if mine.first().is_some_and(|block| block.len() >= self.inputs * self.inputs) {
                self.fold();
            }
            return;
        }
        self.fold();
        let size = self.inputs * self.inputs;
        let Form::Gram(mine) = &mut self.form else { return };
        match other.form {
            Form::Gram(others) => mine.iter_mut().zip(others).for_each(|(mine, other)| *mine += other),
            Form::Rows(rows) => {
                mine.chunks_exact_mut(size).zip(rows).for_each(|(mine, rows)| add_gram(mine, &rows, self.inputs));
            }
        }
    }

    /// Replaces rows by their Gram matrices.
    fn fold(&mut self) {
        if let Form::Rows(rows) = &self.form {
            self.form = Form::Gram(gram(rows.iter().map(Vec::as_slice), self.inputs));
        }
    }
}

/// The Gram matrices of the rows of each block.
fn gram<'a, T: Copy + Into<f64> + 'a>(blocks: impl ExactSizeIterator<Item = &'a [T]>, inputs: usize) -> Vec<f64> {
    let mut gram = vec![0.0; blocks.len() * inputs * inputs];
    let mut strip = Vec::with_capacity(STRIP * inputs);
    for (gram, rows) in gram.chunks_exact_mut(inputs * inputs).zip(blocks) {
        for rows in rows.chunks(STRIP * inputs) {
            strip.clear();
            strip.extend(rows.iter().map(|&x| x.into()));
            add_gram(gram, &strip, inputs);
        }
    }
    gram
}
