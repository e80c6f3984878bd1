// Device memory: allocations, copies and fills. A copy or fill that reaches beyond an allocation is refused.
//
// CUDA_EMU_GUARD=1 ends every allocation at an inaccessible page and never reuses addresses: a kernel that reads or writes
// beyond a buffer, or uses a freed one, faults. CUDA_EMU_FAIL_ALLOCATION=N refuses the N-th allocation and all after it.
#include "emu.h"
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <signal.h>
#include <sys/mman.h>

namespace {

constexpr size_t TOTAL_MEMORY = 16ull << 30, PAGE = 4096;

std::mutex memory;
std::map<CUdeviceptr, size_t> allocations; // address to size
std::map<CUdeviceptr, size_t> page_locked; // memory of the host, address to size
uint64_t attempts = 0;                     // allocations so far, refused ones included

bool guarded() {
    static const bool on = [] {
        if (!options().guard) return false;
        signal(SIGSEGV, [](int) { device_fault("an access outside of the allocations"); });
        return true;
    }();
    return on;
}

size_t room_for(size_t bytes) { return bytes == 0 ? 16 : (bytes + 15) / 16 * 16; }
size_t pages(size_t bytes) { return (bytes + PAGE - 1) / PAGE * PAGE; }

CUresult allocate(CUdeviceptr *out, size_t bytes) {
    if (!has_context()) return INVALID_CONTEXT;
    if (allocation_fails()) return OUT_OF_MEMORY;
    std::lock_guard<std::mutex> lock(memory);
    if (bytes > TOTAL_MEMORY - counts.bytes_in_use) return OUT_OF_MEMORY;
    const size_t room = room_for(bytes);
    char *at;
    if (guarded()) {
        at = static_cast<char *>(
            mmap(nullptr, pages(room) + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (at == MAP_FAILED) return OUT_OF_MEMORY;
        mprotect(at + pages(room), PAGE, PROT_NONE);
        at += pages(room) - room;
    } else {
        at = static_cast<char *>(aligned_alloc(256, (room + 255) / 256 * 256));
        if (at == nullptr) return OUT_OF_MEMORY;
    }
    memset(at, 0xff, room); // as floats NaN, which spreads to the results of a kernel that reads what nobody wrote
    *out = reinterpret_cast<CUdeviceptr>(at);
    allocations[*out] = bytes;
    counts.allocations++;
    counts.bytes_allocated += bytes;
    counts.bytes_in_use += bytes;
    if (counts.bytes_in_use > counts.bytes_peak) counts.bytes_peak = counts.bytes_in_use;
    return SUCCESS;
}

CUresult release(CUdeviceptr at) {
    if (!has_context()) return INVALID_CONTEXT;
    std::lock_guard<std::mutex> lock(memory);
    auto found = allocations.find(at);
    if (found == allocations.end()) return INVALID_VALUE;
    const size_t bytes = found->second, room = room_for(bytes);
    fault_if_copied(reinterpret_cast<void *>(at), bytes);
    counts.frees++;
    counts.bytes_in_use -= bytes;
    allocations.erase(found);
    if (guarded()) {
        // The addresses stay reserved and the memory returns to the system. All that is reserved has the same properties, so
        // that the system joins it: it has a limit on the number of pieces.
        void *start = reinterpret_cast<void *>(at + room - pages(room));
        mmap(start, pages(room) + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    } else {
        free(reinterpret_cast<void *>(at));
    }
    return SUCCESS;
}

CUresult fill(CUdeviceptr at, unsigned char value, size_t bytes) {
    if (!has_context()) return INVALID_CONTEXT;
    if (!is_device_memory(at, bytes)) return INVALID_VALUE;
    counts.fills++;
    counts.bytes_filled += bytes;
    memset(reinterpret_cast<void *>(at), value, bytes);
    return SUCCESS;
}

CUresult copy(void *to, const void *from, size_t bytes, bool to_device, bool from_device) {
    if (!has_context()) return INVALID_CONTEXT;
    if (to_device && !is_device_memory(reinterpret_cast<CUdeviceptr>(to), bytes)) return INVALID_VALUE;
    if (from_device && !is_device_memory(reinterpret_cast<CUdeviceptr>(from), bytes)) return INVALID_VALUE;
    memmove(to, from, bytes);
    return SUCCESS;
}

void count_to_device(size_t bytes) {
    counts.copies_to_device++;
    counts.bytes_to_device += bytes;
}

CUresult to_device(void *to, const void *from, size_t bytes) {
    count_to_device(bytes);
    return copy(to, from, bytes, true, false);
}

CUresult to_host(void *to, const void *from, size_t bytes) {
    counts.copies_to_host++;
    counts.bytes_to_host += bytes;
    return copy(to, from, bytes, false, true);
}

CUresult on_device(void *to, const void *from, size_t bytes) {
    counts.copies_on_device++;
    counts.bytes_on_device += bytes;
    return copy(to, from, bytes, true, true);
}

} // namespace

namespace {

// The piece of memory that holds all of the bytes, or the end.
std::map<CUdeviceptr, size_t>::const_iterator find(const std::map<CUdeviceptr, size_t> &pieces, CUdeviceptr at, size_t bytes) {
    auto after = pieces.upper_bound(at);
    if (after == pieces.begin()) return pieces.end();
    const auto &[first, size] = *--after;
    return at - first <= size && bytes <= size - (at - first) ? after : pieces.end();
}

bool is_page_locked(const void *at, size_t bytes) {
    std::lock_guard<std::mutex> lock(memory);
    return find(page_locked, reinterpret_cast<CUdeviceptr>(at), bytes) != page_locked.end();
}

} // namespace

bool device_range(CUdeviceptr at, size_t bytes, CUdeviceptr *start, CUdeviceptr *end) {
    std::lock_guard<std::mutex> lock(memory);
    const auto found = find(allocations, at, bytes);
    if (found == allocations.end()) return false;
    *start = found->first;
    *end = found->first + found->second;
    return true;
}

bool is_device_memory(CUdeviceptr at, size_t bytes) {
    CUdeviceptr start, end;
    return device_range(at, bytes, &start, &end);
}

bool allocation_fails() {
    std::lock_guard<std::mutex> lock(memory);
    attempts++;
    return options().fail_allocation != 0 && attempts >= options().fail_allocation;
}

extern "C" {

CUresult cuMemGetInfo_v2(size_t *available, size_t *total) {
    return *total = TOTAL_MEMORY, *available = TOTAL_MEMORY - counts.bytes_in_use, SUCCESS;
}
CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice) { return *bytes = TOTAL_MEMORY, SUCCESS; }

CUresult cuMemAlloc_v2(CUdeviceptr *at, size_t bytes) { return bytes == 0 ? INVALID_VALUE : allocate(at, bytes); }
CUresult cuMemAllocAsync(CUdeviceptr *at, size_t bytes, CUhandle) { return allocate(at, bytes); }
CUresult cuMemFree_v2(CUdeviceptr at) { return release(at); }
CUresult cuMemFreeAsync(CUdeviceptr at, CUhandle) { return release(at); }

// Pools of freed memory: one for all, without settings.
CUresult cuDeviceGetDefaultMemPool(CUhandle *pool, CUdevice) { return *pool = &allocations, SUCCESS; }
CUresult cuMemPoolSetAttribute(CUhandle, int, void *) { return has_context() ? SUCCESS : INVALID_CONTEXT; }

// Page-locked memory of the host.
CUresult cuMemHostAlloc(void **at, size_t bytes, unsigned) {
    if (!has_context()) return INVALID_CONTEXT;
    if (bytes == 0) return INVALID_VALUE;
    *at = malloc(bytes);
    if (*at == nullptr) return OUT_OF_MEMORY;
    std::lock_guard<std::mutex> lock(memory);
    page_locked[reinterpret_cast<CUdeviceptr>(*at)] = bytes;
    return SUCCESS;
}
CUresult cuMemAllocHost_v2(void **at, size_t bytes) { return cuMemHostAlloc(at, bytes, 0); }
CUresult cuMemFreeHost(void *at) {
    std::lock_guard<std::mutex> lock(memory);
    auto found = page_locked.find(reinterpret_cast<CUdeviceptr>(at));
    if (found == page_locked.end()) return INVALID_VALUE;
    fault_if_copied(at, found->second);
    page_locked.erase(found);
    return free(at), SUCCESS;
}
CUresult cuMemHostRegister_v2(void *, size_t, unsigned) { return has_context() ? SUCCESS : INVALID_CONTEXT; }
CUresult cuMemHostUnregister(void *) { return has_context() ? SUCCESS : INVALID_CONTEXT; }

CUresult cuMemsetD8_v2(CUdeviceptr at, unsigned char value, size_t bytes) { return fill(at, value, bytes); }
CUresult cuMemsetD8Async(CUdeviceptr at, unsigned char value, size_t bytes, CUhandle) { return fill(at, value, bytes); }

CUresult cuMemcpyHtoD_v2(void *to, const void *from, size_t bytes) { return to_device(to, from, bytes); }
CUresult cuMemcpyHtoDAsync_v2(void *to, const void *from, size_t bytes, CUhandle stream) {
    // Memory that is not page-locked may be used again when the call returns.
    if (stream == nullptr || !is_page_locked(from, bytes)) return to_device(to, from, bytes);
    if (!has_context()) return INVALID_CONTEXT;
    if (!is_device_memory(reinterpret_cast<CUdeviceptr>(to), bytes)) return INVALID_VALUE;
    count_to_device(bytes);
    return copy_later(stream, to, from, bytes), SUCCESS;
}
CUresult cuMemcpyDtoD_v2(void *to, const void *from, size_t bytes) { return on_device(to, from, bytes); }
CUresult cuMemcpyDtoDAsync_v2(void *to, const void *from, size_t bytes, CUhandle) { return on_device(to, from, bytes); }
CUresult cuMemcpyDtoH_v2(void *to, const void *from, size_t bytes) {
    counts.synchronisations++;
    return to_host(to, from, bytes);
}
CUresult cuMemcpyDtoHAsync_v2(void *to, const void *from, size_t bytes, CUhandle) { return to_host(to, from, bytes); }

} // extern "C"
