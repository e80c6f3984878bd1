//! What a plugin with empty hooks costs: `plain` against `foreign-plain`, whose hooks are all there and do nothing.
//!
//! Both train the same architectures on the same batches, so each step is paired with itself. Rounds alternate in which
//! comes first. The difference is small beside what else disturbs a step, so the time within the hooks is measured as
//! well: no more than that can be overhead. `cargo bench -p nas-plugin-host`.
#![expect(clippy::unwrap_used, reason = "a benchmark has nobody to report errors to")]

use dfdx::tensor::Cpu;
use nas_core::arch::Arch;
use nas_core::config::RunConfig;
use nas_core::data;
use nas_core::event::Event;
use nas_core::registry::{StrategyDescriptor, find};
use nas_core::strategy::{Path, Sampler, SharingStrategy, Step, StrategyContext, StrategyError};
use nas_core::trainer::Session;
use nas_strategies as _;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const ROUNDS: usize = 12;

/// Milliseconds of each step of one epoch on nasbench201 at width 8.
fn steps(strategy: &str) -> Vec<f64> {
    let text = format!(
        "[strategy]\nname = \"{strategy}\"\n[space]\nname = \"nasbench201\"\nwidth = 8\n[train]\nepochs = 3\n\
         [eval]\nimages = 2\nbatch_size = 2\n[probes]\ncount = 0\nsingle_step_every = 0\n[search]\nproposals = 1\n\
         [truth]\nsamples = \"0\"\n"
    );
    let config = RunConfig::from_table(&text.parse().unwrap()).unwrap();
    let dataset = Arc::new(data::load(&config.data.name, &config.data).unwrap());
    let session = Session::new(&config, dataset, &Cpu::default()).unwrap();
    let (mut times, mut last) = (Vec::new(), Instant::now());
    let mut observer = |event: &Event<'_>| {
        if let Event::Step(_) = event {
            times.push(last.elapsed().as_secs_f64() * 1e3);
        }
        last = Instant::now();
        Ok(())
    };
    session.run(&mut observer, &AtomicBool::new(false)).unwrap();
    times
}

thread_local! {
    /// Time within the hooks of `timed` on this thread.
    static WITHIN: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// `foreign-plain`, with the time of its hooks added up.
struct Timed(Box<dyn SharingStrategy<Cpu>>);

fn timed<T>(hook: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = hook();
    WITHIN.set(WITHIN.get() + started.elapsed());
    result
}

impl SharingStrategy<Cpu> for Timed {
    fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, StrategyError> {
        timed(|| self.0.plan(sampler))
    }

    fn capture(&self, layer: usize) -> usize {
        timed(|| self.0.capture(layer))
    }

    fn bind(&self, arch: &Arch, layer: usize) -> usize {
        timed(|| self.0.bind(arch, layer))
    }

    fn after_backward(&mut self, step: &mut Step<Cpu>) -> Result<(), StrategyError> {
        timed(|| self.0.after_backward(step))
    }

    fn before_apply(&mut self, step: &mut Step<Cpu>) -> Result<(), StrategyError> {
        timed(|| self.0.before_apply(step))
    }

    fn after_update(&mut self, step: &Step<Cpu>) -> Result<(), StrategyError> {
        timed(|| self.0.after_update(step))
    }

    fn end_arch(&mut self, paths: &[Path]) -> Result<(), StrategyError> {
        timed(|| self.0.end_arch(paths))
    }
}

fn build_timed(
    options: &toml::Table,
    context: StrategyContext<Cpu>,
) -> Result<Box<dyn SharingStrategy<Cpu>>, StrategyError> {
    let inner = find::<StrategyDescriptor>("foreign-plain").map_err(|error| StrategyError::Other(error.to_string()))?;
    Ok(Box::new(Timed((inner.cpu)(options, context)?)))
}

inventory::submit! {
    StrategyDescriptor {
        name: "timed",
        summary: "for this benchmark",
        reference: "",
        options: &String::new,
        cpu: &build_timed,
        #[cfg(feature = "cuda")]
        cuda: &|_, _| Err(StrategyError::Other("this benchmark runs on the CPU".into())),
    }
}

fn main() {
    let file = format!("{}nas_example_sampling{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    nas_plugin_host::load(&std::env::current_exe().unwrap().with_file_name(file)).unwrap();
    steps("plain");
    let (mut built_in, mut foreign) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let pair = [("plain", &mut built_in), ("foreign-plain", &mut foreign)];
        let ordered = if round % 2 == 0 {
            pair
        } else {
            let [a, b] = pair;
            [b, a]
        };
        for (name, times) in ordered {
            times.push(steps(name));
        }
    }
    // The least time of a step over all rounds is the one that other work disturbed least.
    let least = |rounds: &[Vec<f64>], step: usize| rounds.iter().map(|times| times[step]).fold(f64::INFINITY, f64::min);
    let count = built_in[0].len();
    let total = |rounds: &[Vec<f64>]| (0..count).map(|step| least(rounds, step)).sum::<f64>();
    let mut ratios: Vec<f64> = (0..count).map(|step| least(&foreign, step) / least(&built_in, step) - 1.0).collect();
    ratios.sort_by(f64::total_cmp);
    println!("{count} steps, {ROUNDS} rounds, {} threads", rayon::current_num_threads());
    println!("plain         {:.3} ms a step", total(&built_in) / count as f64);
    println!("foreign-plain {:.3} ms a step", total(&foreign) / count as f64);
    let all: f64 = steps("timed").iter().sum();
    let within = WITHIN.get().as_secs_f64() * 1e3;
    println!("hooks of foreign-plain: {:.4} ms a step, {:.3} % of it", within / count as f64, 100.0 * within / all);
    println!(
        "overhead: {:+.2} % of all steps together; of single steps median {:+.2} %, quartiles {:+.2} and {:+.2} %",
        100.0 * (total(&foreign) / total(&built_in) - 1.0),
        100.0 * ratios[count / 2],
        100.0 * ratios[count / 4],
        100.0 * ratios[count * 3 / 4]
    );
}
