//! Architectures as text, in every search space.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use nas_core::config::RunConfig;
use nas_core::registry::{SpaceDescriptor, all};
use nas_core::space::SearchSpace;
use nas_core::trainer::build_space;
use std::sync::{Arc, LazyLock};

static SPACES: LazyLock<Vec<Arc<dyn SearchSpace>>> = LazyLock::new(|| {
    let spaces = all::<SpaceDescriptor>().expect("the registered spaces");
    let build = |space: &&SpaceDescriptor| {
        let table = format!("space.name = '{}'", space.name).parse().expect("a table");
        let config = RunConfig::from_table(&table).expect("a configuration");
        build_space(&config, [32, 32, 3], 10).expect("a space")
    };
    spaces.iter().map(build).collect()
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(bytes) else { return Corpus::Reject };
    for space in &*SPACES {
        if let Ok(arch) = space.parse(text) {
            let written = space.format(&arch);
            assert_eq!(space.parse(&written).expect("its own notation"), arch, "{written}");
        }
    }
    Corpus::Keep
});
