#include "tests/mutants/specimen.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace attune::mutants {
namespace {

constexpr std::int64_t tile_rows = 4;
constexpr std::int64_t usual_block = 16;
constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

float at(const TensorView& tensor, std::int64_t b, std::int64_t h, std::int64_t s, std::int64_t d) {
  return tensor
      .as<float>()[b * tensor.strides[0] + h * tensor.strides[1] + s * tensor.strides[2] + d * tensor.strides[3]];
}

/// Some rows of one query head, in one worker's scratch.
class Tile {
 public:
  Tile(const Arguments& arguments, Bug bug, std::int64_t block, std::int64_t member, std::int64_t head, double* scratch)
      : a_(arguments),
        bug_(bug),
        block_(block),
        index_(member),
        member_(arguments.member(member)),
        head_(head),
        kv_head_(bug == Bug::wrong_gqa_head ? head % arguments.kv_heads : head / arguments.group()),
        scratch_(scratch) {
    if (has(Bug::ignores_key_lengths) && a_.cu_seqlens_q.data == nullptr) member_.keys = a_.key.shape[2];
    if (has(Bug::top_left_for_bottom_right)) member_.offset = 0;
    if (has(Bug::clamps_negative_offset)) member_.offset = std::max<std::int64_t>(member_.offset, 0);
    if (has(Bug::packed_members_mixed)) member_.first_key = 0;
  }

  void run(std::int64_t first, std::int64_t end) {
    if (has(Bug::skips_last_query) && end - first < tile_rows && end - first > 1) --end;
    for (std::int64_t i = first; i < end; ++i) start(i - first);
    // Beyond its key length a member has no keys; what lies there may not even be read.
    const std::int64_t keys = has(Bug::reads_padding) ? a_.key.shape[2] : member_.keys;
    for (std::int64_t block = 0; block < keys; block += block_)
      for (std::int64_t i = first; i < end; ++i) absorb(i, i - first, block, std::min(block + block_, keys));
    for (std::int64_t i = first; i < end; ++i) finish(i, i - first);
  }

 private:
  bool has(Bug bug) const { return bug_ == bug; }
  // A row's state: maximum, sum, and the accumulators of its output; in f64, so that long sums do not drift.
  double& maximum(std::int64_t row) { return scratch_[row * (a_.value_dim + 2)]; }
  double& sum(std::int64_t row) { return scratch_[row * (a_.value_dim + 2) + 1]; }
  double* accumulators(std::int64_t row) { return scratch_ + row * (a_.value_dim + 2) + 2; }
  bool has_sink() const { return a_.sinks.data != nullptr && !has(Bug::ignores_sinks); }
  float sink() const { return a_.sinks.as<float>()[head_ * a_.sinks.strides[0]]; }

  void start(std::int64_t row) {
    maximum(row) = has_sink() ? sink() : has(Bug::finite_minus_infinity) ? -1e5f : minus_infinity;
    sum(row) = has_sink() ? 1.0f : 0.0f;
    if (!has(Bug::trusts_workspace)) std::fill_n(accumulators(row), a_.value_dim, 0.0f);
  }

  bool attends(std::int64_t i, std::int64_t j) const {
    KeyRange range = a_.attended_keys(member_, i);
    if (has(Bug::causal_off_by_one) && a_.causal) range.end = std::min(range.end + 1, member_.keys);
    if (has(Bug::window_off_by_one) && a_.window_left > 0 && range.begin > 0) ++range.begin;
    return j >= range.begin && j < range.end && block_attended(i, j) &&
           (a_.mask.dtype != DType::boolean || *mask_at<bool>(i, j));
  }

  bool block_attended(std::int64_t i, std::int64_t j) const {
    if (a_.block_mask.data == nullptr || has(Bug::ignores_block_mask)) return true;
    const std::int64_t head = has(Bug::block_mask_of_kv_head) ? kv_head_ * a_.group() : head_;
    if (has(Bug::swaps_block_sizes)) return block_at(head, i / a_.block_keys, j / a_.block_queries);
    if (has(Bug::block_mask_of_tokens)) i += member_.first_query, j += member_.first_key;
    std::int64_t block = j / a_.block_keys;
    const bool in_the_tail = (block + 1) * a_.block_keys > member_.keys;
    if (has(Bug::loses_last_block) && in_the_tail && block > 0) --block;
    return block_at(head, i / a_.block_queries, block);
  }

