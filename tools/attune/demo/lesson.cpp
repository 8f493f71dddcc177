#include "tools/attune/demo/lesson.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "tools/attune/io/tensor_file.hpp"

namespace attune::tool {
namespace {

constexpr const char* file_name = "/the-cat-sat.safetensors";

/// An entry of the file's metadata.
class Metadata {
 public:
  Metadata(const std::string& file, std::map<std::string, std::string> entries)
      : file_(file), entries_(std::move(entries)) {}

  std::string text(const std::string& key) const {
    const auto found = entries_.find(key);
    if (found == entries_.end()) throw Error(ErrorCode::io, file_ + ": its metadata lacks \"" + key + "\"");
    return found->second;
  }

  std::int64_t number(const std::string& key) const {
    try {
      const std::int64_t value = std::stoll(text(key));
      if (value >= 0 && value <= 1 << 20) return value;
    } catch (const std::logic_error&) {
    }
    throw Error(ErrorCode::io, file_ + ": \"" + key + "\" in its metadata is not a sensible number");
  }

  std::vector<std::string> words(const std::string& key) const {
    try {
      return nlohmann::json::parse(text(key)).get<std::vector<std::string>>();
    } catch (const nlohmann::json::exception&) {
      throw Error(ErrorCode::io, file_ + ": \"" + key + "\" in its metadata is not a JSON list of words");
    }
  }

 private:
  const std::string& file_;
  std::map<std::string, std::string> entries_;
};

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return largest;
}

TensorView split_heads(const std::vector<float>& data, const Model& model) {
  return view(data.data(), bhsd(1, model.heads, model.tokens(), model.head_dim));
}

Projections project(const Model& model, const std::vector<float>& x, Engine& engine) {
  const auto count = static_cast<std::size_t>(model.tokens() * model.heads * model.head_dim);
  Projections p{std::vector<float>(count), std::vector<float>(count), std::vector<float>(count), {}};
  const MultiHeadAttention layer = model.attention_layer();
  const TensorView input = view(x.data(), contiguous({1, model.tokens(), model.features}));
  const TensorLayout heads = bhsd(1, model.heads, model.tokens(), model.head_dim);
  layer.project_query(input, view(p.query.data(), heads), engine);
  layer.project_key(input, view(p.key.data(), heads), engine);
  layer.project_value(input, view(p.value.data(), heads), engine);
  return p;
}

std::string prefix(std::int64_t layer) { return "layer" + std::to_string(layer) + "."; }

Projections stored_projections(const Model& model, std::int64_t layer) {
  const std::vector<std::int64_t> shape{model.heads, model.tokens(), model.head_dim};
  return {model.floats(prefix(layer) + "q", shape),
          model.floats(prefix(layer) + "k", shape),
          model.floats(prefix(layer) + "v", shape),
          {}};
}

double difference(const Projections& a, const Projections& b) {
  return std::max(
      {largest_difference(a.query, b.query), largest_difference(a.key, b.key), largest_difference(a.value, b.value)});
}

/// out, and if wanted the weights, of one call; with the engine's choice for it.
struct Outputs {
  Result context, weights;
};

Outputs attend(const Model& model, const Projections& p, bool with_weights, Engine& engine) {
  const std::int64_t n = model.tokens();
  Outputs outputs;
  outputs.context.values.resize(p.query.size());
  // Heads side by side, as the output projection wants them: [tokens, heads, head_dim] in memory.
  const Tensors tensors{split_heads(p.query, model), split_heads(p.key, model), split_heads(p.value, model),
                        view(outputs.context.values.data(), bshd(1, n, model.heads, model.head_dim))};
  AttentionOptions options;
  if (with_weights) {
    outputs.weights.values.resize(static_cast<std::size_t>(model.heads * n * n));
    options.weights = view(outputs.weights.values.data(), bhsd(1, model.heads, n, n));
  }
  const Description call = describe(tensors, options);
  outputs.context.choice = engine.select(call.problem, call.extents, engine.executor().num_threads());
  outputs.weights.choice = outputs.context.choice;
  engine.attention(tensors, options);
  return outputs;
}

Result whole_layer(const Model& model, const std::vector<float>& x, Engine& engine) {
  const std::vector<std::int64_t> shape{model.tokens(), model.features};
  Result result;
  result.values.resize(x.size());
  const TensorLayout layout = contiguous({1, model.tokens(), model.features});
  model.attention_layer().forward(view(x.data(), layout), view(result.values.data(), layout), {}, engine);
  result.difference = largest_difference(result.values, model.floats("output", shape));
  return result;
}

}  // namespace

