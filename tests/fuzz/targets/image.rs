//! Image files of every format that the data set `folder` reads, into memory and from disk.

#![no_main]

mod folder;

use folder::Folder;
use libfuzzer_sys::fuzz_target;
use nas_core::data::{Cache, DataOptions, Resize};
use std::sync::LazyLock;

/// A grey image of one pixel.
const PIXEL: &[u8] = b"P5 1 1 255\n\x80";

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    let folder = Folder::new();
    folder.write("a/1.pgm", PIXEL);
    folder.write("b/1.pgm", PIXEL);
    folder
});

fuzz_target!(|bytes: &[u8]| {
    FOLDER.write("b/2.png", bytes);
    let _ = FOLDER.load("folder", DataOptions::default());
    let on_disk = DataOptions { resize: Resize::Crop, cache: Cache::Disk, ..DataOptions::default() };
    if let Ok(data) = FOLDER.load("folder", on_disk) {
        let pixels = (0..data.train.len()).map(|image| data.train.pixels(image));
        assert!(pixels.into_iter().all(|pixels| pixels.is_ok_and(|pixels| pixels.len() == 8 * 8 * 3)));
    }
});
