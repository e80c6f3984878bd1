// Code that all kernels share: reading of activations, windows, and sums over the pixels of a batch.
//
// Layouts are those of the crate: activations [n, h, w, c], weights [kh, kw, c_in / groups, c_out]. No kernel uses
// floating-point atomics: the order of every sum depends on the shapes alone, hence equal inputs give equal bits.

// Kinds of `Source`: stored values, normalised values, gradient through a batch normalisation.
enum Kind { PLAIN, NORMALISED, GRADIENT };
enum Rectifier { NONE, RELU, RELU6 };

// An activation as kernels read it.
//   NORMALISED: (values - mean) factor + shift; vectors are [mean | factor | shift | inverse], each of c.
//   GRADIENT:   the gradient of the input of a batch normalisation, from the gradient `values` of its output and the
//               input `other`: values factor + (other - mean) centred + constant; vectors are
//               [mean | factor | centred | constant].
struct Source {
    const float *values, *other, *vectors;
    int kind, rectifier;
};

// NaNs stay NaNs: they show that a network has diverged.
__device__ __forceinline__ float rectified(float x, int rectifier) {
    if (rectifier != NONE && x <= 0.0f) return 0.0f;
    if (rectifier == RELU6 && x >= 6.0f) return 6.0f;
    return x;
}

// Whether the gradient passes the rectifier at its input x.
__device__ __forceinline__ bool passes(float x, int rectifier) {
    return !(rectifier != NONE && x <= 0.0f) && !(rectifier == RELU6 && x >= 6.0f);
}

// The value at index i, of channel c of `channels`, before the rectifier.
__device__ __forceinline__ float read_linear(const Source &s, int i, int c, int channels) {
    const float x = s.values[i];
    if (s.kind == PLAIN) return x;
    const float *v = s.vectors + c;
    if (s.kind == NORMALISED) return (x - v[0]) * v[channels] + v[2 * channels];
    return x * v[channels] + (s.other[i] - v[0]) * v[2 * channels] + v[3 * channels];
}

__device__ __forceinline__ float read(const Source &s, int i, int c, int channels) {
    return rectified(read_linear(s, i, c, channels), s.rectifier);
}

__device__ __forceinline__ void write(float *at, float value, int overwrite) {
    *at = overwrite ? value : *at + value;
}

// A sliding window over images, and the images. Pools have c_in = c_out = groups.
struct WindowShape {
    int n, h, w, c_in, out_h, out_w, c_out, groups;
    int kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;
};

// A pixel of a batch of images of height h and width w.
struct Pixel { int image, row, column; };
__device__ __forceinline__ Pixel pixel(int index, int h, int w) {
    return {index / (h * w), index / w % h, index % w};
}

// The index of the input pixel that tap (a, b) of an output pixel reads, or -1 outside of the image.
__device__ __forceinline__ int tapped(const WindowShape &v, const Pixel &out, int a, int b) {
    const int row = out.row * v.stride_h + a * v.dilation_h - v.padding_h;
    const int column = out.column * v.stride_w + b * v.dilation_w - v.padding_w;
    if (row < 0 || row >= v.h || column < 0 || column >= v.w) return -1;
    return (out.image * v.h + row) * v.w + column;
}

// The index of the output pixel that reads an input pixel with tap (a, b), or -1 if there is none.
__device__ __forceinline__ int reader(const WindowShape &v, const Pixel &in, int a, int b) {
    int row = in.row + v.padding_h - a * v.dilation_h, column = in.column + v.padding_w - b * v.dilation_w;
    if (row < 0 || column < 0 || row % v.stride_h != 0 || column % v.stride_w != 0) return -1;
    row /= v.stride_h;
    column /= v.stride_w;
    if (row >= v.out_h || column >= v.out_w) return -1;
    return (in.image * v.out_h + row) * v.out_w + column;
}

