// The deliberate bugs, each one somebody has written at some time.
#pragma once

#include <iterator>

namespace attune::mutants {

enum class Bug {
  none,
  no_rescale,
  skips_last_key,
  skips_last_query,
  causal_off_by_one,
  top_left_for_bottom_right,
  clamps_negative_offset,
  wrong_gqa_head,
  reads_past_keys,
  reads_padding,
  writes_past_out,
  assumes_inner_stride,
  assumes_equal_dims,
  drops_head_dim_tail,
  ignores_scale,
  ignores_softcap,
  caps_after_bias,
  ignores_key_lengths,
  ignores_sinks,
  lse_without_sink,
  lse_base_2,
  lse_without_maximum,
  alibi_sign,
  alibi_one_sided,
  mask_of_first_batch,
  masks_by_adding,
  masks_by_multiplying,
  finite_minus_infinity,
  swallows_nan,
  nan_for_empty_rows,
  window_off_by_one,
  packed_members_mixed,
  bf16_accumulator,
  weights_not_normalised,
  trusts_workspace,
  shared_scratch,
  depends_on_threads,
  depends_on_batch,
  refuses_without_reason,
};

struct Mutant {
  Bug bug;
  const char* name;
  const char* description;
};

inline constexpr Mutant mutants[] = {
    {Bug::no_rescale, "no_rescale", "does not rescale what it has when the running maximum grows"},
    {Bug::skips_last_key, "skips_last_key", "loses the last key of a block that is not full"},
    {Bug::skips_last_query, "skips_last_query", "does not write the last row of a tile that is not full"},
    {Bug::causal_off_by_one, "causal_off_by_one", "lets a query see one key of the future"},
    {Bug::top_left_for_bottom_right, "top_left_for_bottom_right", "takes every alignment for top_left"},
    {Bug::clamps_negative_offset, "clamps_negative_offset", "takes a negative offset for zero"},
    {Bug::wrong_gqa_head, "wrong_gqa_head", "takes kv head h mod Hkv instead of h / group"},
    {Bug::reads_past_keys, "reads_past_keys", "reads one element past the end of each row of K, and ignores it"},
    {Bug::reads_padding, "reads_padding",
     "gives keys beyond the key length the weight 0 instead of leaving them alone"},
    {Bug::writes_past_out, "writes_past_out", "writes one element past the end of the last row of out"},
    {Bug::assumes_inner_stride, "assumes_inner_stride", "takes the inner stride of V for 1"},
    {Bug::assumes_equal_dims, "assumes_equal_dims", "computes no more than head_dim columns of out"},
    {Bug::drops_head_dim_tail, "drops_head_dim_tail", "rounds head_dim down to a multiple of 8"},
    {Bug::ignores_scale, "ignores_scale", "always scales by 1/√D"},
    {Bug::ignores_softcap, "ignores_softcap", "ignores softcap"},
    {Bug::caps_after_bias, "caps_after_bias", "applies softcap after mask and ALiBi"},
    {Bug::ignores_key_lengths, "ignores_key_lengths", "attends padding"},
    {Bug::ignores_sinks, "ignores_sinks", "ignores sinks"},
    {Bug::lse_without_sink, "lse_without_sink", "leaves the sink out of lse, in lse alone"},
    {Bug::lse_base_2, "lse_base_2", "gives lse to the base 2"},
    {Bug::lse_without_maximum, "lse_without_maximum", "gives the logarithm of the sum without the maximum"},
    {Bug::alibi_sign, "alibi_sign", "adds the ALiBi bias instead of subtracting it"},
    {Bug::alibi_one_sided, "alibi_one_sided", "gives keys of the future no ALiBi bias"},
    {Bug::mask_of_first_batch, "mask_of_first_batch", "uses the mask of the first batch member for all"},
    {Bug::masks_by_adding, "masks_by_adding", "masks by adding −10⁹"},
    {Bug::masks_by_multiplying, "masks_by_multiplying", "masks by multiplying weights with 0"},
    {Bug::finite_minus_infinity, "finite_minus_infinity", "starts the running maximum at −10⁵"},
    {Bug::swallows_nan, "swallows_nan", "leaves keys with a NaN score out"},
    {Bug::nan_for_empty_rows, "nan_for_empty_rows", "divides 0 by 0 where there is nothing to attend to"},
    {Bug::window_off_by_one, "window_off_by_one", "keeps one key too few on the left of a window"},
    {Bug::packed_members_mixed, "packed_members_mixed", "reads every packed member's keys from the first one's"},
    {Bug::bf16_accumulator, "bf16_accumulator", "keeps running sums in bf16"},
    {Bug::weights_not_normalised, "weights_not_normalised", "gives weights before the division by the sum"},
    {Bug::trusts_workspace, "trusts_workspace", "expects a workspace full of zeros"},
    {Bug::shared_scratch, "shared_scratch", "lets all workers use one worker's scratch"},
    {Bug::depends_on_threads, "depends_on_threads", "chooses its key block by the number of threads"},
    {Bug::depends_on_batch, "depends_on_batch", "chooses its key block by the batch size"},
    {Bug::refuses_without_reason, "refuses_without_reason", "does not say what it does not take"},
};

}  // namespace attune::mutants
