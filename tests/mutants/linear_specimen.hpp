// Linear attention made to be broken: token by token, in double. Healthy it passes the cases of tests/linear; each bug
// makes it do one thing wrong.
#pragma once

#include "tests/linear/suite.hpp"

namespace attune::mutants {

enum class LinearBug {
  none,
  relu_for_elu,
  forgets_plus_one,
  excludes_own_key,
  sees_next_key,
  wrong_gqa_head,
  loses_last_key,
  does_not_divide,
  ignores_state,
  does_not_write_state,
  forgets_normaliser,
  adds_state_twice,
  nan_for_empty_rows,
  masks_by_multiplying,
  assumes_query_strides,
  assumes_equal_dims,
  bf16_sums,
  depends_on_threads,
};

struct LinearMutant {
  LinearBug bug;
  const char* name;
  const char* description;
};

inline constexpr LinearMutant linear_mutants[] = {
    {LinearBug::relu_for_elu, "relu_for_elu", "takes max(x, 0) + 1 for the feature"},
    {LinearBug::forgets_plus_one, "forgets_plus_one", "takes elu(x) for the feature, without the 1"},
    {LinearBug::excludes_own_key, "excludes_own_key", "lets query i see the keys before i alone"},
    {LinearBug::sees_next_key, "sees_next_key", "lets query i see key i + 1"},
    {LinearBug::wrong_gqa_head, "wrong_gqa_head", "takes kv head h mod Hkv instead of h / group"},
    {LinearBug::loses_last_key, "loses_last_key", "loses the last of more than 64 keys"},
    {LinearBug::does_not_divide, "does_not_divide", "does not divide by the sum of the weights"},
    {LinearBug::ignores_state, "ignores_state", "starts from zeros whatever the state says"},
    {LinearBug::does_not_write_state, "does_not_write_state", "leaves the state as it was"},
    {LinearBug::forgets_normaliser, "forgets_normaliser", "does not read the state's last column"},
    {LinearBug::adds_state_twice, "adds_state_twice", "adds what was there once more when it writes the state"},
    {LinearBug::nan_for_empty_rows, "nan_for_empty_rows", "divides by zero where a row sees nothing"},
    {LinearBug::masks_by_multiplying, "masks_by_multiplying", "adds the keys that a query does not see times 0"},
    {LinearBug::assumes_query_strides, "assumes_query_strides", "takes the query for contiguous [B, H, S, D]"},
    {LinearBug::assumes_equal_dims, "assumes_equal_dims", "computes no more than D columns of out"},
    {LinearBug::bf16_sums, "bf16_sums", "rounds its sums to bf16"},
    {LinearBug::depends_on_threads, "depends_on_threads", "adds up its keys in as many parts as there are threads"},
};

test::LinearFunction linear_specimen(LinearBug bug);

}  // namespace attune::mutants
