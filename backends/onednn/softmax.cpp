#include "backends/onednn/softmax.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/naive/element.hpp"
#include "backends/onednn/rows.hpp"

// "omp simd" asks the compiler for vectors, with -fopenmp-simd; there is no runtime behind it.
namespace attune::onednn {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
/// Of one row's scores: the largest, and whether there is a NaN or +inf among them.
struct Survey {
  float largest = -infinity;
  bool poisoned = false;
};

/// Side by side in lanes: no compiler makes vectors of a running maximum that must not lose a NaN.
Survey survey(const float* scores, std::int64_t count) noexcept {
  constexpr std::int64_t lanes = 16;  // blocks of keys are multiples of it
  float largest[lanes];
  std::int32_t poisoned[lanes] = {};
  std::fill(largest, largest + lanes, -infinity);
  for (std::int64_t j = 0; j < count; j += lanes)
#pragma omp simd
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      const float score = scores[j + lane];
      largest[lane] = score > largest[lane] ? score : largest[lane];
      poisoned[lane] |= score < infinity ? 0 : 1;
    }
  Survey result;
  for (std::int64_t lane = 0; lane < lanes; ++lane) {
    result.largest = std::max(result.largest, largest[lane]);
    result.poisoned = result.poisoned || poisoned[lane] != 0;
  }
  return result;
}

float sum_of(const float* numbers, std::int64_t count) noexcept {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < count; ++j) sum += numbers[j];
  return sum;
}

}  // namespace

KeyRange TileRows::keys() const noexcept {
  KeyRange all{member.keys, 0};
  for (std::int64_t i = query(0); i <= query(count - 1); ++i) {
    const KeyRange keys = arguments.attended_keys(member, i);
    if (keys.begin < keys.end) all = {std::min(all.begin, keys.begin), std::max(all.end, keys.end)};
  }
  return all.begin < all.end ? all : KeyRange{};
}

Softmax::Softmax(const TileRows& rows, std::int64_t tile_queries, float* statistics, float* out) noexcept
    : rows_(rows), tile_queries_(tile_queries), maximum_(statistics), sum_(statistics + tile_queries), out_(out) {
  const Arguments& a = rows.arguments;
  std::fill(maximum_, maximum_ + tile_queries, -infinity);
  std::fill(sum_, sum_ + tile_queries, 0.0f);
  std::fill(out_, out_ + tile_queries * a.value_dim, 0.0f);
  for (std::int64_t row = 0; row < rows.count && a.sinks.data != nullptr; ++row) {
    const float sink = a.sinks.as<float>()[rows.head(row) * a.sinks.strides[0]];
    if (sink == -infinity) continue;
    maximum_[row] = sink < infinity ? sink : -infinity;
    sum_[row] = sink < infinity ? 1 : std::numeric_limits<float>::quiet_NaN();
  }
}

void Softmax::scale_for_tanh(float* products, std::int64_t block_keys) const noexcept {
  const auto factor = static_cast<float>(rows_.arguments.scale / rows_.arguments.softcap);
  for (std::int64_t at = 0; at < tile_queries_ * block_keys; ++at) products[at] *= factor;
}

void Softmax::shift(float* products, std::int64_t first_key, std::int64_t block_keys) noexcept {
  for (std::int64_t row = 0; row < rows_.count; ++row) {
    apply_options(products + row * block_keys, row, first_key, block_keys);
    shift_row(products + row * block_keys, row, block_keys);
  }
  std::fill(products + rows_.count * block_keys, products + tile_queries_ * block_keys, -infinity);
}

