// Pools, subsampling and the mean over images. One thread a value of the result.

struct PoolArgs {
    WindowShape window;
    Source x;
    const float *dy;
    float *out;
    int *argmax_taps; // for a maximum: the tap that won, or null
    int maximum, overwrite;
};

// Number of pixels of the image along one axis under the window of output i.
__device__ __forceinline__ int covered(int i, int kernel, int stride, int padding, int dilation, int size) {
    int count = 0;
    for (int a = 0; a < kernel; a++) {
        const int at = i * stride + a * dilation - padding;
        count += at >= 0 && at < size;
    }
    return count;
}

__device__ __forceinline__ float inverse_count(const WindowShape &v, const Pixel &out) {
    return 1.0f / (float)(covered(out.row, v.kernel_h, v.stride_h, v.padding_h, v.dilation_h, v.h) *
                          covered(out.column, v.kernel_w, v.stride_w, v.padding_w, v.dilation_w, v.w));
}

// Of equal values the first wins; a NaN wins over numbers.
extern "C" __global__ void pool_forward(PoolArgs args) {
    const WindowShape &v = args.window;
    const int c = v.c_in, size = v.n * v.out_h * v.out_w * c, i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    const Pixel out = pixel(i / c, v.out_h, v.out_w);
    const int channel = i % c;
    float best = 0, sum = 0;
    int winner = -1;
    for (int a = 0; a < v.kernel_h; a++)
        for (int b = 0; b < v.kernel_w; b++) {
            const int at = tapped(v, out, a, b);
            if (at < 0) continue;
            const float x = read(args.x, at * c + channel, channel, c);
            sum += x;
            if (winner < 0 || x > best || x != x) {
                best = x;
                winner = a * v.kernel_w + b;
            }
        }
    args.out[i] = args.maximum ? best : sum * inverse_count(v, out);
    if (args.argmax_taps) args.argmax_taps[i] = winner;
}

extern "C" __global__ void pool_backward(PoolArgs args) {
    const WindowShape &v = args.window;
    const int c = v.c_in, size = v.n * v.h * v.w * c, i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    const Pixel in = pixel(i / c, v.h, v.w);
    const int channel = i % c;
    float sum = 0;
    for (int a = 0; a < v.kernel_h; a++)
        for (int b = 0; b < v.kernel_w; b++) {
            const int p = reader(v, in, a, b), at = p * c + channel;
            if (p < 0) continue;
            if (!args.maximum)
                sum += args.dy[at] * inverse_count(v, pixel(p, v.out_h, v.out_w));
            else if (args.argmax_taps[at] == a * v.kernel_w + b)
                sum += args.dy[at];
        }
    write(args.out + i, sum, args.overwrite);
}

// y[i, j] = x[2 i + 1, 2 j + 1], and 0 outside of the image.
extern "C" __global__ void odd_pixels_forward(PoolArgs args) {
    const WindowShape &v = args.window;
    const int c = v.c_in, size = v.n * v.out_h * v.out_w * c, i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    const Pixel out = pixel(i / c, v.out_h, v.out_w);
    const int row = 2 * out.row + 1, column = 2 * out.column + 1, channel = i % c;
    const bool inside = row < v.h && column < v.w;
    const int at = (out.image * v.h + row) * v.w + column;
    args.out[i] = inside ? read(args.x, at * c + channel, channel, c) : 0.0f;
}

extern "C" __global__ void odd_pixels_backward(PoolArgs args) {
    const WindowShape &v = args.window;
    const int c = v.c_in, size = v.n * v.h * v.w * c, i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size) return;
    const Pixel in = pixel(i / c, v.h, v.w);
    const bool odd = in.row % 2 == 1 && in.column % 2 == 1;
    const int at = (in.image * v.out_h + in.row / 2) * v.out_w + in.column / 2;
    write(args.out + i, odd ? args.dy[at * c + i % c] : 0.0f, args.overwrite);
}

// The mean of each image and channel. A block has (TILE_CHANNELS, TILE_ROWS) threads; the grid is (images,
// tiles of channels).
extern "C" __global__ void image_mean_forward(PoolArgs args) {
    __shared__ double rows[TILE_ROWS][TILE_CHANNELS];
    const int channels = args.window.c_in, area = args.window.h * args.window.w;
    const int c = blockIdx.y * TILE_CHANNELS + threadIdx.x, first = blockIdx.x * area;
    double sum = 0;
    if (c < channels)
        for (int p = threadIdx.y; p < area; p += TILE_ROWS) sum += read(args.x, (first + p) * channels + c, c, channels);
    rows[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y != 0 || c >= channels) return;
    sum = 0;
    for (int row = 0; row < TILE_ROWS; row++) sum += rows[row][threadIdx.x];
    args.out[blockIdx.x * channels + c] = (float)(sum / area);
}

extern "C" __global__ void image_mean_backward(PoolArgs args) {
    const int c = args.window.c_in, image = args.window.h * args.window.w * c;
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= args.window.n * image) return;
    write(args.out + i, args.dy[i / image * c + i % c] * (1.0f / (float)(image / c)), args.overwrite);
}
