// The products of linear attention on a chunk of keys, made of the kernels of softmax attention.
//
// Everything is Kernels::weighted_sum, out[c][lane] += Σ_r weights[r][lane] · values[r][c], with the columns of V in
// the lanes (a column of ones behind them sums the weights themselves):
//   state[d][lane] += Σ_j V[j][lane] · φ(K)[j][d]            what the chunk adds to the state
//   out[i][lane]    = Σ_d state[d][lane] · φ(Q)ᵀ[d][i]        what the state gives to a tile of queries
//   out[i][lane]   += Σ_j V[j][lane] · S[j][i],  S = φ(K)·φ(Q)ᵀ with S[j][i] = 0 for j > i: causal, within the chunk
// so the output's rows need no transposition, and S is what Kernels::scores writes. A pass over the state serves a
// whole chunk: 2 · D · Dv operations a key for its sum and as many a query for reading it.
#pragma once

#include <cstdint>

#include "backends/linear/linear.hpp"

namespace attune::linear {

inline constexpr std::int64_t chunk_keys = 64;

/// Sizes that follow from the problem and the kernels. A state is [blocks][D][lanes]: blocks of columns of V | 1.
struct Sizes {
  std::int64_t dim, columns, lanes, blocks;

  Sizes(const Problem& problem, const kernels::Kernels& kernels) noexcept;
  std::int64_t state_floats() const noexcept { return blocks * dim * lanes; }
  std::int64_t scratch_floats() const noexcept;
};

class Chunk {
 public:
  /// `scratch`: sizes.scratch_floats(), aligned to 64 bytes.
  Chunk(const Problem& problem, const kernels::Kernels& kernels, float* scratch) noexcept;

  /// Keys first … first + count − 1, at most chunk_keys.
  void load(std::int64_t batch, std::int64_t kv_head, std::int64_t first, std::int64_t count) noexcept;
  /// Adds the loaded keys to a state.
  void add_to(float* state) const noexcept;
  /// Queries first … first + count − 1 of a head, at most `lanes`, from a state and, if causal, from the loaded keys at
  /// or before each query; writes out's rows.
  void attend(std::int64_t batch, std::int64_t head, std::int64_t first, std::int64_t count,
              const float* state) noexcept;

 private:
  void to_features(float* elements, std::int64_t count) noexcept;
  void load_queries(std::int64_t batch, std::int64_t head, std::int64_t first, std::int64_t count) noexcept;
  void attend_loaded_keys(std::int64_t first, std::int64_t count) noexcept;
  void write(std::int64_t batch, std::int64_t head, std::int64_t first, std::int64_t count) noexcept;
  int vectors_of(std::int64_t block) const noexcept;

  const Problem& problem_;
  const kernels::Kernels& kernels_;
  Sizes sizes_;
  std::int64_t first_key_ = 0, count_ = 0;  // that are loaded
  bool finite_ = true;                      // are their values?

  float* keys_;     // φ(K) [chunk_keys][D]
  float* values_;   // V | 1 [blocks][chunk_keys][lanes]
  float* queries_;  // φ(Q)ᵀ [D][lanes]
  float* scores_;   // [chunk_keys][lanes]
  float* out_;      // [blocks][lanes][lanes]
  float* rows_;     // rows on their way: [lanes][D], or one of out
  float* lane_;     // five of [lanes]: what Kernels::softmax and scores keep for each lane
};

}  // namespace attune::linear
