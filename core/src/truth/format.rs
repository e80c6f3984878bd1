//! The file format of the embedded tables. `core/data/regenerate.py` describes and writes it.

use std::io::Read;

use flate2::read::GzDecoder;

/// The unit of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// An accuracy in percent.
    Percent,
    /// A difference or spread of accuracies, in percentage points.
    Points,
    /// Millions.
    Millions,
    /// A count.
    Count,
}

/// A column of an embedded table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name in the source table.
    pub name: String,
    /// The number of decimals that the source table gives.
    pub decimals: u32,
    /// The unit of the values.
    pub unit: Unit,
    /// The value of each architecture by its index: the double nearest to the decimal number of the source table.
    pub values: Vec<f64>,
}

/// The columns of a packed table; `None` if the bytes are no such table.
pub(crate) fn decode(packed: &[u8]) -> Option<Vec<Column>> {
    let mut body = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut body).ok()?;
    let end = body.iter().position(|&byte| byte == b'\n')?;
    let (header, planes) = (std::str::from_utf8(&body[..end]).ok()?, &body[end + 1..]);
    let mut fields = header.strip_prefix("nas-truth 1 ")?.split(' ');
    let rows: usize = fields.next()?.parse().ok()?;
    let names: Vec<&str> = fields.collect();
    if rows == 0 || rows.checked_mul(4)?.checked_mul(names.len())? != planes.len() {
        return None;
    }
    names.iter().zip(planes.chunks_exact(4 * rows)).map(|(name, planes)| column(name, planes)).collect()
}

/// A column from `name:decimals:unit` and its four byte planes.
fn column(header: &str, planes: &[u8]) -> Option<Column> {
    let [name, decimals, unit] = header.split(':').collect::<Vec<_>>().try_into().ok()?;
    let unit = match unit {
        "percent" => Unit::Percent,
        "points" => Unit::Points,
        "millions" => Unit::Millions,
        "count" => Unit::Count,
        _ => return None,
    };
    let decimals = decimals.parse().ok()?;
    // The quotient of two exact operands is the double nearest to the decimal number.
    let scale = 10_u64.checked_pow(decimals)? as f64;
    let rows = planes.len() / 4;
    let mut value = 0_i64;
    let values = (0..rows)
        .map(|row| {
            let code = u32::from_le_bytes([0, 1, 2, 3].map(|plane| planes[plane * rows + row]));
            // Zigzag: 0, 1, 2, 3 stand for 0, -1, 1, -2.
            value += i64::from(code >> 1) ^ -i64::from(code & 1);
            value as f64 / scale
        })
        .collect();
    Some(Column { name: name.to_owned(), decimals, unit, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn pack(body: &[u8]) -> Vec<u8> {
        let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
        gz.write_all(body).unwrap();
        gz.finish().unwrap()
    }

    /// 0.5, 0.3, 30.0 with one decimal: differences 5, -2, 297 = codes 10, 3, 594 = 0x252.
    #[test]
    fn decodes_by_hand() {
        let body = b"nas-truth 1 3 x:1:points\n\x0a\x03\x52\x00\x00\x02\x00\x00\x00\x00\x00\x00";
        let columns = decode(&pack(body)).unwrap();
        let expected = Column { name: "x".into(), decimals: 1, unit: Unit::Points, values: vec![0.5, 0.3, 30.0] };
        assert_eq!(columns, [expected]);
    }

    #[test]
    fn other_bytes_are_not_a_table() {
        let body = b"nas-truth 1 1 x:0:count\n\0\0\0\0";
        assert!(decode(&pack(body)).is_some());
        let packed = pack(body);
        for cut in 0..packed.len() - 8 {
            assert_eq!(decode(&packed[..cut]), None);
        }
        for bad in [
            &b""[..],
            b"nas-truth 1 1 x:0:count",
            b"nas-truth 2 1 x:0:count\n\0\0\0\0",
            b"nas-truth 1 2 x:0:count\n\0\0\0\0",
            b"nas-truth 1 1 x:0\n\0\0\0\0",
            b"nas-truth 1 1 x:0:miles\n\0\0\0\0",
            b"nas-truth 1 1 x:99:count\n\0\0\0\0",
            b"nas-truth 1 99999999999999999999 x:0:count\n",
            b"nas-truth 1 0 x:0:count\n",
        ] {
            assert_eq!(decode(&pack(bad)), None, "{}", String::from_utf8_lossy(bad));
        }
    }
}