  /// A mutant may ask for a block that is not there.
  bool block_at(std::int64_t head, std::int64_t row, std::int64_t column) const {
    const auto& [shape, strides] = std::tie(a_.block_mask.shape, a_.block_mask.strides);
    const std::int64_t r = std::min(row, shape[2] - 1), c = std::min(column, shape[3] - 1);
    return a_.block_mask
               .as<std::uint8_t>()[index_ * strides[0] + head * strides[1] + r * strides[2] + c * strides[3]] != 0;
  }

  template <typename T>
  const T* mask_at(std::int64_t i, std::int64_t j) const {
    static constexpr T no_mask{true};
    if (a_.mask.data == nullptr) return &no_mask;
    const std::int64_t b = has(Bug::mask_of_first_batch) ? 0 : member_.batch;
    const auto& strides = a_.mask.strides;
    return a_.mask.as<T>() + b * strides[0] + head_ * strides[1] + i * strides[2] + j * strides[3];
  }

  float bias(std::int64_t i, std::int64_t j) const {
    float bias = a_.mask.data != nullptr && a_.mask.dtype == DType::f32 ? *mask_at<float>(i, j) : 0;
    if (a_.alibi_slopes.data == nullptr) return bias;
    const auto& slopes = a_.alibi_slopes;
    const float slope = slopes.as<float>()[index_ * slopes.strides[0] + head_ * slopes.strides[1]];
    const auto distance = static_cast<float>(Arguments::position(member_, i) - j);
    if (has(Bug::alibi_one_sided) && distance < 0) return bias;
    return bias - (has(Bug::alibi_sign) ? -1.0f : 1.0f) * slope * std::abs(distance);
  }

  float dot(std::int64_t i, std::int64_t j) const {
    const std::int64_t dims = has(Bug::drops_head_dim_tail) && a_.head_dim > 8 ? a_.head_dim / 8 * 8 : a_.head_dim;
    const std::int64_t key = member_.first_key + j;
    float result = 0;
    for (std::int64_t d = 0; d < dims; ++d)
      result +=
          at(a_.query, member_.batch, head_, member_.first_query + i, d) * at(a_.key, member_.batch, kv_head_, key, d);
    if (has(Bug::reads_past_keys)) {
      [[maybe_unused]] const volatile float ignored = at(a_.key, member_.batch, kv_head_, key, a_.head_dim);
    }
    return result;
  }

  float score(std::int64_t i, std::int64_t j) const {
    const double usual = 1 / std::sqrt(static_cast<double>(a_.head_dim));
    float s = static_cast<float>(has(Bug::ignores_scale) ? usual : a_.scale) * dot(i, j);
    const auto cap = static_cast<float>(has(Bug::ignores_softcap) ? 0 : a_.softcap);
    if (has(Bug::caps_after_bias)) s += bias(i, j);
    if (cap > 0) s = cap * std::tanh(s / cap);
    return has(Bug::caps_after_bias) ? s : s + bias(i, j);
  }

  /// Scores of a block's keys; −inf for those that are not attended. Returns whether any counts.
  bool score_block(std::int64_t i, std::int64_t begin, std::int64_t end, float* scores) const {
    bool any = false;
    for (std::int64_t j = begin; j < end; ++j) {
      const bool masked = !attends(i, j);
      float s = masked && !has(Bug::masks_by_adding) ? minus_infinity : score(i, j);
      if (masked && has(Bug::masks_by_adding)) s += -1e9f;
      if (has(Bug::swallows_nan) && std::isnan(s)) s = minus_infinity;
      if (has(Bug::skips_last_key) && j == end - 1 && end - begin < block_ && j > 0) s = minus_infinity;
      scores[j - begin] = s;
      any = any || s != minus_infinity;
    }
    return any;
  }

