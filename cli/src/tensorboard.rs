//! TensorBoard event files: TFRecord frames around `Event` messages of protocol buffers.
//!
//! A frame is the length of the message as `u64`, the masked checksum of these 8 bytes, the message, and its masked
//! checksum, all little-endian. Scalars need these fields of the messages, so no protocol buffer library is used:
//! ```text
//! Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
//! Summary { repeated Value value = 1; }   Value { string tag = 1; float simple_value = 2; }
//! ```

use crate::exit::UsageError;
use crate::files::{self, named};
use anyhow::{Context, Result};
use crc::{CRC_32_ISCSI, Crc, Table};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The start of the file names that TensorBoard reads.
const PREFIX: &str = "events.out.tfevents.";

/// CRC-32C, the checksum of TFRecord files.
static CRC_32C: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);

/// An event file to which scalars are added.
pub struct EventFile<W: Write = File> {
    path: PathBuf,
    out: W,
}

impl EventFile {
    /// A name for a new event file. Two programs that start in the same second have different names.
    pub fn new_name() -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("{PREFIX}{:010}.nas-train.{}.{:09}", now.as_secs(), std::process::id(), now.subsec_nanos())
    }

    /// Checks that a directory has no event files, except for the one with the name `own`: TensorBoard would join them
    /// with new ones into one curve.
    ///
    /// # Errors
    /// The directory has other event files, or it cannot be read.
    pub fn check(dir: &Path, own: Option<&str>) -> Result<()> {
        if dir.is_file() {
            return Err(UsageError(format!("--tensorboard: {} is a file; choose a directory", dir.display())).into());
        }
        if Self::all(dir)?.iter().any(|path| path.file_name() != own.map(OsStr::new)) {
            let problem =
                "has event files already, which TensorBoard would mix with new ones: choose another directory";
            return Err(UsageError(format!("{} {problem}", dir.display())).into());
        }
        Ok(())
    }

    /// Creates an event file with a name of [`new_name`](Self::new_name), and its directory if that is missing.
    ///
    /// # Errors
    /// The directory cannot be written, or it already has event files. An error leaves no file.
    pub fn create(dir: &Path, name: &str) -> Result<Self> {
        Self::check(dir, None)?;
        let is_new = !dir.exists();
        fs::create_dir_all(dir).with_context(|| format!("cannot create the directory {}", dir.display()))?;
        let path = dir.join(name);
        // The first error is the one to report.
        let undo = || {
            if is_new {
                drop(fs::remove_dir(dir))
            }
        };
        let file = File::create_new(&path).with_context(|| format!("cannot write {}", path.display()));
        let file = file.inspect_err(|_| undo())?;
        Ok(Self::start(path.clone(), file).inspect_err(|_| {
            let _ = fs::remove_file(&path);
            undo();
        })?)
    }

    /// Opens the event file of an earlier process, which had `length` bytes. [`cut`](Self::cut) removes what follows.
    ///
    /// # Errors
    /// The file is missing or shorter, or it cannot be written.
    pub fn open_at(dir: &Path, name: &str, length: u64) -> Result<Self> {
        let path = dir.join(name);
        let open = || -> io::Result<File> {
            let file = File::options().write(true).open(&path)?;
            if file.metadata()?.len() < length {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than at the checkpoint"));
            }
            Ok(file)
        };
        let remedy = "restore it, or use the --tensorboard directory of the earlier command";
        let out = open().with_context(|| format!("cannot continue the event file {} ({remedy})", path.display()))?;
        Ok(Self { path, out })
    }

    /// Removes what follows after `length` bytes.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn cut(&mut self, length: u64) -> io::Result<()> {
        let cut = self.out.set_len(length).and_then(|()| self.out.seek(SeekFrom::End(0)).map(drop));
        cut.map_err(|error| named(&self.path, &error))
    }

    /// Waits until the content is on the disk, and returns its length in bytes.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn length(&self) -> io::Result<u64> {
        let length = self.out.sync_all().and_then(|()| self.out.metadata());
        length.map(|metadata| metadata.len()).map_err(|error| named(&self.path, &error))
    }

    /// Removes the event file with the name `own` from a directory, if it is there.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(dir: &Path, own: &str) -> Result<()> {
        files::remove(&dir.join(own))
    }

    /// Whether a text can be the name of an event file, without directories.
    pub fn is_name(text: &str) -> bool {
        text.starts_with(PREFIX) && Path::new(text).file_name() == Some(text.as_ref())
    }

    /// The event files of a directory; none if it is missing.
    fn all(dir: &Path) -> Result<Vec<PathBuf>> {
        let mut files: Vec<PathBuf> = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => {
                let paths =
                    entries.and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>());
                paths.with_context(|| format!("cannot read the directory {}", dir.display()))?
            }
        };
        files.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX)));
        Ok(files)
    }
}

