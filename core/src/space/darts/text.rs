//! Reading of the text form of a genotype.

use super::{CellEdge, CellGenotype, CellOp, Genotype, published};
use crate::options::did_you_mean;
use crate::quote::quote;

/// The arguments of `Genotype(...)`, in the order in which they are written.
const ARGUMENTS: [&str; 4] = ["normal", "normal_concat", "reduce", "reduce_concat"];

impl Genotype {
    /// Reads a genotype, or finds a published one by its name. White space, the quotes of strings, brackets of lists
    /// and tuples, and the order of the arguments are free; `normal_concat` and `reduce_concat` are lists or ranges.
    ///
    /// # Errors
    /// The first problem of the text: what was expected and what was found.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(genotype) = published::genotype(text.trim()) {
            return Ok(genotype);
        }
        let mut reader = Reader { rest: text.trim() };
        if reader.word() != "Genotype" {
            let names = published::NAMES;
            let hint = did_you_mean(text.trim(), names.into_iter());
            return Err(format!("expected `Genotype(normal=[...], ...)` or one of {}{hint}", names.join(", ")));
        }
        reader.expect('(')?;
        let (mut edges, mut concats) = ([None, None], [None, None]);
        while !reader.takes(')') {
            let name = reader.word();
            let found = ARGUMENTS.iter().position(|argument| *argument == name);
            let argument = found.ok_or_else(|| {
                let hint = did_you_mean(name, ARGUMENTS.into_iter());
                format!("unknown argument `{}`{hint}; expected {}", quote(name), ARGUMENTS.join(", "))
            })?;
            reader.expect('=')?;
            let repeated = match argument % 2 {
                0 => edges[argument / 2].replace(reader.edges(name)?).is_some(),
                _ => concats[argument / 2].replace(reader.nodes(name)?).is_some(),
            };
            if repeated {
                return Err(format!("argument {name} is given twice"));
            }
            reader.end_of_item(')')?;
        }
        if !reader.rest.trim().is_empty() {
            return Err(format!("unexpected text after the genotype: `{}`", quote(reader.rest.trim())));
        }
        let [normal, reduce] = edges;
        let [normal_concat, reduce_concat] = concats;
        Ok(Self { normal: cell("normal", normal, normal_concat)?, reduce: cell("reduce", reduce, reduce_concat)? })
    }
}

fn cell(name: &str, edges: Option<Vec<CellEdge>>, concat: Option<Vec<usize>>) -> Result<CellGenotype, String> {
    let edges = edges.ok_or_else(|| format!("argument {name} is missing"))?;
    let concat = concat.ok_or_else(|| format!("argument {name}_concat is missing"))?;
    let (nodes, rest) = edges.as_chunks::<2>();
    if nodes.is_empty() || !rest.is_empty() {
        return Err(format!("{name} has {} edges, expected two for each node", edges.len()));
    }
    let cell = CellGenotype { nodes: nodes.to_vec(), concat };
    cell.check(name)?;
    Ok(cell)
}

/// Reads a text from its start.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Removes and returns the characters that `part` accepts; skips white space before them.
    fn take(&mut self, part: impl Fn(char) -> bool) -> &'a str {
        let text = self.rest.trim_start();
        let (taken, rest) = text.split_at(text.find(|c| !part(c)).unwrap_or(text.len()));
        self.rest = rest;
        taken
    }

    fn word(&mut self) -> &'a str {
        self.take(|c| c.is_ascii_alphanumeric() || c == '_')
    }

    /// Removes one character, if it comes next.
    fn takes(&mut self, wanted: char) -> bool {
        let next = self.rest.trim_start().strip_prefix(wanted);
        self.rest = next.unwrap_or(self.rest);
        next.is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.takes(wanted) { Ok(()) } else { Err(self.unexpected(&format!("`{wanted}`"))) }
    }

    /// After an item of a list: a comma, or nothing if the list ends.
    fn end_of_item(&mut self, end: char) -> Result<(), String> {
        if self.takes(',') || self.rest.trim_start().starts_with(end) {
            return Ok(());
        }
        Err(self.unexpected(&format!("`,` or `{end}`")))
    }

    fn unexpected(&self, expected: &str) -> String {
        let rest = self.rest.trim();
        let shown: String = rest.chars().take(20).collect();
        let found = if rest.is_empty() { "the end of the text".into() } else { format!("`{}`", quote(&shown)) };
        format!("expected {expected}, found {found}")
    }

    /// Opens a list or tuple; returns the character that closes it.
    fn open(&mut self) -> Result<char, String> {
        if self.takes('[') {
            return Ok(']');
        }
        self.expect('(').map_err(|_| self.unexpected("`[` or `(`"))?;
        Ok(')')
    }

    fn number(&mut self) -> Result<usize, String> {
        let before = self.rest;
        let digits = self.take(|c| c.is_ascii_digit() || c == '-');
        digits.parse().map_err(|_| Reader { rest: before }.unexpected("the number of a node"))
    }

    /// A list of edges `('operation', node)`.
    fn edges(&mut self, name: &str) -> Result<Vec<CellEdge>, String> {
        let (end, mut edges) = (self.open()?, Vec::new());
        while !self.takes(end) {
            let close = self.open()?;
            let op = self.operation(name)?;
            self.expect(',')?;
            edges.push(CellEdge { op, from: self.number()? });
            self.expect(close)?;
            self.end_of_item(end)?;
        }
        Ok(edges)
    }

    fn operation(&mut self, cell: &str) -> Result<CellOp, String> {
        let quotes = if self.takes('"') { '"' } else { '\'' };
        if quotes == '\'' {
            self.expect('\'').map_err(|_| self.unexpected("the name of an operation in quotes"))?;
        }
        let name = self.take(|c| c != quotes);
        self.expect(quotes)?;
        CellOp::of_name(name).ok_or_else(|| {
            let names = CellOp::ALL.map(CellOp::name);
            let hint = did_you_mean(name, names.into_iter());
            format!("{cell}: unknown operation `{}`{hint}; known: {}", quote(name), names.join(", "))
        })
    }

    /// A list of nodes, or `range(first, end)`.
    fn nodes(&mut self, name: &str) -> Result<Vec<usize>, String> {
        match self.word() {
            "" => {
                let (end, mut nodes) = (self.open()?, Vec::new());
                while !self.takes(end) {
                    nodes.push(self.number()?);
                    self.end_of_item(end)?;
                }
                Ok(nodes)
            }
            "range" => {
                self.expect('(')?;
                let first = self.number()?;
                self.expect(',')?;
                let end = self.number()?;
                self.expect(')')?;
                // Limits the memory that a mistyped range can allocate.
                if end > 1000 {
                    return Err(format!("{name} ends at {end}, expected the number of nodes of the cell"));
                }
                Ok((first..end).collect())
            }
            other => Err(format!("{name}: expected a list or `range(first, end)`, found `{}`", quote(other))),
        }
    }
}
