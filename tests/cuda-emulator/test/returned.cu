// Wrong: some threads return before the barrier at which the others wait.
extern "C" __global__ void test(float *out, const float *in, int n) {
    if (threadIdx.x >= 20) return;
    __syncthreads();
    out[threadIdx.x] = in[threadIdx.x];
}
