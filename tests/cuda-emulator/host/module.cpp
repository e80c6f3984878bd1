// Modules: what our `nvcc` wrote is loaded as a shared library. Functions and their launches.
#include "emu.h"
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <link.h>
#include <map>
#include <memory>
#include <mutex>
#include <unistd.h>
#include <vector>

namespace {

struct Module {
    void *library = nullptr;
    std::map<std::string, std::unique_ptr<Function>> functions;
};

std::mutex modules;
std::vector<std::pair<CUdeviceptr, CUdeviceptr>> segments; // of loaded modules

// The bytes of base64 text; other characters are skipped.
std::string from_base64(const char *text) {
    std::string bytes;
    uint32_t bits = 0;
    int count = 0;
    for (; *text != 0 && *text != '='; text++) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *digit = strchr(digits, *text);
        if (digit == nullptr) continue;
        bits = bits << 6 | static_cast<uint32_t>(digit - digits);
        count += 6;
        if (count >= 8) bytes += static_cast<char>(bits >> (count -= 8));
    }
    return bytes;
}

void add_segments(void *library) {
    const link_map *map;
    if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0) return;
    dl_iterate_phdr(
        [](dl_phdr_info *info, size_t, void *base) {
            if (info->dlpi_addr != reinterpret_cast<const link_map *>(base)->l_addr) return 0;
            for (int i = 0; i < info->dlpi_phnum; i++) {
                const auto &header = info->dlpi_phdr[i];
                const CUdeviceptr start = info->dlpi_addr + header.p_vaddr;
                if (header.p_type == PT_LOAD) segments.push_back({start, start + header.p_memsz});
            }
            return 1;
        },
        const_cast<link_map *>(map));
}

// Modules stay loaded, for every device that asks again.
CUresult load(CUhandle *module, const char *ptx) {
    static std::map<std::string, Module> loaded;
    if (!has_context()) return INVALID_CONTEXT;
    if (options().driver == Options::OLD) return UNSUPPORTED_PTX_VERSION;
    if (allocation_fails()) return OUT_OF_MEMORY;
    static const char mark[] = "// cuda-emu 2\n";
    if (strncmp(ptx, mark, strlen(mark)) != 0) return INVALID_IMAGE;
    std::lock_guard<std::mutex> guard(modules);
    Module &entry = loaded[ptx];
    if (entry.library == nullptr) {
        char path[] = "/tmp/cuda-emu-XXXXXX"; // a new name each time: the loader knows libraries by their paths
        const int file = mkstemp(path);
        if (file < 0) return OUT_OF_MEMORY;
        const std::string bytes = from_base64(ptx + strlen(mark));
        if (write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()))
            entry.library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        close(file);
        unlink(path);
        if (entry.library == nullptr) {
            fprintf(stderr, "cuda-emu: %s\n", dlerror());
            return INVALID_IMAGE;
        }
        add_segments(entry.library);
    }
    *module = &entry;
    return SUCCESS;
}

} // namespace

bool is_module_memory(CUdeviceptr at) {
    static std::pair<CUdeviceptr, CUdeviceptr> last;
    if (at >= last.first && at < last.second) return true;
    for (const auto &segment : segments) {
        if (at < segment.first || at >= segment.second) continue;
        last = segment;
        return true;
    }
    return false;
}

extern "C" {

CUresult cuModuleLoadData(CUhandle *module, const void *image) { return load(module, static_cast<const char *>(image)); }
CUresult cuModuleLoad(CUhandle *module, const char *path) {
    std::ifstream file(path);
    if (!file) return FILE_NOT_FOUND;
    return load(module, std::string(std::istreambuf_iterator<char>(file), {}).c_str());
}
CUresult cuModuleUnload(CUhandle) { return SUCCESS; }
CUresult cuModuleGetFunction(CUhandle *function, CUhandle module, const char *name) {
    Module &entry = *static_cast<Module *>(module);
    std::lock_guard<std::mutex> guard(modules);
    std::unique_ptr<Function> &known = entry.functions[name];
    if (known == nullptr) {
        void *symbol = dlsym(entry.library, (std::string("cuda_emu_run_") + name).c_str());
        if (symbol == nullptr) return entry.functions.erase(name), NOT_FOUND;
        const bool traced = dlsym(entry.library, "cuda_emu_traced") != nullptr;
        known.reset(new Function{reinterpret_cast<BlockFunction>(symbol), name, traced});
    }
    *function = known.get();
    return SUCCESS;
}

CUresult cuFuncSetAttribute(CUhandle function, int attribute, int value) {
    constexpr int MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;
    if (attribute != MAX_DYNAMIC_SHARED_SIZE_BYTES) return SUCCESS;
    if (value < 0 || value > 227 * 1024) return INVALID_VALUE;
    static_cast<Function *>(function)->max_dynamic_shared = static_cast<unsigned>(value);
    return SUCCESS;
}

CUresult cuLaunchKernel(CUhandle function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                        unsigned block_y, unsigned block_z, unsigned shared_bytes, CUhandle, void **params, void **) {
    if (!has_context()) return INVALID_CONTEXT;
    if (function == nullptr) return INVALID_HANDLE;
    const Function *kernel = static_cast<Function *>(function);
    const uint64_t threads = static_cast<uint64_t>(block_x) * block_y * block_z;
    if (threads == 0 || threads > MAX_THREADS || block_z > 64) return INVALID_VALUE;
    if (grid_x == 0 || grid_y == 0 || grid_z == 0 || grid_x > INT32_MAX || grid_y > 65535 || grid_z > 65535)
        return INVALID_VALUE;
    if (shared_bytes > kernel->max_dynamic_shared) return INVALID_VALUE;
    run_grid({kernel, params, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes});
    return SUCCESS;
}

} // extern "C"