/// Masks select after the product, so that nothing a masked key holds can matter.
void Softmax::apply_options(float* scores, std::int64_t row, std::int64_t first_key,
                            std::int64_t block_keys) const noexcept {
  const Arguments& a = rows_.arguments;
  const KeyRange keys = a.attended_keys(rows_.member, rows_.query(row));
  const std::int64_t begin = std::clamp<std::int64_t>(keys.begin - first_key, 0, block_keys);
  const std::int64_t end = std::clamp<std::int64_t>(keys.end - first_key, begin, block_keys);
  std::fill(scores, scores + begin, -infinity);
  std::fill(scores + end, scores + block_keys, -infinity);
  const auto factor = static_cast<float>(a.softcap > 0 ? a.softcap : a.scale);
  for (std::int64_t j = begin; j < end; ++j) scores[j] *= factor;
  if (a.mask.data == nullptr && a.alibi_slopes.data == nullptr) return;
  for (std::int64_t j = begin; j < end; ++j)
    scores[j] = masked(row, first_key + j) ? -infinity : scores[j] + bias(row, first_key + j);
}

std::int64_t Softmax::mask_index(std::int64_t row, std::int64_t key) const noexcept {
  const auto& strides = rows_.arguments.mask.strides;
  return rows_.member.batch * strides[0] + rows_.head(row) * strides[1] + rows_.query(row) * strides[2] +
         key * strides[3];
}

bool Softmax::masked(std::int64_t row, std::int64_t key) const noexcept {
  const TensorView& mask = rows_.arguments.mask;
  return mask.data != nullptr && mask.dtype == DType::boolean && mask.as<std::uint8_t>()[mask_index(row, key)] == 0;
}

float Softmax::bias(std::int64_t row, std::int64_t key) const noexcept {
  const Arguments& a = rows_.arguments;
  double result = 0;
  if (a.mask.data != nullptr && a.mask.dtype != DType::boolean) result = naive::load(a.mask, mask_index(row, key));
  if (a.alibi_slopes.data != nullptr) {
    const auto& strides = a.alibi_slopes.strides;
    const std::int64_t distance = Arguments::position(rows_.member, rows_.query(row)) - key;
    result -= naive::load(a.alibi_slopes, rows_.member_index * strides[0] + rows_.head(row) * strides[1]) *
              std::abs(static_cast<double>(distance));
  }
  return static_cast<float>(result);
}

void Softmax::shift_row(float* scores, std::int64_t row, std::int64_t block_keys) noexcept {
  const Survey found = survey(scores, block_keys);
  if (found.poisoned) {
    sum_[row] = std::numeric_limits<float>::quiet_NaN();
    std::fill(scores, scores + block_keys, -infinity);
    return;
  }
  const float before = maximum_[row];
  if (found.largest > before) {
    maximum_[row] = found.largest;
    if (before > -infinity) {
      const float factor = std::exp(before - found.largest);
      const std::int64_t dim = rows_.arguments.value_dim;
      sum_[row] *= factor;
      for (std::int64_t d = 0; d < dim; ++d) out_[row * dim + d] *= factor;
    }
  }
  if (maximum_[row] == -infinity) return;  // nothing attended: every score is −inf
  for (std::int64_t j = 0; j < block_keys; ++j) scores[j] -= maximum_[row];
}

void Softmax::add(const float* exponentials, std::int64_t block_keys) noexcept {
  for (std::int64_t row = 0; row < rows_.count; ++row) sum_[row] += sum_of(exponentials + row * block_keys, block_keys);
}

void Softmax::finish() noexcept {
  const Arguments& a = rows_.arguments;
  for (std::int64_t row = 0; row < rows_.count; ++row) {
    const bool empty = sum_[row] == 0;
    const std::int64_t query = rows_.member.first_query + rows_.query(row);
    const auto& o = a.out.strides;
    const std::int64_t at = rows_.member.batch * o[0] + rows_.head(row) * o[1] + query * o[2];
    float* const mean = out_ + row * a.value_dim;
    for (std::int64_t d = 0; d < a.value_dim; ++d) mean[d] = empty ? 0 : mean[d] / sum_[row];
    write_row(mean, a.value_dim, a.out, at);
    if (a.lse.data == nullptr) continue;
    const auto& l = a.lse.strides;
    a.lse.as<float>()[rows_.member.batch * l[0] + rows_.head(row) * l[1] + query * l[2]] =
        empty ? -infinity : maximum_[row] + std::log(sum_[row]);
  }
}

}  // namespace attune::onednn
