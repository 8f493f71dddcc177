// Does a computed call agree with the definition? Asked of rows that are sampled.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <attune/arguments.hpp>

namespace attune::detail {

/// Rows of every member's first and last head, and of some between: the first, the last and others, of `out` and `lse`.
/// What `naive` says of them is computed once, and compared with what a run has left as often as asked.
class RowCheck {
 public:
  /// The arguments of a call of finite elements; their memory must outlive this.
  explicit RowCheck(const Arguments& arguments);

  /// What is wrong with the outputs as they are now, in words; empty: nothing. The tolerance is the derived one of
  /// tolerance.hpp.
  std::string fault() const;

 private:
  struct Row {
    std::int64_t member = 0, head = 0, query = 0;
    std::vector<double> out, allowed;  // without the rounding of the output
    double lse = 0, lse_allowed = 0;
  };

  std::string fault_of(const Row& row) const;

  Arguments arguments_;
  std::vector<Row> rows_;
};

}  // namespace attune::detail
