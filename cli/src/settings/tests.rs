use super::*;
use crate::args::Cli;
use crate::exit::{ExitStatus, chained};
use clap::{CommandFactory, Parser};

fn resolve(file: Option<&str>, arguments: &[&str]) -> Result<Settings> {
    let run = Cli::try_parse_from(["nas-train"].iter().chain(arguments)).unwrap().run;
    let mut layers = Vec::new();
    if let Some(text) = file {
        layers.push(ConfigLayer { origin: Origin::File("run.toml".into()), table: text.parse().unwrap() });
    }
    for assignment in &run.set {
        layers.push(ConfigLayer::set(assignment)?);
    }
    for named in run.named() {
        layers.extend(ConfigLayer::flag(named)?);
    }
    Settings::merge(layers)
}

fn message(file: Option<&str>, arguments: &[&str]) -> String {
    let error = resolve(file, arguments).unwrap_err();
    assert_eq!(ExitStatus::of(&error), ExitStatus::Usage, "{error:?}");
    chained(&error)
}

#[test]
fn a_number_with_leading_zeros_is_a_string() {
    let layer = ConfigLayer::set("data.dir=007").unwrap();
    assert_eq!(layer.table["data"]["dir"].as_str(), Some("007"));
}

#[test]
fn later_layers_win() {
    let file = Some("[train]\nepochs = 3\nlr = 0.3\nbatch_size = 9");
    let settings = resolve(file, &["--set", "train.epochs=4", "--set", "train.lr=0.4", "--lr", "0.5"]).unwrap();
    let train = &settings.config.train;
    assert_eq!((train.batch_size, train.epochs, train.lr), (9, 4, 0.5));
    let shown = show(&settings).unwrap();
    for line in ["batch_size = 9 # run.toml", "epochs = 4 # --set", "lr = 0.5 # --lr", "momentum = 0.9 # default"] {
        assert!(shown.lines().any(|l| l == line), "{line} in {shown}");
    }
    let again: Table = shown.parse().unwrap();
    assert_eq!(RunConfig::from_table(&again).unwrap(), settings.config);
}

#[test]
fn values_are_toml_or_strings() {
    let settings = resolve(None, &["--set", "train.lr_schedule=cosine", "--set", "data.dir='a b'", "--set", "seed=7"]);
    let config = settings.unwrap().config;
    assert_eq!((config.seed, config.data.dir), (7, Some("a b".into())));
}

#[test]
fn the_defaults_of_component_options_are_filled_in() {
    let config = resolve(None, &["--set", "strategy.paths=3"]).unwrap().config;
    assert_eq!(config.strategy.options.to_string(), "paths = 3\nreduce = \"mean\"\n");
}

#[test]
fn small_spaces_get_fewer_probes_unless_asked_for_more() {
    let probes = |arguments: &[&str]| resolve(None, arguments).unwrap().config.probes.count;
    assert_eq!((probes(&[]), probes(&["--space=tiny"]), probes(&["--space=tiny", "--probes=10"])), (64, 9, 10));
}

#[test]
fn options_of_another_strategy_are_dropped_with_it() {
    let file = Some("[strategy]\nname = \"other\"\nstrength = 2");
    let config = resolve(file, &["--strategy", "plain", "--set", "strategy.paths=3"]).unwrap().config;
    assert_eq!(config.strategy.options["paths"].as_integer(), Some(3));
    assert!(!config.strategy.options.contains_key("strength"));
    let kept = resolve(Some("[strategy]\nname = \"plain\"\npaths = 2"), &["--strategy", "plain"]).unwrap().config;
    assert_eq!(kept.strategy.options["paths"].as_integer(), Some(2));
}

#[test]
fn options_of_image_folders_are_dropped_with_their_data_set() {
    let options = "image_size = 64\nresize = \"crop\"";
    let size = |file: &str, arguments: &[&str]| resolve(Some(file), arguments).unwrap().config.data.image_size;
    let named = format!("[data]\nname = \"folder\"\n{options}");
    assert_eq!((size(&named, &[]), size(&named, &["--data", "cifar10"])), (64, 32));
    assert_eq!(size(&format!("[data]\n{options}"), &["--data", "folder"]), 64);
}

