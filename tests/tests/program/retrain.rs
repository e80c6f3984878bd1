//! `retrain`: stand-alone training of one architecture.

use super::helper::{SMALL, cut, names, program, read, read_json, refuses, retrain, setup, stderr, tiny};
use serde_json::Value;
use std::fs;
use std::path::Path;

fn result(dir: &Path, out: &str) -> Value {
    let mut result = read_json(dir, &format!("{out}/result.json"));
    for key in ["wall_s", "images_per_s", "peak_rss_mb", "threads"] {
        result.as_object_mut().unwrap().remove(key);
    }
    result
}

#[test]
fn the_selected_architecture_of_a_run_is_trained() {
    let (dir, _) = setup("retrain");
    let dir = dir.path();
    tiny(dir, "run", &[]);
    let selected = read_json(dir, "run/result.json")["selected"]["arch"].clone();
    let summary = retrain(dir, "net", &["--from=run", "--epochs=3", "--batch-size=16"]);
    assert!(summary.contains("accuracy after the last epoch"), "{summary}");
    let found = result(dir, "net");
    assert_eq!((&found["arch"], &found["space"], &found["data"]), (&selected, &"tiny".into(), &"synthetic".into()));
    assert_eq!(
        (&found["epochs"], &found["steps"], &found["evaluated_on"]),
        (&3.into(), &12.into(), &"validation".into())
    );
    let metrics = read(dir, "net/metrics.csv");
    assert_eq!(metrics.lines().filter(|line| line.contains(",eval,accuracy,")).count(), 3);
    for file in ["weights.safetensors", "best.safetensors", "config.toml", "manifest.json"] {
        assert!(names(&dir.join("net")).contains(&file.to_owned()), "{file}");
    }
    refuses(dir, &["search", "net", "--out=x"], 2, &["expected a run of a supernet", "stand-alone training"]);
    refuses(dir, &["retrain", "--from=net", "--out=x"], 2, &["--from net: expected a run of a supernet"]);
}

#[test]
fn an_interrupted_training_continues_with_the_same_bytes() {
    let (dir, _) = setup("continue");
    let dir = dir.path();
    let options = ["--arch=21", "--set=retrain.weight_average=0.5", "--set=retrain.label_smoothing=0.1"];
    let options = [&options[..], SMALL].concat();
    retrain(dir, "whole", &options);
    retrain(dir, "cut", &[&options[..], &["--checkpoint-every=1"]].concat());
    // As after a kill in the last epoch: the newest checkpoint and the result are missing.
    cut(dir, "cut");
    let newest = names(&dir.join("cut/checkpoints")).into_iter().max().unwrap();
    fs::remove_dir_all(dir.join("cut/checkpoints").join(newest)).unwrap();
    let output = program(dir).args(["resume", "cut"]).output().unwrap();
    assert!(output.status.success() && stderr(&output).contains("continues at step 8"), "{}", stderr(&output));
    for file in ["metrics.csv", "weights.safetensors", "best.safetensors"] {
        assert_eq!(
            fs::read(dir.join("whole").join(file)).unwrap(),
            fs::read(dir.join("cut").join(file)).unwrap(),
            "{file}"
        );
    }
    assert_eq!(result(dir, "whole"), result(dir, "cut"));
    refuses(
        dir,
        &["resume", "whole"],
        2,
        &["the training in whole is finished, so there is nothing to resume; `nas-train report whole` shows it"],
    );
}

#[test]
fn recipes_are_configurations_that_options_change() {
    let (dir, _) = setup("recipe");
    let dir = dir.path();
    let small = ["--limit-train=64", "--data=synthetic", "--set=data.synthetic.samples=200", "--batch-size=64"];
    let options =
        [&["--arch=00000000", "--space=macro", "--recipe=macro", "--epochs=1", "--width=2"], &small[..]].concat();
    retrain(dir, "net", &options);
    let config = read(dir, "net/config.toml");
    for line in
        ["lr = 0.1", "lr_schedule = \"cosine\"", "weight_decay = 0.0005", "epochs = 1", "batch_size = 64", "width = 2"]
    {
        assert!(config.lines().any(|found| found == line), "{line}: {config}");
    }
    refuses(dir, &["retrain", "--arch=1", "--recipe=resnet"], 2, &["unknown recipe `resnet`", "darts-cifar"]);
    // The recipe names the space. Its network and cutout do not fit images of 8 x 8 pixels.
    let of_space = ["--space: recipe darts-cifar is for space darts, found macro", "leave --recipe out"];
    refuses(dir, &["retrain", "--arch=darts_v2", "--recipe=darts-cifar", "--space=macro"], 2, &of_space);
    let of_run = ["--from net: recipe darts-cifar is for space darts, found macro"];
    refuses(dir, &["retrain", "--arch=darts_v2", "--recipe=darts-cifar", "--from=net"], 2, &of_run);
    let cutout = [
        "recipe darts-cifar: data.cutout: expected less than 16, twice the side of the images of 8 x 8 (0 is no cutout), found 16",
    ];
    refuses(dir, &["retrain", "--arch=darts_v2", "--recipe=darts-cifar"], 2, &cutout);
    let stem = ["expected images of at least 64 x 64, found 8 x 8", "set space.stem = \"cifar\""];
    refuses(dir, &["retrain", "--arch=darts_v2", "--recipe=darts-imagenet"], 2, &stem);
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let (dir, _) = setup("retrain_errors");
    let none = "--arch=|none~0|+|none~0|none~1|+|none~0|none~1|none~2|";
    let tiny = &["--space=tiny", "--arch=11"];
    for (options, words) in [
        (&[none][..], &["does not connect the images to the classifier"][..]),
        (&[], &["requires --arch ARCH or --from RUN"]),
        (&["--arch=1", "--seeds=2"], &["--seeds requires --out DIR"]),
        (&["--arch=7", "--space=tiny"], &["`7` is not"]),
        (&["--arch=darts_v2"], &["architecture `darts_v2` is not in space nasbench201: add --space darts"]),
        (&[tiny, &["--set=retrain.images=all"][..]].concat(), &["no test images"]),
        (&[tiny, &["--set=retrain.drop_path=1"][..]].concat(), &["below 1"]),
        (&[tiny, &["--strategy=ogd"][..]].concat(), &["--strategy has no effect"]),
        (
            &[tiny, &["--set=retrain.auxiliary_weight=0.4"][..]].concat(),
            &["retrain.auxiliary_weight: expected 0", "space tiny have no auxiliary head", "found 0.4"],
        ),
        (&[tiny, &["--set=retrain.drop_path=0.2"][..]].concat(), &["space tiny have no drop path, found 0.2"]),
    ] {
        refuses(dir.path(), &[&["retrain"], options].concat(), 2, words);
    }
}
