//! Data sets of files: what is read, what is refused, and what the user is told.

use super::helper::{names, program, read, read_json, refuses, send_signal, setup, stderr, stdout};
use flate2::Compression;
use flate2::write::GzEncoder;
use image::{Rgb, RgbImage};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Options of the shortest run on the folder `data`.
pub const FOLDER: &[&str] = &[
    "--data=folder",
    "--data-dir=data",
    "--set=data.image_size=8",
    "--space=tiny",
    "--width=2",
    "--epochs=1",
    "--batch-size=4",
    "--probes=0",
];

/// Writes an image with some structure, and the folders above it.
pub fn put(path: &Path, shade: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let pixel = |x: u32, y: u32| Rgb([shade, (x * 25) as u8, (x * y * 3 + u32::from(shade)) as u8]);
    RgbImage::from_fn(10, 10, pixel).save(path).unwrap();
}

/// Writes `count` images of each of two classes below `part`.
pub fn put_classes(part: &Path, count: u8) {
    for number in 0..count {
        put(&part.join(format!("cat/{number}.png")), number);
        put(&part.join(format!("dog/{number}.png")), 255 - number);
    }
}

/// Runs on the folder `data`, expects success, and returns standard error.
pub fn run(dir: &Path) -> String {
    let output = program(dir).args(FOLDER).arg("--out=out").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

fn refuses_data(dir: &Path, words: &[&str]) {
    refuses(dir, FOLDER, 4, words);
}

#[test]
fn all_parts_are_announced_and_what_is_left_out_is_counted() {
    let (dir, _) = setup("parts");
    let data = dir.path().join("data");
    put_classes(&data.join("train"), 9);
    put_classes(&data.join("val"), 3);
    put(&data.join("train/cat/more/1.webp"), 1);
    put(&data.join("test/dog/1.tiff"), 2);
    put(&data.join("extra/cat/1.png"), 3);
    fs::write(data.join("train/cat/1.gif"), "").unwrap();
    let message = run(dir.path());
    let summary = "data set folder: 25 images of 8 x 8 in 2 classes, 6 of them for validation, 1 test image";
    for words in [
        summary,
        "warning: skipped 1 file without an image extension: 1 .gif",
        "warning: skipped next to the training, validation and test folders: extra",
    ] {
        assert!(message.contains(words), "{words} in {message}");
    }
    let manifest = read_json(dir.path(), "out/manifest.json");
    assert_eq!((&manifest["data"]["images"], &manifest["data"]["test_images"]), (&25.into(), &1.into()));
    assert_eq!(manifest["data"]["fingerprint"].as_str().unwrap().len(), 64);
    // The directory of the data is absolute, so that the configuration names it in any working directory.
    let config = read(dir.path(), "out/config.toml");
    let expected = format!("dir = \"{}\"", fs::canonicalize(dir.path()).unwrap().join("data").display());
    assert!(config.contains(&expected), "{expected} in {config}");
}

#[test]
#[cfg(target_os = "linux")]
fn class_folders_whose_names_are_not_utf_8_are_read() {
    use std::os::unix::ffi::OsStrExt;
    let (dir, _) = setup("names");
    for part in ["train", "test"] {
        for (shade, class) in [&b"caf\xe9"[..], "caf\u{fffd}".as_bytes(), b"tea"].into_iter().enumerate() {
            let folder = dir.path().join("data").join(part).join(std::ffi::OsStr::from_bytes(class));
            (0..4).for_each(|number| put(&folder.join(format!("{number}.png")), (shade * 80) as u8 + number));
        }
    }
    let message = run(dir.path());
    assert!(message.contains("12 images of 8 x 8 in 3 classes, 12 test images"), "{message}");
}

#[test]
fn a_cut_jpeg_is_refused_by_name() {
    let (dir, _) = setup("jpeg");
    put_classes(&dir.path().join("data"), 5);
    let path = dir.path().join("data/cat/broken.jpg");
    RgbImage::from_fn(64, 64, |x, y| Rgb([(x * 4) as u8, (y * 4) as u8, (x * y) as u8])).save(&path).unwrap();
    run(dir.path());
    fs::remove_dir_all(dir.path().join("out")).unwrap();
    let bytes = fs::read(&path).unwrap();
    for length in [1000, bytes.len() / 2, bytes.len() - 3] {
        fs::write(&path, &bytes[..length]).unwrap();
        refuses_data(dir.path(), &["cannot decode data/cat/broken.jpg: replace or remove it"]);
        fs::write(&path, [&bytes[..length], &[0xff, 0xd9]].concat()).unwrap();
        refuses_data(dir.path(), &["cannot decode data/cat/broken.jpg: replace or remove it"]);
    }
    // 1,088 x 1,088 pixels in the header of an image of 64 x 64.
    let size = bytes.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap() + 5;
    let enlarged = [&bytes[..size], &[4, 64, 4, 64], &bytes[size + 4..]].concat();
    fs::write(&path, enlarged).unwrap();
    refuses_data(dir.path(), &["cannot decode data/cat/broken.jpg", "the image data end too early"]);
}

#[test]
fn a_test_part_may_lack_classes() {
    let (dir, _) = setup("test");
    put_classes(&dir.path().join("data/train"), 5);
    put(&dir.path().join("data/test/dog/1.png"), 7);
    assert!(run(dir.path()).contains("10 images of 8 x 8 in 2 classes, 1 test image"));
}

#[test]
fn data_with_another_fingerprint_than_configured_are_refused() {
    let (dir, _) = setup("fingerprint");
    put_classes(&dir.path().join("data"), 5);
    run(dir.path());
    let manifest = read_json(dir.path(), "out/manifest.json");
    let pinned = format!("--set=data.fingerprint={}", manifest["data"]["fingerprint"].as_str().unwrap());
    let output = program(dir.path()).args(FOLDER).args([&pinned, "--out=again"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    refuses(
        dir.path(),
        &[FOLDER, &["--set=data.fingerprint=abc"]].concat(),
        2,
        &["data.fingerprint: expected 64 hexadecimal digits"],
    );
    put(&dir.path().join("data/cat/one-more.png"), 1);
    refuses(dir.path(), &[FOLDER, &[&pinned]].concat(), 4, &["data set `folder` has the fingerprint", "expected"]);
}

#[test]
#[cfg(unix)]
fn files_that_are_not_regular_are_refused_at_once() {
    let (dir, _) = setup("pipe");
    put_classes(&dir.path().join("data"), 5);
    let special = dir.path().join("data/cat/x.png");
    assert!(Command::new("mkfifo").arg(&special).status().unwrap().success());
    refuses_data(dir.path(), &["cannot read data/cat/x.png: expected a regular file, found a pipe or a device"]);
    fs::remove_file(&special).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &special).unwrap();
    refuses_data(dir.path(), &["cannot read data/cat/x.png: expected a regular file, found a pipe or a device"]);
}

/// Runs the program on damaged data, expects exit code 4, and returns its peak memory in MiB.
#[cfg(target_os = "linux")]
fn memory_of_refusal(dir: &Path, arguments: &[&str], words: &str) -> f64 {
    let script = "\"$@\" & pid=$!; peak=0; while kill -0 $pid 2>/dev/null; do \
        now=$(awk '/VmHWM/ { print $2 }' /proc/$pid/status 2>/dev/null); [ -n \"$now\" ] && peak=$now; sleep 0.01; \
        done; wait $pid; echo \"$? $peak\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_nas-train-extended")]).args(arguments).current_dir(dir);
    let output = command.output().unwrap();
    assert!(stderr(&output).contains(words), "{words} in {}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let (code, peak) = text.trim().split_once(' ').unwrap();
    assert_eq!(code, "4", "{text}");
    peak.parse::<f64>().unwrap() / 1024.0
}

