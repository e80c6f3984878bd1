// Operations that treat each value, pixel or image by itself. One thread a value of the result.

struct MapArgs {
    Source x;
    const float *dy, *factors; // factors of images, or null for 1
    float *out;
    int size, channels, image; // values of the result, channels, values an image
    int overwrite;
};

__device__ __forceinline__ float factor(const MapArgs &args, int i) {
    return args.factors ? args.factors[i / args.image] : 1.0f;
}

// out = factor x, or out += factor x
extern "C" __global__ void map_forward(MapArgs args) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= args.size) return;
    write(args.out + i, factor(args, i) * read(args.x, i, i % args.channels, args.channels), args.overwrite);
}

// The gradient of x for `out = factor x`, from dy; the rectifier of x passes it or not.
extern "C" __global__ void map_backward(MapArgs args) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= args.size) return;
    const bool passed =
        args.x.rectifier == NONE ||
        passes(read_linear(args.x, i, i % args.channels, args.channels), args.x.rectifier);
    write(args.out + i, passed ? factor(args, i) * args.dy[i] : 0.0f, args.overwrite);
}

enum { MAX_TERMS = 8 };

struct SumArgs {
    Source terms[MAX_TERMS];
    float *out;
    int count, size, channels;
};

// The terms are added in their order.
extern "C" __global__ void sum_forward(SumArgs args) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= args.size) return;
    const int c = i % args.channels;
    float sum = read(args.terms[0], i, c, args.channels);
    for (int t = 1; t < args.count; t++) sum += read(args.terms[t], i, c, args.channels);
    args.out[i] = sum;
}

struct Part {
    Source x;
    float *dx;
    int first, channels;
};

struct ConcatArgs {
    Part parts[MAX_TERMS];
    float *y;
    const float *dy;
    // Number of parts, pixels, channels of the whole, first channel and number of channels of these parts.
    int count, pixels, channels, first, width;
};

// The part that holds a channel of the whole, which becomes a channel of the part.
__device__ __forceinline__ const Part &part_of(const ConcatArgs &args, int &c) {
    int t = args.count - 1;
    while (args.parts[t].first > c) t--;
    c -= args.parts[t].first;
    return args.parts[t];
}

extern "C" __global__ void concat_forward(ConcatArgs args) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= args.pixels * args.width) return;
    const int p = i / args.width, whole = args.first + i % args.width;
    int c = whole;
    const Part &part = part_of(args, c);
    args.y[p * args.channels + whole] = read(part.x, p * part.channels + c, c, part.channels);
}

extern "C" __global__ void concat_backward(ConcatArgs args) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= args.pixels * args.width) return;
    const int p = i / args.width, whole = args.first + i % args.width;
    int c = whole;
    const Part &part = part_of(args, c);
    if (part.dx) part.dx[p * part.channels + c] = args.dy[p * args.channels + whole];
}
