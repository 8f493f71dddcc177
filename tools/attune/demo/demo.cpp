#include "tools/attune/demo/demo.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/attune/demo/heat_map.hpp"
#include "tools/attune/demo/lesson.hpp"
#include "tools/attune/demo/picture.hpp"
#include "tools/attune/json_text.hpp"
#include "tools/attune/terminal.hpp"

namespace attune::tool {
namespace {

struct Options {
  std::int64_t layer = -1, head = -1;  // −1: the file's own choice
  std::string data, png, svg;
  std::string colour = "auto";
  bool json = false;
};

/// What is shown: a layer, a head, and the word whose attention is followed.
struct View {
  const Model& model;
  const Lesson& lesson;
  std::int64_t layer = 0, head = 0;
  bool colour = false;

  HeatMap map() const { return heat_map(lesson.weights, model.sentence, head); }
};

std::size_t index_of(const std::vector<std::string>& words, const std::string& word) {
  return static_cast<std::size_t>(std::find(words.begin(), words.end(), word) - words.begin());
}

double weight(const HeatMap& map, const std::string& from, const std::string& to) {
  return static_cast<double>(map.at(index_of(map.words, from), index_of(map.words, to)));
}

bool coloured(const std::string& wish) {
  if (wish != "auto") return wish == "always";
  const char* off = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) == 1 && (off == nullptr || *off == '\0');
}

void print_opening(const View& v) {
  fmt::print("\n  \"{}\"\n\n", v.model.sentence.text);
  fmt::print("What does \"it\" attend to? Layer {} of {}, {} heads of {} dims, head {}.\n", v.layer, v.model.name,
             v.model.heads, v.model.head_dim, v.head);
}

void print_projections(const View& v) {
  const Model& m = v.model;
  fmt::print("\n1. Query, key, value: three linear maps of the input X, cut into heads\n");
  if (v.lesson.projections.difference)
    fmt::print(
        "     query = X·Wqᵀ + bq, and key and value alike: [{}, {}] → [{}, {}, {}]\n"
        "     largest difference from the model's own: {:.1e}\n",
        m.tokens(), m.features, m.heads, m.tokens(), m.head_dim, *v.lesson.projections.difference);
  else
    fmt::print("     taken as the model computed them, [{}, {}, {}] (linear maps are stored for layer {} only)\n",
               m.heads, m.tokens(), m.head_dim, m.whole_layer);
}

void print_row(const View& v) {
  const HeatMap map = v.map();
  const std::size_t it = index_of(map.words, "it");
  const auto scores = scores_of(v.model, v.lesson.projections, v.head, static_cast<std::int64_t>(it));
  fmt::print("\n2. Scores: how well each key answers the query of \"it\": query · key / √{}\n", v.model.head_dim);
  fmt::print("3. Softmax: exp(score), divided by the sum: weights that add up to 1\n\n");
  fmt::print("     {:<9} {:>6}  {:>6}\n", "key", "score", "weight");
  for (std::size_t key = 0; key < map.words.size(); ++key) {
    const auto share = static_cast<double>(map.at(it, key));
    fmt::print("     {:<9} {:>6.2f}  {:>6.3f}  {}\n", map.words[key], scores[key], share, bar(share, 40));
  }
}

void print_sum(const View& v) {
  const Result& context = v.lesson.context;
  fmt::print("\n4. Weighted sum: out = Σ weight · value, for every word and head\n");
  fmt::print("     computed by {} ({}): {}\n", context.choice.backend, name(context.choice.isa), context.choice.rule);
  if (context.difference) fmt::print("     largest difference from the model's own: {:.1e}\n", *context.difference);
  if (v.lesson.layer_output)
    fmt::print("   and through the output map, the whole layer: difference {:.1e}\n",
               *v.lesson.layer_output->difference);
}

void print_maps(const View& v) {
  const HeatMap map = v.map();
  fmt::print("\nThe weights of head {}, per cent: each row is a query, each column a key it attends to\n\n{}", v.head,
             draw(map, v.colour));
  fmt::print("\n   it → cat  {:.3f}     it → mat  {:.3f}\n", weight(map, "it", "cat"), weight(map, "it", "mat"));
  if (!v.lesson.soft_weights) return;
  const HeatMap soft = heat_map(*v.lesson.soft_weights, v.model.soft, v.head);
  fmt::print("\nThe same head, one word changed: \"{}\"\n\n{}", v.model.soft.text, draw(soft, v.colour));
  fmt::print("\n   it → cat  {:.3f}     it → mat  {:.3f}\n", weight(soft, "it", "cat"), weight(soft, "it", "mat"));
  const auto turn = [&](const std::string& word) {
    const double before = weight(map, "it", word), after = weight(soft, "it", word);
    return after < before ? "less" : "more";
  };
  fmt::print("   \"it\" now looks {} at \"cat\" and {} at \"mat\".\n", turn("cat"), turn("mat"));
}

void print_weights_source(const View& v) {
  const Result& weights = v.lesson.weights;
  fmt::print("\nThe weights come from {}: {} among those that offer them\n", weights.choice.backend,
             weights.choice.rule);
  for (const Candidate& candidate : weights.choice.candidates)
    if (!candidate.eligible) fmt::print("     not {}: {}\n", candidate.backend, candidate.reason);
  fmt::print("     largest difference from the model's own weights: {:.1e}\n", *weights.difference);
  fmt::print("\nA weight in one head is something to look at, not proof that the model has understood.\n");
}

nlohmann::ordered_json rows(const HeatMap& map) {
  nlohmann::ordered_json result = nlohmann::ordered_json::array();
  const auto size = static_cast<std::ptrdiff_t>(map.words.size());
  for (auto row = map.weights.begin(); row != map.weights.end(); row += size)
    result.push_back(std::vector<float>(row, row + size));
  return result;
}

nlohmann::ordered_json described(const Result& result) {
  nlohmann::ordered_json facts{
      {"backend", result.choice.backend}, {"rule", result.choice.rule}, {"isa", name(result.choice.isa)}};
  for (const Candidate& candidate : result.choice.candidates)
    if (!candidate.eligible) facts["refused"][candidate.backend] = candidate.reason;
  if (result.difference) facts["largest_difference"] = *result.difference;
  return facts;
}

nlohmann::ordered_json head_facts(const Result& weights, const Sentence& sentence, std::int64_t head) {
  const HeatMap map = heat_map(weights, sentence, head);
  return {{"sentence", sentence.text},
          {"words", sentence.words},
          {"weights", rows(map)},
          {"it_to_cat", weight(map, "it", "cat")},
          {"it_to_mat", weight(map, "it", "mat")}};
}

void print_json(const View& v) {
  nlohmann::ordered_json facts = head_facts(v.lesson.weights, v.model.sentence, v.head);
  facts["model"] = v.model.name;
  facts["layer"] = v.layer;
  facts["head"] = v.head;
  facts["output_by"] = described(v.lesson.context);
  facts["weights_by"] = described(v.lesson.weights);
  if (v.lesson.projections.difference) facts["projections_largest_difference"] = *v.lesson.projections.difference;
  if (v.lesson.layer_output) facts["layer_largest_difference"] = *v.lesson.layer_output->difference;
  if (v.lesson.soft_weights) facts["soft"] = head_facts(*v.lesson.soft_weights, v.model.soft, v.head);
  fmt::print("{}\n", json_text(facts));
}

void print_text(const View& v) {
  print_opening(v);
  print_projections(v);
  print_row(v);
  print_sum(v);
  print_maps(v);
  print_weights_source(v);
}

std::int64_t chosen(const char* what, std::int64_t wish, std::int64_t default_value, std::int64_t count) {
  if (wish == -1) return default_value;
  if (wish < 0 || wish >= count)
    throw Error(ErrorCode::invalid_argument, fmt::format("{}: is {}; the model has 0 to {}", what, wish, count - 1));
  return wish;
}

void run(const Options& options) {
  const Model model(options.data.empty() ? default_data_folder() : options.data);
  const std::int64_t layer = chosen("--layer", options.layer, model.whole_layer, model.layers);
  const std::int64_t head = chosen("--head", options.head, model.default_head, model.heads);
  const Lesson lesson = give_lesson(model, layer, default_engine());
  const View view{model, lesson, layer, head, coloured(options.colour)};

  const std::string title = fmt::format("\"{}\": layer {}, head {}", model.sentence.text, layer, head);
  if (!options.png.empty()) write_picture(view.map(), title, PictureFormat::png, options.png);
  if (!options.svg.empty()) write_picture(view.map(), title, PictureFormat::svg, options.svg);
  if (options.json)
    print_json(view);
  else
    print_text(view);
}

}  // namespace

void add_demo(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("demo", "Attention on a real sentence, step by step");
  command->add_option("--layer", options->layer, "Layer of the model, from 0 (default: 3, which comes whole)");
  command->add_option("--head", options->head, "Head of the layer, from 0 (default: 1)");
  command->add_option("--png", options->png, "Also write the heat map to this PNG file (needs gnuplot)");
  command->add_option("--svg", options->svg, "Also write the heat map to this SVG file (needs gnuplot)");
  command->add_option("--color", options->colour, "Colours in the terminal")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
  command->add_option("--data", options->data, "Folder that holds the-cat-sat.safetensors");
  command->add_flag("--json", options->json, "Print the facts as JSON");
  command->footer(
      "The model is all-MiniLM-L6-v2; layer 3 comes with its input and its linear maps, the others with\n"
      "query, key, value and weights. Try --layer 5 --head 11.");
  command->callback([options] { run(*options); });
}

}  // namespace attune::tool
