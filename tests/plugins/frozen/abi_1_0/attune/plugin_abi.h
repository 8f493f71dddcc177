/* The border between Attune (the host) and a backend in a shared library of its own (the plugin): plain C, so that
 * compilers, their runtimes and versions of Attune may differ on its two sides. In C++, plugin.hpp does all of this
 * for a class derived from attune::Backend; this file is for those who write a plugin in another language, and for
 * those who want to know what crosses the border.
 *
 * A plugin exports one function, attune_plugin_query, and links nothing of Attune.
 *
 * The rules that let both sides grow apart:
 *   - Every struct that is passed by pointer begins with the same 16 bytes, attune_head. They never change.
 *   - Fields are only ever appended. Who reads a struct reads no further than its struct_size, and takes what is
 *     missing for zero. A new field's zero therefore means "as before". A struct_size below that of version 1.0 is
 *     refused.
 *   - A new option is a new bit in attune_problem.features, never only a new field: a plugin answers the query with the
 *     bits that its header knew, and is never offered a problem with another.
 *   - Structs without a head (attune_tensor) are parts of others and never change.
 * No exception may leave a function of either side. Pointers that are passed are valid until the call returns, unless
 * it is said otherwise. Sizes and indices are counted in elements, workspaces and texts in bytes. */
#ifndef ATTUNE_PLUGIN_ABI_H
#define ATTUNE_PLUGIN_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define ATTUNE_ABI_NOEXCEPT noexcept
#else
#define ATTUNE_ABI_NOEXCEPT
#endif

#define ATTUNE_ABI_MAGIC 0x4e555441u /* "ATUN" in memory, little endian */
#define ATTUNE_ABI_MAJOR 1u          /* changes only when the rules above could not be kept */
#define ATTUNE_ABI_MINOR 0u          /* grows with every appended field or feature */
#define ATTUNE_ABI_QUERY "attune_plugin_query"
#define ATTUNE_ABI_WORKSPACE_ALIGNMENT 64u

typedef struct attune_head {
  uint32_t magic;       /* ATTUNE_ABI_MAGIC */
  uint32_t struct_size; /* of the whole struct, as its writer's header declares it */
  uint32_t abi_major;   /* of the writer's header */
  uint32_t abi_minor;
} attune_head;

/* What a function answers. The host takes every other value for attune_failed. */
enum {
  attune_ok = 0,
  attune_failed = 1,            /* it could not finish; what the outputs hold is undefined */
  attune_invalid_workspace = 2, /* smaller than workspace_bytes() or not aligned */
  attune_out_of_memory = 3
};

/* Element types. */
enum {
  attune_f32 = 0,
  attune_f16 = 1, /* IEEE 754 binary16 */
  attune_bf16 = 2,
  attune_f64 = 3,
  attune_bool = 4, /* a byte; any value but 0 is true */
  attune_u8 = 5,
  attune_i32 = 6,
  attune_i64 = 7
};

/* What a problem may ask for: bits of attune_problem.features. What each means is said beside the option of the same
 * name in options.hpp. */
#define ATTUNE_FEATURE_CAUSAL (UINT64_C(1) << 0)
#define ATTUNE_FEATURE_WINDOW (UINT64_C(1) << 1)
#define ATTUNE_FEATURE_ALIGN_OFFSET (UINT64_C(1) << 2)
#define ATTUNE_FEATURE_SOFTCAP (UINT64_C(1) << 3)
#define ATTUNE_FEATURE_MASK_BOOL (UINT64_C(1) << 4)
#define ATTUNE_FEATURE_MASK_FLOAT (UINT64_C(1) << 5)
#define ATTUNE_FEATURE_ALIBI (UINT64_C(1) << 6)
#define ATTUNE_FEATURE_SINKS (UINT64_C(1) << 7)
#define ATTUNE_FEATURE_KEY_LENGTHS (UINT64_C(1) << 8)
#define ATTUNE_FEATURE_CU_SEQLENS (UINT64_C(1) << 9)
#define ATTUNE_FEATURE_LSE (UINT64_C(1) << 10)
#define ATTUNE_FEATURE_WEIGHTS (UINT64_C(1) << 11)
#define ATTUNE_FEATURE_GQA (UINT64_C(1) << 12)
#define ATTUNE_FEATURE_F16 (UINT64_C(1) << 13)
#define ATTUNE_FEATURE_BF16 (UINT64_C(1) << 14)
#define ATTUNE_FEATURE_F64 (UINT64_C(1) << 15)
#define ATTUNE_FEATURE_MIXED_DTYPES (UINT64_C(1) << 16)
#define ATTUNE_FEATURE_BLOCK_MASK (UINT64_C(1) << 17)
/* All that this header knows: for attune_plugin.features. */
#define ATTUNE_FEATURES_KNOWN ((UINT64_C(1) << 18) - 1)

