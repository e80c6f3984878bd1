//! What a projector knows of a layer's inputs.

use super::layout::Layout;
use super::spd::{Operand, product};
use nas_ops::OpError;

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
    /// `S = R^T R`, `[blocks, inputs, inputs]`.
    Gram(Vec<f64>),
}

impl Evidence {
    /// Evidence from rows `[blocks, n, inputs]`.
    ///
    /// # Errors
    /// Out of memory.
    pub fn new(layout: &Layout, rows: &[f32]) -> Result<Self, OpError> {
        let Layout { blocks, inputs, .. } = *layout;
        let size = rows.len() / blocks;
        let rows = rows.chunks_exact(size).map(|block| block.iter().copied().map(f64::from).collect()).collect();
        let count = (size / inputs) as f64;
        let mut new = Self { blocks, inputs, count, form: Form::Rows(rows) };
        new.settle()?;
        Ok(new)
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
    ///
    /// # Errors
    /// Out of memory.
    pub fn add(&mut self, mut other: Self) -> Result<(), OpError> {
        self.count += other.count;
        if let (Form::Rows(mine), Form::Rows(others)) = (&mut self.form, &mut other.form) {
            mine.iter_mut().zip(others).for_each(|(mine, other)| mine.append(other));
            return self.settle();
        }
        self.fold()?;
        other.fold()?;
        if let (Form::Gram(mine), Form::Gram(others)) = (&mut self.form, &other.form) {
            mine.iter_mut().zip(others).for_each(|(mine, other)| *mine += other);
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), OpError> {
        match &self.form {
            Form::Rows(rows) if rows.first().is_some_and(|block| block.len() >= self.inputs * self.inputs) => {
                self.fold()
            }
            _ => Ok(()),
        }
    }

    /// Replaces rows by their Gram matrices.
    fn fold(&mut self) -> Result<(), OpError> {
        if let Form::Rows(rows) = &self.form {
            let all = rows.concat();
            let rows = Operand::new(&all, [self.blocks, all.len() / (self.blocks * self.inputs), self.inputs]);
            self.form = Form::Gram(product(rows.t(), rows)?);
        }
        Ok(())
    }
}
