#include "tools/attune/profile/storage.hpp"

#include <cmath>
#include <fstream>

#include <fmt/format.h>

#include <attune/error.hpp>

#include "tools/attune/io/tensor.hpp"
#include "tools/attune/profile/findings.hpp"

namespace attune::tool::profile {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* format_name = "attune-profile";
constexpr int format_version = 1;

Json facts_of(const Point& p) {
  Json facts{{"length", p.length}, {"measured", p.measured()}, {"tensor_bytes", p.tensor_bytes}};
  facts["flops"] = p.flops;
  facts["bytes"] = p.bytes;
  if (!p.measured()) {
    facts["gap"] = name(p.gap);
    facts["reason"] = p.reason;
    if (p.expected_seconds > 0) facts["expected_seconds"] = p.expected_seconds;
    return facts;
  }
  facts["seconds"] = p.seconds;
  facts["spread"] = p.spread;
  facts["runs"] = p.runs;
  facts["gflops_per_second"] = p.flops_per_second() * 1e-9;
  facts["peak_flops_per_second"] = p.peak;
  facts["share_of_peak"] = p.share_of_peak();
  facts["gb_per_second"] = p.bytes_per_second() * 1e-9;
  facts["workspace_bytes"] = p.workspace_bytes;
  facts["peak_bytes"] = p.peak_bytes;
  return facts;
}

Json facts_of(const Curve& curve) {
  Json facts{{"variant", curve.variant}, {"backend", curve.backend}, {"isa", curve.isa}, {"threads", curve.threads}};
  if (const auto fit = fit_of(curve)) {
    facts["fit"] = {{"exponent", fit->exponent},
                    {"factor", fit->factor},
                    {"from", fit->from},
                    {"to", fit->to},
                    {"points", fit->points}};
    if (fit->margin) facts["fit"]["exponent_margin_95"] = *fit->margin;
  }
  facts["points"] = Json::array();
  for (const Point& point : curve.points) facts["points"].push_back(facts_of(point));
  return facts;
}

Json facts_of(const Setting& s) {
  Json facts{{"version", s.version},
             {"cpu", s.cpu},
             {"cores", s.cores},
             {"mode", name(s.mode)},
             {"batch", s.batch},
             {"heads", s.heads},
             {"kv_heads", s.kv_heads},
             {"head_dim", s.head_dim},
             {"queries", s.queries},
             {"dtype", s.dtype},
             {"budget_seconds", s.budget_seconds}};
  if (s.time_limit) facts["time_limit_seconds"] = *s.time_limit;
  if (s.memory_limit) facts["memory_limit_bytes"] = *s.memory_limit;
  return facts;
}

Setting setting_from(const Json& facts) {
  Setting s;
  facts.at("version").get_to(s.version);
  facts.at("cpu").get_to(s.cpu);
  facts.at("cores").get_to(s.cores);
  const auto mode = facts.at("mode").get<std::string>();
  for (const Mode known : {Mode::prefill, Mode::decode, Mode::cross})
    if (mode == name(known)) s.mode = known;
  facts.at("batch").get_to(s.batch);
  facts.at("heads").get_to(s.heads);
  facts.at("kv_heads").get_to(s.kv_heads);
  facts.at("head_dim").get_to(s.head_dim);
  facts.at("queries").get_to(s.queries);
  facts.at("dtype").get_to(s.dtype);
  facts.at("budget_seconds").get_to(s.budget_seconds);
  if (facts.contains("time_limit_seconds")) s.time_limit = facts["time_limit_seconds"].get<double>();
  if (facts.contains("memory_limit_bytes")) s.memory_limit = facts["memory_limit_bytes"].get<double>();
  return s;
}

double quantity(const Json& facts, const char* key) {
  const double value = facts.at(key).get<double>();
  if (!std::isfinite(value) || value < 0) throw std::domain_error(fmt::format("{} is {}", key, value));
  return value;
}

Gap gap_from(const std::string& text) {
  for (const Gap gap : {Gap::time, Gap::memory, Gap::refused, Gap::wrong, Gap::interrupted})
    if (text == name(gap)) return gap;
  throw std::domain_error("unknown gap " + text);
}

Point point_from(const Json& facts) {
  Point p;
  facts.at("length").get_to(p.length);
  if (p.length < 1) throw std::domain_error(fmt::format("length is {}", p.length));
  p.tensor_bytes = quantity(facts, "tensor_bytes");
  p.flops = quantity(facts, "flops");
  p.bytes = quantity(facts, "bytes");
  if (!facts.at("measured").get<bool>()) {
    facts.at("reason").get_to(p.reason);
    p.gap = gap_from(facts.at("gap").get<std::string>());
    if (facts.contains("expected_seconds")) p.expected_seconds = quantity(facts, "expected_seconds");
    return p;
  }
  p.seconds = quantity(facts, "seconds");
  if (p.seconds == 0) throw std::domain_error("seconds is 0");
  p.spread = quantity(facts, "spread");
  facts.at("runs").get_to(p.runs);
  p.peak = quantity(facts, "peak_flops_per_second");
  p.workspace_bytes = quantity(facts, "workspace_bytes");
  p.peak_bytes = quantity(facts, "peak_bytes");
  return p;
}

Curve curve_from(const Json& facts) {
  Curve curve;
  facts.at("variant").get_to(curve.variant);
  facts.at("backend").get_to(curve.backend);
  facts.at("isa").get_to(curve.isa);
  facts.at("threads").get_to(curve.threads);
  for (const Json& point : facts.at("points")) curve.points.push_back(point_from(point));
  for (std::size_t i = 1; i < curve.points.size(); ++i)
    if (curve.points[i].length <= curve.points[i - 1].length) throw std::domain_error("lengths do not rise");
  return curve;
}

Profile profile_from(const Json& facts) {
  if (facts.value("format", "") != format_name) throw std::domain_error("it is not a profile");
  if (facts.value("format_version", 0) != format_version)
    throw std::domain_error(fmt::format("its format_version is not {}", format_version));
  Profile profile;
  profile.setting = setting_from(facts.at("setting"));
  facts.at("variants").get_to(profile.variants);
  facts.at("seconds").get_to(profile.seconds);
  facts.at("interrupted").get_to(profile.interrupted);
  for (const Json& curve : facts.at("curves")) profile.curves.push_back(curve_from(curve));
  return profile;
}

/// RFC 4180.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

const char* name(Gap gap) noexcept {
  switch (gap) {
    case Gap::none:
      return "none";
    case Gap::time:
      return "time";
    case Gap::memory:
      return "memory";
    case Gap::refused:
      return "refused";
    case Gap::wrong:
      return "wrong";
    case Gap::interrupted:
      return "interrupted";
  }
  return "unknown";
}

const char* name(Mode mode) noexcept {
  switch (mode) {
    case Mode::prefill:
      return "prefill";
    case Mode::decode:
      return "decode";
    case Mode::cross:
      return "cross";
  }
  return "unknown";
}

Json json_of(const Profile& profile) {
  Json facts{{"format", format_name},
             {"format_version", format_version},
             {"headline", headline(profile)},
             {"remarks", remarks(profile)},
             {"setting", facts_of(profile.setting)},
             {"seconds", profile.seconds},
             {"interrupted", profile.interrupted},
             {"variants", profile.variants},
             {"curves", Json::array()}};
  for (const Curve& curve : profile.curves) facts["curves"].push_back(facts_of(curve));
  return facts;
}

Profile read_profile(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::io, io::in_quotes(path) + ": cannot be read");
  try {
    return profile_from(Json::parse(file));
  } catch (const std::exception& error) {
    throw Error(ErrorCode::io,
                io::in_quotes(path) + ": not what `attune profile --json` writes: " + std::string(error.what()));
  }
}

std::string csv_of(const Profile& profile) {
  std::string text =
      "variant,backend,isa,threads,mode,length,seconds,spread,runs,gflops_per_second,share_of_peak,gb_per_second,"
      "workspace_bytes,tensor_bytes,peak_bytes,expected_seconds,gap,reason\n";
  for (const Curve& curve : profile.curves)
    for (const Point& p : curve.points) {
      text += fmt::format("{},{},{},{},{},{},", csv_field(curve.variant), csv_field(curve.backend), curve.isa,
                          curve.threads, name(profile.setting.mode), p.length);
      if (p.measured())
        text += fmt::format("{:.9g},{:.4g},{},{:.6g},{:.4g},{:.6g},{:.0f},{:.0f},{:.0f},,,\n", p.seconds, p.spread,
                            p.runs, p.flops_per_second() * 1e-9, p.share_of_peak(), p.bytes_per_second() * 1e-9,
                            p.workspace_bytes, p.tensor_bytes, p.peak_bytes);
      else
        text += fmt::format(",,,,,,,{:.0f},,{:.6g},{},{}\n", p.tensor_bytes, p.expected_seconds, name(p.gap),
                            csv_field(p.reason));
    }
  return text;
}

}  // namespace attune::tool::profile
