//! The data set `idx`: images and labels, the images compressed if the first byte is odd.

#![no_main]

mod folder;

use folder::Folder;
use libfuzzer_sys::fuzz_target;
use nas_core::data::DataOptions;
use std::sync::LazyLock;

static PLAIN: LazyLock<Folder> = LazyLock::new(Folder::new);
static COMPRESSED: LazyLock<Folder> = LazyLock::new(Folder::new);

/// Eight labels of two classes.
const LABELS: &[u8] = &[0, 0, 8, 1, 0, 0, 0, 8, 0, 1, 0, 1, 0, 1, 0, 1];

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, content)) = bytes.split_first() else { return };
    let (folder, ending) = if kind % 2 == 1 { (&*COMPRESSED, ".gz") } else { (&*PLAIN, "") };
    let (images, labels) = if kind % 4 < 2 { (content, LABELS) } else { content.split_at(content.len() / 2) };
    folder.write(&format!("train-images-idx3-ubyte{ending}"), images);
    folder.write("train-labels-idx1-ubyte", labels);
    let _ = folder.load("idx", DataOptions::default());
});
