// The product of a 16 x 8 matrix and an 8 x 8 matrix on tensor cores, in[] and in[128..]; lanes as in the PTX ISA.
extern "C" __global__ void test(float *out, const float *in, int n) {
    const int lane = threadIdx.x, g = lane / 4, t = lane % 4;
    const float *left = in, *right = in + 128;
    float d[4] = {1, 1, 1, 1};
    const float a[4] = {left[8 * g + t], left[8 * (g + 8) + t], left[8 * g + t + 4], left[8 * (g + 8) + t + 4]};
    const float b[2] = {right[8 * t + g], right[8 * (t + 4) + g]};
    cuda_emu_mma_m16n8k8(d, a, b);
    for (int i = 0; i < 4; i++) out[8 * (g + i / 2 * 8) + 2 * t + i % 2] = d[i];
}
