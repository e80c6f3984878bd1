//! Image sizes: every space runs at every size.

use super::helper::{program, setup, stderr};

#[test]
fn every_space_runs_at_odd_and_tiny_image_sizes() {
    let (dir, _) = setup("sizes");
    let options = "--data=synthetic --set=data.synthetic.samples=60 --limit-train=8 --limit-valid=8 --batch-size=8 \
                   --epochs=1 --probes=2 --truth-samples=0 --set=search.proposals=1 --width=2 --json";
    for space in ["nasbench201", "macro", "tiny"] {
        for size in [2, 3, 5, 30, 31] {
            let size = format!("--set=data.synthetic.size={size}");
            let out = format!("--out={space}{size}");
            let output =
                program(dir.path()).args(options.split_whitespace()).args(["--space", space, &size, &out]).output();
            let output = output.unwrap();
            assert!(output.status.success(), "{space} {size}: {}", stderr(&output));
        }
    }
}
