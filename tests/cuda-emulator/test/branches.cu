// Wrong: the threads of a block wait at two different barriers.
extern "C" __global__ void test(float *out, const float *in, int n) {
    if (threadIdx.x % 2) {
        out[threadIdx.x] = in[threadIdx.x];
        __syncthreads();
    } else {
        __syncthreads();
        out[threadIdx.x] = in[threadIdx.x];
    }
}
