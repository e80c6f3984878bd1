//! Laws that hold in every space, and the notation of each.

use super::{Darts, FairNasSpace, NasBench201, NasBenchMacro, Scale, SearchSpace, Tiny};
use crate::arch::Arch;
use crate::network::NetworkSpec;
use crate::streams::Streams;
use proptest::prelude::*;
use std::collections::BTreeSet;

const SCALE: Scale = Scale { image: [32, 32, 3], classes: 10, width: 16, cells: 1 };

fn spaces() -> Vec<Box<dyn SearchSpace>> {
    vec![Box::new(NasBench201::new(SCALE)), Box::new(Tiny::new(SCALE))]
}

fn with_darts() -> Vec<Box<dyn SearchSpace>> {
    spaces().into_iter().chain([Box::new(Darts::new(Scale { cells: 8, ..SCALE })) as _]).collect()
}

proptest! {
    #[test]
    fn text_and_index_lead_back_to_the_architecture(index: u64) {
        for space in with_darts() {
            let index = index % space.count();
            let arch = space.nth(index);
            prop_assert_eq!(space.index(&arch), index);
            prop_assert!(space.validate(&arch).is_ok());
            prop_assert_eq!(space.parse(&space.format(&arch)).unwrap(), arch);
        }
    }

    #[test]
    fn any_text_is_an_architecture_or_an_error(text in "[|+~0-3a-z_ ]{0,60}") {
        for space in spaces() {
            if let Ok(arch) = space.parse(&text) {
                // Tiny accepts a list of its digits too.
                prop_assert_eq!(space.format(&arch), text.split_whitespace().collect::<String>());
            }
        }
    }
}

#[test]
fn distinct_samples_are_distinct_and_all_are_in_index_order() {
    for space in spaces() {
        let mut rng = Streams::new(0).rng("test", 0);
        let some: BTreeSet<Arch> = space.sample_distinct(7, &mut rng).into_iter().collect();
        assert_eq!(some.len(), 7);
        let all = space.sample_distinct(space.count() as usize, &mut rng);
        assert!(all.iter().enumerate().all(|(i, arch)| space.index(arch) == i as u64));
    }
}

#[test]
fn uniform_samples_take_every_choice() {
    let space = NasBench201::new(SCALE);
    let mut rng = Streams::new(1).rng("test", 0);
    let mut counts = [[0; 5]; 6];
    for _ in 0..5000 {
        let arch = space.sample(&mut rng);
        arch.choices().iter().enumerate().for_each(|(edge, op)| counts[edge][*op] += 1);
    }
    // 1000 expected, standard deviation 28.
    assert!(counts.iter().flatten().all(|n| (850..1150).contains(n)), "{counts:?}");
}

/// 6,466 is the number that NAS-Bench-201 reports for its own rules, which are those of `canonical`.
#[test]
fn nasbench201_has_6466_unique_architectures() {
    let space = NasBench201::new(SCALE);
    let unique: BTreeSet<String> = (0..space.count()).map(|i| space.canonical(&space.nth(i))).collect();
    assert_eq!(unique.len(), 6466);
}

#[test]
fn lists_of_choices_are_read_where_the_notation_is_digits() {
    let tiny = Tiny::new(SCALE);
    for text in ["21", "[2, 1]", "(2,1)", "2 1", " 2, 1 ", "[2 1]"] {
        assert_eq!(tiny.parse(text).unwrap().choices(), [2, 1], "{text}");
    }
    for text in ["[2]", "[2, 1", "2,,1", "[2, 1, 0]", "[2, 3]", "[2, -1]", "[]", ","] {
        assert!(tiny.parse(text).is_err(), "{text}");
    }
    let error = NasBench201::new(SCALE).parse("[0, 3, 1, 2, 4, 0]").unwrap_err().to_string();
    assert!(error.contains("expected the names of the operations"), "{error}");
}

/// The shapes of both branches of a block between stages agree at every size.
#[test]
fn networks_of_all_spaces_exist_at_every_image_size() {
    for (height, width) in (1..=34).map(|size| (size, size)).chain([(1, 32), (31, 30)]) {
        let scale = Scale { image: [height, width, 3], width: 1, ..SCALE };
        let spaces: [Box<dyn SearchSpace>; 4] = [
            Box::new(NasBench201::new(scale)),
            Box::new(Tiny::new(scale)),
            Box::new(NasBenchMacro::new(scale)),
            Box::new(FairNasSpace::new(scale)),
        ];
        for space in spaces {
            let supernet = NetworkSpec::supernet(&*space).unwrap();
            supernet.program(&*space, &space.nth(space.count() - 1)).unwrap();
        }
    }
}

#[test]
fn malformed_architectures_say_what_is_wrong() {
    let space = NasBench201::new(SCALE);
    let problems = [
        ("", "expected 3 nodes"),
        ("|none~0|+|none~0|none~1|", "expected 3 nodes"),
        ("none~0+|none~0|none~1|+|none~0|none~1|none~2|", "not enclosed"),
        ("|none~0|+|none~0|+|none~0|none~1|none~2|", "2 edges, found 1"),
        ("|none|+|none~0|none~1|+|none~0|none~1|none~2|", "not of the form `operation~node`"),
        ("|none~1|+|none~0|none~1|+|none~0|none~1|none~2|", "must come from node 0"),
        ("|max_pool~0|+|none~0|none~1|+|none~0|none~1|none~2|", "unknown operation `max_pool`, expected one of"),
    ];
    for (text, problem) in problems {
        let error = space.parse(text).unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains("an example is `|avg"), "{text}: {error}");
    }
    let tiny = Tiny::new(SCALE);
    for (text, problem) in [("2", "expected 2 choices"), ("2x", "only digits"), ("23", "choices 0 to 2, found 3")] {
        let error = tiny.parse(text).unwrap_err().to_string();
        assert!(error.contains(problem), "{text}: {error}");
    }
}
