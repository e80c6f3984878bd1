//! `export`: networks for other programs, compared with our own evaluation.

use super::helper::{mark_unfinished, names, program, read, read_json, refuses, setup, stderr, stdout, tiny};
use dfdx::prelude::{Cpu, TensorFromVec};
use nas_core::checkpoint::weights;
use nas_core::config::RunConfig;
use nas_core::data::load;
use nas_core::network::{ChoiceSet, Network, NetworkSpec, Pass, RunningMoments};
use nas_core::streams::Streams;
use nas_core::trainer::build_space;
use rten::{Model, Value as Tensor};
use safetensors::SafeTensors;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Options of the smallest training, without the size of the images.
const SMALL: &[&str] = &[
    "--data=synthetic",
    "--set=data.synthetic.samples=200",
    "--limit-train=48",
    "--batch-size=16",
    "--epochs=1",
    "--progress=none",
];

/// Options of a supernet that is trained and not measured.
const SUPERNET: &[&str] = &["--probes=0", "--truth-samples=0", "--set=eval.images=40", "--bn=running"];

/// An architecture of `nasbench201` with every operation.
const MIXED: &str = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|avg_pool_3x3~2|";
/// The architecture of `nasbench201` whose network returns the bias of its classifier.
const NOTHING: &str = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|";

/// Runs the program and returns what it prints to standard error.
fn run(dir: &Path, arguments: &[&str]) -> String {
    let output = program(dir).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    stderr(&output)
}

fn manifest(dir: &Path, out: &str) -> Value {
    read_json(dir, &format!("{out}/manifest.json"))
}

fn config(dir: &Path, out: &str) -> RunConfig {
    RunConfig::from_table(&toml::from_str(&read(dir, &format!("{out}/config.toml"))).unwrap()).unwrap()
}

/// Height, width and channels of the images of a run.
fn image(dir: &Path, out: &str) -> [usize; 3] {
    serde_json::from_value(manifest(dir, out)["data"]["shape"].clone()).unwrap()
}

/// `count` images `[n, c, h, w]` with values from -2 to 2.
fn images(count: usize, [h, w, c]: [usize; 3]) -> Vec<f32> {
    (0..count * h * w * c).map(|i| (i * 7919 % 401) as f32 / 100.0 - 2.0).collect()
}

/// Class scores of an ONNX file for images `[n, c, h, w]`.
fn onnx(file: &Path, count: usize, [h, w, c]: [usize; 3], images: Vec<f32>) -> Vec<f32> {
    let model = Model::load(fs::read(file).unwrap()).unwrap();
    let scores = model.run_one(Tensor::from_shape([count, c, h, w], images).unwrap().into(), None).unwrap();
    let (shape, scores) = scores.into_shape_vec::<f32, 2>().unwrap();
    assert_eq!(shape, [count, 10]);
    scores
}

/// Class scores of our own network with the weights of a run, for images `[n, c, h, w]`. `sub_net` is an architecture
/// of a supernet with running statistics.
fn own(dir: &Path, out: &str, sub_net: Option<&str>, count: usize, nchw: &[f32]) -> Vec<f32> {
    let (config, image) = (config(dir, out), image(dir, out));
    let space = build_space(&config, image, 10).unwrap();
    let (spec, program) = match sub_net {
        Some(arch) => {
            let spec = NetworkSpec::supernet(&*space).unwrap();
            let program = spec.program(&*space, &space.parse(arch).unwrap()).unwrap();
            (spec, program)
        }
        None => {
            let arch = manifest(dir, out)["arch"].as_str().unwrap().to_owned();
            let of = |auxiliary| space.stand_alone(&arch, auxiliary).unwrap();
            let (spec, _) =
                NetworkSpec::stand_alone(&*of(config.retrain.auxiliary_weight > 0.0), ChoiceSet::All).unwrap();
            let program = spec.program_without_decisions(&*of(false)).unwrap();
            (spec, program)
        }
    };
    let (spec, device) = (Arc::new(spec), Cpu::default());
    let (model, _) = weights::read(&dir.join(out).join("weights.safetensors"), &spec).unwrap();
    let mut network = Network::new(spec.clone(), &device, 1, &Streams::new(0)).unwrap();
    for (slot, param) in spec.params.iter().enumerate() {
        let [a, b, c, d] = param.shape;
        let values = model.tensors[&format!("set0/{}", param.name)].values.clone();
        network.set_param(slot, device.tensor_from_vec(values, (a, b, c, d)));
    }
    let mut running = RunningMoments::exponential(&spec);
    running.load(&spec, &model).unwrap();
    let norms = running.table(&device).unwrap();
    let [h, w, c] = image;
    let from = |i: usize| {
        let (n, pixel, channel) = (i / (h * w * c), i / c % (h * w), i % c);
        nchw[(n * c + channel) * h * w + pixel]
    };
    let nhwc: Vec<f32> = (0..nchw.len()).map(from).collect();
    let pass = Pass { norms: Some(&norms), ..Pass::PLAIN };
    network.infer(device.tensor_from_vec(nhwc, (count, h, w, c)), &program, &pass).unwrap().scores.as_vec()
}

