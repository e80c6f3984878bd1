use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;

macro_rules! seed {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuzz/seeds/image/", $name))
    };
}

/// Files of Pillow: baseline, progressive, with four colours, with EXIF data.
const FILES: [&[u8]; 4] = [seed!("jpeg"), seed!("progressive"), seed!("cmyk"), seed!("exif")];

fn check(bytes: &[u8]) -> Result<(), String> {
    check::check(bytes, &Cancel(&AtomicBool::new(false))).map_err(|error| error.to_string())
}

fn place(file: &[u8], wanted: &[u8]) -> usize {
    file.windows(wanted.len()).position(|window| window == wanted).unwrap()
}

/// Positions of the data of the first scan and of the end.
fn data(file: &[u8]) -> (usize, usize) {
    let header = place(file, &[0xff, 0xda]);
    (header + 2 + usize::from(file[header + 3]), file.len() - 2)
}

#[test]
fn whole_files_are_accepted() {
    for file in FILES {
        check(file).unwrap();
        check(&[file, b"more"].concat()).unwrap();
    }
}

#[test]
fn cut_files_are_refused_even_if_an_end_is_appended() {
    for file in FILES {
        for length in 2..file.len() - 2 {
            check(&file[..length]).unwrap_err();
            check(&[&file[..length], &[0xff, 0xd9]].concat()).unwrap_err();
        }
    }
}

#[test]
fn missing_zeroed_and_further_data_are_refused() {
    for file in FILES {
        let (start, end) = data(file);
        let middle = (start + end) / 2;
        for damaged in [
            [&file[..start], &file[middle..]].concat(),
            [&file[..middle], &vec![0; end - middle], &file[end..]].concat(),
            [&file[..end], &[0x55; 2], &file[end..]].concat(),
        ] {
            check(&damaged).unwrap_err();
        }
    }
}

#[test]
fn another_size_in_the_header_is_refused() {
    for file in FILES {
        let header = if file == FILES[1] { 0xc2 } else { 0xc0 };
        let size = place(file, &[0xff, header]) + 5;
        for change in [size, size + 1, size + 2, size + 3] {
            let mut damaged = file.to_vec();
            damaged[change] += 32;
            check(&damaged).unwrap_err();
        }
    }
}

#[test]
fn restart_intervals_must_be_complete_and_in_order() {
    // A grey image of 8 x 24 pixels with a restart after each of its three blocks. Each block has the two codes `0`.
    let header = [
        &[0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 24, 0, 8, 1, 1, 0x11, 0][..],
        &[0xff, 0xc4, 0, 38, 0, 1],
        &[0; 16],
        &[0x10, 1],
        &[0; 16],
        &[0xff, 0xdd, 0, 4, 0, 1, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0],
    ]
    .concat();
    let file = |data: &[u8]| [&header, data, &[0xff, 0xd9]].concat();
    check(&file(&[0x3f, 0xff, 0xd0, 0x3f, 0xff, 0xd1, 0x3f])).unwrap();
    assert_eq!(check(&file(&[0x3f, 0xff, 0xd0, 0x3f])).unwrap_err(), "the image data lack a restart marker");
    assert_eq!(
        check(&file(&[0x3f, 0xff, 0xd1, 0x3f, 0xff, 0xd0, 0x3f])).unwrap_err(),
        "the image data lack a restart marker"
    );
    assert_eq!(check(&file(&[0x3f, 0xff, 0xd0, 0xff, 0xd1, 0x3f])).unwrap_err(), "the image data end too early");
    assert_eq!(
        check(&file(&[0x3f, 0x3f, 0xff, 0xd0, 0x3f, 0xff, 0xd1, 0x3f])).unwrap_err(),
        "the image data have bytes after the last block"
    );
}

proptest! {
    #[test]
    fn damaged_files_come_to_an_end(
        file in 0..FILES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..10),
    ) {
        let mut bytes = FILES[file].to_vec();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let _ = check(&bytes);
    }
}
