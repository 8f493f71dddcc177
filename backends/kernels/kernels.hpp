// The table of kernels that one instruction set offers.
//
// Why keys are rows and queries are lanes. A tile computes the transposed product Sᵀ = K·Qᵀ for `lanes` queries
// (two vectors): for each head dim it loads two vectors of queries and broadcasts one element from each of R key
// rows, 2·R multiply-adds for 2 + R loads, and K is read straight from its rows, unpacked. Softmax then runs down
// each lane without a horizontal operation, and Oᵀ += Vᵀ·Pᵀ has the same shape with V's columns in place of
// K's rows. Only the queries are transposed, once per tile, and the outputs, once per tile: 2·D elements moved
// for 4·D·Sk operations. With R·2 accumulators in registers the products run at the multiply-add limit; softmax costs
// about as much as 5 head dims, so a tile reaches about D / (D + 7) of the peak.
//
// A *tile* is [dim][lanes] floats, aligned to 64 bytes: row d holds element d of every query. Lanes beyond the
// queries in use hold zeros and are computed along. `vectors` (1 or 2) says how many vectors of lanes are in
// use; lanes are independent: what one lane holds never changes a bit of another.
// Scores are in units of log2: queries are loaded with the scale times log2 e, so that weights are exp2. Where a bias
// is added they are in natural units, because the lowest finite bias times log2 e would be −inf.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace attune::kernels {

/// How weighted_sum() treats what `out` holds: start from nothing, add to it, or rescale it first.
enum class Start : std::uint8_t { zero, add, rescale };

/// What a tile keeps of the keys it has seen: Σ weight · value, the running maximum and the sum of weights.
struct TileState {
  float* out = nullptr;  // [value_dim][lanes]
  float* m = nullptr;    // [lanes], in the units of the scores
  float* l = nullptr;    // [lanes]
};

/// Vectors of a tile's lanes that a product is computed for, 1 or 2. The lower one of two takes the first `lower_keys`
/// keys alone, a multiple of key_rows: of the others its scores are not written and its weights not read. Where causal
/// ranges end that is half of the products.
struct VectorsInUse {
  constexpr VectorsInUse(int vectors, std::int64_t keys = std::numeric_limits<std::int64_t>::max()) noexcept
      : count(vectors), lower_keys(keys) {}

  int count;
  std::int64_t lower_keys;
};

/// Rows of memory that will be read soon: a kernel asks for them a few at a time while it computes. A hint; they need
/// not be aligned.
struct Ahead {
  const std::byte* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t stride = 0;     // bytes from row to row
  std::int64_t row_bytes = 0;  // of each that will be read
};

/// How elements of keys and values are stored.
enum class Element : std::uint8_t { f32, f16, bf16 };

/// Places in memory that long rows are read from in turn. A core fetches ahead within a page of 4 KiB and waits at its
/// end; pages on the way at a time wait together. Measured on one Zen 4 core, one row of f32 with small / huge pages:
/// 15 / 18 GB/s from one place, 22 / 27 from four, 25 / 31 from eight, 23 from sixteen.
constexpr int streams = 8;

/// Which of `count` rows is the i-th to be used: one of each stream in turn, and at the end what does not divide.
constexpr std::int64_t place_in_streams(std::int64_t i, std::int64_t count) noexcept {
  const std::int64_t in_stream = count / streams;
  return i < in_stream * streams ? i % streams * in_stream + i / streams : i;
}

/// DecodeKernels::weighted_sum adds values in turns, each summed from 0: so many where they are small, else half of
/// that, a quarter and so on, and less at the end of the rows.
constexpr std::int64_t most_values_in_turn = 128;

/// What kernels ask for ahead of the rows that they use: decode_rows.hpp.
enum class Fetch : std::uint8_t {
  far,                   // what comes much later, into L2
  far_and_near,          // the same, and again when it is near: for rows that no cache holds
  in_order,              // what comes next, into L1, line by line in the order of memory
  in_order_from_memory,  // the same for rows that no cache holds: fewer of them side by side
  in_order_from_cache    // the same for rows that a cache holds: of keys, nothing
};

constexpr bool in_order(Fetch fetch) noexcept { return fetch >= Fetch::in_order; }

/// Rows of keys or values where they lie in memory, their elements following each other.
struct StoredRows {
  const void* data = nullptr;
  std::int64_t stride = 0;  // between rows, in elements
  std::int64_t count = 0;
  Element element = Element::f32;
  const void* next = nullptr;  // rows that will be read after these, with the same stride: prefetched
  Fetch fetch = Fetch::far;
  /// Use them in the order of place_in_streams(): scores[i] and weights[i] are those of the i-th row used.
  bool in_streams = false;
};

