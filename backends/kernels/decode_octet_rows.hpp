// Scores in octets (decode_octets.hpp) to rows and back, for the options that go by keys.
#pragma once

#include "backends/kernels/decode_octets.hpp"
#include "backends/kernels/transpose.hpp"

namespace {

inline Vec low_pairs(Vec a, Vec b) {
  return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
inline Vec high_pairs(Vec a, Vec b) {
  return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
inline Vec pairs_of_both(Vec a, __m512i order, Vec b) {
  return _mm512_castpd_ps(_mm512_permutex2var_pd(_mm512_castps_pd(a), order, _mm512_castps_pd(b)));
}

/// The scores of even and odd keys of a vector's lanes, to the keys of the even and of the odd row of each quarter.
inline void keys_together(Vec& even, Vec& odd) {
  const Vec low = _mm512_unpacklo_ps(even, odd), high = _mm512_unpackhi_ps(even, odd);
  even = low_pairs(low, high);
  odd = high_pairs(low, high);
}
inline void keys_apart(Vec& even_row, Vec& odd_row) {
  const Vec low = low_pairs(even_row, odd_row), high = high_pairs(even_row, odd_row);
  even_row = _mm512_shuffle_ps(low, high, 0x88);
  odd_row = _mm512_shuffle_ps(low, high, 0xdd);
}

/// v[0], v[2], v[4], v[6], and the others: quarter by quarter.
inline void transpose_quarters(Vec (&v)[octet]) {
  transpose_across(v[0], v[2], v[4], v[6]);
  transpose_across(v[1], v[3], v[5], v[7]);
}

/// Eight rows of a unit from its vectors, and back.
inline void octet_to_rows(Vec (&v)[octet]) {
  each<quad>([&](int i) { keys_together(v[2 * i], v[2 * i + 1]); });
  transpose_quarters(v);
}
inline void rows_to_octet(Vec (&v)[octet]) {
  transpose_quarters(v);
  each<quad>([&](int i) { keys_apart(v[2 * i], v[2 * i + 1]); });
}

/// Four rows of a unit from those of half an octet, and back. Keys lie by twos: 0 4 and 2 6 of the first eight.
inline void half_octet_to_rows(Vec (&v)[quad]) {
  const __m512i first = _mm512_setr_epi64(0, 4, 1, 5, 8, 12, 9, 13),
                last = _mm512_setr_epi64(2, 6, 3, 7, 10, 14, 11, 15);
  keys_together(v[0], v[1]);
  keys_together(v[2], v[3]);
  each<2>([&](int row) {
    const Vec a = v[row], b = v[row + 2];
    v[row] = pairs_of_both(a, first, b);
    v[row + 2] = pairs_of_both(a, last, b);
  });
}
inline void rows_to_half_octet(Vec (&v)[quad]) {
  const __m512i first = _mm512_setr_epi64(0, 2, 8, 10, 1, 3, 9, 11),
                last = _mm512_setr_epi64(4, 6, 12, 14, 5, 7, 13, 15);
  each<2>([&](int row) {
    const Vec a = v[row], b = v[row + 2];
    v[row] = pairs_of_both(a, first, b);
    v[row + 2] = pairs_of_both(a, last, b);
  });
  keys_apart(v[0], v[1]);
  keys_apart(v[2], v[3]);
}

template <int count, typename ToRows>
inline void read_units(const float* scores, std::int64_t apart, std::int64_t key_count, ToRows to_rows, float* to,
                       std::int64_t pitch) {
  for (std::int64_t key = 0; key < key_count; key += unit_keys, scores += apart) {
    Vec v[static_cast<std::size_t>(count)];
    each<count>([&](int i) { v[i] = load(scores + i * vector_lanes); });
    to_rows(v);
    each<count>([&](int i) { store(to + i * pitch + key, v[i]); });
  }
}

template <int count, typename FromRows>
inline void write_units(const float* from, std::int64_t pitch, std::int64_t apart, std::int64_t key_count,
                        FromRows from_rows, float* scores) {
  for (std::int64_t key = 0; key < key_count; key += unit_keys, scores += apart) {
    Vec v[static_cast<std::size_t>(count)];
    each<count>([&](int i) { v[i] = load(from + i * pitch + key); });
    from_rows(v);
    each<count>([&](int i) { store(scores + i * vector_lanes, v[i]); });
  }
}

/// Of the octet that begins with the row-th of `rows`.
inline void rows_from_octet(const float* scores, int rows, int row, std::int64_t key_count, float* to,
                            std::int64_t pitch) {
  const OctetOf of(row, rows);
  if (of.rows == octet)
    read_units<octet>(scores + of.floats, unit_floats(rows), key_count, octet_to_rows, to, pitch);
  else
    read_units<quad>(scores + of.floats, unit_floats(rows), key_count, half_octet_to_rows, to, pitch);
}
inline void octet_from_rows(const float* from, std::int64_t pitch, int rows, int row, std::int64_t key_count,
                            float* scores) {
  const OctetOf of(row, rows);
  if (of.rows == octet)
    write_units<octet>(from, pitch, unit_floats(rows), key_count, rows_to_octet, scores + of.floats);
  else
    write_units<quad>(from, pitch, unit_floats(rows), key_count, rows_to_half_octet, scores + of.floats);
}

}  // namespace
