#include "tools/attune/profile/flags.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <sstream>

#include "tools/attune/io/tensor.hpp"
#include "tools/attune/numbers.hpp"

namespace attune::tool::profile {
namespace {

constexpr std::int64_t longest = std::int64_t{1} << 30;

constexpr const char* footer =
    R"(The time of a curve is fitted as a power of the length; plain attention grows about as n^2, a window as n.
What --seconds does not leave time for is listed with the time it would have taken. Every result is checked first.

Examples:
  attune profile --seq 128:16384 --html report.html
  attune profile --backends tiled --variants full,causal+window:1024 --time-limit 50ms
  attune profile --mode decode --heads 32 --kv-heads 8 --head-dim 128 --variants full
  attune profile --json > before.json
  attune profile --load before.json --plots pictures
  attune profile --compare before.json after.json

Exit status: 0 done, 1 it failed or a result was wrong, 2 the command line was wrong.)";

/// The options of a measurement: they mean nothing to a profile that is only shown.
void declare_problem(CLI::App& command, Flags& flags) {
  command.add_option("--seq", flags.sequence, "Lengths: FROM:TO, doubling, or a list N,N,...")
      ->type_name("FROM:TO")
      ->capture_default_str();
  command.add_option("--backends", flags.backends, "Which (see attune backends), or all")
      ->type_name("NAME,...")
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("--variants", flags.variants, std::string("Which: ") + variant_words)
      ->type_name("VARIANT,...")
      ->delimiter(',')
      ->capture_default_str();
  command
      .add_option("--mode", flags.mode,
                  "prefill: n queries on n keys; decode: one query on n keys; cross: --queries on n keys")
      ->check(CLI::IsMember({"prefill", "decode", "cross"}))
      ->capture_default_str();
  command.add_option("--queries", flags.queries, "Queries of --mode cross (default: 64)")->type_name("N");
  command.add_option("--batch", flags.batch, "B")->type_name("N")->capture_default_str();
  command.add_option("--heads", flags.heads, "H")->type_name("N")->capture_default_str();
  command.add_option("--kv-heads", flags.kv_heads, "Heads of key and value, a divisor of H (default: H)")
      ->type_name("N");
  command.add_option("--head-dim", flags.head_dim, "D of query, key and value")->type_name("N")->capture_default_str();
  command.add_option("--dtype", flags.dtype, "Element type of all four tensors")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}))
      ->capture_default_str();
  command.add_option("--isa", flags.isa, "Use this instruction set: sse2, avx2, avx512, avx512_bf16")
      ->type_name("NAME");
  command.add_option("--threads", flags.threads, "Exactly this many threads, where the backend uses several")
      ->type_name("N");
}

void declare_limits(CLI::App& command, Flags& flags) {
  const std::map<std::string, double> times{{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"min", 60}};
  const auto duration = [&](const char* name, auto& target, const char* words) {
    command.add_option(name, target, words)->transform(CLI::AsNumberWithUnit(times))->type_name("TIME");
  };
  duration("--seconds", flags.seconds, "Time that the measurement may take, about (default: 60)");
  duration("--time-limit", flags.time_limit, "Say which length fits into this time: us, ms, s, min");
  command.add_option("--memory-limit", flags.memory_limit, "Say which length fits into this memory: KB, MB, GB")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE");
}

void declare_output(CLI::App& command, Flags& flags) {
  command.add_flag("--json", flags.json, "Print the profile as JSON");
  command.add_flag("--csv", flags.csv, "Print the points as CSV");
  command.add_option("--html", flags.html, "Also write a report: one file, nothing is loaded from elsewhere")
      ->type_name("FILE");
  command.add_option("--plots", flags.plots, "Also write each plot as SVG, and as PNG if rsvg-convert is installed")
      ->type_name("DIR");
  command.add_option("--load", flags.load, "Show a profile that --json wrote and measure nothing")->type_name("FILE");
  command
      .add_option("--compare", flags.compare, "Compare two profiles that --json wrote: what is faster, slower, same")
      ->type_name("BEFORE AFTER")
      ->expected(2);
}

/// What would be ignored is refused.
void declare_exclusions(CLI::App& command) {
  const auto exclude = [&](const char* option, std::initializer_list<const char*> others) {
    for (const char* other : others) command.get_option(option)->excludes(command.get_option(other));
  };
  exclude("--csv", {"--json"});
  for (const char* shown : {"--load", "--compare"})
    exclude(shown, {"--seq", "--backends", "--variants", "--mode", "--queries", "--batch", "--heads", "--kv-heads",
                    "--head-dim", "--dtype", "--isa", "--threads", "--seconds"});
  exclude("--compare", {"--load", "--csv", "--html", "--plots", "--time-limit", "--memory-limit"});
}

