/* The strategy `fade`: divides the gradient of a parameter by 1 + rate n, where n is the number of its earlier updates.
 * This slows down parameters that all architectures use relative to parameters that few of them use. The counts n are
 * the state of the strategy. */
#include "nas_plugin.h"
#include <stdlib.h>
#include <string.h>

typedef struct Fade {
  const NasHost *host;
  double rate;
  size_t len;
  uint64_t *counts;
} Fade;

static int32_t fail(const NasHost *host, int32_t code, const char *message) {
  host->set_error(host->ctx, nas_str(message));
  return code;
}

static int32_t create(const NasHost *host, const NasModel *model, void **instance) {
  NasValue rate;
  if (host->option(host->ctx, nas_str("rate"), &rate) != NAS_OK) return NAS_FAILED;
  if (!(rate.number >= 0 && rate.number < 1e30))
    return fail(host, NAS_INVALID, "strategy.rate: expected a finite number of at least 0");
  Fade *self = malloc(sizeof *self);
  uint64_t *counts = calloc(model->params_len + 1, sizeof *counts);
  if (self == NULL || counts == NULL) {
    free(self);
    free(counts);
    return fail(host, NAS_FAILED, "out of memory");
  }
  *self = (Fade){host, rate.number, model->params_len, counts};
  *instance = self;
  return NAS_OK;
}

static void destroy(void *instance) {
  Fade *self = instance;
  free(self->counts);
  free(self);
}

static int32_t after_backward(void *instance, const NasStep *step) {
  Fade *self = instance;
  for (size_t i = 0; i < step->params_len; i += 1) {
    size_t len;
    uint64_t *count = &self->counts[step->params[i]->param];
    float *gradient = nas_floats(&step->params[i]->gradient, &len);
    float factor = (float)(1 / (1 + self->rate * (double)*count));
    for (size_t j = 0; j < len; j += 1) gradient[j] *= factor;
    *count += 1;
  }
  return NAS_OK;
}

static int32_t save(void *instance, void *sink, NasWrite write) {
  Fade *self = instance;
  return write(sink, self->counts, self->len * sizeof *self->counts);
}

static int32_t load(void *instance, const void *data, size_t len) {
  Fade *self = instance;
  if (len != self->len * sizeof *self->counts)
    return fail(self->host, NAS_INVALID, "the saved counts belong to another network");
  memcpy(self->counts, data, len);
  return NAS_OK;
}

static const NasStrategy FADE = {
    .struct_size = sizeof(NasStrategy),
    .abi_major = NAS_ABI_MAJOR,
    .abi_minor = NAS_ABI_MINOR,
    .needs = NAS_WRITES_GRADIENT,
    .name = NAS_STR("fade"),
    .version = NAS_STR("0.1.0"),
    .summary = NAS_STR("gradients shrink with the number of updates of a parameter"),
    .options = NAS_STR("rate = 0.01\n"),
    .create = create,
    .destroy = destroy,
    .after_backward = after_backward,
    .save = save,
    .load = load,
};

static const NasStrategy *const STRATEGIES[] = {&FADE};

const NasStrategy *const *nas_plugin_v1(const NasHost *host, size_t *count) {
  (void)host;
  *count = sizeof STRATEGIES / sizeof *STRATEGIES;
  return STRATEGIES;
}
