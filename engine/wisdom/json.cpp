#include "engine/wisdom/json.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include <attune/engine.hpp>
#include <nlohmann/json.hpp>

#include "engine/machines.hpp"

namespace attune::detail {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* format_name = "attune wisdom";
constexpr std::int64_t format_version = 1;
constexpr int deepest = 8;  // of nested arrays and objects; a file of ours has 5
constexpr std::size_t longest_text = 1000;
constexpr std::size_t most_measurements = 32;

[[noreturn]] void damaged(const std::string& words) { throw Unreadable(Unreadable::Kind::damaged, words); }

// Enumerations by their names, both ways.

template <typename Enum>
using Names = std::pair<Enum, const char*>;

constexpr std::array<Names<MaskKind>, 6> mask_names{{{MaskKind::none, "none"},
                                                     {MaskKind::boolean, "bool"},
                                                     {MaskKind::f32, "f32"},
                                                     {MaskKind::f16, "f16"},
                                                     {MaskKind::bf16, "bf16"},
                                                     {MaskKind::f64, "f64"}}};
constexpr std::array<Names<Align::Kind>, 4> align_names{{{Align::Kind::bottom_right, "bottom_right"},
                                                         {Align::Kind::top_left, "top_left"},
                                                         {Align::Kind::offset, "offset"},
                                                         {Align::Kind::offsets, "offsets"}}};
constexpr std::array<Names<DType>, 4> dtype_names{
    {{DType::f32, "f32"}, {DType::f16, "f16"}, {DType::bf16, "bf16"}, {DType::f64, "f64"}}};

/// The options that are on or off.
constexpr std::array<Names<bool Problem::*>, 9> switches{{{&Problem::causal, "causal"},
                                                          {&Problem::softcap, "softcap"},
                                                          {&Problem::alibi, "alibi"},
                                                          {&Problem::sinks, "sinks"},
                                                          {&Problem::key_lengths, "key_lengths"},
                                                          {&Problem::cu_seqlens, "cu_seqlens"},
                                                          {&Problem::lse, "lse"},
                                                          {&Problem::weights, "weights"},
                                                          {&Problem::block_mask, "block_mask"}}};

template <typename Table, typename Value>
const char* name_in(const Table& table, Value value) {
  for (const auto& [known, text] : table) {
    if (known == value) return text;
  }
  return "unknown";
}

// Reading: everything that is not exactly as expected is refused.

const Json& member(const Json& object, const char* key) {
  if (!object.is_object()) damaged("something else stands where an object should");
  const auto found = object.find(key);
  if (found == object.end()) damaged(std::string("\"") + key + "\" is missing");
  return *found;
}

std::int64_t integer(const Json& object, const char* key, std::int64_t lowest, std::int64_t highest) {
  const Json& value = member(object, key);
  constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (value.is_number_unsigned() ? value.get<std::uint64_t>() <= largest : value.is_number_integer()) {
    const auto number = value.get<std::int64_t>();
    if (lowest <= number && number <= highest) return number;
  }
  damaged(std::string("\"") + key + "\" is not a whole number from " + std::to_string(lowest) + " to " +
          std::to_string(highest));
}

double seconds(const Json& object, const char* key) {
  const Json& value = member(object, key);
  if (!value.is_number()) damaged(std::string("\"") + key + "\" is not a number");
  const double number = value.get<double>();
  if (!(number >= 0 && number < 1e9)) damaged(std::string("\"") + key + "\" is not a time");
  return number;
}

std::string text(const Json& object, const char* key) {
  const Json& value = member(object, key);
  if (!value.is_string() || value.get_ref<const std::string&>().size() > longest_text) {
    damaged(std::string("\"") + key + "\" is not a short text");
  }
  return value.get<std::string>();
}

const Json& array(const Json& object, const char* key, std::size_t most) {
  const Json& value = member(object, key);
  if (!value.is_array() || value.size() > most) damaged(std::string("\"") + key + "\" is not a short list");
  return value;
}

template <typename Table>
auto named(const Table& table, const Json& object, const char* key) {
  const std::string word = text(object, key);
  for (const auto& [known, known_text] : table) {
    if (word == known_text) return known;
  }
  damaged(std::string("\"") + key + "\" is none of the words known");
}

std::optional<Isa> isa_named(const std::string& word) {
  const std::optional<Isa> isa = parse_isa(word);
  if (!isa) damaged("\"isa\" is none of the words known");
  return isa;
}

// Each kind of thing, written and read.

constexpr std::int64_t any_size = std::int64_t{1} << 62;
constexpr int most_threads = 1 << 20;

Json problem_json(const Problem& p) {
  Json options = Json::array();
  for (const auto& [option, name] : switches) {
    if (p.*option) options.push_back(name);
  }
  return {{"heads", p.heads},
          {"kv_heads", p.kv_heads},
          {"head_dim", p.head_dim},
          {"value_dim", p.value_dim},
          {"query", name_in(dtype_names, p.query_dtype)},
          {"key", name_in(dtype_names, p.key_dtype)},
          {"value", name_in(dtype_names, p.value_dtype)},
          {"out", name_in(dtype_names, p.out_dtype)},
          {"mask", name_in(mask_names, p.mask)},
          {"align", name_in(align_names, p.align)},
          {"window_left", p.window_left},
          {"window_right", p.window_right},
          {"options", options}};
}

Problem problem_of(const Json& json) {
  Problem p;
  p.heads = integer(json, "heads", 0, any_size);
  p.kv_heads = integer(json, "kv_heads", 0, any_size);
  p.head_dim = integer(json, "head_dim", 1, any_size);
  p.value_dim = integer(json, "value_dim", 0, any_size);
  p.query_dtype = named(dtype_names, json, "query");
  p.key_dtype = named(dtype_names, json, "key");
  p.value_dtype = named(dtype_names, json, "value");
  p.out_dtype = named(dtype_names, json, "out");
  p.mask = named(mask_names, json, "mask");
  p.align = named(align_names, json, "align");
  p.window_left = integer(json, "window_left", -1, std::numeric_limits<std::int64_t>::max());
  p.window_right = integer(json, "window_right", -1, std::numeric_limits<std::int64_t>::max());
  for (const Json& option : array(json, "options", switches.size())) {
    bool known = false;
    for (const auto& [flag, name] : switches) {
      if (option != name) continue;
      p.*flag = known = true;
    }
    if (!known) damaged("\"options\" holds something that is no option");
  }
  return p;
}

Json buckets_json(const Buckets& b) {
  return {{"batch", b.batch},
          {"queries", b.queries},
          {"keys", b.keys},
          {"total_queries", b.total_queries},
          {"total_keys", b.total_keys}};
}

Buckets buckets_of(const Json& json) {
  const auto size = [&json](const char* key) { return integer(json, key, 0, any_size); };
  return {size("batch"), size("queries"), size("keys"), size("total_queries"), size("total_keys")};
}

Json variant_json(const Variant& variant) {
  Json json{{"backend", variant.backend}, {"isa", name(variant.isa)}, {"threads", variant.threads}};
  if (!variant.tiling.empty()) json["tiling"] = variant.tiling;
  return json;
}

Variant variant_of(const Json& json) {
  return {text(json, "backend"), *isa_named(text(json, "isa")),
          static_cast<int>(integer(json, "threads", 1, most_threads)),
          json.contains("tiling") ? text(json, "tiling") : ""};
}

Json measurement_json(const Measurement& m) {
  Json json = variant_json(m.variant);
  json["seconds"] = m.seconds;
  json["spread"] = m.spread;
  json["samples"] = m.samples;
  json["verdict"] = m.verdict;
  return json;
}

Measurement measurement_of(const Json& json) {
  return {variant_of(json), seconds(json, "seconds"), seconds(json, "spread"),
          static_cast<int>(integer(json, "samples", 0, std::numeric_limits<int>::max())), text(json, "verdict")};
}

Json entry_json(const WisdomKey& key, const WisdomEntry& entry) {
  Json measurements = Json::array();
  for (const Measurement& m : entry.measurements) measurements.push_back(measurement_json(m));
  return {{"problem", problem_json(key.problem)},
          {"up_to", buckets_json(key.buckets)},
          {"threads", key.threads},
          {"forced_backend", key.backend},
          {"forced_isa", key.isa ? name(*key.isa) : ""},
          {"winner", variant_json(entry.winner)},
          {"winner_version", entry.winner_version},
          {"measured_at", entry.measured_at},
          {"measurements", measurements}};
}

std::pair<WisdomKey, WisdomEntry> entry_of(const Json& json) {
  WisdomKey key;
  key.problem = problem_of(member(json, "problem"));
  key.buckets = buckets_of(member(json, "up_to"));
  key.threads = static_cast<int>(integer(json, "threads", 1, most_threads));
  key.backend = text(json, "forced_backend");
  if (const std::string isa = text(json, "forced_isa"); !isa.empty()) key.isa = isa_named(isa);
  WisdomEntry entry;
  entry.winner = variant_of(member(json, "winner"));
  if (entry.winner.threads > key.threads) damaged("a winner has more threads than there were");
  entry.winner_version = text(json, "winner_version");
  entry.measured_at = integer(json, "measured_at", 0, any_size);
  for (const Json& m : array(json, "measurements", most_measurements)) {
    entry.measurements.push_back(measurement_of(m));
  }
  return {std::move(key), std::move(entry)};
}

Json machine_json(const MachineDescription& machine) {
  return {{"cpu", machine.cpu}, {"isas", machine.isas}, {"cores", machine.cores}, {"attune", machine.library}};
}

void check_machine(const Json& json, const MachineDescription& machine) {
  const Json here = Json::parse(machine_json(machine).dump(-1, ' ', false, Json::error_handler_t::replace));
  for (const auto& [key, value] : here.items()) {
    const Json& there = member(json, key.c_str());
    if (there == value) continue;
    if (there.is_structured() || (there.is_string() && there.get_ref<const std::string&>().size() > longest_text)) {
      damaged("\"" + key + "\" is not a short text");
    }
    throw Unreadable(Unreadable::Kind::other_machine, "is of another machine or version: \"" + key + "\" is " +
                                                          there.dump(-1, ' ', false, Json::error_handler_t::replace) +
                                                          ", here " + value.dump());
  }
}

Json parse(std::string_view text) {
  if (text.size() > most_wisdom_bytes) damaged("is longer than " + std::to_string(most_wisdom_bytes >> 20) + " MiB");
  if (text.find('\0') != text.npos) damaged("holds a zero byte");  // where the parser would see the end
  const auto watch = [](int depth, Json::parse_event_t, const Json&) {
    if (depth > deepest) damaged("is nested too deeply");
    return true;
  };
  return Json::parse(text, watch);
}

WisdomEntries entries_of(const Json& json, const MachineDescription& machine) {
  if (text(json, "format") != format_name) damaged("is not wisdom");
  const std::int64_t version = integer(json, "version", 0, any_size);
  if (version != format_version) {
    throw Unreadable(Unreadable::Kind::other_version, "has version " + std::to_string(version) +
                                                          ", this library knows " + std::to_string(format_version));
  }
  check_machine(member(json, "machine"), machine);
  WisdomEntries all, newest;
  for (const Json& item : array(json, "entries", 16 * most_wisdom_entries)) {
    auto [key, entry] = entry_of(item);
    add(all, key, entry);
  }
  merge(newest, all);
  return newest;
}

}  // namespace

