use image::{GrayImage, Rgb, RgbImage};
use tempfile::TempDir;

use super::*;

/// Writes a plain image, with the folders above it.
fn put(dir: &TempDir, file: &str, colour: [u8; 3], side: u32) {
    let path = dir.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::from_pixel(side, side, Rgb(colour)).save(path).unwrap();
}

fn load_from(dir: &TempDir, image_size: usize) -> Result<Dataset, DataError> {
    load(&DataOptions { dir: Some(dir.path().into()), image_size, ..DataOptions::default() })
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
    assert_eq!([0, 1, 2].map(|i| data.train.pixels(i)[..3].to_vec()), [[1, 2, 3], [4, 5, 6], [7, 8, 9]]);
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
    assert_eq!(data.train.pixels(2), [77; 12]);
    // a plain colour survives jpg but for rounding
    assert!(data.train.pixels(1).iter().zip([200u8, 100, 50].iter().cycle()).all(|(a, b)| a.abs_diff(*b) < 4));
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
        assert!(message.contains("b/1.png as a jpg or png image: replace or remove it"), "{message}");
    }
}

#[test]
fn folders_without_two_classes_of_images_say_how_to_lay_them_out() {
    let dir = TempDir::new().unwrap();
    assert!(message(&dir).contains("CLASS: put the jpg and png images of each class"));
    put(&dir, "a/x.png", [0; 3], 4);
    assert!(message(&dir).contains("show 1 class(es), expected at least 2: put the jpg"));
    fs::create_dir(dir.path().join("b")).unwrap();
    assert!(message(&dir).contains("b/IMAGE.jpg: put the jpg"));
}

#[test]
fn sizes_out_of_range_are_refused() {
    for size in [0, 1025, usize::MAX] {
        let error = load_from(&flat(), size).unwrap_err().to_string();
        assert_eq!(error, format!("data.image_size is {size}, expected 1 to 1024"));
    }
}
