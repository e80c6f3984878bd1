#!/bin/sh
# Tests of the emulator: right kernels have the right results, wrong ones are caught, and what a GPU refuses is refused.
#   usage: test.sh DIR      DIR as set up by setup.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=$(cd "${1:?usage: test.sh DIR}" && pwd)
. "$dir/env.sh"
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
for program in run refusals copies; do
    g++ -std=c++17 -Wall -o "$temp/$program" "$here/test/$program.cpp" -L"$dir/lib" -lcuda -lnvrtc
done
fail() { echo "test.sh: $*" >&2; exit 1; }

# runs EXPECTED KERNEL BLOCKS THREADS SHARED N: the kernel succeeds and its output begins with EXPECTED.
runs() {
    expected=$1 kernel=$2; shift 2
    found=$("$temp/run" "$here/test/$kernel.cu" "$@" 2>&1) || fail "$kernel $*: $found"
    case $found in "$expected"*) ;; *) fail "$kernel $*: expected $expected, found $found" ;; esac
}
# faults TEXT KERNEL BLOCKS THREADS SHARED N: the kernel is stopped with a message that contains TEXT.
faults() {
    expected=$1 kernel=$2; shift 2
    if found=$("$temp/run" "$here/test/$kernel.cu" "$@" 2>&1); then fail "$kernel $*: no fault, but $found"; fi
    case $found in *"cuda-emu: device fault in test, block "*"$expected"*) ;;
        *) fail "$kernel $*: expected a fault with '$expected', found $found" ;;
    esac
}

"$temp/refusals" || fail "a call was not refused"
"$temp/copies" || fail "a copy was done at the wrong time"
for freed in device host; do
    if found=$("$temp/copies" $freed 2>&1); then fail "memory of the $freed is freed before its copy"; fi
    case $found in *"freed before a copy has ended"*) ;; *) fail "$freed: $found" ;; esac
done

# 0 + 1 + .. + 299, by three blocks; in every order of threads and blocks.
for order in forward reverse 1 2; do
    CUDA_EMU_ORDER=$order runs "44850 8128 24512 12210 0" reduce 3 128 512 300
done
CUDA_EMU_GUARD=1 runs "44850 8128 24512 12210 0" reduce 3 128 512 300
CUDA_EMU_RACES=1 runs "44850 8128 24512 12210 0" reduce 3 128 512 300
CUDA_EMU_RACES=1 CUDA_EMU_ORDER=reverse runs "44850 8128 24512 12210 0" reduce 3 128 512 300
runs "0 1 2 3 4 5 6 7 " ticket 2 4 0 8
CUDA_EMU_ORDER=reverse runs "7 6 5 4 3 2 1 0 " ticket 2 4 0 8
case $(CUDA_EMU_ORDER=5 "$temp/run" "$here/test/ticket.cu" 1 32 0 32) in
    "0 1 2 3 "*) fail "CUDA_EMU_ORDER=5 does not shuffle the threads" ;;
esac

# A product on tensor cores, of whole warps only. Elements (0, 0), (0, 1), ... of the result.
runs "4705 4733 4761 4789 4817 4845 4873 4901 14689 " mma 1 32 0 192
CUDA_EMU_RACES=1 CUDA_EMU_ORDER=7 runs "4705 4733 4761 4789 4817 4845 4873 4901 14689 " mma 1 32 0 192
faults "not all of its threads" mma 1 31 0 192

# Accesses outside of the allocations. The sizes are multiples of 16 bytes, as far as the guard sees.
CUDA_EMU_GUARD=1 faults "outside of the allocations" beyond 1 64 0 64
CUDA_EMU_RACES=1 faults "a read of 4 bytes" beyond 1 64 0 63
CUDA_EMU_RACES=1 faults "a write of 4 bytes" before 1 64 0 64
CUDA_EMU_RACES=1 faults "beyond the dynamic shared memory" shared 1 64 252 64
CUDA_EMU_RACES=1 runs "63 62 61 " shared 1 64 256 64

# Barriers that not all threads of a block reach.
faults "a divergent barrier" branches 1 64 0 64
CUDA_EMU_RACES=1 faults "returned before the barrier of line 4" returned 1 64 0 64

# Races. The second kernel has the right result, since the emulator runs one thread after another.
runs "2016 " lost_update 1 64 0 64
for kernel in no_barrier lost_update; do
    CUDA_EMU_RACES=1 faults "a data race in" $kernel 1 64 0 64
done
CUDA_EMU_RACES=1 faults "a data race in device memory" between_blocks 8 1 0 8
CUDA_EMU_RACES=1 faults "a data race in device memory" no_fence 8 1 0 16
CUDA_EMU_RACES=1 CUDA_EMU_COUNTS=$temp/counts runs "2016 " float_atomic 1 64 0 64

# Counts: two copies in memory of 256 bytes, 64 atomic operations that load and store the same four bytes.
for line in '"launches": 1,' '"synchronisations": 1,' '"copies_to_device": 1,' '"bytes_to_device": 256,' \
    '"bytes_to_host": 256,' '"fills": 1,' '"allocations": 2,' '"frees": 2,' '"bytes_allocated": 512,' \
    '"bytes_in_use": 0,' '"bytes_peak": 512,' \
    '"test": { "launches": 1, "threads": 64, "loads": 128, "bytes_loaded": 512, "stores": 64, "bytes_stored": 256, "distinct_loaded": 260, "distinct_stored": 4, "float_atomics": 64 }'
do
    grep -qF "$line" "$temp/counts" || fail "no $line in $(cat "$temp/counts")"
done

# Faults on demand.
for fault in DRIVER=none:NO_DEVICE DEVICES=0:NO_DEVICE DRIVER=old:UNSUPPORTED_PTX_VERSION \
    FAIL_ALLOCATION=1:OUT_OF_MEMORY FAIL_ALLOCATION=2:OUT_OF_MEMORY FAIL_ALLOCATION=3:OUT_OF_MEMORY; do
    found=$(env "CUDA_EMU_${fault%:*}" "$temp/run" "$here/test/ticket.cu" 1 4 0 4) && fail "$fault: no error"
    [ "$found" = "CUDA_ERROR_${fault#*:}" ] || fail "$fault: $found"
done
CUDA_EMU_FAIL_ALLOCATION=5 runs "0 1 2 3 " ticket 1 4 0 4
if found=$(CUDA_EMU_ORDER=sideways "$temp/run" "$here/test/ticket.cu" 1 4 0 4 2>&1); then fail "an unknown order"; fi
echo "the emulator works"
