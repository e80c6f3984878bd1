// Gram matrices of input patches, in double precision.

struct GramArgs {
    WindowShape window;
    Source x;
    double *out;     // [groups, d, d], with zeros above the diagonal
    double *partial; // [groups, parts, d, d]
    unsigned *counters;
    int constant; // whether each patch ends with a 1
};

// sum[i, j] = sum over the patches p of p[i] p[j], over one part of the patches.
struct Gram {
    enum { A_ALONG_K = false };
    const GramArgs &args;
    int group, inputs, elements, m, n;
    double *partial;
    __device__ float element(int patch, int i) const {
        return i < elements ? input(args.window, args.x, group, inputs, patch, i) : 1.0f;
    }
    __device__ float a(int row, int patch) const { return element(patch, row); }
    __device__ float b(int patch, int column) const { return element(patch, column); }
    __device__ void store(int row, int column, double sum) const { partial[(size_t)row * n + column] = sum; }
};

// The grid is (tiles of rows, tiles of columns, parts of the patches * groups). The parts of a tile are added in order by
// the block that ends last.
template <int TILE, int SIZE> __device__ void gram(const GramArgs &args) {
    const WindowShape &v = args.window;
    const int parts = gridDim.z / v.groups, part = blockIdx.z % parts, group = blockIdx.z / parts;
    const int patches = v.n * v.out_h * v.out_w, length = (patches + parts - 1) / parts;
    const int inputs = v.c_in / v.groups, elements = v.kernel_h * v.kernel_w * inputs, d = elements + args.constant;
    const size_t size = (size_t)d * d;
    // Tiles above the diagonal have zeros only.
    const bool lower = blockIdx.y <= blockIdx.x;
    if (lower) {
        Rectangle<TILE, TILE, SIZE, SIZE, double> accumulator;
        const Gram p = {args, group, inputs, elements, d, d, args.partial + blockIdx.z * size};
        multiply(p, part * length, min((part + 1) * length, patches), accumulator);
    }
    const int tile = (group * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    if (!is_last_block(args.counters + tile, parts)) return;
    const double *first = args.partial + group * parts * size;
    for (int i = threadIdx.x; i < TILE * TILE; i += THREADS) {
        const int row = blockIdx.x * TILE + i / TILE, column = blockIdx.y * TILE + i % TILE;
        if (row >= d || column >= d) continue;
        double sum = 0;
        for (int k = 0; k < parts && column <= row; k++) sum += first[k * size + (size_t)row * d + column];
        args.out[group * size + (size_t)row * d + column] = sum;
    }
}

// Tiles for short and for long patches; 256 threads each.
extern "C" __global__ void gram_16(GramArgs args) { gram<16, 1>(args); }
extern "C" __global__ void gram_64(GramArgs args) { gram<64, 4>(args); }
