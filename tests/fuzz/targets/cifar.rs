//! The data sets `cifar10` and `cifar100` in both versions. The first byte selects the data set and the file.

#![no_main]

mod folder;

use folder::Folder;
use libfuzzer_sys::fuzz_target;
use nas_core::data::DataOptions;
use std::sync::LazyLock;

static FOLDERS: LazyLock<[Folder; 4]> = LazyLock::new(|| [(); 4].map(|()| Folder::new()));

/// A pickle of ten class names, under the keys of both data sets.
const NAMES: &[u8] = b"\x80\x02}(U\x0blabel_names](U\x01aU\x01bU\x01cU\x01dU\x01eU\x01fU\x01gU\x01hU\x01iU\x01jeu.";

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, content)) = bytes.split_first() else { return };
    let (name, paths) = match kind % 4 {
        0 => ("cifar10", ["cifar-10-batches-py/batches.meta", "cifar-10-batches-py/data_batch_1"]),
        1 => ("cifar10", ["cifar-10-batches-bin/batches.meta.txt", "cifar-10-batches-bin/data_batch_1.bin"]),
        2 => ("cifar100", ["cifar-100-python/meta", "cifar-100-python/train"]),
        _ => ("cifar100", ["cifar-100-binary/fine_label_names.txt", "cifar-100-binary/train.bin"]),
    };
    let folder = &FOLDERS[usize::from(kind % 4)];
    let names = if kind & 4 == 0 { NAMES } else { content };
    folder.write(paths[0], names);
    folder.write(paths[1], content);
    let _ = folder.load(name, DataOptions::default());
});