impl<W: Write> EventFile<W> {
    fn start(path: PathBuf, out: W) -> io::Result<Self> {
        let mut file = Self { path, out };
        let mut event = event(now(), 0);
        bytes(&mut event, 3, b"brain.Event:2");
        file.frame(&event)?;
        Ok(file)
    }

    /// Adds the value of a scalar at a step. TensorBoard stores it in single precision.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn scalar(&mut self, tag: &str, step: u64, value: f64) -> io::Result<()> {
        let mut scalar = Vec::new();
        bytes(&mut scalar, 1, tag.as_bytes());
        scalar.push(2 << 3 | 5);
        scalar.extend((value as f32).to_le_bytes());
        let (mut summary, mut event) = (Vec::new(), event(now(), step));
        bytes(&mut summary, 1, &scalar);
        bytes(&mut event, 5, &summary);
        self.frame(&event)
    }

    fn frame(&mut self, message: &[u8]) -> io::Result<()> {
        let length = (message.len() as u64).to_le_bytes();
        let mut frame = Vec::with_capacity(message.len() + 16);
        frame.extend(length);
        frame.extend(masked_crc(&length).to_le_bytes());
        frame.extend(message);
        frame.extend(masked_crc(message).to_le_bytes());
        self.out.write_all(&frame).map_err(|error| named(&self.path, &error))
    }
}

/// The checksum as TFRecord stores it: rotated right by 15 bits, plus a constant. The masking keeps checksums reliable
/// for data that contains checksums.
fn masked_crc(bytes: &[u8]) -> u32 {
    CRC_32C.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// The first fields of an event: time and step.
fn event(wall_time: f64, step: u64) -> Vec<u8> {
    let mut event = vec![1 << 3 | 1];
    event.extend(wall_time.to_le_bytes());
    event.push(2 << 3);
    varint(&mut event, step);
    event
}

/// Appends a field that holds bytes, text or a message.
fn bytes(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, content.len() as u64);
    out.extend(content);
}

/// Appends an integer in bytes of seven bits, the least significant first. The highest bit of a byte marks that more
/// bytes follow.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 3720, section B.4.
    #[test]
    fn checksums_are_crc_32c() {
        assert_eq!(CRC_32C.checksum(&[0; 32]), 0x8a91_36aa);
        assert_eq!(CRC_32C.checksum(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(CRC_32C.checksum(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
    }

    /// The messages of an event file. Asserts that every checksum is right.
    fn messages(mut file: &[u8]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
        while !file.is_empty() {
            let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
            assert_eq!(word(&file[8..12]), masked_crc(&file[..8]));
            let message = &file[12..12 + length];
            assert_eq!(word(&file[12 + length..16 + length]), masked_crc(message));
            found.push(message.to_vec());
            file = &file[16 + length..];
        }
        found
    }

    #[test]
    fn a_scalar_is_framed_and_coded() {
        let mut file = EventFile::start(PathBuf::new(), Vec::new()).unwrap();
        file.scalar("a/b", 300, 1.5).unwrap();
        let messages = messages(&file.out);
        assert_eq!(messages[0][9..], [&[0x10, 0, 0x1a, 13][..], b"brain.Event:2"].concat());
        let scalar = [&[0x0a, 3][..], b"a/b", &[0x15], &1.5f32.to_le_bytes()].concat();
        assert_eq!(messages[1][9..], [&[0x10, 0xac, 0x02, 0x2a, 12, 0x0a, 10][..], &scalar].concat());
    }

    proptest! {
        #[test]
        fn varints_read_back(value: u64) {
            let mut out = Vec::new();
            varint(&mut out, value);
            let read = out.iter().rev().fold(0u64, |value, byte| value << 7 | u64::from(byte & 0x7f));
            prop_assert_eq!(read, value);
            prop_assert!(out[..out.len() - 1].iter().all(|byte| byte & 0x80 != 0) && out[out.len() - 1] < 0x80);
        }
    }
}
