// Dense and grouped convolutions as products of matrices; see product.cu.

struct ConvArgs {
    WindowShape window;
    Source x, dy;
    const float *weight, *bias;
    // The output, the gradient of the input, or that of the weights.
    float *out;
    float *partial;
    unsigned *counters;
    Statistics statistics; // of the output
    int overwrite;
};

// Position of an element of a weight: tap and channel of the group.
struct Tap { int a, b, channel; };
__device__ __forceinline__ Tap tap(int index, int channels, int kernel_w) {
    const int tap = index / channels;
    return {tap / kernel_w, tap % kernel_w, index % channels};
}

// The value of x under an element of a weight, for an output pixel; 0 outside of the image.
__device__ __forceinline__ float input(const WindowShape &v, const Source &x, int group, int inputs, int out_pixel,
                                       int element) {
    const Tap t = tap(element, inputs, v.kernel_w);
    const int at = tapped(v, pixel(out_pixel, v.out_h, v.out_w), t.a, t.b), c = group * inputs + t.channel;
    return at < 0 ? 0.0f : read(x, at * v.c_in + c, c, v.c_in);
}

// y[pixel, o] = sum of x[tapped pixel, i] weight[tap, i, o].
struct Forward {
    enum { A_ALONG_K = true };
    const ConvArgs &args;
    int group, inputs, outputs, m, n;
    __device__ float a(int row, int k) const { return input(args.window, args.x, group, inputs, row, k); }
    __device__ float b(int k, int o) const { return args.weight[k * args.window.c_out + group * outputs + o]; }
    __device__ void store(int row, int o, float y) const {
        o += group * outputs;
        args.out[row * args.window.c_out + o] = args.bias ? y + args.bias[o] : y;
    }
};

// dx[pixel, i] = sum of dy[reader, o] weight[tap, i, o], where the rectifier of x passes it.
struct InputGradient {
    enum { A_ALONG_K = true };
    const ConvArgs &args;
    int group, inputs, outputs, m, n;
    __device__ float a(int row, int k) const {
        const WindowShape &v = args.window;
        const Tap t = tap(k, outputs, v.kernel_w);
        const int at = reader(v, pixel(row, v.h, v.w), t.a, t.b), o = group * outputs + t.channel;
        return at < 0 ? 0.0f : read(args.dy, at * v.c_out + o, o, v.c_out);
    }
    __device__ float b(int k, int i) const {
        const int tap = k / outputs, o = group * outputs + k % outputs;
        return args.weight[(tap * inputs + i) * args.window.c_out + o];
    }
    __device__ void store(int row, int i, float dx) const {
        const int c = group * inputs + i, at = row * args.window.c_in + c;
        const bool passed = passes(read_linear(args.x, at, c, args.window.c_in), args.x.rectifier);
        write(args.out + at, passed ? dx : 0.0f, args.overwrite);
    }
};

// dweight[tap, i, o] = sum over pixels of x[tapped pixel, i] dy[pixel, o], over one part of the pixels.
struct WeightGradient {
    enum { A_ALONG_K = false };
    const ConvArgs &args;
    int group, inputs, outputs, m, n;
    float *partial;
    __device__ float a(int row, int k) const { return input(args.window, args.x, group, inputs, k, row); }
    __device__ float b(int k, int o) const {
        const int c = group * outputs + o;
        return read(args.dy, k * args.window.c_out + c, c, args.window.c_out);
    }
    __device__ void store(int row, int o, float sum) const { partial[row * n + o] = sum; }
};

template <class Problem> __device__ Problem problem(const ConvArgs &args, int group) {
    const WindowShape &v = args.window;
    return {args, group, v.c_in / v.groups, v.c_out / v.groups, 0, 0};
}

// The statistics of the outputs of all tiles in a column of tiles. The block that ends last adds the tiles in order.
template <class Accumulator> __device__ void measure(const Forward &p, const Accumulator &accumulator) {
    enum { SLOTS = Accumulator::SLOTS, TILE_N = Accumulator::TILE_N, SLICES = THREADS / TILE_N };
    static_assert(SLICES <= SLOTS, "room for the sums of all slices");
    __shared__ double rows[SLOTS][TILE_N][2];
    const Statistics &s = p.args.statistics;
    for (int j = 0; j < Accumulator::COLUMNS; j++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < Accumulator::ROWS; i++) {
            if ((int)blockIdx.x * Accumulator::TILE_M + Accumulator::row(i) >= p.m) continue;
            sum += accumulator.sums[i][j];
            squares += (double)accumulator.sums[i][j] * accumulator.sums[i][j];
        }
        rows[Accumulator::slot()][Accumulator::column(j)][0] = sum;
        rows[Accumulator::slot()][Accumulator::column(j)][1] = squares;
    }
    __syncthreads();
    const int column = threadIdx.x % TILE_N, slice = threadIdx.x / TILE_N, n_first = blockIdx.y * TILE_N;
    const int c = p.group * p.outputs + n_first + column;
    const bool inside = n_first + column < p.n;
    if (slice == 0 && inside)
        for (int k = 0; k < 2; k++) {
            double sum = 0;
            for (int slot = 0; slot < SLOTS; slot++) sum += rows[slot][column][k];
            s.partial[((size_t)blockIdx.x * s.channels + c) * 2 + k] = sum;
        }
    if (!is_last_block(s.counters + blockIdx.z * gridDim.y + blockIdx.y, gridDim.x)) return;
    for (int k = 0; k < 2; k++) {
        double sum = 0;
        if (inside)
            for (int tile = slice; tile < (int)gridDim.x; tile += SLICES)
                sum += s.partial[((size_t)tile * s.channels + c) * 2 + k];
        rows[slice][column][k] = sum;
    }
    __syncthreads();
    if (slice != 0 || !inside) return;
    double sums[2] = {};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < SLICES; i++) sums[k] += rows[i][column][k];
    write_statistics(s, c, sums[0], sums[1]);
}

