// Stochastic gradient descent on many parameters at once; the equations are those of `SgdSpec`.

enum { MAX_PARAMS = 40 };

struct Param {
    const float *weight, *gradient, *velocity; // velocity: null for zeros
    float *new_velocity, *update; // new_velocity may be velocity
    int size;
};

struct SgdArgs {
    Param params[MAX_PARAMS];
    double *partial; // sums of squares, [params, blocks]
    float clipping, decay, momentum, lr;
    int nesterov;
};

enum { SGD_THREADS = 256 };

// The sum of squares of each parameter's gradient, in parts. The grid is (blocks, params).
extern "C" __global__ void sgd_squares(SgdArgs args) {
    __shared__ double sums[SGD_THREADS];
    const Param &p = args.params[blockIdx.y];
    double sum = 0;
    for (int i = blockIdx.x * SGD_THREADS + threadIdx.x; i < p.size; i += gridDim.x * SGD_THREADS)
        sum += (double)p.gradient[i] * p.gradient[i];
    sums[threadIdx.x] = sum;
    __syncthreads();
    for (int half = SGD_THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) args.partial[blockIdx.y * gridDim.x + blockIdx.x] = sums[0];
}

extern "C" __global__ void sgd_step(SgdArgs args) {
    const Param &p = args.params[blockIdx.y];
    for (int i = blockIdx.x * SGD_THREADS + threadIdx.x; i < p.size; i += gridDim.x * SGD_THREADS) {
        const float direction = args.clipping * p.gradient[i] + args.decay * p.weight[i];
        const float velocity = direction + args.momentum * (p.velocity ? p.velocity[i] : 0.0f);
        p.new_velocity[i] = velocity;
        p.update[i] = -args.lr * (args.nesterov ? direction + args.momentum * velocity : velocity);
    }
}