  /// In f32: so the bits go by where blocks end.
  static double exponential(double difference) { return double{std::exp(static_cast<float>(difference))}; }

  /// One block of keys into a row's state: the maximum may grow, and what is there is scaled down to it.
  void absorb(std::int64_t i, std::int64_t row, std::int64_t begin, std::int64_t end) {
    float scores[2 * usual_block];
    const bool any = score_block(i, begin, end, scores);
    if (!any && !has(Bug::reads_padding) && !has(Bug::masks_by_multiplying)) return;
    const double before = maximum(row);
    for (std::int64_t j = 0; j < end - begin; ++j) maximum(row) = std::max(maximum(row), double{scores[j]});
    if (any && !has(Bug::no_rescale)) rescale(row, exponential(before - maximum(row)));
    for (std::int64_t j = begin; j < end; ++j) {
      const double s{scores[j - begin]};
      if (s != minus_infinity)
        add_value(row, j, exponential(s - maximum(row)));
      else if (has(Bug::masks_by_multiplying) || (has(Bug::reads_padding) && j >= member_.keys))
        add_value(row, j, 0);
    }
  }

  void rescale(std::int64_t row, double factor) {
    sum(row) *= factor;
    for (std::int64_t d = 0; d < a_.value_dim; ++d) accumulators(row)[d] *= factor;
  }

  void add_value(std::int64_t row, std::int64_t j, double weight) {
    sum(row) += weight;
    const std::int64_t dims = has(Bug::assumes_equal_dims) ? std::min(a_.value_dim, a_.head_dim) : a_.value_dim;
    const std::int64_t stride = has(Bug::assumes_inner_stride) ? 1 : a_.value.strides[3];
    const float* const value = a_.value.as<float>() + member_.batch * a_.value.strides[0] +
                               kv_head_ * a_.value.strides[1] + (member_.first_key + j) * a_.value.strides[2];
    for (std::int64_t d = 0; d < dims; ++d) {
      double& accumulator = accumulators(row)[d];
      accumulator += weight * double{value[d * stride]};
      if (has(Bug::bf16_accumulator)) accumulator = double{to_float(to_bfloat16(accumulator))};
    }
  }

  void finish(std::int64_t i, std::int64_t row) {
    const std::int64_t query = member_.first_query + i;
    const bool empty = sum(row) == 0 && !has(Bug::nan_for_empty_rows);
    float* const out =
        a_.out.as<float>() + member_.batch * a_.out.strides[0] + head_ * a_.out.strides[1] + query * a_.out.strides[2];
    for (std::int64_t d = 0; d < a_.value_dim; ++d)
      out[d * a_.out.strides[3]] = empty ? 0.0f : static_cast<float>(accumulators(row)[d] / sum(row));
    if (has(Bug::writes_past_out) && query == a_.out.shape[2] - 1) out[a_.value_dim * a_.out.strides[3]] = 0;
    const float lse = sum(row) == 0 ? minus_infinity : static_cast<float>(maximum(row) + std::log(sum(row)));
    if (a_.lse.data != nullptr) {
      const auto& strides = a_.lse.strides;
      a_.lse.as<float>()[member_.batch * strides[0] + head_ * strides[1] + query * strides[2]] = reported(lse, row);
    }
    if (a_.weights.data != nullptr)
      write_weights(i, has(Bug::weights_not_normalised) ? static_cast<float>(maximum(row)) : lse);
  }

  float reported(float lse, std::int64_t row) {
    if (has(Bug::lse_base_2)) return lse * 1.44269504f;
    if (has(Bug::lse_without_maximum)) return static_cast<float>(std::log(sum(row)));
    if (has(Bug::lse_without_sink) && has_sink())
      return static_cast<float>(maximum(row) + std::log(sum(row) - std::exp(double{sink()} - maximum(row))));
    return lse;
  }