template <class Accumulator> __device__ void forward(const ConvArgs &args) {
    const WindowShape &v = args.window;
    Forward p = problem<Forward>(args, blockIdx.z);
    p.m = v.n * v.out_h * v.out_w;
    p.n = p.outputs;
    Accumulator accumulator;
    multiply(p, 0, v.kernel_h * v.kernel_w * p.inputs, accumulator);
    if (args.statistics.partial) measure(p, accumulator);
}

template <class Accumulator> __device__ void input_gradient(const ConvArgs &args) {
    const WindowShape &v = args.window;
    InputGradient p = problem<InputGradient>(args, blockIdx.z);
    p.m = v.n * v.h * v.w;
    p.n = p.inputs;
    Accumulator accumulator;
    multiply(p, 0, v.kernel_h * v.kernel_w * p.outputs, accumulator);
}

// The grid is (tiles of rows, tiles of outputs, parts of the pixels * groups). The parts of a tile are added in order
// by the block that ends last.
template <class Accumulator> __device__ void weight_gradient(const ConvArgs &args) {
    enum { TILE_M = Accumulator::TILE_M, TILE_N = Accumulator::TILE_N };
    const WindowShape &v = args.window;
    const int parts = gridDim.z / v.groups, part = blockIdx.z % parts, group = blockIdx.z / parts;
    const int pixels = v.n * v.out_h * v.out_w, length = (pixels + parts - 1) / parts;
    WeightGradient p = problem<WeightGradient>(args, group);
    p.m = v.kernel_h * v.kernel_w * p.inputs;
    p.n = p.outputs;
    const size_t size = (size_t)p.m * p.n;
    p.partial = args.partial + blockIdx.z * size;
    Accumulator accumulator;
    multiply(p, part * length, min((part + 1) * length, pixels), accumulator);
    const int tile = (group * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    if (!is_last_block(args.counters + tile, parts)) return;
    const float *first = args.partial + group * parts * size;
    for (int i = threadIdx.x; i < TILE_M * TILE_N; i += THREADS) {
        const int row = blockIdx.x * TILE_M + i / TILE_N, o = blockIdx.y * TILE_N + i % TILE_N;
        if (row >= p.m || o >= p.n) continue;
        float sum = 0;
        for (int k = 0; k < parts; k++) sum += first[k * size + (size_t)row * p.n + o];
        args.out[row * v.c_out + group * p.outputs + o] += sum;
    }
}

// Tiles for few and for many channels.
extern "C" __global__ void conv_forward_16(ConvArgs args) { forward<Rectangle<128, 16, 8, 1>>(args); }
extern "C" __global__ void conv_forward_64(ConvArgs args) { forward<Rectangle<64, 64, 4, 4>>(args); }
extern "C" __global__ void conv_input_gradient_16(ConvArgs args) { input_gradient<Rectangle<128, 16, 8, 1>>(args); }
extern "C" __global__ void conv_input_gradient_64(ConvArgs args) { input_gradient<Rectangle<64, 64, 4, 4>>(args); }
extern "C" __global__ void conv_weight_gradient(ConvArgs args) { weight_gradient<Rectangle<32, 32, 2, 2>>(args); }

extern "C" __global__ void conv_forward_16_tf32(ConvArgs args) { forward<TensorCores<128, 16>>(args); }
extern "C" __global__ void conv_forward_64_tf32(ConvArgs args) { forward<TensorCores<64, 64>>(args); }
extern "C" __global__ void conv_input_gradient_16_tf32(ConvArgs args) { input_gradient<TensorCores<128, 16>>(args); }
extern "C" __global__ void conv_input_gradient_64_tf32(ConvArgs args) { input_gradient<TensorCores<64, 64>>(args); }
extern "C" __global__ void conv_weight_gradient_tf32(ConvArgs args) { weight_gradient<TensorCores<32, 32>>(args); }
