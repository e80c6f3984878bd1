// Mean cross-entropy of class scores, and its gradient.

enum { ROWS_AT_ONCE = 128 };

struct CrossEntropyArgs {
    const float *scores, *targets; // [n, classes]
    const float *d_loss;
    float *loss, *gradient; // gradient: that of the scores for a d_loss of 1, or null
    float *d_scores;
    int n, classes;
};

// One block; one thread a row.
extern "C" __global__ void cross_entropy_forward(CrossEntropyArgs args) {
    __shared__ double losses[ROWS_AT_ONCE];
    double loss = 0;
    for (int row = threadIdx.x; row < args.n; row += ROWS_AT_ONCE) {
        const float *scores = args.scores + row * args.classes, *targets = args.targets + row * args.classes;
        float most = scores[0];
        for (int c = 1; c < args.classes; c++) most = scores[c] > most || scores[c] != scores[c] ? scores[c] : most;
        float sum = 0, weight = 0;
        for (int c = 0; c < args.classes; c++) {
            sum += expf(scores[c] - most);
            weight += targets[c];
        }
        const float normaliser = most + logf(sum);
        for (int c = 0; c < args.classes; c++) {
            const float log_probability = scores[c] - normaliser;
            if (targets[c] != 0.0f) loss -= (double)targets[c] * log_probability;
            if (args.gradient)
                args.gradient[row * args.classes + c] = (weight * expf(log_probability) - targets[c]) / (float)args.n;
        }
    }
    losses[threadIdx.x] = loss;
    __syncthreads();
    if (threadIdx.x != 0) return;
    loss = 0;
    for (int i = 0; i < ROWS_AT_ONCE; i++) loss += losses[i];
    *args.loss = (float)(loss / args.n);
}

// One thread a score.
extern "C" __global__ void cross_entropy_backward(CrossEntropyArgs args) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < args.n * args.classes) args.d_scores[i] += *args.d_loss * args.gradient[i];
}
