#include "backends/tiles/head_rows.hpp"

#include <algorithm>

namespace attune::tiles {

HeadRows head_rows(const Arguments& arguments, std::int64_t member, std::int64_t kv_head) noexcept {
  const Member m = arguments.member(member);
  const std::int64_t group = arguments.group();
  return {m, member, kv_head, kv_head * group, group * m.queries};
}

kernels::Ahead queries_ahead(const Arguments& arguments, const HeadRows& head, std::int64_t first_row,
                             int lanes) noexcept {
  if (first_row >= head.count) return {};
  const std::int64_t query = first_row % head.member.queries;
  return rows_ahead(arguments.query, head.member.batch, head.first_head + first_row / head.member.queries,
                    head.member.first_query + query, std::min<std::int64_t>(lanes, head.member.queries - query));
}

}  // namespace attune::tiles
