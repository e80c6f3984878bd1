#!/usr/bin/env python3
"""Build the embedded ground-truth tables from the published accuracies.

    python3 regenerate.py NASBENCH201.csv NASBENCH_MACRO.csv [--out DIR]

Both CSV files have a header and one row an architecture, the architecture's text in the first column, in the order
of the architecture's index: base 5 with edge 1<-0 most significant (15,625 rows), base 3 with the first layer most
significant (6,561 rows). The rows are checked against that order, so the text itself need not be stored.

A table file is gzip of
    nas-truth 1 ROWS name:decimals:unit name:decimals:unit ...\n
followed, for each column, by four planes of ROWS bytes: byte 0 (least significant) of every value, then byte 1, 2, 3.
A value is the difference to the row above (0 above the first row) of value * 10^decimals, zigzag coded: 0, -1, 1, -2
become 0, 1, 2, 3. Planes of small differences are what gzip packs best; nothing is rounded, so every value as printed
in the CSV comes back (`cargo test -p nas-core truth` checks it by the SHA-256 of the source files).

The same input gives the same bytes with the same zlib: no file name and no time are stored.
Standard library only.
"""

import argparse
import csv
import gzip
import itertools
import sys
from decimal import Decimal
from pathlib import Path

OPS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]

NASBENCH201 = {
    "cifar10_valid": (2, "percent"),
    "cifar10_test": (2, "percent"),
    "cifar100_valid": (2, "percent"),
    "cifar100_test": (2, "percent"),
    "imagenet16_valid": (2, "percent"),
    "imagenet16_test": (2, "percent"),
    "params_m": (3, "millions"),
}
NASBENCH_MACRO = {
    "test_acc_1": (2, "percent"),
    "test_acc_2": (2, "percent"),
    "test_acc_3": (2, "percent"),
    "mean_acc": (4, "percent"),
    "std": (4, "points"),
    "params": (0, "count"),
    "flops": (0, "count"),
}


def nasbench201_texts():
    for a, b, c, d, e, f in itertools.product(OPS, repeat=6):
        yield f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


def macro_texts():
    for digits in itertools.product("012", repeat=8):
        yield "".join(digits)


def read(path, texts, columns):
    """The columns of the CSV at `path`, as strings, after checking its header and the order of its rows."""
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    if header != ["arch", *columns]:
        sys.exit(f"{path}: expected the header arch,{','.join(columns)}; found {','.join(header)}")
    texts = list(texts)
    if len(rows) != len(texts):
        sys.exit(f"{path}: expected {len(texts)} rows, found {len(rows)}")
    for line, (row, text) in enumerate(zip(rows, texts), start=2):
        if row[0] != text or len(row) != len(header):
            sys.exit(f"{path}:{line}: expected {text} and {len(columns)} values, found {','.join(row)}")
    return {name: [row[i] for row in rows] for i, name in enumerate(columns, start=1)}


def planes(name, values, decimals):
    """The four byte planes of one column."""
    codes, above = [], 0
    for text in values:
        scaled = Decimal(text).scaleb(decimals)
        if scaled != scaled.to_integral_value() or not 0 <= scaled < 2**31:
            sys.exit(f"column {name}: {text} is negative, too large or has more than {decimals} decimals")
        delta = int(scaled) - above
        codes.append(2 * delta if delta >= 0 else -2 * delta - 1)
        above = int(scaled)
    return b"".join(bytes((code >> shift) & 0xFF for code in codes) for shift in (0, 8, 16, 24))


def write(path, table, columns):
    rows = len(next(iter(table.values())))
    names = " ".join(f"{name}:{decimals}:{unit}" for name, (decimals, unit) in columns.items())
    body = f"nas-truth 1 {rows} {names}\n".encode()
    body += b"".join(planes(name, table[name], columns[name][0]) for name in columns)
    packed = gzip.compress(body, compresslevel=9, mtime=0)
    path.write_bytes(packed)
    print(f"{path}: {rows} rows, {len(columns)} columns, {len(packed)} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nasbench201", help="15,625 rows: arch," + ",".join(NASBENCH201))
    parser.add_argument("nasbench_macro", help="6,561 rows: arch," + ",".join(NASBENCH_MACRO))
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="default: beside this script")
    args = parser.parse_args()
    for name, path, texts, columns in [
        ("nasbench201", args.nasbench201, nasbench201_texts(), NASBENCH201),
        ("nasbench_macro", args.nasbench_macro, macro_texts(), NASBENCH_MACRO),
    ]:
        write(args.out / f"{name}.truth.gz", read(path, texts, columns), columns)


if __name__ == "__main__":
    main()
