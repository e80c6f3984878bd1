//! SHA-256 as text.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The SHA-256 of bytes, as 64 hexadecimal digits.
pub fn of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 of a file of any size, as 64 hexadecimal digits.
///
/// # Errors
/// The file cannot be read.
pub fn of_file(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    update(&mut hash, File::open(path)?)?;
    Ok(hex(&hash.finalize()))
}

/// Adds everything that a reader returns to a digest. Returns the number of bytes.
///
/// # Errors
/// The reader fails.
pub fn update(hash: &mut Sha256, mut reader: impl Read) -> io::Result<u64> {
    let (mut bytes, mut buffer) = (0, vec![0; 1 << 16]);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(bytes),
            length => {
                hash.update(&buffer[..length]);
                bytes += length as u64;
            }
        }
    }
}

/// A finished digest of 32 bytes, as 64 hexadecimal digits.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf 'abc' | sha256sum`
    #[test]
    fn a_file_has_the_digest_of_its_content() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for length in [0, 3, (1 << 16) + 1] {
            let content = vec![7; length];
            std::fs::write(file.path(), &content).unwrap();
            assert_eq!(of_file(file.path()).unwrap(), of(&content));
        }
    }

    #[test]
    fn the_digits_are_those_of_sha256sum() {
        assert_eq!(of(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
