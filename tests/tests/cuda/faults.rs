//! Devices that cannot be used: the error names the problem and the remedy.

use super::helper::{TINY, emulated, fails, program, stderr, tiny};

const NO_DRIVER: (&str, &str) = ("CUDA_EMU_DRIVER", "none");

#[test]
fn a_gpu_that_does_not_exist() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, cuda_99) = (dir.path(), ["--device=cuda:99"]);
    fails(dir, &[], &cuda_99, 2, &["there is no device cuda:99"]);
    if emulated() {
        fails(dir, &[], &["--device=cuda:1"], 2, &["this machine has one GPU: use --device cuda:0"]);
        fails(dir, &[("CUDA_EMU_DEVICES", "2")], &cuda_99, 2, &["2 GPUs", "cuda:0 to cuda:1"]);
        let mut second = program(dir);
        second.args(TINY).args(["--space=tiny", "--device=cuda:1", "--out=second"]).env("CUDA_EMU_DEVICES", "2");
        let output = second.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), usize::from(emulated()), "files of a failed run");
}

#[test]
fn no_driver_and_no_gpu() {
    if !emulated() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for variable in [NO_DRIVER, ("CUDA_EMU_DEVICES", "0")] {
        fails(dir.path(), &[variable], &["--device=cuda"], 1, &["CUDA_ERROR_NO_DEVICE", "or use --device cpu"]);
    }
}

#[test]
fn a_driver_older_than_the_kernels() {
    if emulated() {
        let dir = tempfile::tempdir().unwrap();
        let words = ["cannot use --device cuda:0", "older than the CUDA toolkit", "install a newer driver"];
        fails(dir.path(), &[("CUDA_EMU_DRIVER", "old")], &["--device=cuda:0"], 1, &words);
    }
}

#[test]
fn the_cpu_needs_no_driver() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = program(dir.path());
    command.args(TINY).args(["--space=tiny", "--device=cpu", "--out=cpu"]);
    let output = command.envs([NO_DRIVER]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn cuda_without_number_is_the_first_gpu() {
    let dir = tempfile::tempdir().unwrap();
    tiny(dir.path(), "out", &["--space=tiny", "--device=cuda", "--epochs=1"]);
}
