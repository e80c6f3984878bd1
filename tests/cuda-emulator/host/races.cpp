// Data races of kernels. With CUDA_EMU_RACES=1, `nvcc` compiles kernels so that they report every access to memory here
// (the hooks of -fsanitize=thread). Two accesses race if different threads make them, one of them writes, they are not both
// atomic, and nothing orders them:
// - within a block, a barrier of the block, or one of their warp, orders what comes before and after;
// - between blocks, a __threadfence with an atomic operation after it orders what the block did before for a block that
//   makes an atomic operation later ("the last block to finish adds up");
// - nothing else does.
// Every launch of a kernel is checked for the order in which its threads ran, and also for all others: a race is found even
// if the results are right.
//
// The hooks also count loads and stores of device memory, and the distinct bytes among them, and refuse addresses that are no memory of the device.
#include "emu.h"
#include <cstdio>
#include <vector>

namespace {

constexpr unsigned MANY = UINT32_MAX; // more than one thread, warp or block
constexpr unsigned NONE = UINT32_MAX - 1;

// An access, or several reads since the last write. Stamps of time order fences and atomic operations.
struct Access {
    unsigned block = NONE, thread = 0, warp = 0, block_generation = 0, warp_generation = 0, time = 0;
    bool atomic = false;
};

// A word of four bytes, or one byte that is accessed alone.
struct Word {
    uint64_t key = 0;   // its address and size
    uint64_t stamp = 0; // the launch (device memory) or block (shared memory) of the accesses
    Access read, write;
    bool loaded = false, stored = false;
};

// What is known of a block.
struct Block { unsigned fenced = 0, released = 0; bool acquired = false; };

std::vector<Word> words(1 << 12); // a hash table; its size is a power of two
size_t used = 0;                  // words of this launch
uint64_t stamp = 1, launch_stamp = 1, block_stamp = 1;
std::vector<Block> blocks;
unsigned current_block, now;
KernelCounts launch_counts;
CUdeviceptr known_start = 0, known_end = 0; // where the last access to device memory was

Word &find(uint64_t key, uint64_t oldest) {
    const auto place = [](uint64_t key) { return (key * 0x9e3779b97f4a7c15ull >> 20) & (words.size() - 1); };
    if (2 * used > words.size()) {
        std::vector<Word> old(2 * words.size());
        old.swap(words);
        for (const Word &word : old) {
            if (word.stamp < launch_stamp) continue;
            size_t i = place(word.key);
            while (words[i].stamp != 0) i = (i + 1) & (words.size() - 1);
            words[i] = word;
        }
    }
    size_t i = place(key);
    while (words[i].stamp >= launch_stamp && words[i].key != key) i = (i + 1) & (words.size() - 1);
    Word &word = words[i];
    if (word.stamp < launch_stamp) used++;
    if (word.stamp < oldest) {
        word = Word();
        word.key = key;
    }
    word.stamp = stamp;
    return word;
}

bool ordered(const Access &before, const Access &after) {
    if (before.block == NONE) return true;
    if (before.block == after.block) {
        if (before.block_generation != after.block_generation || before.thread == after.thread) return true;
        return before.warp == after.warp && before.warp_generation != after.warp_generation;
    }
    if (before.block == MANY || !blocks[after.block].acquired) return false;
    // The atomic operation after a fence is ordered itself: "the last block resets the counter".
    const unsigned released = blocks[before.block].released;
    return before.time < released || (before.atomic && before.time == released);
}

// `reads` and one more read.
void add_read(Access &reads, const Access &read) {
    if (ordered(reads, read)) {
        reads = read;
        return;
    }
    if (reads.block != read.block) reads.block = MANY;
    if (reads.thread != read.thread) reads.thread = MANY;
    if (reads.warp != read.warp) reads.warp = MANY;
    reads.atomic = reads.atomic && read.atomic;
    reads.time = read.time;
}

std::string hex(CUdeviceptr at) {
    char text[20];
    snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(at));
    return text;
}

std::string described(const char *kind, const Access &access) {
    if (access.block == MANY) return std::string(kind) + " of several blocks";
    std::string text = std::string(kind) + " of ";
    text += access.thread == MANY ? "several threads" : "thread " + std::to_string(access.thread);
    return text + " of block " + std::to_string(access.block);
}

void race(const char *kind, const Access &before, const char *own, const Access &access, CUdeviceptr at, bool shared) {
    device_fault("a data race in " + std::string(shared ? "shared" : "device") + " memory at " + hex(at) + ": the " +
                 described(own, access) + " and the " + described(kind, before) + " are not ordered");
}

// What a cache as large as the memory would read and write in this launch.
void count_once(Word &word, uint64_t key, bool write) {
    const unsigned bytes = key & 1 ? 1 : 4;
    if (write && !word.stored) launch_counts.distinct_stored += bytes;
    if (!write && !word.loaded && !word.stored) launch_counts.distinct_loaded += bytes;
    (write ? word.stored : word.loaded) = true;
}