/// A block of scores on its way to weights: what softmax() takes, in its plain form. Only pairs have a scale.
struct SoftmaxStep {
  float* scores = nullptr;
  std::int64_t key_count = 0;
  int vectors = 1;
  float scale = 1.0f;
  const float* row_max = nullptr;
  float* m = nullptr;
  float* l = nullptr;
  float* alpha = nullptr;
};

/// What the kernels of pairs compute for so many rows of a decode: some more are cheaper than lanes that idle. Queries
/// of rows that are added are 0.
constexpr std::int64_t rows_of_pairs(std::int64_t rows) noexcept { return rows <= 6 ? rows : (rows + 3) / 4 * 4; }

/// Products of bf16 pairs, for instruction sets that multiply them directly. A pair is a 32-bit lane that holds two
/// neighbours, the first in its lower half: of head dims in queries and keys, of keys in weights and values. `dim` of
/// queries and keys is even. Sums are f32; weights are rounded to bf16.
struct PairKernels {
  /// tile[d / 2][lane] = the pairs of rows[lane], unscaled, for the lanes of Kernels::load_rows.
  void (*load_rows)(const std::uint16_t* const* rows, int count, std::int64_t dim, std::uint32_t* tile);

  /// As Kernels::store_rows, rounded once to rows of bf16.
  bool (*store_rows)(const float* tile, std::int64_t dim, const float* factor, std::uint16_t* const* rows, int count);

  /// scores[key][lane] = scale · Σ_d keys[key · key_stride + d] · queries[d][lane]; row_max as Kernels::scores. A scale
  /// of 1 costs nothing.
  void (*scores)(const std::uint32_t* queries, std::int64_t dim, const std::uint16_t* keys, std::int64_t key_stride,
                 std::int64_t key_count, float scale, VectorsInUse vectors, const Ahead& ahead, float* scores,
                 float* row_max);

  /// As Kernels::softmax for scores and row_max times `scale` > 0 (1 if natural). The weights replace the scores in
  /// pairs [key / 2][lane], which fill the first half of the block; a last key without a neighbour gets weight 0.
  bool (*softmax)(float* scores, std::int64_t key_count, int vectors, bool natural, bool careful, float scale,
                  const float* row_max, float* m, float* l, float* alpha);

  /// pairs[key / 2][column] of value rows; a last key without a neighbour gets 0.
  void (*pair_values)(const std::uint16_t* values, std::int64_t stride, std::int64_t key_count, std::int64_t dim,
                      std::uint32_t* pairs);

  /// As Kernels::weighted_sum, on pairs.
  void (*weighted_sum)(const std::uint32_t* weights, std::int64_t key_count, const std::uint32_t* values,
                       std::int64_t dim, VectorsInUse vectors, bool careful, const Ahead& ahead, Start start,
                       const float* alpha, float* out);

  /// As Kernels::weighted_sum_and_softmax, on pairs.
  bool (*weighted_sum_and_softmax)(const std::uint32_t* weights, std::int64_t key_count, const std::uint32_t* values,
                                   std::int64_t dim, VectorsInUse vectors, Start start, const float* alpha, float* out,
                                   const SoftmaxStep& other);

  /// As Kernels::weighted_rows, on pairs and rounded once to rows of bf16.
  bool (*weighted_rows)(const std::uint32_t* weights, std::int64_t key_count, const std::uint32_t* values,
                        std::int64_t dim, const float* factor, std::uint16_t* const* rows, int count);

  // For few queries, as DecodeKernels. `rows` are as many as rows_of_pairs() says, 64 at most. Where scores lie is the
  // kernels' own affair: in rows · score_pitch floats that are aligned to 64 bytes, the pitch being a multiple of 32.

  /// As DecodeKernels::load_query, unscaled: a scaled query would be rounded once more. `pitch` counts elements and is
  /// a multiple of 32.
  void (*load_decode_query)(const std::uint16_t* query, std::int64_t dim, int row, int rows, std::int64_t pitch,
                            std::uint16_t* queries);

  /// scale · Σ_d query[d] of each row · keys[key][d] on bf16 keys, which are those from the first-th on, a multiple of
  /// 16.
  void (*decode_scores)(const std::uint16_t* queries, int rows, std::int64_t pitch, std::int64_t dim, float scale,
                        const StoredRows& keys, std::int64_t first, float* scores, std::int64_t score_pitch);

  /// The scores of up to 8 rows from the row-th on, a multiple of 8, to rows [key] at score_pitch, and back. Scores
  /// beyond key_count, up to a multiple of 16, may be written too.
  void (*read_scores)(const float* scores, int rows, std::int64_t score_pitch, int row, std::int64_t key_count,
                      float* to);
  void (*write_scores)(const float* from, int rows, std::int64_t score_pitch, int row, std::int64_t key_count,
                       float* scores);

