//! The markers of a JPEG file (ITU-T T.81, section B.1).

/// Whether the file has the marker that ends an image (EOI) after its last scan. Data behind the marker are allowed.
pub(super) fn has_end(jpeg: &[u8]) -> bool {
    let mut rest = jpeg.strip_prefix(&[0xff, 0xd8]).unwrap_or_default();
    let mut in_scan = false;
    // Each turn skips one segment, or the part of a scan before the next marker.
    while let Some((&[first, code], _)) = rest.split_first_chunk() {
        rest = match (first, code) {
            (0xff, 0xd9) => return true,
            // A fill byte before a marker.
            (0xff, 0xff) => &rest[1..],
            // Within a scan, 0xff is data if 0 follows, and restart markers (RST) have no content.
            (0xff, 0 | 0xd0..=0xd7) if in_scan => &rest[2..],
            (0xff, _) => {
                in_scan = code == 0xda;
                let length = rest.get(2..4).map_or(0, |length| usize::from(length[0]) << 8 | usize::from(length[1]));
                rest.get(2 + length..).unwrap_or_default()
            }
            _ if in_scan => {
                let next = rest.iter().position(|&byte| byte == 0xff).unwrap_or(rest.len());
                &rest[next..]
            }
            _ => return false,
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_end_is_found_after_segments_scans_and_fill_bytes() {
        let start = [0xff, 0xd8];
        // A segment whose content looks like an end, as a thumbnail in EXIF data has.
        let segment = [0xff, 0xe1, 0, 4, 0xff, 0xd9];
        let scan = [0xff, 0xda, 0, 2, 1, 2, 0xff, 0, 3, 0xff, 0xd0, 4];
        let end = [0xff, 0xff, 0xd9];
        let whole = [&start[..], &segment, &scan, &segment, &scan, &end, b"more"].concat();
        assert!(has_end(&whole));
        for length in 0..whole.len() - 4 {
            assert!(!has_end(&whole[..length]), "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in prop::collection::vec(prop_oneof![Just(0xff), any::<u8>()], 0..100)) {
            has_end(&[&[0xff, 0xd8][..], &bytes].concat());
        }
    }
}
