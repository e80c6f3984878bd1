// Runs a kernel file on the emulated GPU: compiles it with NVRTC, launches its kernel
// `test(float *out, const float *in, int n)` on in = 0, 1, 2, ..., and prints `out`.
//   usage: run FILE.cu BLOCKS THREADS SHARED_BYTES N
#include "calls.h"
#include <fstream>
#include <numeric>
#include <vector>

int main(int, char **argv) {
    std::ifstream file(argv[1]);
    const std::string source((std::istreambuf_iterator<char>(file)), {});
    const unsigned blocks = atoi(argv[2]), threads = atoi(argv[3]), shared = atoi(argv[4]);
    int n = atoi(argv[5]);

    void *context, *module, *function;
    check(cuInit(0));
    check(cuDevicePrimaryCtxRetain(&context, 0));
    check(cuCtxSetCurrent(context));
    check(cuModuleLoadData(&module, compiled(source).c_str()));
    check(cuModuleGetFunction(&function, module, "test"));

    std::vector<float> values(n);
    std::iota(values.begin(), values.end(), 0.0f);
    CUdeviceptr in, out;
    check(cuMemAlloc_v2(&in, n * sizeof(float)));
    check(cuMemAlloc_v2(&out, n * sizeof(float)));
    check(cuMemcpyHtoD_v2(in, values.data(), n * sizeof(float)));
    check(cuMemsetD8_v2(out, 0, n * sizeof(float)));
    void *params[] = {&out, &in, &n};
    check(cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, shared, nullptr, params, nullptr));
    check(cuMemcpyDtoH_v2(values.data(), out, n * sizeof(float)));
    for (float value : values) printf("%g ", value);
    printf("\n");
    check(cuMemFree_v2(in));
    check(cuMemFree_v2(out));
}
