/* A plugin of the first ABI, in plain C: built against abi_1_0/attune/plugin_abi.h alone. It claims to support every
 * problem that it is offered, as if later options could not exist; the host must not offer it any. */
#define ATTUNE_ABI_DECLARE_QUERY
#include "row_attention.h"

static int plan; /* it keeps nothing: every plan is the same */

static int32_t supports(void* self, const attune_problem* problem, const attune_extents* extents, char* text,
                        uint64_t text_bytes) {
  (void)self, (void)extents;
  if ((problem->features & ~ATTUNE_FEATURES_KNOWN) != 0) {
    say("OFFERED WHAT IT CANNOT KNOW", text, text_bytes);
    return 0;
  }
  const int taken = (problem->features & ~ATTUNE_FEATURE_GQA) == 0;
  if (!taken) say("it takes no option", text, text_bytes);
  return taken;
}

static double estimate(void* self, const attune_problem* problem, const attune_extents* extents,
                       const attune_machine* machine, int32_t threads) {
  (void)self, (void)problem, (void)extents, (void)machine, (void)threads;
  return 1;
}

static int32_t plan_create(void* self, const attune_problem* problem, const attune_machine* machine, void** made,
                           char* text, uint64_t text_bytes) {
  (void)self, (void)problem, (void)machine, (void)text, (void)text_bytes;
  *made = &plan;
  return attune_ok;
}

static void plan_destroy(void* made) { (void)made; }

static uint64_t workspace_bytes(void* made, const attune_extents* extents, int32_t threads) {
  (void)made, (void)threads;
  return sizeof(double) * (uint64_t)extents->keys;
}

static int32_t execute(void* made, const attune_arguments* arguments, void* workspace, uint64_t bytes,
                       const attune_executor* executor) {
  (void)made, (void)executor;
  if (bytes < sizeof(double) * (uint64_t)arguments->key.shape[2]) return attune_invalid_workspace;
  attend_all(arguments, (double*)workspace);
  return attune_ok;
}

static void describe(void* made, const attune_extents* extents, int32_t threads, char* text, uint64_t text_bytes) {
  (void)made, (void)extents, (void)threads;
  say("rows, in C", text, text_bytes);
}

static const attune_plugin answer = {
    .head = {ATTUNE_ABI_MAGIC, sizeof(attune_plugin), ATTUNE_ABI_MAJOR, ATTUNE_ABI_MINOR},
    .features = ATTUNE_FEATURES_KNOWN,
    .name = "frozen",
    .description = "a plugin of the first ABI",
    .supports = supports,
    .estimate = estimate,
    .plan_create = plan_create,
    .plan_destroy = plan_destroy,
    .workspace_bytes = workspace_bytes,
    .execute = execute,
    .describe = describe,
};

const attune_plugin* attune_plugin_query(const attune_host* host, char* text, uint64_t text_bytes) {
  if (host->head.magic != ATTUNE_ABI_MAGIC || host->oldest_major > ATTUNE_ABI_MAJOR ||
      host->head.abi_major < ATTUNE_ABI_MAJOR) {
    say("another ABI", text, text_bytes);
    return 0;
  }
  return &answer;
}