// Whether this block is the last of `blocks` that share a counter to get here. Then all that they wrote is visible.
// The counter is 0 again afterwards.
__device__ __forceinline__ bool is_last_block(unsigned *counter, unsigned blocks) {
    __shared__ bool last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0 && threadIdx.y == 0) {
        last = atomicAdd(counter, 1u) == blocks - 1;
        if (last) *counter = 0;
    }
    __syncthreads();
    if (last) __threadfence();
    return last;
}

enum { TILE_CHANNELS = 32, TILE_ROWS = 8 };

// Sums N values of each pixel over all pixels, for every channel. A block has (TILE_CHANNELS, TILE_ROWS) threads; the
// grid is (tiles of channels, chunks of pixels, z). The chunks' sums are added in order by the block that ends last,
// which calls finish(channel, sums). `partial` has room for z * chunks * channels * N numbers.
template <int N, class Value, class Finish>
__device__ void sum_over_pixels(int pixels, int channels, double *partial, unsigned *counters, const Value &value,
                                const Finish &finish) {
    __shared__ double rows[TILE_ROWS][TILE_CHANNELS][N];
    const int c = blockIdx.x * TILE_CHANNELS + threadIdx.x, chunks = gridDim.y;
    const int length = (pixels + chunks - 1) / chunks, first = blockIdx.y * length;
    const int end = min(first + length, pixels);
    double sums[N] = {};
    if (c < channels)
        for (int p = first + threadIdx.y; p < end; p += TILE_ROWS) value(p, c, sums);
    for (int i = 0; i < N; i++) rows[threadIdx.y][threadIdx.x][i] = sums[i];
    __syncthreads();
    partial += (size_t)blockIdx.z * chunks * channels * N;
    if (threadIdx.y == 0 && c < channels)
        for (int i = 0; i < N; i++) {
            double sum = 0;
            for (int row = 0; row < TILE_ROWS; row++) sum += rows[row][threadIdx.x][i];
            partial[((size_t)blockIdx.y * channels + c) * N + i] = sum;
        }
    if (!is_last_block(counters + blockIdx.z * gridDim.x + blockIdx.x, chunks)) return;
    for (int i = 0; i < N; i++) {
        double sum = 0;
        if (c < channels)
            for (int chunk = threadIdx.y; chunk < chunks; chunk += TILE_ROWS)
                sum += partial[((size_t)chunk * channels + c) * N + i];
        rows[threadIdx.y][threadIdx.x][i] = sum;
    }
    __syncthreads();
    if (threadIdx.y != 0 || c >= channels) return;
    for (int i = 0; i < N; i++) {
        sums[i] = 0;
        for (int row = 0; row < TILE_ROWS; row++) sums[i] += rows[row][threadIdx.x][i];
    }
    finish(c, sums);
}

// Inputs and outputs of the statistics of a batch normalisation.
struct Statistics {
    const float *scale, *shift;     // learned vectors, or null
    float *new_mean, *new_variance; // of the batch, or null
    float *vectors;                 // [mean | factor | shift | inverse]
    double *partial;                // null if no statistics are wanted
    unsigned *counters;
    float eps;
    int pixels, channels;
};

__device__ __forceinline__ void write_vectors(const Statistics &s, int c, float mean, float variance) {
    const float inverse = (float)(1.0 / sqrt((double)variance + (double)s.eps));
    s.vectors[c] = mean;
    s.vectors[s.channels + c] = s.scale ? s.scale[c] * inverse : inverse;
    s.vectors[2 * s.channels + c] = s.shift ? s.shift[c] : 0.0f;
    s.vectors[3 * s.channels + c] = inverse;
}

// From the sums of the values and of their squares. In double precision, a mean of a thousand standard deviations costs
// the variance six of its sixteen digits.
__device__ __forceinline__ void write_statistics(const Statistics &s, int c, double sum, double squares) {
    const double mean = sum / s.pixels, variance = squares / s.pixels - mean * mean;
    const float rounded = (float)(variance < 0 ? 0 : variance);
    if (s.new_mean) {
        s.new_mean[c] = (float)mean;
        s.new_variance[c] = rounded;
    }
    write_vectors(s, c, (float)mean, rounded);
}
