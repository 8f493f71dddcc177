// A small attention problem, as files for the program and as tensors for the library.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <attune/attune.hpp>

#include "tests/cli/program.hpp"
#include "tests/io/scratch_folder.hpp"
#include "tools/attune/io/tensor_file.hpp"

namespace attune::test {

/// Values in −1 … 1 that are the same wherever the test runs. Of integers: 0 and 1.
io::Tensor random_tensor(DType dtype, const io::Shape& shape, std::uint64_t seed);

/// A tensor of i32 or i64.
io::Tensor index_tensor(DType dtype, const std::vector<std::int64_t>& values);

/// The results of one call.
struct Results {
  io::Tensor out, lse, weights;
};

/// Two members, four query heads on two key/value heads, all sizes different.
class Sample {
 public:
  static constexpr std::int64_t batch = 2, heads = 4, kv_heads = 2, queries = 5, keys = 7, dim = 8, value_dim = 6;

  explicit Sample(DType dtype = DType::f32);

  const ScratchFolder& folder() const noexcept { return folder_; }
  const io::Tensor& query() const noexcept { return query_; }
  const io::Tensor& key() const noexcept { return key_; }
  const io::Tensor& value() const noexcept { return value_; }

  /// Writes a tensor into the folder; "name.npy" or "name.safetensors". Returns its path.
  std::string store(const std::string& name, const io::Tensor& tensor) const;

  /// `run` with query, key and value.
  Words run() const { return run_; }
  /// `run`, with everything that can be written, to .safetensors files.
  Words run_for_results() const;
  /// What run_for_results() wrote.
  Results written() const;

  /// The library's own answer, by the backend naive.
  Results expected(const std::function<void(AttentionOptions&)>& set = {}) const;

 private:
  ScratchFolder folder_;
  io::Tensor query_, key_, value_;
  Words run_;
};

/// The same bits in every result.
void expect_same(const Results& a, const Results& b);
void expect_same(const io::Tensor& a, const io::Tensor& b);

}  // namespace attune::test
