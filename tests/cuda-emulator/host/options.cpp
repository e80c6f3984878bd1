// The environment variables of the emulator. README.md describes them.
#include "emu.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>

namespace {

[[noreturn]] void refuse(const char *name, const char *expected) {
    fprintf(stderr, "cuda-emu: %s=%s: expected %s\n", name, getenv(name), expected);
    exit(2);
}

bool is_on(const char *name) {
    const char *value = getenv(name);
    if (value == nullptr || strcmp(value, "0") == 0 || *value == 0) return false;
    if (strcmp(value, "1") != 0) refuse(name, "0 or 1");
    return true;
}

uint64_t number(const char *name, uint64_t otherwise) {
    const char *value = getenv(name);
    if (value == nullptr || *value == 0) return otherwise;
    char *end;
    const uint64_t number = strtoull(value, &end, 10);
    if (*end != 0) refuse(name, "a number");
    return number;
}

Options read() {
    Options options = {};
    options.guard = is_on("CUDA_EMU_GUARD");
    options.races = is_on("CUDA_EMU_RACES");
    const char *order = getenv("CUDA_EMU_ORDER");
    if (order == nullptr || *order == 0 || strcmp(order, "forward") == 0) {
        options.order = Options::FORWARD;
    } else if (strcmp(order, "reverse") == 0) {
        options.order = Options::REVERSE;
    } else {
        char *end;
        options.order = Options::SHUFFLED;
        options.seed = strtoull(order, &end, 10);
        if (*end != 0) refuse("CUDA_EMU_ORDER", "forward, reverse or the seed of a random order");
    }
    options.counts = getenv("CUDA_EMU_COUNTS");
    options.fail_allocation = number("CUDA_EMU_FAIL_ALLOCATION", 0);
    options.devices = static_cast<int>(number("CUDA_EMU_DEVICES", 1));
    options.capability = static_cast<int>(number("CUDA_EMU_CAPABILITY", 90));
    const char *driver = getenv("CUDA_EMU_DRIVER");
    if (driver == nullptr || *driver == 0) {
        options.driver = Options::WORKS;
    } else if (strcmp(driver, "none") == 0) {
        options.driver = Options::NONE;
    } else if (strcmp(driver, "old") == 0) {
        options.driver = Options::OLD;
    } else {
        refuse("CUDA_EMU_DRIVER", "none or old");
    }
    return options;
}

} // namespace

const Options &options() {
    static const Options options = read();
    return options;
}

std::string emulator_home() {
    Dl_info info;
    dladdr(reinterpret_cast<void *>(&emulator_home), &info);
    std::string path = info.dli_fname; // HOME/lib/libcuda_emu.so
    for (int i = 0; i < 2; i++) path.resize(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
    return path;
}
