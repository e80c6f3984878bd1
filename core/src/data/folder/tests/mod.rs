mod caches;

use std::fs;

use image::{GrayImage, Rgb, RgbImage};
use tempfile::TempDir;

use super::files::EXTENSIONS;
use super::*;
use crate::data::{ImageShape, Resize};

/// Writes a plain image, with the folders above it.
fn put(dir: &TempDir, file: &str, colour: [u8; 3], side: u32) {
    let path = dir.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::from_pixel(side, side, Rgb(colour)).save(path).unwrap();
}

fn load_from(dir: &TempDir, image_size: usize) -> Result<Dataset, DataError> {
    crate::data::load("folder", &DataOptions { dir: Some(dir.path().into()), image_size, ..DataOptions::default() })
}

fn message(dir: &TempDir) -> String {
    load_from(dir, 4).unwrap_err().to_string()
}

/// Two classes, the second with two images.
fn flat() -> TempDir {
    let dir = TempDir::new().unwrap();
    put(&dir, "b/2.PNG", [7, 8, 9], 4);
    put(&dir, "b/1.png", [4, 5, 6], 4);
    put(&dir, "a/x.png", [1, 2, 3], 4);
    dir
}

#[test]
fn images_come_in_the_order_of_their_names() {
    let dir = flat();
    fs::write(dir.path().join("a/notes.txt"), "skipped").unwrap();
    fs::write(dir.path().join("a/.x.png"), "skipped").unwrap();
    let data = load_from(&dir, 4).unwrap();
    assert_eq!((data.classes, data.train.labels(), data.test), (vec!["a".into(), "b".into()], &[0, 1, 1][..], None));
    assert_eq!(data.train.shape(), ImageShape { height: 4, width: 4, channels: 3 });
    assert_eq!([0, 1, 2].map(|i| data.train.pixels(i).unwrap()[..3].to_vec()), [[1, 2, 3], [4, 5, 6], [7, 8, 9]]);
}

#[test]
fn train_and_test_folders_are_the_two_parts() {
    let dir = TempDir::new().unwrap();
    for file in ["train/a/1.png", "train/b/1.png", "train/c/1.png", "test/b/1.png", "test/c/1.png"] {
        put(&dir, file, [1, 1, 1], 4);
    }
    let data = load_from(&dir, 4).unwrap();
    assert_eq!((data.classes.len(), data.train.labels()), (3, &[0, 1, 2][..]));
    assert_eq!(data.test.unwrap().labels(), [1, 2]);
    put(&dir, "test/d/1.png", [1, 1, 1], 4);
    assert!(message(&dir).contains("expected the classes of the training images, found another class, `d`"));
}

#[test]
fn images_are_resized_and_made_rgb() {
    let dir = flat();
    put(&dir, "a/y.jpg", [200, 100, 50], 9);
    GrayImage::from_pixel(3, 5, image::Luma([77])).save(dir.path().join("a/z.png")).unwrap();
    let data = load_from(&dir, 2).unwrap();
    assert_eq!(*data.train.pixels(2).unwrap(), [77; 12]);
    // a plain colour survives jpg but for rounding
    assert!(data.train.pixels(1).unwrap().iter().zip([200u8, 100, 50].iter().cycle()).all(|(a, b)| a.abs_diff(*b) < 4));
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let dir = TempDir::new().unwrap();
    for number in 0..20u8 {
        put(&dir, &format!("{}/{number}.png", number % 2), [number; 3], 3 + u32::from(number));
    }
    let images = [1, 4].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| load_from(&dir, 5).unwrap().train)
    });
    assert_eq!(images[0], images[1]);
}

#[test]
fn an_image_that_does_not_decode_is_named() {
    for bytes in [&b""[..], b"no image", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"] {
        let dir = flat();
        fs::write(dir.path().join("b/1.png"), bytes).unwrap();
        let message = message(&dir);
        assert!(message.contains("b/1.png: replace or remove it"), "{message}");
    }
}

/// An image with structure in every block, so that a missing part of its file matters.
fn picture() -> RgbImage {
    RgbImage::from_fn(40, 30, |x, y| Rgb([(x * 6) as u8, (y * 8) as u8, (x * y * 7) as u8]))
}

