//! Cost of the plugin interface: step times of `plain` and of `plugin-plain`, whose hooks exist and do nothing.
//!
//! Both strategies train the same architectures on the same batches, so their steps are compared in pairs. Rounds
//! alternate in the order of the two. The difference is smaller than the variation of step times, so the benchmark also
//! measures the time within the hooks, an upper bound of the cost. Run it with `cargo bench -p nas-plugin-host`.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

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

/// Time of each step of a run on nasbench201 at width 8, in milliseconds.
fn step_times(strategy: &str) -> Vec<f64> {
    let text = format!(
        "[strategy]\nname = \"{strategy}\"\n[space]\nname = \"nasbench201\"\nwidth = 8\n[train]\nepochs = 3\n\
         [eval]\nimages = 2\nbatch_size = 2\n[probes]\ncount = 0\nsingle_step_every = 0\n[search]\nproposals = 1\n\
         [truth]\nsamples = \"0\"\n"
    );
    let config = RunConfig::from_table(&text.parse().unwrap()).unwrap();
    let dataset = Arc::new(data::load(&config.data.name, &config.data).unwrap());
    let mut session = Session::new(&config, dataset, &Cpu::default()).unwrap();
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
    /// Total time within the hooks of the strategy `timed` on this thread.
    static TIME_IN_HOOKS: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// `plugin-plain`, which also measures the time within its hooks.
struct Timed(Box<dyn SharingStrategy<Cpu>>);

fn timed<T>(hook: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = hook();
    TIME_IN_HOOKS.set(TIME_IN_HOOKS.get() + started.elapsed());
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
    let inner = find::<StrategyDescriptor>("plugin-plain").map_err(|error| StrategyError::Other(error.to_string()))?;
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
    step_times("plain");
    let (mut built_in, mut plugin) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let pair = [("plain", &mut built_in), ("plugin-plain", &mut plugin)];
        let ordered = if round % 2 == 0 {
            pair
        } else {
            let [a, b] = pair;
            [b, a]
        };
        for (name, times) in ordered {
            times.push(step_times(name));
        }
    }
    // Other processes only add time, so the minimum over the rounds is the best estimate of a step time.
    let minimum =
        |rounds: &[Vec<f64>], step: usize| rounds.iter().map(|times| times[step]).fold(f64::INFINITY, f64::min);
    let count = built_in[0].len();
    let total = |rounds: &[Vec<f64>]| (0..count).map(|step| minimum(rounds, step)).sum::<f64>();
    let mut ratios: Vec<f64> = (0..count).map(|step| minimum(&plugin, step) / minimum(&built_in, step) - 1.0).collect();
    ratios.sort_by(f64::total_cmp);
    println!("{count} steps, {ROUNDS} rounds, {} threads", rayon::current_num_threads());
    println!("plain         {:.3} ms a step", total(&built_in) / count as f64);
    println!("plugin-plain  {:.3} ms a step", total(&plugin) / count as f64);
    let all: f64 = step_times("timed").iter().sum();
    let in_hooks = TIME_IN_HOOKS.get().as_secs_f64() * 1e3;
    println!(
        "hooks of plugin-plain: {:.4} ms a step, {:.3} % of the step",
        in_hooks / count as f64,
        100.0 * in_hooks / all
    );
    println!(
        "overhead of all steps together {:+.2} %; of single steps: median {:+.2} %, quartiles {:+.2} and {:+.2} %",
        100.0 * (total(&plugin) / total(&built_in) - 1.0),
        100.0 * ratios[count / 2],
        100.0 * ratios[count / 4],
        100.0 * ratios[count * 3 / 4]
    );
}
