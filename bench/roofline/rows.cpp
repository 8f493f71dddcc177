#include "bench/roofline/rows.hpp"

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include <attune/peak.hpp>

namespace attune::bench {
namespace {

/// What a floor is lower by where registers are half as many and a tile has fewer rows, and where 16-bit inputs are
/// converted to f32.
constexpr double fewer_registers = 0.03, conversion = 0.03;

/// The rows of one instruction set. Floors are given as for AVX-512; the weakest instruction sets have none.
struct Table {
  Isa isa;
  std::vector<Row> rows{};

  void add(const std::string& group, const Shape& shape, Limit limit, Floors floors = {}) {
    constexpr double worth_all_threads = 5e7;  // floating point operations
    const double pairs = static_cast<double>(shape.batch * shape.heads * shape.queries * shape.keys) *
                         (shape.causal && shape.queries == shape.keys ? 0.5 : 1);
    if (4 * pairs * static_cast<double>(shape.head_dim) >= worth_all_threads)
      floors.scaling = shape.causal && limit == Limit::bf16_pairs ? 0.92 : 0.95;
    if (isa < Isa::avx2 && limit != Limit::dispatch) floors.one = floors.all = 0;
    if (isa == Isa::avx2 && limit == Limit::multiply_add && floors.one != 0) floors.one -= fewer_registers;
    rows.push_back({group, shape, isa, limit, floors});
  }

  Limit products_of(DType dtype) const {
    return dtype == DType::bf16 && multiplies(isa, Product::bf16_pairs) ? Limit::bf16_pairs : Limit::multiply_add;
  }
};

std::string name_of(const Shape& shape) {
  std::string name = "S" + std::to_string(shape.queries);
  if (shape.keys != shape.queries) name += "x" + std::to_string(shape.keys);
  name += " D" + std::to_string(shape.head_dim);
  if (shape.heads != 1) name += " H" + std::to_string(shape.heads);
  if (shape.kv_heads != shape.heads) name += "/" + std::to_string(shape.kv_heads);
  return name + (shape.causal ? " causal" : "");
}

/// Self-attention of a batch of one.
Shape square(std::int64_t heads, std::int64_t length, std::int64_t dim, bool causal = false, DType dtype = DType::f32) {
  Shape shape{"", 1, heads, heads, length, length, dim, causal, dtype};
  shape.name = name_of(shape);
  return shape;
}

/// The share of the multiply-add peak that one head in f32 is to reach.
double f32_floor(const Shape& shape) {
  const bool wide = shape.head_dim >= 128;
  if (shape.causal) return shape.queries < 1024 ? (wide ? 0.85 : 0.83) : (wide ? 0.88 : 0.86);
  switch (shape.head_dim) {
    case 40:
      return 0.78;
    case 80:
      return 0.86;
    case 256:
      return 0.89;
    default:
      return wide ? 0.90 : 0.88;
  }
}

double bf16_pairs_floor(const Shape& shape) {
  if (shape.causal) return shape.queries < 1024 ? 0 : shape.head_dim >= 128 ? 0.85 : 0.80;
  return shape.head_dim >= 128 ? 0.88 : 0.82;
}

using Lengths = std::initializer_list<std::int64_t>;

/// One head in f32; `lengths` are those without a mask.
void add_f32(Table& table, const std::string& prefix, Lengths lengths, Lengths causal_lengths) {
  const auto add = [&](const std::string& group, const Shape& shape) {
    table.add(prefix + group, shape, Limit::multiply_add, {f32_floor(shape)});
  };
  for (const std::int64_t dim : {64, 128})
    for (const std::int64_t length : lengths) add("f32", square(1, length, dim));
  for (const std::int64_t dim : {64, 128})
    for (const std::int64_t length : causal_lengths) add("f32 causal", square(1, length, dim, true));
}

void add_head_dims(Table& table) {
  for (const std::int64_t dim : {40, 80, 96, 256})
    for (const std::int64_t length : {512, 2048}) {
      const Shape shape = square(1, length, dim);
      table.add("f32", shape, Limit::multiply_add, {f32_floor(shape)});
    }
}

void add_16_bit(Table& table, DType dtype, const std::string& group) {
  const Limit limit = table.products_of(dtype);
  for (const bool causal : {false, true})
    for (const std::int64_t dim : {64, 128})
      for (const std::int64_t length : {512, 1024, 4096}) {
        const Shape shape = square(1, length, dim, causal, dtype);
        const double floor = limit == Limit::bf16_pairs ? bf16_pairs_floor(shape) : f32_floor(shape) - conversion;
        table.add(group + (causal ? " causal" : ""), shape, limit, {floor});
      }
}

void add_strided(Table& table) {
  for (const std::int64_t heads : {12, 32})
    for (const std::int64_t dim : {64, 128}) {
      Shape shape = square(heads, 1024, dim);
      shape.bshd = true;
      table.add("f32 BSHD", shape, Limit::multiply_add, {0.82});
    }
}

void add_short(Table& table) {
  struct Short {
    std::int64_t length;
    double floor;
  };
  for (const auto [length, floor] :
       {Short{16, 0.55}, Short{32, 0.70}, Short{64, 0.78}, Short{128, 0.72}, Short{197, 0.71}})
    table.add("f32 short", square(96, length, 64), Limit::multiply_add, {floor});
}

void add_cross(Table& table) {
  Shape speech{"", 1, 12, 12, 64, 1500, 64};
  speech.name = name_of(speech);
  table.add("f32 cross", speech, Limit::multiply_add, {0.80});
  Shape image{"", 2, 8, 8, 4096, 77, 40};
  image.name = name_of(image);
  table.add("f32 cross", image, Limit::multiply_add, {0.62});
}

Shape one_token(std::int64_t heads, std::int64_t kv_heads, std::int64_t keys, DType dtype) {
  Shape shape{"", 1, heads, kv_heads, 1, keys, 128, true, dtype};
  shape.name = "Sk" + std::to_string(keys) + " H" + std::to_string(heads) + "/" + std::to_string(kv_heads);
  return shape;
}

void add_decode(Table& table) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    const std::string group = std::string("decode ") + name(dtype);
    const double cached = dtype == DType::f32 ? 0.64 : 0;
    table.add(group, one_token(32, 8, 512, dtype), Limit::read, {cached});
    table.add(group, one_token(32, 8, 4096, dtype), Limit::read, {cached});
    table.add(group, one_token(32, 8, 16384, dtype), Limit::read, {0.70, 0.82});
    table.add(group, one_token(32, 32, 4096, dtype), Limit::read, {dtype == DType::f32 ? 0.90 : 0.0});
  }
}