std::vector<std::int64_t> lengths_of(const std::string& text) {
  const auto number = [](std::string_view word) { return parse_integer("--seq", word, 1, longest); };
  std::vector<std::int64_t> lengths;
  const std::size_t colon = text.find(':');
  if (colon != std::string::npos) {
    const std::int64_t from = number(text.substr(0, colon)), to = number(text.substr(colon + 1));
    if (from > to)
      throw Error(ErrorCode::invalid_argument,
                  "--seq: " + io::in_quotes(text) + " falls; write the shorter length first");
    for (std::int64_t n = from; n < to; n *= 2) lengths.push_back(n);
    lengths.push_back(to);
    return lengths;
  }
  std::stringstream words(text);
  for (std::string word; std::getline(words, word, ',');) lengths.push_back(number(word));
  if (lengths.empty()) number(text);
  std::sort(lengths.begin(), lengths.end());
  lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  return lengths;
}

std::vector<std::string> backends_of(const std::vector<std::string>& wanted, const Engine& engine) {
  std::vector<std::string> known;
  std::string list;
  for (const auto& backend : engine.backends()) {
    known.emplace_back(backend->name());
    list += (list.empty() ? "" : ", ") + known.back();
  }
  if (wanted == std::vector<std::string>{"all"}) return known;
  std::vector<std::string> result;
  for (const std::string& name : wanted) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw Error(ErrorCode::invalid_argument,
                  "--backends: " + io::in_quotes(name) + " is unknown; there are " + list + ", and all");
    if (std::find(result.begin(), result.end(), name) == result.end()) result.push_back(name);
  }
  return result;
}

Setting setting_of(const Flags& flags, const Engine& engine) {
  const auto count = [](const char* option, const std::string& text) {
    return parse_integer(option, text, 1, std::int64_t{1} << 20);
  };
  Setting s;
  s.version = version();
  s.cpu = engine.machine().cpu;
  s.cores = engine.machine().cores;
  s.mode = flags.mode == "decode" ? Mode::decode : flags.mode == "cross" ? Mode::cross : Mode::prefill;
  s.batch = count("--batch", flags.batch);
  s.heads = count("--heads", flags.heads);
  s.kv_heads = flags.kv_heads ? count("--kv-heads", *flags.kv_heads) : s.heads;
  s.head_dim = count("--head-dim", flags.head_dim);
  if (s.heads % s.kv_heads != 0)
    throw Error(ErrorCode::invalid_argument, "--kv-heads: " + std::to_string(s.kv_heads) + " does not divide the " +
                                                 std::to_string(s.heads) + " of --heads");
  if (flags.queries && s.mode != Mode::cross)
    throw Error(ErrorCode::invalid_argument, "--queries belongs to --mode cross; --mode is " + flags.mode);
  if (flags.queries) s.queries = count("--queries", *flags.queries);
  s.dtype = flags.dtype;
  s.budget_seconds = flags.seconds;
  if (!(flags.seconds > 0)) throw Error(ErrorCode::invalid_argument, "--seconds must be above 0");
  set_limits(flags, s);
  return s;
}

}  // namespace

void declare(CLI::App& command, Flags& flags) {
  declare_problem(command, flags);
  declare_limits(command, flags);
  declare_output(command, flags);
  declare_exclusions(command);
  command.footer(footer);
}

void set_limits(const Flags& flags, Setting& setting) {
  if (flags.time_limit && !(*flags.time_limit > 0))
    throw Error(ErrorCode::invalid_argument, "--time-limit must be above 0");
  if (flags.time_limit) setting.time_limit = flags.time_limit;
  if (flags.memory_limit) setting.memory_limit = static_cast<double>(*flags.memory_limit);
}

Request request_of(const Flags& flags, const Engine& engine) {
  Request request;
  request.setting = setting_of(flags, engine);
  request.lengths = lengths_of(flags.sequence);
  for (const std::string& text : flags.variants) request.variants.push_back(parse_variant(text));
  for (const Variant& variant : request.variants)
    if (variant.linear && request.setting.mode == Mode::decode)
      throw Error(ErrorCode::invalid_argument,
                  "--variants linear: with a carried state a decode step takes the same time at every length; there is "
                  "nothing to profile with --mode decode");
  request.backends = backends_of(flags.backends, engine);
  request.isa = flags.isa;
  if (flags.threads) request.threads = static_cast<int>(parse_integer("--threads", *flags.threads, 1, 1024));
  return request;
}

}  // namespace attune::tool::profile
