// Runs a launch: its blocks one after another, in the order of CUDA_EMU_ORDER, which the threads of a block follow too.
#include "emu.h"
#include <algorithm>
#include <cstdio>
#include <execinfo.h>
#include <mutex>
#include <numeric>
#include <random>
#include <unistd.h>
#include <vector>

extern "C" {
struct { Index thread, block, block_dim, grid_dim; } cuda_emu_now;
alignas(256) char cuda_emu_dynamic_shared[228 * 1024];
}

namespace {

std::mutex device; // one kernel at a time
const Launch *running = nullptr;

std::vector<unsigned> in_order(size_t count, std::mt19937_64 &random) {
    std::vector<unsigned> order(count);
    std::iota(order.begin(), order.end(), 0u);
    if (options().order == Options::REVERSE) std::reverse(order.begin(), order.end());
    if (options().order == Options::SHUFFLED) std::shuffle(order.begin(), order.end(), random);
    return order;
}

} // namespace

const Launch *running_launch() { return running; }

void device_fault(const std::string &why) {
    if (running != nullptr) {
        const Index block = cuda_emu_now.block, thread = running_thread();
        fprintf(stderr, "cuda-emu: device fault in %s, block (%u, %u, %u), thread (%u, %u, %u): %s\n",
                running->function->name.c_str(), block.x, block.y, block.z, thread.x, thread.y, thread.z, why.c_str());
    } else {
        fprintf(stderr, "cuda-emu: device fault outside of a kernel: %s\n", why.c_str());
        void *frames[64];
        backtrace_symbols_fd(frames, backtrace(frames, 64), 2);
    }
    _exit(134); // the code of an aborted program, without a file of its memory
}

void run_grid(const Launch &launch) {
    std::lock_guard<std::mutex> one_at_a_time(device);
    static std::mt19937_64 random(options().seed);
    running = &launch;
    const auto [x, y, z] = launch.grid;
    const size_t blocks = static_cast<size_t>(x) * y * z, threads = launch.block.x * launch.block.y * launch.block.z;
    KernelCounts &kernel = kernel_counts(launch.function->name);
    kernel.launches++;
    kernel.threads += blocks * threads;
    cuda_emu_now.block_dim = launch.block;
    cuda_emu_now.grid_dim = launch.grid;
    if (options().races) races_begin_launch();
    const std::vector<unsigned> order = in_order(threads, random);
    for (const unsigned block : in_order(blocks, random)) {
        cuda_emu_now.block = {block % x, block / x % y, block / x / y};
        if (options().races) races_begin_block(block);
        run_block(launch, order.data());
    }
    if (options().races) races_end_launch();
    running = nullptr;
}
