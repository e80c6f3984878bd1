// Batch normalisation: statistics of a batch, and the sums that its backward pass needs. Readers apply it.

struct NormKernelArgs {
    Source x, dy;
    Statistics statistics;
    const float *mean, *variance; // fixed statistics
    float *coefficients;          // [mean | factor | centred | constant]
    float *d_scale, *d_shift;     // gradients to add to, or null
    int batch;
};

// The normalisation by fixed statistics. One thread a channel.
extern "C" __global__ void norm_fixed(NormKernelArgs args) {
    const int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c < args.statistics.channels) write_vectors(args.statistics, c, args.mean[c], args.variance[c]);
}

// Mean and biased variance of each channel, and the normalisation by them.
extern "C" __global__ void norm_batch(NormKernelArgs args) {
    const Statistics &s = args.statistics;
    sum_over_pixels<2>(
        s.pixels, s.channels, s.partial, s.counters,
        [&](int p, int c, double *sums) {
            const double x = read(args.x, p * s.channels + c, c, s.channels);
            sums[0] += x;
            sums[1] += x * x;
        },
        [&](int c, const double *sums) { write_statistics(s, c, sums[0], sums[1]); });
}

// From the gradient `dy` of the output and the input `x`: the coefficients of the gradient of x, and the gradients of
// scale and shift. With fixed statistics no gradient flows through them.
extern "C" __global__ void norm_backward(NormKernelArgs args) {
    const Statistics &s = args.statistics;
    const int channels = s.channels;
    sum_over_pixels<2>(
        s.pixels, channels, s.partial, s.counters,
        [&](int p, int c, double *sums) {
            const int i = p * channels + c;
            const double dy = args.dy.values[i];
            sums[0] += dy;
            sums[1] += dy * ((double)args.x.values[i] - s.vectors[c]);
        },
        [&](int c, const double *sums) {
            const double factor = s.vectors[channels + c], inverse = s.vectors[3 * channels + c];
            const double share = args.batch ? factor / s.pixels : 0;
            args.coefficients[c] = s.vectors[c];
            args.coefficients[channels + c] = (float)factor;
            args.coefficients[2 * channels + c] = (float)(-share * sums[1] * inverse * inverse);
            args.coefficients[3 * channels + c] = (float)(-share * sums[0]);
            if (args.d_scale) args.d_scale[c] += (float)(sums[1] * inverse);
            if (args.d_shift) args.d_shift[c] += (float)sums[0];
        });
}

// Sums of a gradient over all pixels, added to the gradient of a bias.
extern "C" __global__ void bias_gradient(NormKernelArgs args) {
    const Statistics &s = args.statistics;
    sum_over_pixels<1>(
        s.pixels, s.channels, s.partial, s.counters,
        [&](int p, int c, double *sums) { sums[0] += args.dy.values[p * s.channels + c]; },
        [&](int c, const double *sums) { args.d_shift[c] += (float)sums[0]; });
}
