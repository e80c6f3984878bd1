// Products of matrices that are never stored: a tile of each is gathered into shared memory.
//
// An accumulator holds the sums of a tile C = A B that one thread of a block computes: those of the rows row(i) and
// columns column(j). Threads with the same columns and other rows have different slots, counted from 0.

enum { TILE_K = 16, THREADS = 256 };

// A rectangle of the tile for each thread, with sums of type S.
template <int M, int N, int R, int C, class S = float> struct Rectangle {
    enum { TILE_M = M, TILE_N = N, ROWS = R, COLUMNS = C, SLOTS = M / R, PADDING = 1 };
    static_assert(M / R * (N / C) == THREADS, "one rectangle for each thread");
    S sums[R][C];
    __device__ static int slot() { return threadIdx.x / (N / C); }
    __device__ static int row(int i) { return slot() * R + i; }
    __device__ static int column(int j) { return threadIdx.x % (N / C) * C + j; }
    __device__ static float operand(float x) { return x; }
    __device__ void add(const float (&a)[TILE_K][M + PADDING], const float (&b)[TILE_K][N + PADDING]) {
        for (int k = 0; k < TILE_K; k++)
            for (int i = 0; i < R; i++)
                for (int j = 0; j < C; j++) sums[i][j] += (S)a[k][row(i)] * b[k][column(j)];
    }
};

// The nearest number with 10 mantissa bits, which tensor cores use in place of x. Ties round away from zero,
// as in cvt.rna.tf32.
__device__ __forceinline__ float rounded_to_tf32(float x) {
    return x == x ? __uint_as_float((__float_as_uint(x) + 0x1000u) & ~0x1fffu) : x;
}

// D += A B for a warp on tensor cores, with the fragments of `mma.m16n8k8` (PTX ISA, "Matrix Fragments for
// mma.m16n8k8"): of lane 4 g + t, a has the elements (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4), b has (t, g),
// (t + 4, g), d has (g, 2 t), (g, 2 t + 1), (g + 8, 2 t), (g + 8, 2 t + 1).
__device__ __forceinline__ void multiply_add(float (&d)[4], const float (&a)[4], const float (&b)[2]) {
#ifdef CUDA_EMU
    cuda_emu_mma_m16n8k8(d, a, b);
#elif __CUDA_ARCH__ >= 800
    // Volatile: it must stay where all lanes execute it, also if only some of them use its result.
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
          "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
#else
    __trap(); // The host refuses TF32 for these GPUs.
#endif
}

// Tensor cores in TF32: a warp has 16 rows, and fragments of 8 columns.
template <int M, int N> struct TensorCores {
    enum { WARPS_M = M / 16, WARPS_N = THREADS / 32 / WARPS_M, FRAGMENTS = N / 8 / WARPS_N };
    enum { TILE_M = M, TILE_N = N, ROWS = 2, COLUMNS = 2 * FRAGMENTS, SLOTS = M / 2 };
    // The 32 elements of a fragment are in different banks.
    enum { PADDING = 8 };
    static_assert(WARPS_M * WARPS_N * 32 == THREADS && WARPS_N * FRAGMENTS * 8 == N, "warps that cover the tile");
    float sums[ROWS][COLUMNS];
    __device__ static int warp_row() { return threadIdx.x / 32 / WARPS_N * 16; }
    __device__ static int warp_column() { return threadIdx.x / 32 % WARPS_N * FRAGMENTS * 8; }
    __device__ static int slot() { return warp_row() / 2 + threadIdx.x % 32 / 4; }
    __device__ static int row(int i) { return warp_row() + threadIdx.x % 32 / 4 + 8 * i; }
    __device__ static int column(int j) { return warp_column() + j / 2 * 8 + threadIdx.x % 4 * 2 + j % 2; }
    __device__ static float operand(float x) { return rounded_to_tf32(x); }
    __device__ void add(const float (&a)[TILE_K][M + PADDING], const float (&b)[TILE_K][N + PADDING]) {
        const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4, first = warp_row() + g;
        for (int step = 0; step < TILE_K; step += 8) {
            const int k = step + t;
            const float left[4] = {a[k][first], a[k][first + 8], a[k + 4][first], a[k + 4][first + 8]};
            for (int fragment = 0; fragment < FRAGMENTS; fragment++) {
                const int column = warp_column() + 8 * fragment + g, j = 2 * fragment;
                const float right[2] = {b[k][column], b[k + 4][column]};
                float d[4] = {sums[0][j], sums[0][j + 1], sums[1][j], sums[1][j + 1]};
                multiply_add(d, left, right);
                sums[0][j] = d[0], sums[0][j + 1] = d[1], sums[1][j] = d[2], sums[1][j + 1] = d[3];
            }
        }
    }
};

// C = A B for the tile (blockIdx.x, blockIdx.y), over a part of k. A problem has sizes m and n, the values a(m, k) and
// b(k, n), and store(m, n, sum).
template <class Accumulator, class Problem>
__device__ void multiply(const Problem &p, int k_first, int k_end, Accumulator &accumulator) {
    enum { M = Accumulator::TILE_M, N = Accumulator::TILE_N };
    __shared__ float a[TILE_K][M + Accumulator::PADDING], b[TILE_K][N + Accumulator::PADDING];
    const int m_first = blockIdx.x * M, n_first = blockIdx.y * N;
    for (int i = 0; i < Accumulator::ROWS; i++)
        for (int j = 0; j < Accumulator::COLUMNS; j++) accumulator.sums[i][j] = 0;
    for (int k = k_first; k < k_end; k += TILE_K) {
        for (int i = threadIdx.x; i < M * TILE_K; i += THREADS) {
            // Neighbouring threads read neighbouring values.
            const int row = Problem::A_ALONG_K ? i / TILE_K : i % M, at = Problem::A_ALONG_K ? i % TILE_K : i / M;
            const bool inside = m_first + row < p.m && k + at < k_end;
            a[at][row] = inside ? Accumulator::operand(p.a(m_first + row, k + at)) : 0.0f;
        }
        for (int i = threadIdx.x; i < N * TILE_K; i += THREADS) {
            const int column = i % N, at = i / N;
            const bool inside = n_first + column < p.n && k + at < k_end;
            b[at][column] = inside ? Accumulator::operand(p.b(k + at, n_first + column)) : 0.0f;
        }
        __syncthreads();
        accumulator.add(a, b);
        __syncthreads();
    }
    for (int i = 0; i < Accumulator::ROWS; i++)
        for (int j = 0; j < Accumulator::COLUMNS; j++) {
            const int m = m_first + Accumulator::row(i), n = n_first + Accumulator::column(j);
            if (m < p.m && n < p.n) p.store(m, n, accumulator.sums[i][j]);
        }
}