void access_word(CUdeviceptr at, uint64_t key, bool write, bool atomic, bool shared) {
    const Place place = running_place();
    Access access;
    access.block = current_block;
    access.thread = place.thread;
    access.warp = place.thread / LANES;
    access.block_generation = place.block_generation;
    access.warp_generation = place.warp_generation;
    access.time = now;
    access.atomic = atomic;
    Word &word = find(key, shared ? block_stamp : launch_stamp);
    if (!shared && atomic) count_once(word, key, false);
    if (!shared) count_once(word, key, write);
    const char *own = write ? "write" : "read";
    if (!(atomic && word.write.atomic) && !ordered(word.write, access))
        race("write", word.write, own, access, at, shared);
    if (!write) return add_read(word.read, access);
    if (!(atomic && word.read.atomic) && !ordered(word.read, access)) race("read", word.read, own, access, at, shared);
    word.write = access;
    word.read = Access();
}

bool is_dynamic_shared(CUdeviceptr at, size_t bytes);

void access(const void *address, size_t bytes, bool write, bool atomic = false) {
    if (running_launch() == nullptr) return;
    const CUdeviceptr at = reinterpret_cast<CUdeviceptr>(address);
    bool shared = false;
    if (at < known_start || at + bytes > known_end) {
        if (is_local_memory(at)) return;
        shared = is_module_memory(at) || is_dynamic_shared(at, bytes);
        if (!shared && !device_range(at, bytes, &known_start, &known_end))
            device_fault((write ? "a write of " : "a read of ") + std::to_string(bytes) + " bytes at " + hex(at) +
                         ", outside of the allocations");
    }
    if (!shared) {
        (write ? launch_counts.stores : launch_counts.loads)++;
        (write ? launch_counts.bytes_stored : launch_counts.bytes_loaded) += bytes;
    }
    if (bytes < 4) {
        for (size_t i = 0; i < bytes; i++) access_word(at + i, (at + i) << 1 | 1, write, atomic, shared);
    } else {
        const CUdeviceptr end = at + bytes;
        for (CUdeviceptr word = at & ~3ull; word < end; word += 4) access_word(word, word << 1, write, atomic, shared);
    }
}

} // namespace

extern "C" {
extern struct { Index thread, block, block_dim, grid_dim; } cuda_emu_now;
extern char cuda_emu_dynamic_shared[228 * 1024];

void cuda_emu_atomic(void *at, unsigned bytes, bool is_float) {
    access(at, bytes, true, true);
    launch_counts.loads++;
    launch_counts.bytes_loaded += bytes;
    if (is_float) launch_counts.float_atomics++;
    Block &block = blocks[current_block];
    block.released = block.fenced;
    block.acquired = true;
}

void cuda_emu_fence() { blocks[current_block].fenced = ++now; }

void __tsan_init() {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void **, void *) {}
void __tsan_read_range(void *at, size_t bytes) { access(at, bytes, false); }
void __tsan_write_range(void *at, size_t bytes) { access(at, bytes, true); }
#define HOOKS(N)                                                                                                       \
    void __tsan_read##N(void *at) { access(at, N, false); }                                                            \
    void __tsan_write##N(void *at) { access(at, N, true); }                                                            \
    void __tsan_volatile_read##N(void *at) { access(at, N, false); }                                                   \
    void __tsan_volatile_write##N(void *at) { access(at, N, true); }                                                   \
    void __tsan_unaligned_read##N(void *at) { access(at, N, false); }                                                  \
    void __tsan_unaligned_write##N(void *at) { access(at, N, true); }
HOOKS(1) HOOKS(2) HOOKS(4) HOOKS(8) HOOKS(16)
}

namespace {

bool is_dynamic_shared(CUdeviceptr at, size_t bytes) {
    const CUdeviceptr start = reinterpret_cast<CUdeviceptr>(cuda_emu_dynamic_shared);
    if (at < start || at >= start + sizeof cuda_emu_dynamic_shared) {
        const CUdeviceptr built_in = reinterpret_cast<CUdeviceptr>(&cuda_emu_now);
        return at >= built_in && at < built_in + sizeof cuda_emu_now;
    }
    if (at + bytes > start + running_launch()->dynamic_shared)
        device_fault("an access beyond the dynamic shared memory of the launch");
    return true;
}

} // namespace

void races_begin_launch() {
    launch_stamp = ++stamp;
    used = 0;
    now = 1;
    const Index grid = running_launch()->grid;
    blocks.assign(static_cast<size_t>(grid.x) * grid.y * grid.z, Block());
    launch_counts = {};
    known_start = known_end = 0; // allocations may have changed
}

void races_begin_block(unsigned block) {
    block_stamp = ++stamp;
    current_block = block;
}

void races_end_launch() {
    KernelCounts &all = kernel_counts(running_launch()->function->name);
    all.loads += launch_counts.loads;
    all.stores += launch_counts.stores;
    all.bytes_loaded += launch_counts.bytes_loaded;
    all.bytes_stored += launch_counts.bytes_stored;
    all.distinct_loaded += launch_counts.distinct_loaded;
    all.distinct_stored += launch_counts.distinct_stored;
    all.float_atomics += launch_counts.float_atomics;
}
