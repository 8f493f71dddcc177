// The rows of a (member, kv head): its group's queries, head after head. Row r is query r % Sq of the group's head
// r / Sq, so that the few queries of a decode step and of several heads fill one tile.
#pragma once

#include <algorithm>
#include <cstdint>

#include <attune/arguments.hpp>

#include "backends/kernels/kernels.hpp"
#include "backends/tiles/rows.hpp"

namespace attune::tiles {

/// Whose rows these are.
struct HeadRows {
  Member member;
  std::int64_t index = 0;  // of the member: 0 … B − 1
  std::int64_t kv_head = 0;
  std::int64_t first_head = 0;  // of the group
  std::int64_t count = 0;       // group · queries
};

HeadRows head_rows(const Arguments& arguments, std::int64_t member, std::int64_t kv_head) noexcept;

/// visit(i, index) for each of `count` rows of the tensor, which has heads as its second axis: the index of the row's
/// first element. On the third axis the member's rows begin at first_in_member.
template <typename Visit>
void for_rows(const TensorLayout& tensor, const HeadRows& head, std::int64_t first_in_member, std::int64_t first_row,
              int count, Visit visit) noexcept {
  const std::int64_t queries = head.member.queries, stride = tensor.strides[2];
  const bool one_head = queries == head.count;  // dividing takes as long as a dozen rows
  std::int64_t row_head = head.first_head + (one_head ? 0 : first_row / queries);
  std::int64_t query = one_head ? first_row : first_row % queries;
  for (std::int64_t i = 0; i < count; query = 0, ++row_head) {
    std::int64_t index = index_of(tensor, head.member.batch, row_head, first_in_member + query);
    const std::int64_t end = std::min<std::int64_t>(count, i + queries - query);
    for (; i < end; ++i, index += stride) visit(i, index);
  }
}

/// The addresses of `count` rows of queries or outputs.
template <typename Number, typename View, typename Address>
void row_addresses(const View& tensor, const HeadRows& head, std::int64_t first_row, int count,
                   Address* rows) noexcept {
  auto* const data = tensor.template as<Number>();
  for_rows(tensor, head, head.member.first_query, first_row, count,
           [data, rows](std::int64_t lane, std::int64_t index) { rows[lane] = data + index; });
}

/// The queries of the tile at first_row, as far as they are one head's.
kernels::Ahead queries_ahead(const Arguments& arguments, const HeadRows& head, std::int64_t first_row,
                             int lanes) noexcept;

}  // namespace attune::tiles
