//! Convolutions in TF32: close to single precision, recorded, and refused where there is none.

use super::helper::{emulated, fails, losses, read, tiny};

#[test]
fn a_run_in_tf32_is_close_and_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    tiny(dir, "single", &["--space=tiny", "--device=cuda"]);
    tiny(dir, "tf32", &["--space=tiny", "--device=cuda", "--tf32"]);
    let (single, tf32) = (losses(dir, "single"), losses(dir, "tf32"));
    // One product differs by at most 1e-3 of its value; the errors of many are independent.
    let difference = (tf32[0] / single[0] - 1.0).abs();
    assert!((1e-7..2e-3).contains(&difference), "{} instead of {}", tf32[0], single[0]);
    let recorded = |out: &str| {
        read(dir, &format!("{out}/config.toml")).lines().find(|line| line.starts_with("tf32")).map(String::from)
    };
    assert_eq!(
        (recorded("single").as_deref(), recorded("tf32").as_deref()),
        (Some("tf32 = false"), Some("tf32 = true"))
    );
}

#[test]
fn a_gpu_without_tf32() {
    if !emulated() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let words = ["TF32: expected a GPU of compute capability 8.0 or later, found 7.5", "leave --tf32 out"];
    let options = ["--space=tiny", "--device=cuda", "--tf32"];
    fails(dir.path(), &[("CUDA_EMU_CAPABILITY", "75")], &options, 2, &words);
    fails(dir.path(), &[], &["--tf32"], 2, &["tf32: expected false with device `cpu`"]);
}