/* Promises of attune_plugin.traits, beyond the right result; see attune::Trait in backend.hpp. */
#define ATTUNE_TRAIT_SAME_BITS_ANY_THREADS (UINT64_C(1) << 0)
#define ATTUNE_TRAIT_SAME_BITS_ANY_BATCH (UINT64_C(1) << 1)
#define ATTUNE_TRAIT_SAME_BITS_ANY_STRIDES (UINT64_C(1) << 2)
#define ATTUNE_TRAIT_SAME_BITS_AGAIN (UINT64_C(1) << 3)
#define ATTUNE_TRAIT_MASKED_IS_HARMLESS (UINT64_C(1) << 4)
#define ATTUNE_TRAIT_PADDING_IS_UNREAD (UINT64_C(1) << 5)
#define ATTUNE_TRAIT_WORKERS_WRITE_APART (UINT64_C(1) << 6)

/* Instruction sets: bit positions in the masks `isas`, values of `isa`. */
enum {
  attune_isa_generic = 0,
  attune_isa_sse2 = 1,
  attune_isa_avx2 = 2,
  attune_isa_avx512 = 3,
  attune_isa_avx512_bf16 = 4,
  attune_isa_neon = 5
};

/* attune_problem.mask: the kind of attn_mask. */
enum {
  attune_mask_none = 0,
  attune_mask_bool = 1, /* nonzero = may attend */
  attune_mask_f32 = 2,  /* the others are added to the score */
  attune_mask_f16 = 3,
  attune_mask_bf16 = 4,
  attune_mask_f64 = 5
};

/* attune_problem.align: query i of a member stands at position i + offset. */
enum {
  attune_align_bottom_right = 0, /* offset = the member's key length - its queries */
  attune_align_top_left = 1,     /* 0 */
  attune_align_offset = 2,       /* attune_arguments.align_offset */
  attune_align_offsets = 3       /* attune_arguments.align_offsets[member] */
};

/* A view. Strides count elements; those of inputs may be zero or negative. Inputs are not to be written. */
typedef struct attune_tensor {
  void* data; /* null: this tensor is not part of the call */
  int32_t dtype;
  int32_t rank; /* 0 to 4 */
  int64_t shape[4];
  int64_t strides[4];
} attune_tensor;

/* What stays from call to call. Everything that is only there or not is a bit of `features`. */
typedef struct attune_problem {
  attune_head head;
  uint64_t features;
  int64_t heads;     /* H */
  int64_t kv_heads;  /* Hkv; H is a multiple of it */
  int64_t head_dim;  /* D of query and key, at least 1 */
  int64_t value_dim; /* Dv of value and out */
  int32_t query_dtype;
  int32_t key_dtype;
  int32_t value_dtype;
  int32_t out_dtype;
  int32_t mask;
  int32_t align;
  int64_t window_left; /* -1: all */
  int64_t window_right;
} attune_problem;

/* The sizes of one call. With cu_seqlens `batch` counts members, `queries` and `keys` are those of the longest. */
typedef struct attune_extents {
  attune_head head;
  int64_t batch;
  int64_t queries;
  int64_t keys;
  int64_t total_queries;
  int64_t total_keys;
} attune_extents;

/* This machine, as a plan or an estimate is to see it. */
typedef struct attune_machine {
  attune_head head;
  const char* cpu;
  uint64_t isas;     /* what it can run: 1 << attune_isa_… */
  uint64_t l1_bytes; /* data, per core */
  uint64_t l2_bytes; /* per core */
  uint64_t l3_bytes; /* shared */
  int32_t isa;       /* what kernels are to use */
  int32_t cores;     /* that this process may use */
} attune_machine;

/* One validated call. Tensors have rank 4 whatever the caller's layout: query [B, H, Sq, D], key [B, Hkv, Sk, D],
 * value [B, Hkv, Sk, Dv], out [B, H, Sq, Dv]; packed ones appear as [1, heads, total_tokens, dim]. */
typedef struct attune_arguments {
  attune_head head;
  uint64_t features; /* as in the plan's problem */
  attune_tensor query;
  attune_tensor key;
  attune_tensor value;
  attune_tensor out;          /* written */
  attune_tensor lse;          /* written: [B, H, Sq] f32, the natural logarithm of the softmax's denominator */
  attune_tensor weights;      /* written: [B, H, Sq, Sk] f32 */
  attune_tensor mask;         /* [B, H, Sq, Sk], stride 0 where it is broadcast */
  attune_tensor block_mask;   /* [B or members, H, blocks of queries, blocks of keys] */
  attune_tensor alibi_slopes; /* [B, H] f32 */
  attune_tensor sinks;        /* [H] f32 */
  attune_tensor key_lengths;  /* [B] i32 or i64 */
  attune_tensor cu_seqlens_q; /* [members + 1] i32 or i64 */
  attune_tensor cu_seqlens_k;
  attune_tensor align_offsets; /* [members] i32 or i64 */
  int64_t align_offset;
  int64_t members; /* B, or the packed members */
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  int64_t value_dim;
  int64_t window_left;
  int64_t window_right;
  int64_t block_queries; /* queries in a block of block_mask */
  int64_t block_keys;
  double scale;
  double softcap; /* 0: none */
  int32_t align;
  int32_t causal; /* 0 or 1 */
} attune_arguments;