MachineDescription MachineDescription::of(const Machine& machine) {
  MachineDescription result;
  result.cpu = machine.cpu;
  for (const Isa isa : machine.isas) result.isas += (result.isas.empty() ? "" : ", ") + std::string(name(isa));
  result.cores = machine.cores;
  result.library = version();
  return result;
}

std::string MachineDescription::file_name() const {
  std::uint64_t hash = 0xcbf29ce484222325ull;  // FNV-1a: the same in every build
  for (const char c : cpu + '\n' + isas + '\n' + std::to_string(cores) + '\n' + library) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  }
  std::string name = "wisdom-";
  for (int digit = 15; digit >= 0; --digit) name += "0123456789abcdef"[(hash >> (4 * digit)) & 15];
  return name + ".json";
}

std::string to_json(const WisdomEntries& entries, const MachineDescription& machine) {
  Json json{{"format", format_name}, {"version", format_version}, {"machine", machine_json(machine)}};
  json["entries"] = Json::array();
  for (const auto& [key, entry] : entries) json["entries"].push_back(entry_json(key, entry));
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

WisdomEntries from_json(std::string_view text, const MachineDescription& machine) {
  try {
    return entries_of(parse(text), machine);
  } catch (const Json::exception&) {
    throw Unreadable(Unreadable::Kind::damaged, "is not JSON");
  }
}

}  // namespace attune::detail
