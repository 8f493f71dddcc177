// Checks of the options against the tensors they belong to. Each refuses with Error(invalid_argument).
#pragma once

#include <attune/options.hpp>
#include <attune/problem.hpp>

#include "engine/attention_layouts.hpp"

namespace attune::detail {

/// Options that exclude each other. Answers whether the call is packed.
bool check_combinations(const AttentionOptions& options);

/// How many members cu_seqlens delimit; checks both tensors, but not their elements.
std::int64_t packed_members(const AttentionOptions& options);

/// Checks that the boundaries rise from 0 to the number of tokens; returns the longest member.
std::int64_t longest_member(const char* name, const TensorView& boundaries, std::int64_t members, std::int64_t tokens);

/// The map of blocks and the sizes of its blocks, against the lengths of the longest member.
void check_block_mask(const AttentionOptions& options, std::int64_t heads, const Extents& extents);

/// Everything else: numbers, tensors that are read, further outputs.
void check_options(const AttentionOptions& options, const AttentionLayouts& layouts);

}  // namespace attune::detail