#[test]
fn errors_name_the_layer_and_the_nearest_name() {
    let set = message(None, &["--set", "train.epoch=3"]);
    assert!(set.starts_with("--set train.epoch=3: unknown option `train.epoch`, did you mean `epochs`?"), "{set}");
    let file = message(Some("[train]\nlr = \"fast\""), &[]);
    assert!(file.starts_with("run.toml: section `train`: lr = \"fast\": invalid type: string"), "{file}");
    let name = message(None, &["--space", "nasbench20"]);
    assert!(name.starts_with("--space: unknown space `nasbench20`, did you mean `nasbench201`?"), "{name}");
    let top = message(Some("sed = 3"), &[]);
    assert!(top.starts_with("run.toml: unknown option `sed`, did you mean `seed`?"), "{top}");
    let section = message(None, &["--set", "train=3"]);
    assert_eq!(section, "--set train=3: section `train`: expected `[train]` and its keys below it, found 3");
}

#[test]
fn each_layer_is_checked_before_a_later_one_hides_its_faults() {
    for (file, options, expected) in [
        (
            "data = \"cifar10\"",
            &["--data=digits"][..],
            "run.toml: section `data`: expected `[data]` and its keys below",
        ),
        ("[[train]]\nepochs = 9", &["--epochs=1"], "run.toml: section `train`: expected `[train]`"),
        ("strategy = \"ogd\"", &["--strategy=plain"], "found \"ogd\""),
        ("[data]\nsynthetic = 3", &["--set=data.synthetic.size=8"], "run.toml: section `data`: synthetic = 3"),
        ("plugins = \"a.so\"", &["--set=plugins=['b.so']"], "run.toml: plugins = \"a.so\""),
        ("[train]\nepochs = \"all\"", &["--epochs=1"], "run.toml: section `train`: epochs = \"all\""),
        ("[train]\nepoch = 3", &["--epochs=1"], "run.toml: unknown option `train.epoch`"),
    ] {
        let found = message(Some(file), options);
        assert!(found.contains(expected), "{file}: {found}");
    }
    assert!(resolve(Some("[train]\nepochs = 0"), &["--epochs=1"]).is_ok());
}

#[test]
fn keys_have_few_parts_and_messages_quote_little_of_them() {
    let deep = ConfigLayer::set(&format!("{}=1", "a.".repeat(20_000) + "a")).unwrap_err().to_string();
    assert!(deep.contains("the key has 20001 parts, expected at most 8") && deep.len() < 400, "{deep}");
    assert!(ConfigLayer::set("train..lr=1").unwrap_err().to_string().contains("empty part"));
    assert!(message(None, &["--set", &format!("{}=1", "a".repeat(100_000))]).len() < 1000);
    assert!(message(None, &["--set", &format!("data.limit_train='{}'", "a".repeat(100_000))]).len() < 1000);
    let small = message(None, &["--set", "train.lr=-1e300"]);
    assert!(small.ends_with("train.lr: expected a positive number, found -1e300"), "{small}");
    assert!(show(&resolve(None, &["--lr=1e300"]).unwrap()).unwrap().contains("lr = 1e300 # --lr"));
}

#[test]
fn the_example_holds_every_key() {
    let text = example().unwrap();
    for line in
        ["# epochs = 40  # --epochs", "# momentum = 0.9", "[data.synthetic]", "# Learning rate at the start, above 0."]
    {
        assert!(text.lines().any(|l| l == line), "{line} in {text}");
    }
    assert_eq!(RunConfig::from_table(&text.parse().unwrap()), RunConfig::from_table(&Table::new()));
}

#[test]
fn every_named_option_exists_and_sets_a_key_of_the_configuration() {
    let command = Cli::command();
    for option in Cli::parse_from(["nas-train"]).run.named() {
        assert!(command.get_arguments().any(|a| a.get_long() == Some(option.flag)), "{}", option.flag);
    }
    let line = "--strategy a --controller b --space c --width 1 --cells 2 --controller-start 3 --data d --data-dir e \
                --limit-train 4 --limit-valid 5 --epochs 6 --steps-per-arch 7 --batch-size 8 --lr 9 --lr-schedule \
                cosine --seed 10 --threads 11 --device f --tf32 --probes 12 --interval 13 --truth-samples all --truth g --bn \
                running --init h --checkpoint-every 5 --no-weights";
    let cli = Cli::parse_from(["nas-train"].into_iter().chain(line.split_whitespace()));
    let mut table = Table::new();
    for option in cli.run.named() {
        let flag = option.flag;
        let layer = ConfigLayer::flag(option).unwrap().unwrap_or_else(|| panic!("--{flag} sets nothing"));
        layer::merge(&mut table, layer.table);
    }
    RunConfig::from_table(&table).unwrap();
}
