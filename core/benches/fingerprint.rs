//! Time to compute the fingerprint of a data set, beside the time to read it.
//!
//! Usage: `cargo bench -p nas-core --bench fingerprint [-- CIFAR-10]`, with the folder of the unpacked archive. Without
//! it, only folders of 20,000 generated images are measured: png of 32 x 32, which are read fastest, and jpg of 128 x
//! 128. `RAYON_NUM_THREADS` sets the number of threads.

use nas_core::data::{DataOptions, load};
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

const IMAGES: u32 = 20_000;
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(dir) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) {
        measure("cifar10", Path::new(&dir))?;
    }
    for (ending, side) in [("png", 32), ("jpg", 128)] {
        let dir = tempfile::tempdir()?;
        for number in 0..IMAGES {
            let folder = dir.path().join((number % 10).to_string());
            fs::create_dir_all(&folder)?;
            let pixel = |x: u32, y: u32| image::Rgb([(x * number) as u8, (y * 7 + number) as u8, (x * y) as u8]);
            image::RgbImage::from_fn(side, side, pixel).save(folder.join(format!("{number}.{ending}")))?;
        }
        measure("folder", dir.path())?;
    }
    Ok(())
}

/// Prints the medians of both times.
fn measure(name: &str, dir: &Path) -> Result<(), Box<dyn Error>> {
    let options = DataOptions { dir: Some(PathBuf::from(dir)), ..DataOptions::default() };
    let (mut reading, mut hashing) = (Vec::new(), Vec::new());
    let mut summary = String::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let dataset = load(name, &options)?;
        reading.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        black_box(dataset.fingerprint());
        hashing.push(start.elapsed().as_secs_f64());
        summary = dataset.summary();
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    };
    let (reading, hashing) = (median(&mut reading), median(&mut hashing));
    println!("{name}: {summary}");
    println!("  reading {reading:.3} s, fingerprint {hashing:.3} s, ratio {:.3}", hashing / reading);
    Ok(())
}
