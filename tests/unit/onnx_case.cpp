#include "tests/unit/onnx_case.hpp"

#include <cstring>
#include <fstream>
#include <initializer_list>
#include <limits>
#include <stdexcept>
#include <utility>

#include <nlohmann/json.hpp>

#include "tools/attune/io/tensor_file.hpp"

namespace attune::test {
namespace {

using io::Shape;
using io::Tensor;
using nlohmann::json;

/// The text of case.json, and the tensors beside it by ONNX's names.
class Files {
 public:
  explicit Files(const std::filesystem::path& folder) : folder_(folder) {
    std::ifstream file(folder / "case.json");
    if (!file) throw std::runtime_error("no case.json in " + folder.string());
    case_ = json::parse(file);
  }

  std::optional<Tensor> input(const char* name) const { return tensor("inputs", name); }
  std::optional<Tensor> output(const char* name) const { return tensor("outputs", name); }

  template <typename T>
  T attribute(const char* name, T otherwise) const {
    return case_.at("attributes").value(name, otherwise);
  }
  bool has_attribute(const char* name) const { return case_.at("attributes").contains(name); }

 private:
  std::optional<Tensor> tensor(const char* list, const char* name) const {
    for (const json& entry : case_.at(list)) {
      if (entry.at("name") != name || !entry.at("present").get<bool>()) continue;
      return io::read_tensor((folder_ / entry.at("file").get<std::string>()).string());
    }
    return std::nullopt;
  }

  std::filesystem::path folder_;
  json case_;
};

std::byte* at(Tensor& tensor, std::int64_t element) {
  return tensor.bytes.data() + element * static_cast<std::int64_t>(size_of(tensor.dtype));
}
const std::byte* at(const Tensor& tensor, std::int64_t element) {
  return tensor.bytes.data() + element * static_cast<std::int64_t>(size_of(tensor.dtype));
}

void copy(const Tensor& from, std::int64_t source, Tensor& to, std::int64_t target, std::int64_t count) {
  std::memcpy(at(to, target), at(from, source), static_cast<std::size_t>(count) * size_of(from.dtype));
}

/// [B, S, heads · dim] as [B, heads, S, dim]; a tensor of rank 4 as it is.
Tensor with_heads_apart(const Tensor& tensor, std::int64_t heads) {
  if (tensor.shape.size() == 4) return tensor;
  const std::int64_t batch = tensor.shape[0], length = tensor.shape[1], dim = tensor.shape[2] / heads;
  Tensor result = io::make_tensor(tensor.dtype, {batch, heads, length, dim});
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t i = 0; i < length; ++i) {
      for (std::int64_t h = 0; h < heads; ++h) {
        copy(tensor, ((b * length + i) * heads + h) * dim, result, ((b * heads + h) * length + i) * dim, dim);
      }
    }
  }
  return result;
}

/// Past and new keys (or values) one after the other, along the sequence.
Tensor concatenated(const std::optional<Tensor>& past, const Tensor& fresh) {
  if (!past) return fresh;
  const std::int64_t rows = fresh.shape[0] * fresh.shape[1], dim = fresh.shape[3];
  const std::int64_t before = past->shape[2] * dim, after = fresh.shape[2] * dim;
  Tensor result = io::make_tensor(fresh.dtype, {fresh.shape[0], fresh.shape[1], past->shape[2] + fresh.shape[2], dim});
  for (std::int64_t row = 0; row < rows; ++row) {
    copy(*past, row * before, result, row * (before + after), before);
    copy(fresh, row * after, result, row * (before + after) + before, after);
  }
  return result;
}

/// What "not attended" is in a mask of this type.
void exclude(Tensor& mask, std::int64_t element) {
  constexpr double minus_infinity = -std::numeric_limits<double>::infinity();
  if (mask.dtype == DType::boolean) return;  // made of false
  if (mask.dtype == DType::f16) {
    const float16 value = to_float16(minus_infinity);
    std::memcpy(at(mask, element), &value, sizeof value);
  } else {
    const auto value = static_cast<float>(minus_infinity);
    std::memcpy(at(mask, element), &value, sizeof value);
  }
}

/// ONNX lets a mask end before the keys do: those behind it are not attended.
Tensor over_all_keys(const Tensor& mask, std::int64_t keys) {
  const std::int64_t given = mask.shape.back();
  if (given == keys) return mask;
  Shape shape = mask.shape;
  shape.back() = keys;
  Tensor result = io::make_tensor(mask.dtype, shape);
  for (std::int64_t row = 0; row < io::element_count(mask.shape) / given; ++row) {
    copy(mask, row * given, result, row * keys, given);
    for (std::int64_t j = given; j < keys; ++j) exclude(result, row * keys + j);
  }
  return result;
}

Align align_of(const std::optional<Tensor>& past, bool lengths) {
  if (lengths) return Align::bottom_right();
  return Align::at(past ? past->shape[2] : 0);
}

}  // namespace

OnnxCase::OnnxCase(const std::filesystem::path& folder) : name(folder.filename().string()) {
  const Files files(folder);
  const auto heads = files.attribute<std::int64_t>("q_num_heads", 0);
  const auto kv_heads = files.attribute<std::int64_t>("kv_num_heads", 0);
  const auto past = files.input("past_key");
  query = with_heads_apart(files.input("Q").value(), heads);
  key = concatenated(past, with_heads_apart(files.input("K").value(), kv_heads));
  value = concatenated(files.input("past_value"), with_heads_apart(files.input("V").value(), kv_heads));
  expected_out = with_heads_apart(files.output("Y").value(), heads);
  out = io::make_tensor(expected_out.dtype, expected_out.shape);
  key_lengths = files.input("nonpad_kv_seqlen");
  if (const auto given = files.input("attn_mask")) mask = over_all_keys(*given, key.shape[2]);
  if (files.attribute("qk_matmul_output_mode", 0) == 3) expected_weights = files.output("qk_matmul_output");
  if (expected_weights) weights = io::make_tensor(DType::f32, expected_weights->shape);

  tensors = {query.view(), key.view(), value.view(), out.mutable_view()};
  if (files.has_attribute("scale")) options.scale = files.attribute("scale", 0.0);
  options.softcap = files.attribute("softcap", 0.0);
  options.causal = files.attribute("is_causal", 0) != 0;
  options.align = align_of(past, key_lengths.has_value());
  if (mask) options.attn_mask = mask->view();
  if (key_lengths) options.key_lengths = key_lengths->view();
  if (weights) options.weights = weights->mutable_view();
}

}  // namespace attune::test
