#include "tools/attune/tune/problems.hpp"

#include <array>
#include <cstdint>
#include <utility>

#include <nlohmann/json.hpp>

#include "tools/attune/io/tensor.hpp"
#include "tools/attune/io/text_file.hpp"

namespace attune::tool {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t most_bytes = 1 << 20;
constexpr std::size_t most_problems = 10'000;

ProblemFlags shapes(std::string query, std::string key, bool causal = false) {
  ProblemFlags flags;
  flags.query = std::move(query);
  flags.key = std::move(key);
  flags.causal = causal;
  return flags;
}

std::string sizes(std::int64_t batch, std::int64_t heads, std::int64_t length, std::int64_t dim) {
  return std::to_string(batch) + "," + std::to_string(heads) + "," + std::to_string(length) + "," + std::to_string(dim);
}

/// Self-attention of an encoder.
ProblemFlags full(std::int64_t batch, std::int64_t heads, std::int64_t length, std::int64_t dim) {
  return shapes(sizes(batch, heads, length, dim), sizes(batch, heads, length, dim));
}

std::vector<ProblemFlags> bert() {
  std::vector<ProblemFlags> result;
  for (const std::int64_t batch : {1, 8}) {
    for (const std::int64_t length : {32, 128, 512}) result.push_back(full(batch, 12, length, 64));
  }
  return result;
}

std::vector<ProblemFlags> gpt_prefill() {
  std::vector<ProblemFlags> result;
  for (const std::int64_t length : {128, 512, 2048}) {
    result.push_back(shapes(sizes(1, 32, length, 128), sizes(1, 8, length, 128), true));
  }
  return result;
}

/// One key length for each bucket of a decode.
std::vector<ProblemFlags> gpt_decode() {
  std::vector<ProblemFlags> result;
  for (const std::int64_t length : {64, 256, 1024, 4096, 16384}) {
    result.push_back(shapes(sizes(1, 32, 1, 128), sizes(1, 8, length, 128), true));
  }
  return result;
}

std::vector<ProblemFlags> whisper() {
  return {full(1, 6, 1500, 64), shapes(sizes(1, 6, 1, 64), sizes(1, 6, 1500, 64)),
          shapes(sizes(1, 6, 1, 64), sizes(1, 6, 256, 64), true)};
}

std::vector<ProblemFlags> vit() { return {full(1, 12, 197, 64), full(8, 12, 197, 64), full(1, 16, 577, 64)}; }

/// Stable Diffusion: self-attention of the latent image, cross-attention to 77 tokens of text.
std::vector<ProblemFlags> sd() {
  std::vector<ProblemFlags> result;
  for (const auto& [length, dim] : {std::pair<std::int64_t, std::int64_t>{4096, 40}, {1024, 80}, {256, 160}}) {
    result.push_back(full(1, 8, length, dim));
    result.push_back(shapes(sizes(1, 8, length, dim), sizes(1, 8, 77, dim)));
  }
  return result;
}

struct NamedSet {
  const char* name;
  std::vector<ProblemFlags> (*problems)();
};

constexpr std::array<NamedSet, 6> sets{{{"bert", bert},
                                        {"gpt-prefill", gpt_prefill},
                                        {"gpt-decode", gpt_decode},
                                        {"whisper", whisper},
                                        {"vit", vit},
                                        {"sd", sd}}};

[[noreturn]] void refuse(const std::string& where, const std::string& words) {
  throw Error(ErrorCode::invalid_argument, where + ": " + words);
}

/// As it would be typed.
std::string typed(const Json& value, const std::string& where) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number()) return value.dump();
  if (!value.is_array()) refuse(where, "must be a text, a number or a list of numbers");
  std::string text;
  for (const Json& number : value) {
    if (!number.is_number()) refuse(where, "must be a text, a number or a list of numbers");
    text += (text.empty() ? "" : ",") + number.dump();
  }
  return text;
}

std::optional<std::string>* text_flag(ProblemFlags& flags, const std::string& name) {
  const std::pair<const char*, std::optional<std::string>*> all[] = {{"v", &flags.value},
                                                                     {"dtype", &flags.dtype},
                                                                     {"out-dtype", &flags.out_dtype},
                                                                     {"align", &flags.align},
                                                                     {"scale", &flags.scale},
                                                                     {"window", &flags.window},
                                                                     {"softcap", &flags.softcap},
                                                                     {"mask", &flags.mask},
                                                                     {"block-mask", &flags.block_mask},
                                                                     {"cu-seqlens-q", &flags.cu_seqlens_q},
                                                                     {"cu-seqlens-k", &flags.cu_seqlens_k}};
  for (const auto& [known, flag] : all) {
    if (name == known) return flag;
  }
  return nullptr;
}

bool* switch_flag(ProblemFlags& flags, const std::string& name) {
  const std::pair<const char*, bool*> all[] = {{"causal", &flags.causal}, {"alibi", &flags.alibi},
                                               {"sinks", &flags.sinks},   {"key-lengths", &flags.key_lengths},
                                               {"lse", &flags.lse},       {"weights", &flags.weights}};
  for (const auto& [known, flag] : all) {
    if (name == known) return flag;
  }
  return nullptr;
}

ProblemFlags problem_of(const Json& object, const std::string& where) {
  if (!object.is_object()) refuse(where, "must be an object such as {\"q\": \"1,12,512,64\", \"k\": \"1,12,512,64\"}");
  ProblemFlags flags;
  for (const auto& [name, value] : object.items()) {
    const std::string here = where + ", " + io::in_quotes(name);
    if (name == "q") {
      flags.query = typed(value, here);
    } else if (name == "k") {
      flags.key = typed(value, here);
    } else if (bool* on = switch_flag(flags, name)) {
      if (!value.is_boolean()) refuse(here, "must be true or false");
      *on = value.get<bool>();
    } else if (std::optional<std::string>* text = text_flag(flags, name)) {
      *text = typed(value, here);
    } else {
      refuse(here, "is no property of a problem");
    }
  }
  if (flags.query.empty() || flags.key.empty()) refuse(where, "needs \"q\" and \"k\"");
  return flags;
}

Json parse(const std::string& text, const std::string& path) {
  const auto watch = [&](int depth, Json::parse_event_t, const Json&) {
    if (depth > 4) refuse(io::in_quotes(path), "is nested too deeply for a list of problems");
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const Json::exception&) {
    refuse(io::in_quotes(path), "is not JSON");
  }
}

}  // namespace

std::string set_names() {
  std::string names;
  for (const NamedSet& set : sets) names += (names.empty() ? "" : ", ") + std::string(set.name);
  return names;
}

std::vector<ProblemFlags> named_set(const std::string& name) {
  for (const NamedSet& set : sets) {
    if (name == set.name) return set.problems();
  }
  refuse("--set", io::in_quotes(name) + " is unknown; there are " + set_names());
}

std::vector<ProblemFlags> read_problems(const std::string& path) {
  const Json list = parse(io::read_text(path, most_bytes), path);
  if (!list.is_array() || list.empty() || list.size() > most_problems) {
    refuse(io::in_quotes(path), "must hold a list of 1 to " + std::to_string(most_problems) + " problems");
  }
  std::vector<ProblemFlags> problems;
  for (const Json& object : list) {
    problems.push_back(problem_of(object, io::in_quotes(path) + ", problem " + std::to_string(problems.size() + 1)));
  }
  return problems;
}

}  // namespace attune::tool
