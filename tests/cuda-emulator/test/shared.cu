// Wrong if launched with fewer than n * 4 bytes of dynamic shared memory.
extern "C" __global__ void test(float *out, const float *in, int n) {
    extern __shared__ float copy[];
    const int i = threadIdx.x;
    copy[i] = in[i];
    __syncthreads();
    out[i] = copy[n - 1 - i];
}
