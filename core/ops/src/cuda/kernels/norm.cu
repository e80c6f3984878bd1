// Batch normalisation: statistics of a batch, and the sums that its backward pass needs. Readers apply it.

struct NormArgs {
    Source x, dy;
    const float *mean, *variance, *scale, *shift; // fixed statistics and learned vectors, or null
    float *new_mean, *new_variance;               // statistics of the batch
    float *vectors;                               // [mean | factor | shift | inverse]
    float *coefficients;                          // [mean | factor | centred | constant]
    float *d_scale, *d_shift;                     // gradients to add to, or null
    double *partial;
    unsigned *counters;
    float eps;
    int pixels, channels, batch;
};

__device__ __forceinline__ void write_vectors(const NormArgs &args, int c, float mean, float variance) {
    const float inverse = (float)(1.0 / sqrt((double)variance + (double)args.eps));
    args.vectors[c] = mean;
    args.vectors[args.channels + c] = args.scale ? args.scale[c] * inverse : inverse;
    args.vectors[2 * args.channels + c] = args.shift ? args.shift[c] : 0.0f;
    args.vectors[3 * args.channels + c] = inverse;
}

// The normalisation by fixed statistics. One thread a channel.
extern "C" __global__ void norm_fixed(NormArgs args) {
    const int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c < args.channels) write_vectors(args, c, args.mean[c], args.variance[c]);
}

// Mean and biased variance of each channel, and the normalisation by them. Values are taken relative to the first
// pixel, so that a large mean costs the variance no precision.
extern "C" __global__ void norm_batch(NormArgs args) {
    const int channels = args.channels;
    sum_over_pixels<2>(
        args.pixels, channels, args.partial, args.counters,
        [&](int p, int c, double *sums) {
            const double x = (double)read(args.x, p * channels + c, c, channels) - read(args.x, c, c, channels);
            sums[0] += x;
            sums[1] += x * x;
        },
        [&](int c, const double *sums) {
            const double mean = sums[0] / args.pixels, variance = sums[1] / args.pixels - mean * mean;
            args.new_mean[c] = (float)(read(args.x, c, c, channels) + mean);
            args.new_variance[c] = (float)(variance > 0 || variance != variance ? variance : 0);
            write_vectors(args, c, args.new_mean[c], args.new_variance[c]);
        });
}

// From the gradient `dy` of the output and the input `x`: the coefficients of the gradient of x, and the gradients of
// scale and shift. With fixed statistics no gradient flows through them.
extern "C" __global__ void norm_backward(NormArgs args) {
    const int channels = args.channels;
    sum_over_pixels<2>(
        args.pixels, channels, args.partial, args.counters,
        [&](int p, int c, double *sums) {
            const int i = p * channels + c;
            const double dy = args.dy.values[i];
            sums[0] += dy;
            sums[1] += dy * ((double)read(args.x, i, c, channels) - args.vectors[c]);
        },
        [&](int c, const double *sums) {
            const double factor = args.vectors[channels + c], inverse = args.vectors[3 * channels + c];
            const double share = args.batch ? factor / args.pixels : 0;
            args.coefficients[c] = args.vectors[c];
            args.coefficients[channels + c] = (float)factor;
            args.coefficients[2 * channels + c] = (float)(-share * sums[1] * inverse * inverse);
            args.coefficients[3 * channels + c] = (float)(-share * sums[0]);
            if (args.d_scale) args.d_scale[c] += (float)(sums[1] * inverse);
            if (args.d_shift) args.d_shift[c] += (float)sums[0];
        });
}

// Sums of a gradient over all pixels, added to the gradient of a bias.
extern "C" __global__ void bias_gradient(NormArgs args) {
    sum_over_pixels<1>(
        args.pixels, args.channels, args.partial, args.counters,
        [&](int p, int c, double *sums) { sums[0] += args.dy.values[p * args.channels + c]; },
        [&](int c, const double *sums) { args.d_shift[c] += (float)sums[0]; });
}
