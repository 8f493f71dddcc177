// The demonstration's data and its computation, without a word of output: one attention layer of a real model on one
// sentence, step by step, each compared with what the model itself computed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <attune/attune.hpp>

#include "tools/attune/demo/heat_map.hpp"

namespace attune::tool {

/// What is in the-cat-sat.safetensors (data/minilm/README.md describes it).
struct Sentence {
  std::string text;
  std::vector<std::string> words;  // tokens
};

class Model {
 public:
  /// `folder` holds the-cat-sat.safetensors. Throws Error(io) where it does not, or where the file is not as described.
  explicit Model(const std::string& folder);

  Sentence sentence, soft;  // soft ends in another word
  std::string name;
  std::int64_t layers = 0, heads = 0, head_dim = 0, features = 0;
  std::int64_t whole_layer = 0;  // the one that comes with its input and its linear maps
  std::int64_t default_head = 0;

  std::int64_t tokens() const noexcept { return static_cast<std::int64_t>(sentence.words.size()); }

  /// A tensor's elements. Throws Error(io) unless it is f32 of this shape.
  std::vector<float> floats(const std::string& tensor, const std::vector<std::int64_t>& shape) const;

  /// The whole layer's linear maps.
  MultiHeadAttention attention_layer() const;

 private:
  std::string file_;
};

/// Query, key and value of one layer, [1, heads, tokens, head_dim].
struct Projections {
  std::vector<float> query, key, value;
  std::optional<double> difference;  // from the model's own; none where they are the model's own
};

/// What one call of attention() gave.
struct Result {
  std::vector<float> values;
  Choice choice;
  std::optional<double> difference;  // the largest, from the model's own; none where the file holds none
};

struct Lesson {
  Projections projections;
  Result context;                      // Σ weight · value, heads side by side, by automatic choice
  Result weights;                      // [heads, tokens, tokens], by a backend that offers them
  std::optional<Result> layer_output;  // of the whole layer, its output projection included
  std::optional<Result> soft_weights;  // the same for the other sentence; only for the whole layer
};

/// Computes everything for one layer. Throws Error.
Lesson give_lesson(const Model& model, std::int64_t layer, Engine& engine);

/// The weights of one head, with the sentence's words.
HeatMap heat_map(const Result& weights, const Sentence& sentence, std::int64_t head);

/// scale · query · key of one query with every key of its head.
std::vector<double> scores_of(const Model& model, const Projections& projections, std::int64_t head,
                              std::int64_t query);

/// The folder that holds the demonstration's data: beside the installed program, or in its build tree.
std::string default_data_folder();

}  // namespace attune::tool
