// Wrong: the last thread reads one number beyond the end of `in`.
extern "C" __global__ void test(float *out, const float *in, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = in[i + 1];
}
