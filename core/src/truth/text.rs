//! Text of architectures by their row in the embedded tables. A row is the index of an architecture in its space.

/// Operations of NAS-Bench-201 in index order.
const OPS: [&str; 5] = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];

/// `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|` of an index in base 5, edge 1<-0 most significant.
pub(crate) fn nasbench201(index: usize) -> String {
    let op = |digit: u32| OPS[index / 5_usize.pow(digit) % 5];
    format!("|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|", op(5), op(4), op(3), op(2), op(1), op(0))
}

/// Eight digits of an index in base 3, first layer most significant.
pub(crate) fn nasbench_macro(index: usize) -> String {
    (0..8).rev().map(|digit| ["0", "1", "2"][index / 3_usize.pow(digit) % 3]).collect()
}
