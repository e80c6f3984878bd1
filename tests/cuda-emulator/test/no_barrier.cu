// Wrong: no barrier between writing and reading shared memory.
extern "C" __global__ void test(float *out, const float *in, int n) {
    __shared__ float copy[64];
    copy[threadIdx.x] = in[threadIdx.x];
    out[threadIdx.x] = copy[threadIdx.x ^ 1];
}
