#include "tools/attune/profile/measure.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "tools/attune/profile/budget.hpp"
#include "tools/attune/profile/linear.hpp"
#include "tools/attune/profile/trial.hpp"
#include "tools/attune/profile/workload.hpp"
#include "tools/attune/terminal.hpp"
#include "tools/attune/units.hpp"

namespace attune::tool::profile {
namespace {

using Clock = std::chrono::steady_clock;

/// Bytes that the system could give to one more process; 0: it does not tell.
double available_memory() {
  std::ifstream info("/proc/meminfo");
  for (std::string key; info >> key;) {
    double kilobytes = 0;
    if (key == "MemAvailable:" && info >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

void leave_out(Point& point, Gap gap, const std::string& reason) {
  point.gap = gap;
  point.reason = reason;
}

/// What all contestants of one length share: tensors, and for each variant its options and the sample of the result.
struct Arena {
  std::optional<Workload> workload{};
  std::vector<std::unique_ptr<VariantCall>> calls{};
  std::vector<std::optional<Sample>> samples{};
};

class Measurement {
 public:
  Measurement(Engine& engine, const Request& request)
      : engine_(engine), request_(request), many_(make_executor(request.threads)) {}

  Profile run();

 private:
  double elapsed() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  double left() const { return request_.setting.budget_seconds - elapsed(); }
  /// The length at work and those to come.
  std::span<const std::int64_t> lengths() const { return std::span(request_.lengths).subspan(at_); }
  std::size_t variant_of(std::size_t curve) const { return curve / request_.backends.size(); }

  void measure_length();
  Point blank_point(const Variant& variant, const VariantCall& call) const;
  double expected(const Curve& curve, std::size_t variant, const VariantCall& call) const;
  void look_before(Point& point) const;
  std::optional<Trial> begin(Curve& curve, Point& point, std::size_t variant, Arena& arena);
  Contestant contestant_of(const Curve& curve, std::size_t variant, Arena& arena);
  void show(const std::string& doing);
  double seconds_to_come() const;
  void take_highest_peaks();

  Engine& engine_;
  const Request& request_;
  std::shared_ptr<Executor> one_ = std::make_shared<InlineExecutor>(), many_;
  Profile profile_;
  Progress progress_;
  Interruptible interruptible_;
  Clock::time_point start_ = Clock::now();
  std::size_t at_ = 0;  // index of the length at work
};

Profile Measurement::run() {
  profile_.setting = request_.setting;
  for (const Variant& variant : request_.variants) {
    profile_.variants.push_back(variant.name);
    for (const std::string& backend : request_.backends) profile_.curves.push_back({variant.name, backend, "", 0, {}});
  }
  for (; at_ < request_.lengths.size(); ++at_) measure_length();
  take_highest_peaks();
  profile_.seconds = elapsed();
  profile_.interrupted = Interruptible::asked_to_stop();
  return std::move(profile_);
}

void Measurement::measure_length() {
  const Lengths sizes = lengths_of(request_.setting, lengths().front());
  Arena arena;
  arena.samples.resize(request_.variants.size());
  for (const Variant& variant : request_.variants)
    arena.calls.push_back(std::make_unique<VariantCall>(variant, sizes.queries, sizes.keys));
  for (std::size_t c = 0; c < profile_.curves.size(); ++c)
    profile_.curves[c].points.push_back(blank_point(request_.variants[variant_of(c)], *arena.calls[variant_of(c)]));

  std::vector<Trial> trials;
  for (std::size_t c = 0; c < profile_.curves.size(); ++c) {
    Curve& curve = profile_.curves[c];
    Point& point = curve.points.back();
    point.expected_seconds = expected(curve, variant_of(c), *arena.calls[variant_of(c)]);
    look_before(point);
    if (point.gap != Gap::none) continue;
    show(fmt::format("{} {} at {}: first run and check", curve.variant, curve.backend, sequence_length(point.length)));
    if (auto trial = begin(curve, point, variant_of(c), arena)) trials.push_back(std::move(*trial));
  }
  if (trials.empty()) return;
  const double seconds_each =
      std::clamp(allowance(left(), lengths()) / 2 / static_cast<double>(trials.size()), 0.02, 0.5);
  show(fmt::format("{} contestants at {}", trials.size(), sequence_length(lengths().front())));
  run_in_turn(trials, {engine_.machine().isa, request_.setting.dtype == "bf16"}, seconds_each,
              [this] { return left() < 0 || Interruptible::asked_to_stop(); });
}

Point Measurement::blank_point(const Variant& variant, const VariantCall& call) const {
  const Setting& s = request_.setting;
  const Lengths sizes = lengths_of(s, lengths().front());
  Point point;
  point.length = lengths().front();
  point.tensor_bytes = tensor_bytes(s, point.length);
  point.flops = variant.linear ? linear_flops(s, sizes)
                               : 4 * call.attended_pairs() * static_cast<double>(s.batch * s.heads * s.head_dim);
  // Keys and values that nobody attends need not be read.
  const double rows = 2 * static_cast<double>(s.heads * sizes.queries + s.kv_heads * sizes.keys);
  const double needed = 2 * static_cast<double>(s.heads * sizes.queries + s.kv_heads * call.attended_keys());
  point.bytes = point.tensor_bytes * needed / rows;
  return point;
}

/// Without a point before, what the backend itself estimates.
double Measurement::expected(const Curve& curve, std::size_t variant, const VariantCall& call) const {
  const std::int64_t length = lengths().front();
  const double seconds = expected_seconds(curve, request_.setting.mode, length);
  if (seconds > 0) return seconds;
  if (request_.variants[variant].linear)
    return linear_estimate(request_.setting, lengths_of(request_.setting, length), curve.backend);
  const auto [problem, extents] = describe(tensors_without_memory(request_.setting, length), call.options());
  for (const Candidate& candidate : engine_.select(problem, extents, many_->num_threads()).candidates)
    if (candidate.backend == curve.backend && candidate.eligible) return candidate.estimated_seconds;
  return 0;
}

/// Is there anything that keeps the point from being measured?
void Measurement::look_before(Point& point) const {
  const double memory = available_memory();
  const double cost = cost_of(point.expected_seconds), most = most_for_a_point(left(), lengths());
  if (Interruptible::asked_to_stop()) {
    leave_out(point, Gap::interrupted, "interrupted");
  } else if (memory > 0 && point.tensor_bytes > 0.8 * memory) {
    leave_out(point, Gap::memory,
              fmt::format("its tensors take {}, of {} available", size(point.tensor_bytes), size(memory)));
  } else if (left() <= 0) {
    leave_out(point, Gap::time,
              fmt::format("the {} of --seconds are spent", duration(request_.setting.budget_seconds)));
  } else if (cost > most) {
    leave_out(
        point, Gap::time,
        fmt::format("its runs would take about {}, of --seconds {} are left for it", duration(cost), duration(most)));
  }
}

/// The first run: it warms up, shows the memory it takes, and its result is checked. None: the point says why.
std::optional<Trial> Measurement::begin(Curve& curve, Point& point, std::size_t variant, Arena& arena) {
  if (!arena.workload) arena.workload.emplace(request_.setting, point.length);
  arena.workload->forget_result();
  const Tensors tensors = arena.workload->tensors();
  std::optional<Sample>& sample = arena.samples[variant];
  const Variant& kind = request_.variants[variant];
  if (!sample && kind.linear) sample = linear_sample(tensors, kind.causal);
  if (!sample) sample.emplace(engine_, tensors, *arena.calls[variant]);
  forget_resident_peak();
  const double before = resident_memory().now;
  try {
    Trial trial{&point, contestant_of(curve, variant, arena)};
    const double seconds = time_of(trial.contestant);
    const double grown = point.tensor_bytes + resident_memory().peak - before;
    point.workspace_bytes = trial.contestant.workspace_bytes.value_or(std::max(grown - point.tensor_bytes, 0.0));
    point.peak_bytes = std::max(grown, point.tensor_bytes + point.workspace_bytes);
    if (const std::string fault = sample->fault_of(tensors.out); !fault.empty()) {
      leave_out(point, Gap::wrong, fault);
      return std::nullopt;
    }
    point.expected_seconds = 0;
    curve.isa = name(trial.contestant.isa);
    curve.threads = trial.contestant.executor->num_threads();
    if (seconds >= long_run) trial.seconds.push_back(trial.total = seconds);
    return trial;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unsupported && error.code() != ErrorCode::backend_failed) throw;
    leave_out(point, Gap::refused, error.what());
    return std::nullopt;
  }
}

Contestant Measurement::contestant_of(const Curve& curve, std::size_t variant, Arena& arena) {
  std::shared_ptr<Executor> executor = one_;
  for (const auto& backend : engine_.backends())
    if (backend->name() == curve.backend && backend->parallel()) executor = many_;
  const Variant& kind = request_.variants[variant];
  if (kind.linear)
    return linear_contestant(engine_.machine(), curve.backend, request_.isa, executor, arena.workload->tensors(),
                             kind.causal);
  return softmax_contestant(engine_, curve.backend, request_.isa, executor, arena.workload->tensors(),
                            arena.calls[variant]->options());
}

/// What the points to come should take, those aside that will not fit.
double Measurement::seconds_to_come() const {
  double sum = 0;
  for (std::size_t i = 0; i < lengths().size(); ++i)
    for (const Curve& curve : profile_.curves) {
      const double cost = cost_of(expected_seconds(curve, request_.setting.mode, lengths()[i]));
      if (cost < left() / 4) sum += std::max(cost, 0.1);
    }
  return std::clamp(sum, 0.0, std::max(left(), 0.0));
}

/// A peak is what the machine can do: a measurement of it errs to one side only.
void Measurement::take_highest_peaks() {
  std::map<std::pair<std::string, int>, double> highest;
  for (const bool write : {false, true})
    for (Curve& curve : profile_.curves)
      for (Point& point : curve.points) {
        double& peak = highest[{curve.isa, curve.threads}];
        if (write && point.measured()) point.peak = peak;
        if (!write) peak = std::max(peak, point.peak);
      }
}

void Measurement::show(const std::string& doing) {
  const double to_come = seconds_to_come();
  progress_.show(elapsed() / (elapsed() + to_come + 1e-9), to_come, doing);
}

}  // namespace

Profile measure(Engine& engine, const Request& request) { return Measurement(engine, request).run(); }

}  // namespace attune::tool::profile