/// From a few rows for each key/value head up to where a prefill begins.
void add_between(Table& table) {
  struct Rows {
    std::int64_t queries, group;
  };
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const auto [queries, group] :
         {Rows{5, 1}, Rows{2, 4}, Rows{3, 4}, Rows{4, 4}, Rows{6, 4}, Rows{8, 4}, Rows{12, 4}, Rows{16, 4}}) {
      Shape shape{"", 1, 8 * group, 8, queries, 16384, 128, true, dtype};
      shape.name = "rows " + std::to_string(queries) + "x" + std::to_string(group) + " Sk16384";
      table.add(std::string("between ") + name(dtype), shape, Limit::slower, {1 / 1.4});
    }
}

/// Layers of real models: many heads, which is what all threads are for.
void add_models(Table& table) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    const std::string group = std::string("models ") + name(dtype);
    table.add(group, square(12, 512, 64, false, dtype), table.products_of(dtype));
    table.add(group, square(12, 1024, 64, true, dtype), table.products_of(dtype));
    Shape prefill{"", 1, 32, 8, 2048, 2048, 128, true, dtype};
    prefill.name = name_of(prefill);
    table.add(group, prefill, table.products_of(dtype));
  }
}

/// What describing, choosing, planning and binding take where the kernel takes almost nothing: microseconds.
void add_dispatch(Table& table) {
  Shape tiny{"", 1, 4, 4, 16, 16, 32};
  tiny.name = name_of(tiny);
  table.add("call", tiny, Limit::dispatch, {2.0, 2.0});
}

bool has(const Machine& machine, Isa isa) {
  return std::find(machine.isas.begin(), machine.isas.end(), isa) != machine.isas.end();
}

void append(std::vector<Row>& rows, const Table& table) {
  rows.insert(rows.end(), table.rows.begin(), table.rows.end());
}

std::vector<Row> weaker_rows(const Machine& machine, Isa best) {
  std::vector<Row> rows;
  if (best == Isa::avx512_bf16) {
    Table exact{Isa::avx512};
    add_16_bit(exact, DType::bf16, "bf16 exact");
    append(rows, exact);
  }
  for (const Isa isa : {Isa::avx2, Isa::sse2})
    if (isa < best && has(machine, isa)) {
      Table table{isa};
      add_f32(table, std::string(name(isa)) + " ", {512, 2048}, {1024});
      append(rows, table);
    }
  return rows;
}

}  // namespace

std::vector<Row> rows(const Machine& machine, Isa isa, bool forced) {
  Table table{isa};
  add_f32(table, "", {512, 1024, 2048, 4096, 8192}, {512, 1024, 4096});
  add_head_dims(table);
  add_16_bit(table, DType::bf16, "bf16");
  add_16_bit(table, DType::f16, "f16");
  add_strided(table);
  add_short(table);
  add_cross(table);
  add_decode(table);
  add_between(table);
  add_models(table);
  add_dispatch(table);
  if (!forced) append(table.rows, Table{isa, weaker_rows(machine, isa)});
  return table.rows;
}

}  // namespace attune::bench
