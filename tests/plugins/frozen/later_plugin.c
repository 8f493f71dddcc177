/* A plugin of a later ABI 1.x: it knows fields, features, traits and an instruction set that this host does not. */
#define ATTUNE_ABI_DECLARE_QUERY
#include "row_attention.h"

#define LATER_FEATURE (UINT64_C(1) << 40)
#define LATER_MINOR (ATTUNE_ABI_MINOR + 7)

typedef struct later_arguments {
  attune_arguments now;
  attune_tensor later;
} later_arguments;

typedef struct later_plugin {
  attune_plugin now;
  void (*later)(void* plan);
  uint64_t more[8];
} later_plugin;

static int plan;

static int32_t supports(void* self, const attune_problem* problem, const attune_extents* extents, char* text,
                        uint64_t text_bytes) {
  (void)self, (void)extents;
  const int taken = (problem->features & ~(ATTUNE_FEATURE_GQA | LATER_FEATURE)) == 0;
  if (!taken) say("it takes no option but a later one", text, text_bytes);
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

/* This host writes less than this plugin could read: what is missing counts as zero. */
static int32_t execute(void* made, const attune_arguments* arguments, void* workspace, uint64_t bytes,
                       const attune_executor* executor) {
  later_arguments known;
  (void)made, (void)bytes, (void)executor;
  memset(&known, 0, sizeof known);
  memcpy(&known, arguments, arguments->head.struct_size < sizeof known ? arguments->head.struct_size : sizeof known);
  if (known.later.data != 0) return attune_failed;
  attend_all(&known.now, (double*)workspace);
  return attune_ok;
}

static void describe(void* made, const attune_extents* extents, int32_t threads, char* text, uint64_t text_bytes) {
  (void)made, (void)extents, (void)threads;
  say("rows, in C, later", text, text_bytes);
}

static void later(void* made) { (void)made; }

static const later_plugin answer = {
    .now =
        {
            .head = {ATTUNE_ABI_MAGIC, sizeof(later_plugin), ATTUNE_ABI_MAJOR, LATER_MINOR},
            .features = ATTUNE_FEATURES_KNOWN | LATER_FEATURE,
            .traits = ~UINT64_C(0),
            .isas = LATER_ISAS,
            .name = LATER_NAME,
            .description = "a plugin of a later ABI",
            .supports = supports,
            .estimate = estimate,
            .plan_create = plan_create,
            .plan_destroy = plan_destroy,
            .workspace_bytes = workspace_bytes,
            .execute = execute,
            .describe = describe,
        },
    .later = later,
    .more = {1, 2, 3},
};

const attune_plugin* attune_plugin_query(const attune_host* host, char* text, uint64_t text_bytes) {
  if (host->head.magic != ATTUNE_ABI_MAGIC || host->head.abi_major < ATTUNE_ABI_MAJOR) {
    say("another ABI", text, text_bytes);
    return 0;
  }
  return &answer.now;
}
