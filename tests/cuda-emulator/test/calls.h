// Declarations of the driver and NVRTC, and a check of their results.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

typedef uint64_t CUdeviceptr;
extern "C" {
int cuInit(unsigned);
int cuGetErrorName(int, const char **);
int cuDeviceGetCount(int *);
int cuDevicePrimaryCtxRetain(void **, int);
int cuCtxSetCurrent(void *);
int cuModuleLoadData(void **, const void *);
int cuModuleGetFunction(void **, void *, const char *);
int cuFuncSetAttribute(void *, int, int);
int cuMemAlloc_v2(CUdeviceptr *, size_t);
int cuMemFree_v2(CUdeviceptr);
int cuMemHostAlloc(void **, size_t, unsigned);
int cuMemFreeHost(void *);
int cuMemcpyHtoDAsync_v2(CUdeviceptr, const void *, size_t, void *);
int cuStreamCreate(void **, unsigned);
int cuStreamWaitEvent(void *, void *, unsigned);
int cuEventCreate(void **, unsigned);
int cuEventRecord(void *, void *);
int cuEventSynchronize(void *);
int cuMemsetD8_v2(CUdeviceptr, unsigned char, size_t);
int cuMemcpyHtoD_v2(CUdeviceptr, const void *, size_t);
int cuMemcpyDtoH_v2(void *, CUdeviceptr, size_t);
int cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);
int nvrtcCreateProgram(void **, const char *, const char *, int, const char *const *, const char *const *);
int nvrtcCompileProgram(void *, int, const char *const *);
int nvrtcGetPTXSize(void *, size_t *);
int nvrtcGetPTX(void *, char *);
int nvrtcGetProgramLogSize(void *, size_t *);
int nvrtcGetProgramLog(void *, char *);
}

inline const char *name_of(int result) {
    const char *name = "unknown";
    cuGetErrorName(result, &name);
    return name;
}

inline void check(int result) {
    if (result == 0) return;
    printf("%s\n", name_of(result));
    exit(1);
}

inline std::string compiled(const std::string &source) {
    void *program;
    check(nvrtcCreateProgram(&program, source.c_str(), nullptr, 0, nullptr, nullptr));
    const bool failed = nvrtcCompileProgram(program, 0, nullptr) != 0;
    size_t size;
    failed ? nvrtcGetProgramLogSize(program, &size) : nvrtcGetPTXSize(program, &size);
    std::string text(size - 1, ' ');
    failed ? nvrtcGetProgramLog(program, &text[0]) : nvrtcGetPTX(program, &text[0]);
    if (!failed) return text;
    printf("%s\n", text.c_str());
    exit(1);
}