  /// The row's scores of the keys begin … end − 1 become −inf.
  void (*hide_keys)(float* scores, int rows, std::int64_t score_pitch, int row, std::int64_t begin, std::int64_t end);

  /// As DecodeKernels::softmax for all rows and any key_count; weights rounded to bf16 replace the scores.
  void (*decode_softmax)(float* scores, int rows, std::int64_t score_pitch, std::int64_t key_count, bool natural,
                         float* m, float* l);

  /// As DecodeKernels::weighted_sum on bf16 values, which are those from the first-th on, a multiple of 16, and
  /// rounded weights. Columns of sums are in an order of their own until columns_in_order() has dealt with a row;
  /// `pitch` is a multiple of 32.
  void (*decode_weighted_sum)(const float* scores, int rows, std::int64_t score_pitch, std::int64_t first,
                              const StoredRows& values, std::int64_t dim, bool careful, float* sums,
                              std::int64_t pitch);
  void (*columns_in_order)(float* sums, std::int64_t dim);

  /// As Kernels::multiply_add_peak, of products of pairs: four operations a lane and instruction.
  double (*dot_peak)(std::int64_t iterations);
};

/// For few queries (decode.hpp): head dims lie in lanes, and rows of scores and sums each in a row of memory that is
/// aligned to 64 bytes. Sums are padded to `pitch` floats.
struct DecodeKernels {
  /// Puts scale · query, which is to be the row-th of `rows`, where scores() reads it for keys of such elements.
  /// `queries` are rows · pitch floats, aligned to 64 bytes, and a pitch is a multiple of 16.
  void (*load_query)(const float* query, std::int64_t dim, float scale, Element keys, int row, int rows,
                     std::int64_t pitch, float* queries);

  /// scores[row · score_pitch + key] = Σ_d query[d] of the row · keys[key][d]
  void (*scores)(const float* queries, int rows, std::int64_t pitch, std::int64_t dim, const StoredRows& keys,
                 float* scores, std::int64_t score_pitch);

  // What options do to a row of scores.
  void (*softcap)(float* scores, std::int64_t key_count, float cap);  // score = cap · tanh(score / cap)
  void (*add_bias)(float* scores, std::int64_t key_count, const float* bias);
  void (*select_keys)(float* scores, std::int64_t key_count, const float* marks);  // −inf where the mark is
  /// score −= slope · |position − key|
  void (*alibi)(float* scores, std::int64_t key_count, float slope, float position);

  /// Scores of a row to weights under their maximum: *m = max, weight = exp2(score − m), *l = Σ weights; exp where
  /// scores are `natural`. A score of −inf becomes −0, the mark for weighted_sum() in careful mode. key_count is a
  /// multiple of the lanes of a tile.
  void (*softmax)(float* scores, std::int64_t key_count, bool natural, float* m, float* l);

  /// sums[row · pitch + c] += Σ_key weights[row · weight_pitch + key] · values[key][c], summed in their
  /// order of use. Careful mode skips weights of −0, whatever the value holds; on finite values both modes give the
  /// same bits.
  void (*weighted_sum)(const float* weights, int rows, std::int64_t weight_pitch, const StoredRows& values,
                       std::int64_t dim, bool careful, float* sums, std::int64_t pitch);

  /// sums[i] = sums[i] · mine + others[i] · theirs; count is a multiple of the lanes of a tile.
  void (*join)(float* sums, float mine, const float* others, float theirs, std::int64_t count);
};

struct Kernels {
  const char* name;  // of the instruction set, for example "avx512"
  int lanes;         // queries in a tile: two vectors
  int key_rows;      // keys that the score tile handles at once

  /// tile[d][lane] = scale · rows[lane][d] for lane < count, 0 for the other lanes of the last vector in use.
  void (*load_rows)(const float* const* rows, int count, std::int64_t dim, float scale, float* tile);

  /// rows[lane][d] = tile[d][lane] · factor[lane] for lane < count. Were all elements of those lanes finite?
  bool (*store_rows)(const float* tile, std::int64_t dim, const float* factor, float* const* rows, int count);

  /// scores[key][lane] = Σ_d keys[key · key_stride + d] · queries[d][lane], summed in the order of d;
  /// row_max[lane] = the largest of them.
  void (*scores)(const float* queries, std::int64_t dim, const float* keys, std::int64_t key_stride,
                 std::int64_t key_count, VectorsInUse vectors, const Ahead& ahead, float* scores, float* row_max);

  // What options do to scores. Each passes over the block and leaves row_max as above.

  /// score = cap · tanh(score / cap)
  void (*softcap)(float* scores, std::int64_t key_count, float cap, int vectors, float* row_max);