/// Writes a compressed file: `header`, then `mebibytes` of zeros.
fn gzip(path: PathBuf, header: &[u8], mebibytes: usize) {
    let compressed = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    fs::write(path, [compressed(header), compressed(&vec![0; 1 << 20]).repeat(mebibytes)].concat()).unwrap();
}

/// The header of a PNG image of this size, bit depth and colour type.
fn png_header(side: u32, kind: [u8; 2]) -> Vec<u8> {
    let mut png = Vec::new();
    let small = image::GrayImage::new(1, 1);
    small.write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    png.splice(16..24, [side.to_be_bytes(), side.to_be_bytes()].concat());
    png.splice(24..26, kind);
    let mut checksum = flate2::Crc::new();
    checksum.update(&png[12..29]);
    png.splice(29..33, checksum.sum().to_be_bytes());
    png
}

fn idx_header(sides: &[u32]) -> Vec<u8> {
    let sides = sides.iter().flat_map(|side| side.to_be_bytes());
    [0, 0, 8, sides.clone().count() as u8 / 4].into_iter().chain(sides).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn refused_data_take_little_memory() {
    let (dir, _) = setup("memory");
    let data = dir.path().join("data");
    put_classes(&data, 5);
    // Six grey images of 22,000 x 22,000 pixels.
    (0..6)
        .for_each(|number| fs::write(data.join(format!("cat/huge-{number}.png")), png_header(22_000, [8, 0])).unwrap());
    let peak = memory_of_refusal(dir.path(), FOLDER, "found 22000 x 22000 with 1 byte(s) per pixel; scale it down");
    assert!(peak < 300.0, "{peak} MiB");

    (0..6).for_each(|number| fs::remove_file(data.join(format!("cat/huge-{number}.png"))).unwrap());
    // 700 MB of transparent colours of 16 bits, with less than the limit of pixels.
    fs::write(data.join("cat/deep.png"), png_header(9_400, [16, 6])).unwrap();
    let peak = memory_of_refusal(dir.path(), FOLDER, "found 9400 x 9400 with 8 byte(s) per pixel; scale it down");
    assert!(peak < 300.0, "{peak} MiB");

    // 1 GB of zeros behind a header of 20 images of 8 x 8.
    let idx = dir.path().join("idx");
    fs::create_dir(&idx).unwrap();
    fs::write(idx.join("train-labels-idx1-ubyte"), [idx_header(&[20]), (0..20).collect()].concat()).unwrap();
    gzip(idx.join("train-images-idx3-ubyte.gz"), &idx_header(&[20, 8, 8]), 1024);
    let arguments = ["--data=idx", "--data-dir=idx", "--space=tiny", "--probes=0"];
    let peak = memory_of_refusal(dir.path(), &arguments, "expected 1296 bytes, found more; download the file again");
    assert!(peak < 300.0, "{peak} MiB");
    // A header of 4 GB of pixels, with 512 MB behind it.
    let count = 1 << 22;
    fs::write(idx.join("train-labels-idx1-ubyte"), [idx_header(&[count]), vec![0; count as usize]].concat()).unwrap();
    gzip(idx.join("train-images-idx3-ubyte.gz"), &idx_header(&[count, 32, 32]), 512);
    let peak = memory_of_refusal(dir.path(), &arguments, "bytes, expected 4294967312");
    assert!(peak < 300.0, "{peak} MiB");
}

#[test]
fn hostile_pickles_are_refused() {
    let (dir, _) = setup("pickles");
    let folder = dir.path().join("data/cifar-10-batches-py");
    fs::create_dir_all(&folder).unwrap();
    let string = [&b"]T\x40\x42\x0f\0"[..], &vec![b'a'; 1_000_000], b"q\0", &b"h\0a".repeat(8000), b"."].concat();
    let number = [&b"L"[..], &vec![b'9'; 20_000_000], b"L\n."].concat();
    let nested = [vec![b']'; 1_000_000], vec![b'a'; 999_999], vec![b'.']].concat();
    for (pickle, reason) in [(string, "too many copies"), (number, "too many digits"), (nested, "more than 256 lists")]
    {
        let names = [&b"\x80\x02}U\x0blabel_names]("[..], &b"U\x01a".repeat(10), b"es."].concat();
        fs::write(folder.join("batches.meta"), names).unwrap();
        fs::write(folder.join("data_batch_1"), pickle).unwrap();
        refuses(dir.path(), &["--data=cifar10", "--data-dir=data"], 4, &["data_batch_1: expected", reason]);
    }
}

/// Starts the program, interrupts it, and returns the time until it has ended. It must exit with 130 and leave no
/// files.
#[cfg(unix)]
fn time_to_stop(dir: &Path, arguments: &[&str]) -> Duration {
    let before = names(dir);
    let mut command = Command::new(env!("CARGO_BIN_EXE_nas-train-extended"));
    let child = command.current_dir(dir).args(arguments).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    send_signal(child.id(), "-INT");
    let start = Instant::now();
    let output = child.wait_with_output().unwrap();
    let time = start.elapsed();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert_eq!(names(dir), before);
    time
}

#[test]
#[cfg(unix)]
fn reading_and_generating_data_is_interrupted() {
    let (dir, _) = setup("interrupt");
    let generated = ["--data=synthetic", "--set=data.synthetic.samples=100000", "--set=data.synthetic.size=64"];
    let time = time_to_stop(dir.path(), &generated);
    assert!(time < Duration::from_secs(10), "{time:?}");
    // The same image a thousand times, under links.
    let data = dir.path().join("data");
    put_classes(&data, 1);
    RgbImage::from_fn(2000, 2000, |x, y| Rgb([x as u8, y as u8, (x * y) as u8])).save(data.join("cat/0.png")).unwrap();
    for number in 1..1000 {
        std::os::unix::fs::symlink("0.png", data.join(format!("cat/{number}.png"))).unwrap();
    }
    let time = time_to_stop(dir.path(), FOLDER);
    assert!(time < Duration::from_secs(10), "{time:?}");
}

/// Arguments of a small comparison on the folder `data`.
fn compare(dir: &Path, strategies: &str) -> std::process::Output {
    let arguments = FOLDER.iter().filter(|option| !option.starts_with("--probes"));
    let options = ["--probes=2", "--interval=1", "--seeds=1", "--jobs=1", "--out=cmp", "--strategies", strategies];
    program(dir).arg("compare").args(arguments).args(options).output().unwrap()
}

#[test]
fn runs_on_different_data_are_not_joined() {
    let (dir, _) = setup("mixed");
    let dir = dir.path();
    put_classes(&dir.join("data"), 6);
    let output = compare(dir, "plain,plain:train.lr=0.1");
    assert!(output.status.success(), "{}", stderr(&output));
    run(dir);
    // The same data elsewhere are the same data.
    fs::rename(dir.join("data"), dir.join("moved")).unwrap();
    std::os::unix::fs::symlink("moved", dir.join("data")).unwrap();
    assert!(compare(dir, "plain,plain:train.lr=0.1").status.success());

    put(&dir.join("data/cat/more.png"), 100);
    let output = compare(dir, "plain,plain:train.lr=0.1,plain:train.lr=0.2");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    for words in ["another data set (folder with 12 images and the fingerprint", "now folder with 13 images"] {
        assert!(stderr(&output).contains(words), "{words} in {}", stderr(&output));
    }
    assert!(!names(&dir.join("cmp/runs")).iter().any(|name| name.contains("0.2")), "a run was made");

    let output = program(dir).args(FOLDER).arg("--out=other").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let words = ["these runs have different data: out has folder with 12 images", "other has folder with 13 images"];
    refuses(dir, &["report", "out", "other"], 2, &words);
}

#[test]
fn a_truth_table_belongs_to_its_data() {
    let (dir, _) = setup("table");
    let dir = dir.path();
    put_classes(&dir.join("data"), 6);
    let arguments: Vec<&str> = ["truth", "--samples=2", "--seeds=1", "--jobs=1", "--out=truth.csv"]
        .into_iter()
        .chain(FOLDER.iter().copied().filter(|option| !option.starts_with("--probes")))
        .collect();
    let output = program(dir).args(&arguments).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    // The printed options select the table with its data.
    let text = stdout(&output);
    let options = text.split("To use the table, add ").nth(1).unwrap_or_else(|| panic!("{text}")).split_whitespace();
    let run = program(dir).args(options).args(["--epochs=1", "--probes=0", "--out=used"]).output().unwrap();
    assert!(run.status.success(), "{text}: {}", stderr(&run));
    let with_table: Vec<&str> = FOLDER.iter().copied().chain(["--truth=truth.csv", "--truth-samples=all"]).collect();
    let output = program(dir).args(&with_table).arg("--out=out").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));

    put(&dir.join("data/cat/more.png"), 100);
    refuses(dir, &arguments, 2, &["truth.toml has other settings: data.fingerprint"]);
    refuses(dir, &with_table, 4, &["truth table truth.csv: it was trained on data with the fingerprint"]);
    fs::rename(dir.join("truth.csv"), dir.join("foreign.csv")).unwrap();
    let output = program(dir).args(FOLDER).args(["--truth=foreign.csv", "--truth-samples=all", "--out=meant"]).output();
    assert!(output.unwrap().status.success());
}