fn assert_close(found: &[f32], expected: &[f32], name: &str) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-4, "{name}: {found}, expected {expected}");
    }
}

/// Exports a network and compares its scores, also for another batch size.
fn compare(dir: &Path, out: &str, sub_net: Option<&str>) {
    let arch = sub_net.map(|arch| format!("--arch={arch}"));
    let (file, image) = (dir.join("net.onnx"), image(dir, out));
    let arguments: Vec<&str> = ["export", out, "--onnx=net.onnx"].into_iter().chain(arch.as_deref()).collect();
    run(dir, &arguments);
    for count in [1, 5] {
        let images = images(count, image);
        let expected = own(dir, out, sub_net, count, &images);
        let spread =
            expected.iter().copied().fold(f32::MIN, f32::max) - expected.iter().copied().fold(f32::MAX, f32::min);
        assert!(spread > 0.01, "{out}: the scores are all {}", expected[0]);
        assert_close(&onnx(&file, count, image, images), &expected, out);
    }
    fs::remove_file(file).unwrap();
}

/// Trains an architecture of `space` from scratch on images of `size` pixels.
fn retrain(dir: &Path, out: &str, space: &str, arch: &str, size: usize, more: &[&str]) {
    let (space, arch) = (format!("--space={space}"), format!("--arch={arch}"));
    let (size, out) = (format!("--set=data.synthetic.size={size}"), format!("--out={out}"));
    let first = ["retrain", &space, &arch, &size, &out];
    run(dir, &[&first, SMALL, more].concat());
}

/// Sizes are odd where strides and pools round, and even once.
#[test]
fn stand_alone_networks_have_the_scores_of_our_own_evaluation() {
    let (dir, _) = setup("onnx");
    for (space, arch, size) in [("nasbench201", MIXED, 9), ("macro", "01201202", 11), ("tiny", "21", 8)] {
        retrain(dir.path(), space, space, arch, size, &["--width=2"]);
        compare(dir.path(), space, None);
    }
}

/// Factorised reductions pad odd sizes, windows are dilated and not square, and the auxiliary head is left out.
#[test]
fn published_networks_have_the_scores_of_our_own_evaluation() {
    let (dir, _) = setup("onnx_published");
    let cells = ["--cells=3", "--set=retrain.auxiliary_weight=0.4"];
    for (space, arch, more) in
        [("darts", "darts_v2", &cells[..1]), ("darts", "nasnet_a", &cells), ("fairnas", "fairnas_a", &[])]
    {
        retrain(dir.path(), arch, space, arch, 9, &[more, &["--width=2"]].concat());
        compare(dir.path(), arch, None);
    }
}

#[test]
fn sub_nets_have_the_scores_of_our_own_evaluation() {
    let (dir, _) = setup("onnx_sub_nets");
    let dir = dir.path();
    let options = ["--space=nasbench201", "--width=4", "--set=data.synthetic.size=7", "--strategy=fairnas"];
    run(dir, &[&options, SMALL, SUPERNET, &["--out=run"]].concat());
    for arch in [MIXED, NOTHING, "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"] {
        compare(dir, "run", Some(arch));
    }
    // An architecture with a layer that was never trained.
    let options = ["--space=nasbench201", "--width=2", "--set=data.synthetic.size=7", "--set=train.max_steps=1"];
    run(dir, &[&options, SMALL, SUPERNET, &["--out=one"]].concat());
    let conv = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|";
    let arch = format!("--arch={conv}");
    refuses(
        dir,
        &["export", "one", "--onnx=net.onnx", &arch],
        2,
        &["choose another --arch", "no training has used this layer"],
    );
}