#[test]
fn images_of_all_formats_are_read_and_refused_when_cut() {
    for extension in EXTENSIONS {
        let dir = flat();
        let path = dir.path().join(format!("b/picture.{extension}"));
        match extension {
            "pgm" => image::DynamicImage::from(picture()).into_luma8().save(&path).unwrap(),
            _ => picture().save(&path).unwrap(),
        }
        assert_eq!(load_from(&dir, 4).unwrap().train.len(), 4, "{extension}");
        let bytes = fs::read(&path).unwrap();
        for tenths in 0..10 {
            let length = (bytes.len() - 16) * tenths / 9;
            fs::write(&path, &bytes[..length]).unwrap();
            let message =
                load_from(&dir, 4).map(|_| format!("{extension} with {length} of {} bytes was read", bytes.len()));
            assert!(message.unwrap_err().to_string().contains(&format!("cannot decode {}", path.display())));
        }
    }
}

#[test]
fn jpeg_files_of_every_kind_are_read() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuzz/seeds/image");
    for kind in ["jpeg", "progressive", "cmyk", "exif"] {
        let dir = flat();
        fs::copy(format!("{seeds}/{kind}"), dir.path().join("a/y.jpg")).unwrap();
        assert_eq!(load_from(&dir, 4).unwrap().train.len(), 4, "{kind}");
    }
}

#[test]
fn names_that_are_not_utf_8_are_classes_of_their_own() {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt;
        let dir = TempDir::new().unwrap();
        for part in ["train", "test"] {
            for (shade, class) in [&b"caf\xe9"[..], "caf\u{fffd}".as_bytes(), b"tea"].into_iter().enumerate() {
                let folder = dir.path().join(part).join(std::ffi::OsStr::from_bytes(class));
                fs::create_dir_all(&folder).unwrap();
                RgbImage::from_pixel(4, 4, Rgb([shade as u8; 3])).save(folder.join("1.png")).unwrap();
            }
        }
        let data = load_from(&dir, 4).unwrap();
        assert_eq!(data.classes, ["caf\\xe9", "caf\u{fffd}", "tea"].map(String::from).to_vec());
        assert_eq!(data.train.labels(), [0, 1, 2]);
        assert_eq!([0, 1, 2].map(|i| data.train.pixels(i).unwrap()[0]), [0, 1, 2]);
        assert_eq!(data.test.unwrap(), data.train);
    }
}

#[test]
fn folders_below_a_class_belong_to_it() {
    let dir = flat();
    put(&dir, "a/more/deep/1.png", [5, 5, 5], 4);
    put(&dir, "b/more.png/1.webp", [6, 6, 6], 4);
    assert_eq!(load_from(&dir, 4).unwrap().train.labels(), [0, 0, 1, 1, 1]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(dir.path().join("a"), dir.path().join("a/again")).unwrap();
        assert!(message(&dir).contains("remove links to a parent folder"));
    }
}

#[test]
fn a_validation_folder_is_the_validation_part() {
    let dir = TempDir::new().unwrap();
    for file in ["train/a/1.png", "train/b/1.png", "val/b/1.png", "val/b/2.png", "test/a/1.png"] {
        put(&dir, file, [1, 1, 1], 4);
    }
    let data = load_from(&dir, 4).unwrap();
    assert_eq!((data.train.labels(), data.valid), (&[0, 1, 1, 1][..], 2));
    assert_eq!(data.test.unwrap().labels(), [0]);
    fs::create_dir(dir.path().join("valid")).unwrap();
    assert!(message(&dir).contains("valid: expected one folder with validation images, found `val` and `valid`"));
    fs::remove_dir(dir.path().join("valid")).unwrap();
    fs::remove_dir_all(dir.path().join("test/a")).unwrap();
    assert!(message(&dir).contains("test: expected at least one image, found none"));
}

