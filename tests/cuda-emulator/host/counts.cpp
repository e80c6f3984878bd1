// Counts of launches, copies and allocations, independent of the speed of the machine. CUDA_EMU_COUNTS=FILE writes
// them as JSON when the program ends, and `cuda_emu_write_counts` at any time.
#include "emu.h"
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <map>

Counts counts;

namespace {

std::map<std::string, KernelCounts> &kernels() {
    static std::map<std::string, KernelCounts> kernels;
    return kernels;
}

void write(FILE *file) {
    uint64_t launches = 0;
    for (const auto &[name, kernel] : kernels()) launches += kernel.launches;
    fprintf(file, "{\n");
    const auto line = [&](const char *key, uint64_t value) { fprintf(file, "  \"%s\": %" PRIu64 ",\n", key, value); };
    line("launches", launches);
    line("synchronisations", counts.synchronisations);
    line("copies_to_device", counts.copies_to_device);
    line("bytes_to_device", counts.bytes_to_device);
    line("copies_to_host", counts.copies_to_host);
    line("bytes_to_host", counts.bytes_to_host);
    line("copies_on_device", counts.copies_on_device);
    line("bytes_on_device", counts.bytes_on_device);
    line("fills", counts.fills);
    line("bytes_filled", counts.bytes_filled);
    line("allocations", counts.allocations);
    line("frees", counts.frees);
    line("bytes_allocated", counts.bytes_allocated);
    line("bytes_in_use", counts.bytes_in_use);
    line("bytes_peak", counts.bytes_peak);
    line("blas_calls", counts.blas_calls);
    line("blas_flops", counts.blas_flops);
    fprintf(file, "  \"kernels\": {");
    const char *separator = "";
    for (const auto &[name, kernel] : kernels()) {
        fprintf(file, "%s\n    \"%s\": { \"launches\": %" PRIu64 ", \"threads\": %" PRIu64, separator, name.c_str(),
                kernel.launches, kernel.threads);
        if (options().races)
            fprintf(file,
                    ", \"loads\": %" PRIu64 ", \"bytes_loaded\": %" PRIu64 ", \"stores\": %" PRIu64
                    ", \"bytes_stored\": %" PRIu64 ", \"distinct_loaded\": %" PRIu64 ", \"distinct_stored\": %" PRIu64
                    ", \"float_atomics\": %" PRIu64,
                    kernel.loads, kernel.bytes_loaded, kernel.stores, kernel.bytes_stored, kernel.distinct_loaded,
                    kernel.distinct_stored, kernel.float_atomics);
        fprintf(file, " }");
        separator = ",";
    }
    fprintf(file, "\n  }\n}\n");
}

} // namespace

KernelCounts &kernel_counts(const std::string &kernel) { return kernels()[kernel]; }

extern "C" bool cuda_emu_write_counts(const char *path) {
    FILE *file = fopen(path, "w");
    if (file == nullptr) return false;
    write(file);
    return fclose(file) == 0;
}

extern "C" void cuda_emu_reset_counts() {
    const uint64_t in_use = counts.bytes_in_use;
    counts = {};
    counts.bytes_in_use = counts.bytes_peak = in_use;
    kernels().clear();
}

namespace {

// Constructed when the library is loaded, so that the counts are written after the program's own destructors.
const struct AtExit {
    AtExit() {
        if (options().counts == nullptr) return;
        kernels(); // constructed before the handler is registered, hence destroyed after it has run
        atexit([] {
            if (!cuda_emu_write_counts(options().counts)) perror("cuda-emu: CUDA_EMU_COUNTS");
        });
    }
} at_exit;

} // namespace
