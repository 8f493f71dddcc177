// The softmax of one tile between the products of another (weighted_sum_and_softmax). By itself it waits for operations
// that depend on each other; between products that keep the multiply-add units busy only its own multiply-adds cost
// time.
#pragma once

#include "backends/kernels/softmax.hpp"

namespace {

using attune::kernels::SoftmaxStep;

/// Weights in the place of their scores.
struct WeightsInPlace {
  static constexpr int vectors_of_four = 4;  // that the weights of four keys take
  static Vec largest(Vec row_max, const SoftmaxStep&) { return row_max; }
  static Vec kept(Vec shift) { return shift; }  // from keys to keys
  template <int N>
  [[gnu::always_inline]] static Vec weigh(const float*, Vec shift, const SoftmaxStep&, float* weights) {
    return ::weigh<N, false, false>(weights, shift);
  }
};

/// Weighs the scores of a step a few keys at a time: the same operations as softmax() alone, in the same order in each
/// lane. Weights say how they are kept.
template <typename Weights>
class Weigher {
 public:
  explicit Weigher(const SoftmaxStep& step) : step_(step), lanes_(step.vectors * vector_lanes) {
    for (int lane = 0; lane < lanes_; lane += vector_lanes) {
      const Vec largest = Weights::largest(load(step.row_max + lane), step);
      store(shift_ + lane, Weights::kept(raise_maximum<false>(largest, step.m + lane, step.alpha + lane)));
      store(sum_ + lane, Vec(0.0f));
    }
    begin_vector(0);
  }

  [[gnu::always_inline]] void next_keys() {
    if (fours_ == 0) return;
    store(sum_ + lane_, load(sum_ + lane_) + four_keys(load(shift_ + lane_)));
    if (--fours_ == 0 && lane_ + vector_lanes < lanes_) {
      end_vector();
      begin_vector(lane_ + vector_lanes);
    }
  }

  /// All that is left. Did a maximum grow?
  bool finish() {
    end_vector();
    for (int lane = lane_ + vector_lanes; lane < lanes_; lane += vector_lanes) {
      begin_vector(lane);
      end_vector();
    }
    bool any_grew = false;
    for (int lane = 0; lane < lanes_; lane += vector_lanes) {
      const Vec alpha = load(step_.alpha + lane);
      float* const l = step_.l + lane;
      store(l, multiply_add(load(l), alpha, load(sum_ + lane)));
      any_grew |= grew(alpha);
    }
    return any_grew;
  }

 private:
  void begin_vector(int lane) {
    lane_ = lane;
    scores_ = weights_ = step_.scores + lane;
    fours_ = step_.key_count / 4;
  }

  /// The keys that the vector still has.
  void end_vector() {
    const Vec shift = load(shift_ + lane_);
    Vec sum = load(sum_ + lane_);
    for (; fours_ > 0; --fours_) sum = sum + four_keys(shift);
    const auto left = step_.key_count % 4;
    if (left == 3) sum = sum + Weights::template weigh<3>(scores_, shift, step_, weights_);
    if (left == 2) sum = sum + Weights::template weigh<2>(scores_, shift, step_, weights_);
    if (left == 1) sum = sum + Weights::template weigh<1>(scores_, shift, step_, weights_);
    store(sum_ + lane_, sum);
  }

  [[gnu::always_inline]] Vec four_keys(Vec shift) {
    const Vec sum = Weights::template weigh<4>(scores_, shift, step_, weights_);
    scores_ += 4 * tile_lanes;
    weights_ += Weights::vectors_of_four * tile_lanes;
    return sum;
  }

  const SoftmaxStep step_;  // a copy: for all that g++ knows, weights are written over the original
  const int lanes_;
  int lane_;
  std::int64_t fours_;  // groups of four keys that the vector at lane_ still has
  const float* scores_;
  float* weights_;  // never ahead of the scores that are still to be read
  alignas(64) float shift_[tile_lanes], sum_[tile_lanes];
};

/// Lets it work where a Prefetcher would ask for rows.
template <typename Weights>
struct Weighing {
  static constexpr std::int64_t interval = 8;
  void begin_share() {}
  [[gnu::always_inline]] void request() { weigher.next_keys(); }
  void end_share() {}

  Weigher<Weights>& weigher;
};

}  // namespace
