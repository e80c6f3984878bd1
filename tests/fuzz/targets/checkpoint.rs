//! Checkpoints and files of weights. The first two bytes are the length of `tensors.safetensors`, which follows; the rest
//! is `state.json`. The checksums match, so that damage passes them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nas_core::checkpoint::{Checkpoints, weights};
use nas_core::network::NetworkSpec;
use nas_core::sha256;
use nas_core::space::{Scale, Tiny};
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

static DIR: LazyLock<PathBuf> =
    LazyLock::new(|| tempfile::Builder::new().prefix("fuzz").tempdir().expect("a directory").keep());

static NETWORK: LazyLock<NetworkSpec> = LazyLock::new(|| {
    let scale = Scale { image: [4, 4, 1], classes: 2, width: 1, cells: 1 };
    NetworkSpec::supernet(&Tiny::new(scale)).expect("a network")
});

fuzz_target!(|bytes: &[u8]| {
    let [low, high, content @ ..] = bytes else { return };
    let length = (usize::from(*high) << 8 | usize::from(*low)).min(content.len());
    let (tensors, values) = content.split_at(length);
    let place = DIR.join("000001");
    fs::create_dir_all(&place).expect("create the directory of the checkpoint");
    let mut checksums = String::new();
    for (name, content) in [("tensors.safetensors", tensors), ("state.json", values)] {
        fs::write(place.join(name), content).expect("write a file of the checkpoint");
        checksums += &format!("{}  {name}\n", sha256::of(content));
    }
    fs::write(place.join("SHA256SUMS"), checksums).expect("write the checksums");
    if let Ok(latest) = Checkpoints::at(&DIR).latest() {
        assert_eq!(latest.checkpoint.is_some(), latest.damaged.is_empty());
    }
    if let Ok((model, _)) = weights::read(&place.join("tensors.safetensors"), &NETWORK) {
        assert!(model.tensors.values().all(|tensor| tensor.shape.iter().product::<usize>() == tensor.values.len()));
    }
});
