//! Checks of ELF files, the shared libraries of Linux, before the system loads them.
//!
//! The system maps the segments of a library into memory without comparing them with the length of the file or with
//! each other. Damaged headers then end the process with the signal SIGBUS or SIGSEGV. The checks find truncated files
//! and segments that cannot be right. They do not verify the content: a plugin is code, which runs with the rights of
//! this process.

/// Positions of the fields that describe the segments; they depend on the class of the file.
struct Fields {
    /// Bytes of an address or offset.
    word: usize,
    /// Offset of the table of segments, size of an entry (2 bytes) and number of entries (2 bytes), in the file header.
    table: [usize; 3],
    /// Flags (4 bytes), offset, address, length in the file, length in memory and alignment, in an entry of the table.
    entry: [usize; 6],
}

const BITS_32: Fields = Fields { word: 4, table: [28, 42, 44], entry: [24, 4, 8, 16, 20, 28] };
const BITS_64: Fields = Fields { word: 8, table: [32, 54, 56], entry: [4, 8, 16, 32, 40, 48] };

/// Kinds of segments: a part that is mapped into memory, and parts inside of mapped ones.
const LOAD: u64 = 1;
const DYNAMIC: u64 = 2;
const PROGRAM_HEADERS: u64 = 6;
const THREAD_LOCAL: u64 = 7;
const READ_ONLY_AFTER_RELOCATION: u64 = 0x6474_e552;

/// The flag of a segment that can be read.
const READABLE: u64 = 4;

struct Segment {
    kind: u64,
    flags: u64,
    offset: u64,
    address: u64,
    file_size: u64,
    memory_size: u64,
    alignment: u64,
}

/// Checks that all segments of an ELF file lie inside the file, and that their places in memory fit together. Files of
/// other formats pass.
///
/// # Errors
/// A truncated or damaged file; the message states why.
pub fn check(bytes: &[u8]) -> Result<(), String> {
    if !bytes.starts_with(b"\x7fELF") {
        return Ok(());
    }
    let length = bytes.len();
    let remedy = "the file is truncated or damaged; copy or build it again";
    let Some(segments) = segments(bytes) else {
        return Err(format!("it has {length} bytes, which hold no complete ELF header: {remedy}"));
    };
    let ends = segments.iter().map(|segment| segment.offset.saturating_add(segment.file_size));
    match ends.max() {
        Some(needed) if needed > length as u64 => {
            Err(format!("it has {length} bytes, but its segments need {needed}: {remedy}"))
        }
        _ => check_memory(&segments).map_err(|problem| format!("{problem}: {remedy}")),
    }
}

/// The table of segments; `None` if it is outside of the file.
fn segments(bytes: &[u8]) -> Option<Vec<Segment>> {
    let (class, little_endian) = (bytes.get(4)?, *bytes.get(5)? == 1);
    let Fields { word, table, entry } = if *class == 1 { BITS_32 } else { BITS_64 };
    let number = |at: usize, width: usize| {
        let field = bytes.get(at..at.checked_add(width)?)?.iter();
        let push = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if little_endian { field.rev().fold(0, push) } else { field.fold(0, push) })
    };
    let start = usize::try_from(number(table[0], word)?).ok()?;
    let (size, count) = (number(table[1], 2)? as usize, number(table[2], 2)? as usize);
    let segment = |index: usize| {
        let at = start.checked_add(index * size)?;
        let field = |place: usize, width: usize| number(at.checked_add(place)?, width);
        let [flags, offset, address, file_size, memory_size, alignment] = entry;
        Some(Segment {
            kind: field(0, 4)?,
            flags: field(flags, 4)?,
            offset: field(offset, word)?,
            address: field(address, word)?,
            file_size: field(file_size, word)?,
            memory_size: field(memory_size, word)?,
            alignment: field(alignment, word)?,
        })
    };
    (0..count).map(segment).collect()
}

/// Checks the places of the segments in memory.
fn check_memory(segments: &[Segment]) -> Result<(), String> {
    let loaded: Vec<&Segment> = segments.iter().filter(|segment| segment.kind == LOAD).collect();
    let mut free = 0;
    for segment in &loaded {
        segment.check_alignment()?;
        if segment.flags & READABLE == 0 {
            return Err("a segment cannot be read".into());
        }
        if segment.address < free {
            return Err("two segments overlap in memory".into());
        }
        free = segment.end()?;
    }
    let inside = [DYNAMIC, PROGRAM_HEADERS, THREAD_LOCAL, READ_ONLY_AFTER_RELOCATION];
    for segment in segments.iter().filter(|segment| inside.contains(&segment.kind)) {
        segment.check_alignment()?;
        let is_placed = |around: &&&Segment| match segment.kind {
            READ_ONLY_AFTER_RELOCATION => segment.is_in_pages_of(around),
            _ => segment.is_inside(around),
        };
        if !loaded.iter().any(|around| is_placed(&around)) {
            return Err("a segment lies outside of the memory of the library".into());
        }
    }
    Ok(())
}

impl Segment {
    /// Checks the sizes, and that address and offset have the same position within a unit of the alignment.
    fn check_alignment(&self) -> Result<(), String> {
        if self.memory_size < self.file_size {
            return Err("a segment is larger in the file than in memory".into());
        }
        let unit = self.alignment.max(1);
        // The system does not use the offset of thread-local data without content.
        let is_placed = self.file_size == 0 || self.address % unit == self.offset % unit;
        if unit.is_power_of_two() && is_placed { Ok(()) } else { Err("a segment is not aligned".into()) }
    }

