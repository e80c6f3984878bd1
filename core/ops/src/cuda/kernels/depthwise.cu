// Convolutions with one input and one output channel a group.

__device__ __forceinline__ float depthwise_output(const ConvArgs &args, int p, int channel) {
    const WindowShape &v = args.window;
    const Pixel out = pixel(p, v.out_h, v.out_w);
    float sum = 0;
    for (int a = 0; a < v.kernel_h; a++)
        for (int b = 0; b < v.kernel_w; b++) {
            const int at = tapped(v, out, a, b), i = at * v.c_in + channel;
            if (at >= 0) sum += read(args.x, i, channel, v.c_in) * args.weight[(a * v.kernel_w + b) * v.c_in + channel];
        }
    return sum;
}

// One thread an output value.
extern "C" __global__ void depthwise_forward(ConvArgs args) {
    const WindowShape &v = args.window;
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < v.n * v.out_h * v.out_w * v.c_in) args.out[i] = depthwise_output(args, i / v.c_in, i % v.c_in);
}

// With the statistics of the output. The grid is (tiles of channels, chunks of pixels).
extern "C" __global__ void depthwise_forward_norm(ConvArgs args) {
    const Statistics &s = args.statistics;
    sum_over_pixels<2>(
        s.pixels, s.channels, s.partial, s.counters,
        [&](int p, int c, double *sums) {
            const float y = depthwise_output(args, p, c);
            args.out[p * s.channels + c] = y;
            sums[0] += y;
            sums[1] += (double)y * y;
        },
        [&](int c, const double *sums) { write_statistics(s, c, sums[0], sums[1]); });
}

// One thread an input value.
extern "C" __global__ void depthwise_input_gradient(ConvArgs args) {
    const WindowShape &v = args.window;
    const int c = v.c_in, size = v.n * v.h * v.w * c, i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    const Pixel in = pixel(i / c, v.h, v.w);
    const int channel = i % c;
    float sum = 0;
    if (passes(read_linear(args.x, i, channel, c), args.x.rectifier))
        for (int a = 0; a < v.kernel_h; a++)
            for (int b = 0; b < v.kernel_w; b++) {
                const int at = reader(v, in, a, b);
                if (at >= 0)
                    sum += read(args.dy, at * c + channel, channel, c) * args.weight[(a * v.kernel_w + b) * c + channel];
            }
    write(args.out + i, sum, args.overwrite);
}

// The grid is (tiles of channels, chunks of pixels, taps).
extern "C" __global__ void depthwise_weight_gradient(ConvArgs args) {
    const WindowShape &v = args.window;
    const int c = v.c_in, t = blockIdx.z, a = t / v.kernel_w, b = t % v.kernel_w;
    sum_over_pixels<1>(
        v.n * v.out_h * v.out_w, c, (double *)args.partial, args.counters,
        [&](int p, int channel, double *sums) {
            const int at = tapped(v, pixel(p, v.out_h, v.out_w), a, b);
            if (at >= 0) sums[0] += read(args.x, at * c + channel, channel, c) * read(args.dy, p * c + channel, channel, c);
        },
        [&](int channel, const double *sums) { args.out[t * c + channel] += (float)sums[0]; });
}