  /// score += rows[lane][key]. Where all lanes have the same row (the same pointer), it is read once.
  void (*add_bias)(float* scores, std::int64_t key_count, const float* const* rows, int vectors, float* row_max);

  /// score −= slopes[lane] · |positions[lane] − key|, positions being relative to the block's first key.
  void (*alibi)(float* scores, std::int64_t key_count, const float* slopes, const float* positions, int vectors,
                float* row_max);

  /// Scores whose mark rows[lane][key] is −inf become −inf whatever they were; the other marks are 0.
  void (*select_keys)(float* scores, std::int64_t key_count, const float* const* rows, int vectors, float* row_max);

  /// Scores of keys outside begin[lane] ≤ key < end[lane] become −inf.
  void (*mask)(float* scores, std::int64_t key_count, const float* begin, const float* end, int vectors,
               float* row_max);

  /// One step of the streaming softmax over a block of keys whose row_max is known. In each lane
  ///   m' = max(m, row_max);  alpha = exp2(m − m');  scores[key] = exp2(scores[key] − m');
  ///   l = l · alpha + Σ scores;  m = m'.
  /// Before the first block m = −inf and l = 0. Returns whether some alpha differs from 1.
  /// With `natural` scores are in units of the natural logarithm and exp takes the place of exp2.
  /// A score of −inf gives the weight 0, in careful mode −0: the mark for weighted_sum() to leave the value alone.
  /// Source: Milakov and Gimelshein 2018; Dao et al., "FlashAttention", 2022.
  bool (*softmax)(float* scores, std::int64_t key_count, int vectors, bool natural, bool careful, const float* row_max,
                  float* m, float* l, float* alpha);

  /// out[c][lane] = start(out[c][lane]) + Σ_key weights[key][lane] · values[key · value_stride + c], summed in the
  /// order of keys. Start::rescale multiplies by alpha[lane] first. Careful mode skips weights of −0, whatever
  /// the value holds (0 · NaN is NaN); on finite values both modes give the same bits.
  void (*weighted_sum)(const float* weights, std::int64_t key_count, const float* values, std::int64_t value_stride,
                       std::int64_t dim, VectorsInUse vectors, bool careful, const Ahead& ahead, Start start,
                       const float* alpha, float* out);

  /// Both at once, neither natural nor careful: weighted_sum() of one tile and, in between, softmax() of another, whose
  /// operations wait for each other. Returns what softmax() does. Null where there are too few registers for it.
  bool (*weighted_sum_and_softmax)(const float* weights, std::int64_t key_count, const float* values,
                                   std::int64_t value_stride, std::int64_t dim, VectorsInUse vectors, Start start,
                                   const float* alpha, float* out, const SoftmaxStep& other);

  /// rows[lane][c] = factor[lane] · Σ_key weights[key][lane] · values[key][c] for lane < count: the same bits as
  /// weighted_sum() from Start::zero and store_rows(), for tiles whose keys are all at hand. True if all sums were
  /// finite, and added up were so too.
  bool (*weighted_rows)(const float* weights, std::int64_t key_count, const float* values, std::int64_t value_stride,
                        std::int64_t dim, const float* factor, float* const* rows, int count);

  /// Joins what a tile has kept of later keys. Start::zero takes state.out for nothing, whatever it holds.
  void (*join)(const TileState& later, std::int64_t dim, int vectors, bool natural, Start start,
               const TileState& state);

  /// 16-bit floats (bf16 or else f16) to f32 and back, rounding to nearest.
  void (*widen)(const std::uint16_t* from, bool bf16, std::int64_t count, float* to);
  void (*narrow)(const float* from, bool bf16, std::int64_t count, std::uint16_t* to);

  /// marks[key] = 0 where keep[key] is not 0, −inf where it is: what select_keys() reads.
  void (*marks)(const std::uint8_t* keep, std::int64_t count, float* marks);

  /// factor[lane] = 1 / l[lane], and 0 where l is 0: no key at all has been attended.
  void (*normalisers)(const float* l, int vectors, float* factor);

  /// weights[key][lane] = weights · factor[lane], and 0 where the weight is −0, whatever the factor is.
  void (*normalise)(float* weights, std::int64_t key_count, const float* factor, int vectors);

  /// Are all elements of the tile's first vectors finite?
  bool (*all_finite)(const float* tile, std::int64_t dim, int vectors);

  /// Null where the instruction set has no products of bf16 pairs.
  const PairKernels* pairs;

  const DecodeKernels* decode;

  /// Runs multiply-adds that touch registers alone and returns how many floating point operations that were: the
  /// yardstick of the benches.
  double (*multiply_add_peak)(std::int64_t iterations);
};

}  // namespace attune::kernels