/* Where a call's work runs: the executor that the host's caller passed. */
typedef void (*attune_task)(void* arg, int64_t item, int32_t worker);
typedef struct attune_executor {
  attune_head head;
  void* ctx;
  /* Calls task(arg, item, worker) once for each item in 0 … items-1 and returns when all are done. Two invocations
   * that run at the same time never have the same worker; 0 <= worker < num_threads. */
  void (*parallel_for)(void* ctx, int64_t items, attune_task task, void* arg);
  int32_t num_threads;
  int32_t reserved; /* 0 */
} attune_executor;

/* What the host offers; valid for as long as the process lives. */
typedef struct attune_host {
  attune_head head;
  uint32_t oldest_major; /* the host takes plugins of abi_major oldest_major … head.abi_major */
  uint32_t reserved;     /* 0 */
  uint64_t features;     /* that the host may ever ask for */
  const char* version;   /* of Attune, for people */
  void* ctx;
  /* Tells the user something, on standard error; from any thread. */
  void (*log)(void* ctx, const char* text);
} attune_host;

/* The plugin's answer: a backend. Valid for as long as the process lives, like everything it points to. All functions
 * but plan_create and plan_destroy may be called from any number of threads at once with the same `self` or plan, and
 * those two with different plans.
 * A function with `text, text_bytes` writes words for people there: NUL-terminated, cut off where the room ends;
 * nothing where text_bytes is 0. */
typedef struct attune_plugin {
  attune_head head;
  uint64_t features; /* ATTUNE_FEATURES_KNOWN of the plugin's header; not what it supports */
  uint64_t traits;
  uint64_t isas;           /* it holds kernels for these: 1 << attune_isa_…; 0: plain code, the same everywhere */
  const char* name;        /* lower case, short: what ATTUNE_BACKEND names */
  const char* description; /* one line */
  void* self;
  int32_t parallel; /* 1: its work spreads over the executor's threads */
  int32_t reserved; /* 0 */

  /* 1: it takes this problem at these extents; 0: it does not, and text says why (null unless somebody asks). Called on
   * every choice. */
  int32_t (*supports)(void* self, const attune_problem* problem, const attune_extents* extents, char* text,
                      uint64_t text_bytes);
  /* Seconds that it expects to take; only the order between backends matters. For what it supports. */
  double (*estimate)(void* self, const attune_problem* problem, const attune_extents* extents,
                     const attune_machine* machine, int32_t threads);
  /* Sets *plan, for what it supports; on failure text says why. The host destroys the plan, once, and may do so after
   * everything else of the engine has gone. */
  int32_t (*plan_create)(void* self, const attune_problem* problem, const attune_machine* machine, void** plan,
                         char* text, uint64_t text_bytes);
  void (*plan_destroy)(void* plan);
  /* Scratch memory that execute() needs. */
  uint64_t (*workspace_bytes)(void* plan, const attune_extents* extents, int32_t threads);
  /* Computes. The workspace is aligned to ATTUNE_ABI_WORKSPACE_ALIGNMENT. */
  int32_t (*execute)(void* plan, const attune_arguments* arguments, void* workspace, uint64_t workspace_bytes,
                     const attune_executor* executor);
  /* The plan in words for people: tiles, splits, threads. */
  void (*describe)(void* plan, const attune_extents* extents, int32_t threads, char* text, uint64_t text_bytes);
} attune_plugin;

/* The sizes of version 1.0, below which a struct is refused. They never change; later fields come after them. */
enum {
  attune_problem_size_1_0 = 96,
  attune_extents_size_1_0 = 56,
  attune_machine_size_1_0 = 64,
  attune_arguments_size_1_0 = 1248,
  attune_executor_size_1_0 = 40,
  attune_host_size_1_0 = 56,
  attune_plugin_size_1_0 = 128
};

/* What a plugin exports. Called first, possibly more than once, and answers the same each time. Null: it does not work
 * with this host, and text says why. */
typedef const attune_plugin* (*attune_query_function)(const attune_host* host, char* text, uint64_t text_bytes);

#ifdef ATTUNE_ABI_DECLARE_QUERY /* in a plugin that is not made by plugin.hpp */
__attribute__((visibility("default"))) const attune_plugin* attune_plugin_query(
    const attune_host* host, char* text, uint64_t text_bytes) ATTUNE_ABI_NOEXCEPT;
#endif

#ifdef __cplusplus
}
#endif

#endif /* ATTUNE_PLUGIN_ABI_H */
