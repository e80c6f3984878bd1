//! Exhausted memory of a GPU: an error that names the batch size to try.

use anyhow::{Error, Result};
use nas_core::config::RunConfig;

/// Whether the text of an error reports exhausted memory of a GPU.
pub fn is_exhausted(text: &str) -> bool {
    text.contains("CUDA_ERROR_OUT_OF_MEMORY") || text.contains("CUBLAS_STATUS_ALLOC_FAILED")
}

/// Runs `body`, which computes on the device of the configuration. If its memory is exhausted, the error names the
/// batch size to try.
///
/// # Errors
/// The error of `body`.
pub fn with_memory_advice<T, E: Into<Error>>(config: &RunConfig, body: impl FnOnce() -> Result<T, E>) -> Result<T> {
    let outcome = without_memory_panics(|| body().map_err(Into::into));
    outcome.map_err(|error| {
        let exhausted = error.chain().any(|cause| is_exhausted(&cause.to_string()));
        if exhausted { error.context(advice(config)) } else { error }
    })
}

fn advice(config: &RunConfig) -> String {
    let (train, eval) = (config.train.batch_size, config.eval.batch_size);
    let smaller = match train {
        1 => "use a smaller --width or smaller images".into(),
        _ => format!("try --batch-size {}, now {train}", train / 2),
    };
    let problem = "has too little free memory";
    format!("device {} {problem}; {smaller}, or a lower eval.batch_size (now {eval}) in an evaluation", config.device)
}

#[cfg(not(feature = "cuda"))]
fn without_memory_panics<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    body()
}

/// Turns a panic because of exhausted memory into an error. dfdx and cudarc panic where a tensor is cloned or copied to
/// the host. Other panics continue.
#[cfg(feature = "cuda")]
fn without_memory_panics<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    use std::panic;
    use std::sync::Once;
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if exhausted_memory(info.payload()).is_none() {
                print(info);
            }
        }));
    });
    // What `body` was changing is not used after an error.
    let outcome = panic::catch_unwind(panic::AssertUnwindSafe(body));
    outcome.unwrap_or_else(|payload| match exhausted_memory(&*payload) {
        Some(text) => Err(anyhow::anyhow!("the GPU failed: {text}")),
        None => panic::resume_unwind(payload),
    })
}

/// The text of a panic, if it is one because of exhausted memory.
#[cfg(feature = "cuda")]
fn exhausted_memory(payload: &(dyn std::any::Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<String>()?;
    is_exhausted(text).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    fn advised(batch: usize, problem: &'static str) -> String {
        let mut config = RunConfig::from_table(&toml::Table::new()).unwrap();
        config.device = "cuda:0".into();
        config.train.batch_size = batch;
        let error = with_memory_advice(&config, || Err::<(), _>(anyhow!(problem))).unwrap_err();
        crate::exit::chained(&error)
    }

    #[test]
    fn exhausted_memory_names_the_batch_size_to_try() {
        let problem = "conv2d: the device failed: Driver(DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\"))";
        let message = advised(64, problem);
        assert!(
            message.starts_with("device cuda:0 has too little free memory; try --batch-size 32, now 64"),
            "{message}"
        );
        assert!(message.ends_with(problem), "{message}");
        assert!(advised(1, "CUBLAS_STATUS_ALLOC_FAILED").contains("use a smaller --width"));
        assert_eq!(advised(64, "other"), "other");
    }

    #[test]
    #[cfg(feature = "cuda")]
    fn a_panic_because_of_exhausted_memory_is_an_error() {
        let config = RunConfig::from_table(&toml::Table::new()).unwrap();
        let panics = |text: &'static str| with_memory_advice(&config, || -> Result<()> { panic!("{text} {}", 1) });
        assert!(panics("CUDA_ERROR_OUT_OF_MEMORY").is_err());
        assert!(std::panic::catch_unwind(|| panics("other")).is_err());
    }
}
