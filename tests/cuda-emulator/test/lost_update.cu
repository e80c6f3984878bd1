// Wrong: updates of several threads overwrite each other on a GPU. One thread after another gives the right sum.
extern "C" __global__ void test(float *out, const float *in, int n) { out[0] += in[threadIdx.x]; }
