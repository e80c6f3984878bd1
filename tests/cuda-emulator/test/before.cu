// Wrong: the first thread writes the number before the beginning of `out`.
extern "C" __global__ void test(float *out, const float *in, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i - 1] = in[i];
}