Model::Model(const std::string& folder) : file_(folder + file_name) {
  const Metadata metadata(file_, io::read_safetensors_index(file_).metadata);
  name = metadata.text("model");
  sentence = {metadata.text("sentence"), metadata.words("tokens")};
  soft = {metadata.text("sentence_soft"), metadata.words("tokens_soft")};
  layers = metadata.number("num_layers");
  heads = metadata.number("heads");
  head_dim = metadata.number("head_dim");
  whole_layer = metadata.number("layer");
  default_head = metadata.number("head");
  features = heads * head_dim;
  if (sentence.words.size() != soft.words.size())
    throw Error(ErrorCode::io, file_ + ": the two sentences differ in their number of words");
}

std::vector<float> Model::floats(const std::string& tensor, const std::vector<std::int64_t>& shape) const {
  const io::Tensor read = io::read_tensor(file_ + ":" + tensor);
  if (read.dtype != DType::f32 || read.shape != shape)
    throw Error(ErrorCode::io, file_ + ": " + tensor + " is " + attune::name(read.dtype) + io::text(read.shape) +
                                   ", not f32" + io::text(shape));
  const auto* first = reinterpret_cast<const float*>(read.bytes.data());
  return {first, first + read.bytes.size() / sizeof(float)};
}

MultiHeadAttention Model::attention_layer() const {
  const auto map = [this](const std::string& letter) {
    return Linear{features, features, floats("w" + letter, {features, features}), floats("b" + letter, {features})};
  };
  return {{.model_dim = features, .heads = heads}, map("q"), map("k"), map("v"), map("o")};
}

Lesson give_lesson(const Model& model, std::int64_t layer, Engine& engine) {
  Lesson lesson;
  const bool whole = layer == model.whole_layer;
  const std::vector<std::int64_t> features{model.tokens(), model.features};
  const std::vector<std::int64_t> weights_shape{model.heads, model.tokens(), model.tokens()};

  lesson.projections = stored_projections(model, layer);
  if (whole) {
    Projections computed = project(model, model.floats("x", features), engine);
    computed.difference = difference(computed, lesson.projections);
    lesson.projections = std::move(computed);
  }
  lesson.context = attend(model, lesson.projections, false, engine).context;
  lesson.weights = attend(model, lesson.projections, true, engine).weights;
  lesson.weights.difference =
      largest_difference(lesson.weights.values, model.floats(prefix(layer) + "weights", weights_shape));
  if (!whole) return lesson;

  lesson.context.difference = largest_difference(lesson.context.values, model.floats("context", features));
  lesson.layer_output = whole_layer(model, model.floats("x", features), engine);
  const Projections soft = project(model, model.floats("soft.x", features), engine);
  lesson.soft_weights = attend(model, soft, true, engine).weights;
  lesson.soft_weights->difference =
      largest_difference(lesson.soft_weights->values, model.floats("soft.weights", weights_shape));
  return lesson;
}

HeatMap heat_map(const Result& weights, const Sentence& sentence, std::int64_t head) {
  const auto size = static_cast<std::ptrdiff_t>(sentence.words.size() * sentence.words.size());
  const auto first = weights.values.begin() + head * size;
  return {sentence.words, {first, first + size}};
}

std::vector<double> scores_of(const Model& model, const Projections& p, std::int64_t head, std::int64_t query) {
  const auto row = [&](const std::vector<float>& data, std::int64_t token) {
    return data.data() + (head * model.tokens() + token) * model.head_dim;
  };
  std::vector<double> scores;
  for (std::int64_t key = 0; key < model.tokens(); ++key) {
    double sum = 0;
    for (std::int64_t d = 0; d < model.head_dim; ++d)
      sum += static_cast<double>(row(p.query, query)[d]) * static_cast<double>(row(p.key, key)[d]);
    scores.push_back(sum / std::sqrt(static_cast<double>(model.head_dim)));
  }
  return scores;
}

std::string default_data_folder() {
  std::error_code failure;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure);
  return (program.parent_path().parent_path() / "share/attune/minilm").string();
}

}  // namespace attune::tool
