use super::*;
use crate::trainer::test_support::TestDevice;
use crate::trainer::test_support::session;

fn component(name: &str, options: &str) -> ComponentConfig {
    ComponentConfig { name: name.into(), options: options.parse().unwrap() }
}

fn search(session: &Session<TestDevice>, controller: &ComponentConfig, limits: Limits, budget: usize) -> SearchOutcome {
    let search = Search::new(session, controller, limits, 7).unwrap();
    let (outcome, ended) = search.run(budget, &AtomicBool::new(false), &mut |_| ());
    ended.unwrap();
    outcome
}

#[test]
fn every_controller_obeys_the_limits_and_repeats_itself() {
    let session = session("", |_| ()).unwrap();
    let all = search(&session, &component("uniform", ""), Limits::default(), 60);
    let mut macs: Vec<u64> = all.candidates.iter().map(|candidate| candidate.macs).collect();
    macs.sort_unstable();
    let limits = Limits { macs: Some(macs[macs.len() / 2]), params: None };
    for controller in [
        component("uniform", ""),
        component("evolution", "population = 4\ntournament = 2\nsamples = 8"),
        component("reinforce", "samples = 8\nbatch = 4\nhidden = 4"),
    ] {
        let found = search(&session, &controller, limits, 40);
        assert_eq!((found.proposals, found.interrupted), (40, false));
        assert!(found.candidates.iter().all(|candidate| candidate.macs <= limits.macs.unwrap()));
        assert!(found.rejected > 0);
        assert_eq!(found, search(&session, &controller, limits, 40), "{}", controller.name);
        // Every accuracy is that of a single evaluation.
        for candidate in &found.candidates {
            let arch = session.space().parse(&candidate.arch).unwrap();
            assert_eq!(session.evaluate(&arch).unwrap(), candidate.accuracy);
        }
    }
}

#[test]
fn limits_below_every_architecture_name_the_smallest() {
    let session = session("", |_| ()).unwrap();
    let message = |limits| Search::new(&session, &component("uniform", ""), limits, 0).err().unwrap().to_string();
    let text = message(Limits { params: Some(1), macs: None });
    let words = "the parameters of the smallest architecture, 00, found 1";
    assert!(text.starts_with("--max-params: expected at least ") && text.ends_with(words), "{text}");
    let text = message(Limits { params: None, macs: Some(1) });
    let words = "the multiply-adds of the cheapest architecture, 00, found 1";
    assert!(text.starts_with("--max-macs: expected at least ") && text.ends_with(words), "{text}");
}

#[test]
fn limits_that_no_sample_obeys_are_named() {
    let text = |params, macs| Limits { params, macs }.too_low(9).to_string();
    let start = "expected a limit that one of 9 samples in a row obeys";
    assert!(text(None, Some(5)).starts_with(&format!("--max-macs: {start}")));
    let both = text(Some(4), Some(5));
    assert!(
        both.starts_with(&format!("--max-params: {start}")) && both.ends_with("found 4 with --max-macs 5"),
        "{both}"
    );
}

#[test]
fn a_search_that_is_stopped_keeps_its_candidates() {
    let session = session("", |_| ()).unwrap();
    let cancel = AtomicBool::new(false);
    let evolution = component("evolution", "population = 3\ntournament = 2\nsamples = 8");
    let search = Search::new(&session, &evolution, Limits::default(), 0).unwrap();
    let (found, ended) = search.run(1000, &cancel, &mut |done| cancel.store(done >= 5, Ordering::Relaxed));
    ended.unwrap();
    assert!(found.interrupted && found.proposals == 5 && !found.candidates.is_empty());
}