    /// The address behind the segment.
    fn end(&self) -> Result<u64, String> {
        self.address.checked_add(self.memory_size).ok_or_else(|| "a segment ends outside of the address space".into())
    }

    /// Whether the whole pages of the segment are pages of `around`. Some linkers round the end of the memory that
    /// becomes read-only up to a page, and the system rounds it down.
    fn is_in_pages_of(&self, around: &Self) -> bool {
        let page = around.alignment.max(1);
        let end = self.end().ok().map(|end| end / page * page);
        let last = around.end().ok().and_then(|end| end.checked_next_multiple_of(page));
        around.address <= self.address && end.zip(last).is_some_and(|(end, last)| end <= last)
    }

    /// Whether the content of the segment is a part of the content of `around`, in the file and in memory.
    fn is_inside(&self, around: &Self) -> bool {
        let from = self.address.checked_sub(around.address);
        let within =
            |length: u64, all: u64| from.and_then(|from| from.checked_add(length)).is_some_and(|end| end <= all);
        let in_file = self.file_size == 0
            || (within(self.file_size, around.file_size) && self.offset.checked_sub(around.offset) == from);
        // Thread-local zeros have no place in the memory of the library.
        in_file && (self.kind == THREAD_LOCAL || within(self.memory_size, around.memory_size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with two segments, which end at byte 200.
    fn example(fields: &Fields, big_endian: bool) -> Vec<u8> {
        let mut bytes = vec![0; 200];
        bytes[..4].copy_from_slice(b"\x7fELF");
        (bytes[4], bytes[5]) = (if fields.word == 4 { 1 } else { 2 }, if big_endian { 2 } else { 1 });
        let mut put = |at: usize, width: usize, value: u8| bytes[at + if big_endian { width - 1 } else { 0 }] = value;
        put(fields.table[0], fields.word, 64);
        put(fields.table[1], 2, 56);
        put(fields.table[2], 2, 2);
        put(64 + fields.entry[1], fields.word, 80);
        put(64 + fields.entry[3], fields.word, 120);
        put(64 + 56 + fields.entry[1], fields.word, 0);
        put(64 + 56 + fields.entry[3], fields.word, 10);
        bytes
    }

    #[test]
    fn truncated_files_are_errors_at_every_length() {
        for fields in [&BITS_32, &BITS_64] {
            for big_endian in [false, true] {
                let file = example(fields, big_endian);
                assert_eq!(check(&file), Ok(()));
                for length in 4..file.len() {
                    let message = check(&file[..length]).unwrap_err();
                    assert!(message.starts_with(&format!("it has {length} bytes")), "{message}");
                }
            }
        }
        assert!(check(&example(&BITS_64, false)[..199]).unwrap_err().contains("need 200"));
    }

    #[test]
    fn sizes_beyond_the_address_space_are_errors_and_other_formats_pass() {
        let mut file = example(&BITS_64, false);
        file[64 + 32..64 + 40].fill(0xff);
        assert!(check(&file).is_err());
        let mut file = example(&BITS_64, false);
        file[32..40].fill(0xff);
        assert!(check(&file).is_err());
        assert_eq!((check(b"garbage"), check(b"")), (Ok(()), Ok(())));
    }

    #[test]
    fn segments_whose_places_do_not_fit_are_errors() {
        let segment = |kind, offset, address, size| Segment {
            kind,
            flags: READABLE,
            offset,
            address,
            file_size: size,
            memory_size: size,
            alignment: 0x1000,
        };
        let whole = || {
            let mut all = [
                segment(LOAD, 0, 0, 0x500),
                segment(LOAD, 0x500, 0x1500, 0x800),
                segment(DYNAMIC, 0x600, 0x1600, 0x100),
            ];
            all[1].memory_size = 0x900;
            all
        };
        assert_eq!(check_memory(&whole()), Ok(()));
        // As LLD 14 writes it: the end is rounded up to a page beyond the segment around it.
        let mut rounded = whole();
        rounded[2] = segment(READ_ONLY_AFTER_RELOCATION, 0x500, 0x1500, 0xb00);
        assert_eq!(check_memory(&rounded), Ok(()));
        rounded[2].memory_size = 0x2000;
        assert!(check_memory(&rounded).unwrap_err().contains("outside of the memory"));
        type Change = dyn Fn(&mut [Segment; 3]);
        let changes: [(&Change, &str); 9] = [
            (&|all| all[1].memory_size = 0x700, "larger in the file than in memory"),
            (&|all| all[1].alignment = 0x1001, "not aligned"),
            (&|all| all[1].address = 0x1501, "not aligned"),
            (&|all| all[0].flags = 0, "cannot be read"),
            (&|all| all[0].memory_size = 0x2000, "overlap"),
            (&|all| all[1].memory_size = u64::MAX, "outside of the address space"),
            (&|all| all[2].offset = 0x1600, "outside of the memory"),
            (&|all| all[2].address = 0x2600, "outside of the memory"),
            (&|all| all[1].kind = 0, "outside of the memory"),
        ];
        for (change, problem) in changes {
            let mut all = whole();
            change(&mut all);
            let message = check_memory(&all).unwrap_err();
            assert!(message.contains(problem), "{message}");
        }
    }
}