  /// A second look at every key, now that the sum is known.
  void write_weights(std::int64_t i, float lse) const {
    const auto& strides = a_.weights.strides;
    float* const weights = a_.weights.as<float>() + member_.batch * strides[0] + head_ * strides[1] + i * strides[2];
    for (std::int64_t j = 0; j < a_.weights.shape[3]; ++j) {
      const float s = j < member_.keys && attends(i, j) ? score(i, j) : minus_infinity;
      weights[j * strides[3]] = s == minus_infinity ? 0.0f : std::exp(s - lse);
    }
  }

  const Arguments& a_;
  Bug bug_;
  std::int64_t block_;
  std::int64_t index_;  // of the member, packed ones counted
  Member member_;
  std::int64_t head_, kv_head_;
  double* scratch_;
};

class SpecimenPlan final : public Plan {
 public:
  SpecimenPlan(const Problem& problem, Bug bug) : Plan(problem), bug_(bug) {}

  std::size_t workspace_bytes(const Extents&, int num_threads) const noexcept override {
    return static_cast<std::size_t>(num_threads) * scratch_doubles() * sizeof(double);
  }

  Status execute(const Arguments& arguments, std::span<std::byte> workspace,
                 Executor& executor) const noexcept override {
    const std::int64_t tiles = (longest(arguments) + tile_rows - 1) / tile_rows;
    const std::int64_t block = key_block(arguments, executor);
    auto compute = [&](std::int64_t item, int worker) noexcept {
      const std::int64_t first = item % tiles * tile_rows;
      const std::int64_t head = item / tiles % arguments.heads, member = item / tiles / arguments.heads;
      const std::int64_t end = std::min(first + tile_rows, arguments.member(member).queries);
      if (bug_ == Bug::shared_scratch) worker = 0;
      double* const scratch =
          reinterpret_cast<double*>(workspace.data()) + static_cast<std::size_t>(worker) * scratch_doubles();
      if (first < end) Tile(arguments, bug_, block, member, head, scratch).run(first, end);
    };
    executor.parallel_for(arguments.members * arguments.heads * tiles, compute);
    return Status::ok;
  }

  std::string describe(const Extents&, int) const override { return "tiles of 4 queries, blocks of 16 keys"; }

 private:
  std::size_t scratch_doubles() const noexcept {
    const auto doubles = static_cast<std::size_t>(tile_rows * (problem().value_dim + 2));
    return (doubles + 7) / 8 * 8;  // workers do not share cache lines
  }

  static std::int64_t longest(const Arguments& arguments) noexcept {
    std::int64_t queries = 0;
    for (std::int64_t b = 0; b < arguments.members; ++b) queries = std::max(queries, arguments.member(b).queries);
    return queries;
  }

  std::int64_t key_block(const Arguments& arguments, const Executor& executor) const noexcept {
    if (bug_ == Bug::depends_on_threads) return usual_block + std::min(executor.num_threads() - 1, 16);
    if (bug_ == Bug::depends_on_batch) return arguments.members > 1 ? usual_block + 5 : usual_block;
    return usual_block;
  }

  Bug bug_;
};

}  // namespace

bool Specimen::supports(const Problem& problem, const Extents&, std::string* reason) const {
  const auto no = [&](const char* text) { return bug_ == Bug::refuses_without_reason ? false : refuse(reason, text); };
  for (const DType dtype : {problem.query_dtype, problem.key_dtype, problem.value_dtype, problem.out_dtype})
    if (dtype != DType::f32) return no("takes f32 query, key, value and out only");
  if (problem.mask != MaskKind::none && problem.mask != MaskKind::boolean && problem.mask != MaskKind::f32)
    return no("takes bool and f32 masks only");
  return true;
}

double Specimen::estimate(const Problem& problem, const Extents& extents, const Machine&, int threads) const noexcept {
  return flops(problem, extents) / 1e9 / threads;
}

std::shared_ptr<const Plan> Specimen::plan(const Problem& problem, const Machine&) const {
  return std::make_shared<SpecimenPlan>(problem, bug_);
}

}  // namespace attune::mutants
