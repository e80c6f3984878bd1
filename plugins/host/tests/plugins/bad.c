/* Libraries that nas-train must reject. Each macro selects one. */
#include "nas_plugin.h"

#if defined(NO_SYMBOL)
int not_a_plugin(void) { return 0; }
#elif defined(MAJOR_2)
void nas_plugin_v2(void) {}
#elif defined(NULL_TABLE)
const NasStrategy *const *nas_plugin_v1(const NasHost *host, size_t *count) {
  *count = 1;
  host->set_error(host->ctx, nas_str("no license found"));
  return NULL;
}
#elif defined(UNDEFINED)
extern const NasStrategy *const *no_such_function(void);
const NasStrategy *const *nas_plugin_v1(const NasHost *host, size_t *count) {
  (void)host;
  *count = 1;
  return no_such_function();
}
#endif
