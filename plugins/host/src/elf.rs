//! Completeness of ELF files, the shared libraries of Linux.
//!
//! The system maps the segments of a library into memory without comparing them with the length of the file. Reading a
//! page behind the end of the file then ends the process with the signal SIGBUS.

/// Positions of the fields that describe the segments; they depend on the class of the file.
struct Fields {
    /// Bytes of an address or offset.
    word: usize,
    /// Offset of the table of segments, size of an entry (2 bytes) and number of entries (2 bytes), in the file header.
    table: [usize; 3],
    /// Offset of the segment and its length in the file, in an entry of the table.
    entry: [usize; 2],
}

const BITS_32: Fields = Fields { word: 4, table: [28, 42, 44], entry: [4, 16] };
const BITS_64: Fields = Fields { word: 8, table: [32, 54, 56], entry: [8, 32] };

/// Checks that all segments of an ELF file lie inside the file. Files of other formats pass.
///
/// # Errors
/// A truncated file; the message states why.
pub fn check_complete(bytes: &[u8]) -> Result<(), String> {
    if !bytes.starts_with(b"\x7fELF") {
        return Ok(());
    }
    let length = bytes.len();
    let remedy = "the file is truncated or damaged; copy or build it again";
    match needed(bytes) {
        Some(needed) if needed <= length as u64 => Ok(()),
        Some(needed) => Err(format!("it has {length} bytes, but its segments need {needed}: {remedy}")),
        None => Err(format!("it has {length} bytes, which hold no complete ELF header: {remedy}")),
    }
}

/// The end of the last segment, the table of segments included; `None` if the table is outside of the file.
fn needed(bytes: &[u8]) -> Option<u64> {
    let (class, little_endian) = (bytes.get(4)?, *bytes.get(5)? == 1);
    let Fields { word, table, entry } = if *class == 1 { BITS_32 } else { BITS_64 };
    let number = |at: usize, width: usize| {
        let field = bytes.get(at..at.checked_add(width)?)?.iter();
        let push = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if little_endian { field.rev().fold(0, push) } else { field.fold(0, push) })
    };
    let start = usize::try_from(number(table[0], word)?).ok()?;
    let (size, count) = (number(table[1], 2)? as usize, number(table[2], 2)? as usize);
    let end_of = |segment: usize| {
        let at = start.checked_add(segment * size)?;
        number(at.checked_add(entry[0])?, word)?.checked_add(number(at.checked_add(entry[1])?, word)?)
    };
    (0..count).try_fold(0, |end: u64, segment| Some(end.max(end_of(segment)?)))
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
        put(64 + fields.entry[0], fields.word, 80);
        put(64 + fields.entry[1], fields.word, 120);
        put(64 + 56 + fields.entry[0], fields.word, 0);
        put(64 + 56 + fields.entry[1], fields.word, 10);
        bytes
    }

    #[test]
    fn truncated_files_are_errors_at_every_length() {
        for fields in [&BITS_32, &BITS_64] {
            for big_endian in [false, true] {
                let file = example(fields, big_endian);
                assert_eq!(check_complete(&file), Ok(()));
                for length in 4..file.len() {
                    let message = check_complete(&file[..length]).unwrap_err();
                    assert!(message.starts_with(&format!("it has {length} bytes")), "{message}");
                }
            }
        }
        assert!(check_complete(&example(&BITS_64, false)[..199]).unwrap_err().contains("need 200"));
    }

    #[test]
    fn sizes_beyond_the_address_space_are_errors_and_other_formats_pass() {
        let mut file = example(&BITS_64, false);
        file[64 + 32..64 + 40].fill(0xff);
        assert!(check_complete(&file).is_err());
        let mut file = example(&BITS_64, false);
        file[32..40].fill(0xff);
        assert!(check_complete(&file).is_err());
        assert_eq!((check_complete(b"garbage"), check_complete(b"")), (Ok(()), Ok(())));
    }
}
