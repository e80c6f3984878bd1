// Arguments that a GPU refuses, which the emulated one must refuse too. Prints nothing if all are.
#include "calls.h"

namespace {

void expect(const char *what, int found, const char *expected) {
    if (std::string(name_of(found)) == expected) return;
    printf("%s: expected %s, found %s\n", what, expected, name_of(found));
    exit(1);
}

} // namespace

int main() {
    const char *bad = "CUDA_ERROR_INVALID_VALUE";
    void *context, *module, *function;
    CUdeviceptr at;
    expect("a call before cuInit", cuDeviceGetCount(new int), "CUDA_ERROR_NOT_INITIALIZED");
    check(cuInit(0));
    expect("an allocation without context", cuMemAlloc_v2(&at, 4), "CUDA_ERROR_INVALID_CONTEXT");
    expect("a second GPU", cuDevicePrimaryCtxRetain(&context, 1), "CUDA_ERROR_INVALID_DEVICE");
    check(cuDevicePrimaryCtxRetain(&context, 0));
    check(cuCtxSetCurrent(context));
    check(cuMemAlloc_v2(&at, 40));
    char host[48] = {};
    expect("a copy beyond its target", cuMemcpyHtoD_v2(at + 4, host, 40), bad);
    expect("a copy beyond its source", cuMemcpyDtoH_v2(host, at, 44), bad);
    expect("a fill beyond its target", cuMemsetD8_v2(at, 0, 41), bad);
    expect("more memory than there is", cuMemAlloc_v2(&at, 1ull << 40), "CUDA_ERROR_OUT_OF_MEMORY");
    expect("freeing what nobody allocated", cuMemFree_v2(at + 1), bad);
    expect("text that is no kernel", cuModuleLoadData(&module, ".version 7.0"), "CUDA_ERROR_INVALID_IMAGE");
    check(cuModuleLoadData(&module, compiled("extern \"C\" __global__ void empty() {}").c_str()));
    expect("an unknown kernel", cuModuleGetFunction(&function, module, "full"), "CUDA_ERROR_NOT_FOUND");
    check(cuModuleGetFunction(&function, module, "empty"));
    const auto launch = [&](unsigned x, unsigned y, unsigned threads, unsigned z, unsigned shared) {
        return cuLaunchKernel(function, x, y, 1, threads, 1, z, shared, nullptr, nullptr, nullptr);
    };
    check(launch(1, 65535, 1, 1, 0));
    check(launch(1, 1, 1024, 1, 48 * 1024));
    expect("an empty grid", launch(0, 1, 1, 1, 0), bad);
    expect("too many rows of blocks", launch(1, 65536, 1, 1, 0), bad);
    expect("an empty block", launch(1, 1, 0, 1, 0), bad);
    expect("1,025 threads", launch(1, 1, 1025, 1, 0), bad);
    expect("65 layers of threads", launch(1, 1, 1, 65, 0), bad);
    expect("more than 48 KB of shared memory", launch(1, 1, 1, 1, 48 * 1024 + 1), bad);
    check(cuFuncSetAttribute(function, 8, 100 * 1024));
    check(launch(1, 1, 1, 1, 100 * 1024));
    expect("more than 227 KB of shared memory", cuFuncSetAttribute(function, 8, 228 * 1024), bad);
}