#[test]
fn folders_named_as_parts_are_parts_and_no_classes() {
    for (train, valid, test) in [("training", "validation", "testing"), ("Train", "VAL", "Test")] {
        let dir = TempDir::new().unwrap();
        for file in [train, train, valid, test].iter().zip(["a/1.png", "b/1.png", "a/1.png", "b/1.png"]) {
            put(&dir, &format!("{}/{}", file.0, file.1), [1, 1, 1], 4);
        }
        let data = load_from(&dir, 4).unwrap();
        assert_eq!((data.train.labels(), data.valid, data.test.unwrap().labels()), (&[0, 1, 0][..], 1, &[1][..]));
        put(&dir, "TRAIN2/a/1.png", [1, 1, 1], 4);
        fs::rename(dir.path().join("TRAIN2"), dir.path().join("tRaining")).unwrap();
        assert!(message(&dir).contains("expected one folder with training images, found"));
    }
    for part in ["val", "Test", "validation"] {
        let dir = flat();
        put(&dir, &format!("{part}/a/1.png"), [1, 1, 1], 4);
        let message = message(&dir);
        assert!(message.contains(&format!("validation or test part, found `{part}`; name the folder")), "{message}");
    }
}

#[test]
fn files_that_are_not_read_are_counted() {
    let dir = TempDir::new().unwrap();
    for file in ["train/a/1.png", "train/b/1.png", "validation/a/1.png", "extra/a/1.png", "train/a/.more/1.png"] {
        put(&dir, file, [1, 1, 1], 4);
    }
    let data = load_from(&dir, 4).unwrap();
    assert_eq!((data.notes.len(), data.valid), (2, 1));
    for file in
        ["train/a/1.gif", "train/a/2.gif", "train/b/list", "train/a/.1.png", "train/.DS_Store", "train/notes.txt"]
    {
        fs::write(dir.path().join(file), "").unwrap();
    }
    let expected = [
        "skipped 3 files without an image extension: 2 .gif, 1 without extension",
        "skipped 1 hidden image (a dot before the name)",
        "skipped 1 hidden folder (a dot before the name)",
        "skipped 1 file outside of the class folders",
        "skipped next to the training, validation and test folders: extra",
    ];
    assert_eq!(load_from(&dir, 4).unwrap().notes, expected);
}

#[test]
#[cfg(unix)]
fn a_pipe_is_refused() {
    let dir = flat();
    let pipe = dir.path().join("a/y.png");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = load_from(&dir, 4).unwrap_err();
    assert!(matches!(&error, DataError::Read { path, .. } if *path == pipe), "{error}");
}

#[test]
fn an_image_with_too_many_pixels_is_refused_before_it_is_decoded() {
    let dir = flat();
    // The header of a grey image of 22,000 x 22,000 pixels, whose content need not be there.
    let path = dir.path().join("a/y.png");
    let mut small = Vec::new();
    GrayImage::new(1, 1).write_to(&mut std::io::Cursor::new(&mut small), image::ImageFormat::Png).unwrap();
    small.splice(16..24, [22_000u32.to_be_bytes(), 22_000u32.to_be_bytes()].concat());
    let mut checksum = flate2::Crc::new();
    checksum.update(&small[12..29]);
    small.splice(29..33, checksum.sum().to_be_bytes());
    fs::write(path, small).unwrap();
    assert!(message(&dir).contains("expected an image of at most 89478485 pixels, found 22000 x 22000"));
}

#[test]
fn an_image_without_pixels_is_refused() {
    for (header, size) in [("P5 0 5 255\n", "0 x 5"), ("P5 5 0 255\n", "5 x 0"), ("P6 0 0 255\n", "0 x 0")] {
        for resize in [Resize::Square, Resize::Crop] {
            let dir = flat();
            fs::write(dir.path().join("a/y.pgm"), header).unwrap();
            let options = DataOptions { dir: Some(dir.path().into()), resize, ..DataOptions::default() };
            let message = crate::data::load("folder", &options).unwrap_err().to_string();
            assert!(message.contains(&format!("at least one pixel, found {size}")), "{message}");
        }
    }
}

#[test]
fn folders_without_two_classes_of_images_say_how_to_lay_them_out() {
    let dir = TempDir::new().unwrap();
    assert!(message(&dir).contains("CLASS: put the images of each class"));
    put(&dir, "a/x.png", [0; 3], 4);
    assert!(message(&dir).contains("at least 2 classes, found classes: 1; put the images"));
    fs::create_dir(dir.path().join("b")).unwrap();
    assert!(message(&dir).contains("b: expected at least one image, found none; put the images"));
}

#[test]
fn sizes_out_of_range_are_refused() {
    for size in [0, 1025, usize::MAX] {
        let error = load_from(&flat(), size).unwrap_err().to_string();
        assert_eq!(error, format!("data.image_size: expected 1 to 1024, found {size}"));
    }
}
