/* A plugin built with the header of version 1.0, as it was on release; never to be changed together with the header.
 * It uses every function of the host and every field of what it is shown. */
#include "nas_plugin_1_0.h"
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(void *) != 8 || sizeof(NasStrategy) == 216, "NasStrategy of 1.0");
_Static_assert(sizeof(void *) != 8 || sizeof(NasHost) == 88, "NasHost of 1.0");
_Static_assert(sizeof(void *) != 8 || sizeof(NasStep) == 80, "NasStep of 1.0");
_Static_assert(sizeof(void *) != 8 || sizeof(NasLayer) == 88, "NasLayer of 1.0");
_Static_assert(sizeof(void *) != 8 || sizeof(NasTensor) == 48, "NasTensor is DLTensor");

typedef struct Compat {
  const NasHost *host;
  const NasModel *model;
  double factor;
  uint64_t steps;
} Compat;

static int32_t fail(const NasHost *host, const char *message) {
  host->set_error(host->ctx, nas_str(message));
  return NAS_FAILED;
}

static int32_t create(const NasHost *host, const NasModel *model, void **instance) {
  NasValue factor;
  if (host->struct_size < sizeof(NasHost) || host->abi_major != 1) return fail(host, "the host has shrunk");
  if (model->struct_size < sizeof(NasModel) || model->total_steps != 12) return fail(host, "the model has shrunk");
  if (model->decisions_len != 2 || model->decisions[1]->choices_len != 3) return fail(host, "not the space tiny");
  if (model->space.len != 4 || memcmp(model->space.data, "tiny", 4) != 0) return fail(host, "not the space tiny");
  const NasLayer *last = model->layers[model->layers_len - 1];
  if (last->kind != NAS_LAYER_LINEAR || last->params_len != 2 || last->c_in != 4) return fail(host, "no classifier");
  const NasParam *bias = model->params[last->first_param + 1];
  if (bias->role != NAS_ROLE_BIAS || bias->layer != model->layers_len - 1) return fail(host, "no bias");
  if (host->option(host->ctx, nas_str("factor"), &factor) != NAS_OK) return NAS_FAILED;
  if (factor.kind != NAS_VALUE_NUMBER) return fail(host, "no number");
  host->log(host->ctx, nas_str("made"));
  Compat *self = malloc(sizeof *self);
  *self = (Compat){host, model, factor.number, 0};
  *instance = self;
  return NAS_OK;
}

static void destroy(void *instance) { free(instance); }

static int32_t plan(void *instance) {
  Compat *self = instance;
  const NasHost *host = self->host;
  uint32_t arch[2];
  uint64_t bits;
  if (host->random(host->ctx, &bits) != NAS_OK || host->draw(host->ctx, arch, 2) != NAS_OK) return NAS_FAILED;
  arch[0] = (uint32_t)(bits % 3);
  return host->plan_add(host->ctx, arch, 2, 1);
}

static int32_t weight_sets(void *instance, uint32_t *sets) {
  (void)instance;
  *sets = 2;
  return NAS_OK;
}

static int32_t bind(void *instance, uint32_t layer, const uint32_t *arch, size_t arch_len, uint32_t *set) {
  (void)instance;
  *set = layer == 0 || arch_len != 2 ? 0 : arch[0] % 2;
  return NAS_OK;
}

static int32_t capture(void *instance, uint32_t layer, uint8_t *wanted) {
  (void)instance;
  *wanted = layer == 0;
  return NAS_OK;
}

static int32_t after_backward(void *instance, const NasStep *step) {
  Compat *self = instance;
  size_t len;
  if (step->paths_len != 1 || !(step->paths[0]->loss > 0)) return fail(self->host, "no loss");
  if (step->inputs_len != 1 || step->inputs[0]->layer != 0 || step->inputs[0]->input.shape[0] != 16)
    return fail(self->host, "not the input of the stem");
  for (size_t i = 0; i < step->params_len; i += 1) {
    const NasParamStep *param = step->params[i];
    float *gradient = nas_floats(&param->gradient, &len);
    const NasParam *known = self->model->params[param->param];
    if (len != known->shape[0] * known->shape[1] * known->shape[2] * known->shape[3] || param->set > 1)
      return fail(self->host, "a gradient of another shape");
    if (param->update.data != NULL) return fail(self->host, "an update before its time");
    for (size_t j = 0; j < len; j += 1) gradient[j] = (float)self->factor;
  }
  return NAS_OK;
}

static int32_t before_apply(void *instance, const NasStep *step) {
  Compat *self = instance;
  size_t len, weights;
  const float *update = nas_floats(&step->params[0]->update, &len);
  if (update == NULL || nas_floats(&step->params[0]->weight, &weights) == NULL || weights != len)
    return fail(self->host, "no update");
  const float *gradient = nas_floats(&step->params[0]->gradient, &len);
  return self->host->metric(self->host->ctx, nas_str("first_gradient"), gradient[0]);
}

static int32_t after_update(void *instance, const NasStep *step) {
  Compat *self = instance;
  if (step->number != self->steps) return fail(self->host, "a step out of order");
  self->steps += 1;
  return NAS_OK;
}

static int32_t end_arch(void *instance, const NasPath *const *paths, size_t paths_len) {
  Compat *self = instance;
  return paths_len == 1 && paths[0]->arch_len == 2 ? NAS_OK : fail(self->host, "not the plan");
}

static int32_t end_epoch(void *instance, uint64_t epoch) {
  Compat *self = instance;
  return self->steps == 4 * (epoch + 1) ? NAS_OK : fail(self->host, "an epoch out of order");
}

static int32_t save(void *instance, void *sink, NasWrite write) {
  Compat *self = instance;
  return write(sink, &self->steps, sizeof self->steps);
}

static int32_t load(void *instance, const void *data, size_t len) {
  Compat *self = instance;
  if (len != sizeof self->steps) return fail(self->host, "not the state");
  memcpy(&self->steps, data, len);
  return NAS_OK;
}

static const NasStrategy COMPAT = {
    .struct_size = sizeof(NasStrategy),
    .abi_major = 1,
    .needs = NAS_NEEDS_WEIGHT | NAS_NEEDS_UPDATE | NAS_NEEDS_INPUT | NAS_WRITES_GRADIENT,
    .name = NAS_STR("compat"),
    .version = NAS_STR("1.0"),
    .summary = NAS_STR("uses everything"),
    .options = NAS_STR("factor = 0.5\n"),
    .create = create,
    .destroy = destroy,
    .weight_sets = weight_sets,
    .bind = bind,
    .capture = capture,
    .plan = plan,
    .after_backward = after_backward,
    .before_apply = before_apply,
    .after_update = after_update,
    .end_arch = end_arch,
    .end_epoch = end_epoch,
    .save = save,
    .load = load,
};

static const NasStrategy *const STRATEGIES[] = {&COMPAT};

const NasStrategy *const *nas_plugin_v1(const NasHost *host, size_t *count) {
  (void)host;
  *count = 1;
  return STRATEGIES;
}