/// Loss and accuracy of an ONNX file for pixels from 0 to 1, on the evaluation images of a run.
fn evaluate(dir: &Path, out: &str, file: &str) -> (f64, f64) {
    let bytes = fs::read(dir.join(out).join("weights.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let about: Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["nas_train"]).unwrap();
    assert_eq!(about["eval"]["classes"][9], "pattern 9");
    let positions: Vec<usize> = serde_json::from_value(about["eval"]["positions"].clone()).unwrap();
    let (data, [h, w, c]) = (load("synthetic", &config(dir, out).data).unwrap(), image(dir, out));
    let mut values = Vec::new();
    for position in &positions {
        let pixels = data.train.pixels(*position).unwrap();
        values.extend((0..h * w * c).map(|i| f32::from(pixels[i % (h * w) * c + i / (h * w)]) / 255.0));
    }
    let scores = onnx(&dir.join(file), positions.len(), [h, w, c], values);
    let (mut loss, mut correct) = (0.0, 0);
    for (scores, position) in scores.chunks(10).zip(&positions) {
        let label = usize::from(data.train.labels()[*position]);
        let exp = |score: &f32| f64::from(*score).exp();
        loss -= (exp(&scores[label]) / scores.iter().map(exp).sum::<f64>()).ln();
        correct += usize::from(scores.iter().all(|score| *score <= scores[label]));
    }
    (loss / positions.len() as f64, 100.0 * correct as f64 / positions.len() as f64)
}

/// Statistics and normalisation are those of an evaluation with `--bn recalibrate`: the exported network has the same
/// loss on the same images.
#[test]
fn a_supernet_without_statistics_gets_measured_ones() {
    let (dir, _) = setup("onnx_measured");
    let dir = dir.path();
    let cells = ["--space=darts", "--width=2", "--cells=3", "--set=data.synthetic.size=9", "--epochs=1"];
    for (space, arch) in [(&[][..], "12"), (&cells[..], "darts_v1")] {
        let arch = format!("--arch={arch}");
        for bn in ["batch", "recalibrate"] {
            let more = ["--set=eval.recalibrate_images=40", "--set=eval.batch_size=16", "--probes=0"];
            tiny(dir, bn, &[space, &more, &[&format!("--bn={bn}")]].concat());
            let file = format!("--onnx={bn}.onnx");
            let message = run(dir, &["export", bn, &file, &arch, "--normalise"]);
            assert!(message.contains("batch-norm statistics: measured on 40 training images"), "{message}");
        }
        // Both have the same weights, because evaluations have no influence on training.
        assert!(fs::read(dir.join("batch.onnx")).unwrap() == fs::read(dir.join("recalibrate.onnx")).unwrap());
        let output = program(dir).args(["evaluate", "recalibrate", &arch, "--json"]).output().unwrap();
        let expected: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let (loss, accuracy) = evaluate(dir, "recalibrate", "batch.onnx");
        assert!((loss - expected["loss"].as_f64().unwrap()).abs() < 1e-5, "{loss}, expected {expected}");
        assert!((accuracy - expected["accuracy"].as_f64().unwrap()).abs() < 1e-9, "{accuracy}, expected {expected}");
        for out in ["batch", "recalibrate"] {
            fs::remove_dir_all(dir.join(out)).unwrap();
            fs::remove_file(dir.join(format!("{out}.onnx"))).unwrap();
        }
    }
}

/// Tensors of a file: names, and bytes.
fn tensors(file: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(file).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<(String, Vec<u8>)> = file.iter().map(|(name, view)| (name.into(), view.data().into())).collect();
    all.sort();
    all
}

#[test]
fn a_module_and_its_weights_are_written() {
    let (dir, _) = setup("python");
    let dir = dir.path();
    retrain(dir, "net", "tiny", "21", 7, &["--width=4", "--epochs=3", "--lr=0.5"]);
    run(dir, &["export", "net", "--safetensors=last.safetensors", "--python=module.py", "--onnx=net.onnx"]);
    assert_eq!(tensors(&dir.join("last.safetensors")), tensors(&dir.join("net/weights.safetensors")));
    run(dir, &["export", "net", "--best", "--safetensors=best.safetensors", "--tensorboard=events"]);
    assert_eq!(tensors(&dir.join("best.safetensors")), tensors(&dir.join("net/best.safetensors")));
    assert_eq!(names(&dir.join("events")).len(), 1);

    let module = read(dir, "module.py");
    for line in [
        "Images [batch, 3, 7, 7] with values from 0 to 1, normalised by (x - mean) / std, to class scores [batch, 10] before softmax.",
        "ARCHITECTURE = \"21\"",
        "        self.add(\"stem\", Conv(3, 4, 3, stride=2, padding=1, norm=True, affine=True))",
        "        x1 = layer(\"stem\")(x0)",
        "        return x5.flatten(1)",
    ] {
        assert!(module.lines().any(|found| found == line), "no `{line}` in {module}");
    }
    run(dir, &["export", "net", "--python=whole.py", "--normalise"]);
    assert!(read(dir, "whole.py").contains("        x0 = (x0 - mean) / std\n"));

    // NAS_PYTHON may name a Python with torch and safetensors.
    let (images, expected) = (images(5, [7, 7, 3]), own(dir, "net", None, 5, &images(5, [7, 7, 3])));
    fs::write(dir.join("images"), images.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    let script = "import module, torch\n\
                  images = torch.frombuffer(bytearray(open('images', 'rb').read()), dtype=torch.float32)\n\
                  scores = module.load('last.safetensors')(images.view(5, 3, 7, 7))\n\
                  print(*scores.flatten().tolist())\n";
    let python = std::env::var("NAS_PYTHON").unwrap_or_else(|_| "python3".into());
    let output = std::process::Command::new(python).args(["-c", script]).current_dir(dir).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        eprintln!("no Python with torch: only the text of the module is tested");
        return;
    };
    let found: Vec<f32> = stdout(&output).split_whitespace().map(|score| score.parse().unwrap()).collect();
    assert_close(&found, &expected, "module.py");
}

#[test]
fn other_runs_options_and_files_are_refused() {
    let (dir, _) = setup("export_errors");
    let dir = dir.path();
    tiny(dir, "run", &[]);
    tiny(dir, "bare", &["--no-weights"]);
    retrain(dir, "net", "tiny", "21", 8, &["--set=retrain.eval_every=0"]);
    fs::write(dir.join("old.onnx"), "").unwrap();
    program(dir).args(["export", "run", "--tensorboard=events"]).assert().success();
    for (arguments, code, words) in [
        (
            &["run"][..],
            2,
            &["`export` requires --onnx FILE, --safetensors FILE, --python FILE or --tensorboard DIR"][..],
        ),
        (&["run", "--tensorboard=t", "--best"], 2, &["--best has no effect without --onnx FILE"]),
        (&["run", "--safetensors=s", "--normalise"], 2, &["--normalise has no effect without --onnx FILE or --python"]),
        (&["missing", "--onnx=n"], 2, &["missing: not a run directory"]),
        (&["bare", "--onnx=n"], 2, &["bare has no weights.safetensors", "--no-weights"]),
        (&["run", "--onnx=n", "--arch=99"], 2, &["architecture `99` is not in space tiny", "an example is `22`"]),
        (&["run", "--onnx=n", "--best"], 2, &["--best: expected a stand-alone training", "found a run of a supernet"]),
        (
            &["net", "--onnx=n", "--arch=11"],
            2,
            &["--arch: expected a run of a supernet", "found a stand-alone training"],
        ),
        (&["net", "--onnx=n", "--best"], 2, &["net has no best.safetensors", "retrain.eval_every above 0"]),
        (&["run", "--onnx=old.onnx"], 2, &["old.onnx exists: choose another file, or remove it"]),
        (&["run", "--onnx=a", "--python=none/n"], 2, &["cannot write none/n: there is no directory none"]),
        (&["run", "--onnx=a", "--python=./a"], 2, &["./a is given for two outputs"]),
        (&["run", "--onnx=a", "--tensorboard=events"], 2, &["events has event files already"]),
    ] {
        refuses(dir, &[&["export"], arguments].concat(), code, words);
    }
    mark_unfinished(dir, "net");
    refuses(dir, &["export", "net", "--onnx=n"], 2, &["net: the run is unfinished (status running)"]);
    let mut bytes = fs::read(dir.join("run/weights.safetensors")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(dir.join("run/weights.safetensors"), bytes).unwrap();
    refuses(dir, &["export", "run", "--onnx=n"], 4, &["weights.safetensors is incomplete or damaged"]);
}
