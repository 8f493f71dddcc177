#include "bench/roofline/measure.hpp"

#include <algorithm>

#include <attune/peak.hpp>

#include "bench/read_bandwidth.hpp"
#include "bench/ready_call.hpp"

namespace attune::bench {
namespace {

constexpr double limit_seconds = 4e-3;    // of one look at a limit
constexpr double kernel_seconds = 12e-3;  // of one look at a kernel
constexpr std::size_t fewest_samples = 3;

/// The limits that matter to a row, as seen at one moment.
struct Limits {
  double operations = 0, bytes = 0;  // each second
};

/// One row on one number of threads.
class Subject {
 public:
  Subject(Engine& engine, const Row& row, const Workload& workload, const AttentionOptions& options,
          std::shared_ptr<Executor> executor)
      : engine_(engine),
        row_(row),
        workload_(workload),
        options_(options),
        call_(engine, workload.tensors(), options, std::move(executor)) {}

  const ReadyCall& call() const { return call_; }

  /// The machine, the kernel, and the machine again.
  void sample() {
    const Limits before = limits();
    if (row_.limit == Limit::read) call_.run();  // what the limit left in the caches is not what a call leaves
    const double seconds = call_.time(kernel_seconds);
    const Limits after = limits();
    seconds_.push_back(seconds);
    if (row_.limit == Limit::dispatch) return shares_.push_back(dispatch_microseconds(seconds));
    const Limits now{(before.operations + after.operations) / 2, (before.bytes + after.bytes) / 2};
    shares_.push_back(least_seconds(row_.limit, now) / seconds);
    slower_shares_.push_back(least_seconds(binding(), now) / seconds);
    limits_.push_back(row_.limit == Limit::read ? now.bytes : now.operations);
  }

  Reading reading() const {
    return {.threads = call_.threads(),
            .backend = call_.choice().backend,
            .seconds = quantile(seconds_, 0.5),
            .limit = limits_.empty() ? 0 : quantile(limits_, 0.5),
            .share = quantile(shares_, 0.5),
            .low = quantile(shares_, 0.25),
            .high = quantile(shares_, 0.75)};
  }
  const std::vector<double>& shares() const { return shares_; }
  /// Of the limits that may bind the call: more threads need not bring more than these do.
  const std::vector<double>& slower_shares() const { return slower_shares_; }

 private:
  /// Reading from a cache, arithmetic may be the slower limit.
  Limit binding() const { return row_.limit == Limit::read ? Limit::slower : row_.limit; }

  Limits limits() const {
    Limits now;
    if (row_.limit == Limit::dispatch) return now;
    if (binding() == Limit::slower)
      now.bytes = measure_read_bandwidth(workload_.key_value_bytes(), call_.executor(), 3 * limit_seconds);
    now.operations = measure_peak(row_.isa, call_.executor(), product(), limit_seconds);
    return now;
  }

  Product product() const {
    const bool pairs = row_.limit == Limit::bf16_pairs ||
                       (row_.shape.dtype == DType::bf16 && multiplies(row_.isa, Product::bf16_pairs));
    return pairs ? Product::bf16_pairs : Product::f32;
  }

  double least_seconds(Limit limit, const Limits& now) const {
    const double reading = static_cast<double>(workload_.key_value_bytes().size()) / now.bytes;
    const double computing = call_.flops() / now.operations;
    return limit == Limit::read ? reading : limit == Limit::slower ? std::max(reading, computing) : computing;
  }

  double dispatch_microseconds(double kernel) const {
    const auto call = [this] { engine_.attention(workload_.tensors(), options_, &call_.executor()); };
    const double before = seconds_per_call(call, kernel_seconds / 2);
    const double again = call_.time(kernel_seconds);
    const double after = seconds_per_call(call, kernel_seconds / 2);
    return ((before + after) / 2 - (kernel + again) / 2) * 1e6;
  }

  Engine& engine_;
  const Row& row_;
  const Workload& workload_;
  const AttentionOptions& options_;
  ReadyCall call_;
  std::vector<double> seconds_, shares_, slower_shares_, limits_;
};

/// Whether what every subject computes is right; the worst of them.
Difference check(Engine& engine, Workload& workload, const std::vector<Subject>& subjects) {
  Difference worst;
  for (const Subject& subject : subjects) {
    workload.spoil();
    subject.call().run();
    const Difference found = workload.check(engine);
    worst.largest = std::max(worst.largest, found.largest);
    worst.relative = std::max(worst.relative, found.relative);
    if (!found.fault.empty()) worst.fault = std::to_string(subject.call().threads()) + " threads: " + found.fault;
  }
  return worst;
}

double scaling(const Subject& one, const Subject& all) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < one.slower_shares().size(); ++i)
    ratios.push_back(all.slower_shares()[i] / one.slower_shares()[i]);
  return quantile(ratios, 0.5);
}

}  // namespace

MachineLimits measure_machine(Isa isa, Executor& executor) {
  constexpr double seconds = 0.05;
  AlignedBytes memory(std::size_t{128} << 20);
  std::fill(memory.span().begin(), memory.span().end(), std::byte{1});
  MachineLimits limits;
  limits.threads = executor.num_threads();
  limits.multiply_add = measure_peak(isa, executor, Product::f32, seconds);
  if (multiplies(isa, Product::bf16_pairs))
    limits.bf16_pairs = measure_peak(isa, executor, Product::bf16_pairs, seconds);
  limits.cached_read = measure_read_bandwidth(memory.span().first(std::size_t{12} << 20), executor, seconds);
  limits.memory_read = measure_read_bandwidth(memory.span(), executor, 3 * seconds);
  return limits;
}

Result measure(Engine& engine, const Row& row, const Settings& settings) {
  Workload workload(row.shape);
  AttentionOptions options = workload.options();
  options.backend = settings.backend;
  options.isa = row.isa == Isa::generic ? "" : name(row.isa);
  std::vector<Subject> subjects;
  for (const auto& executor : settings.executors) subjects.emplace_back(engine, row, workload, options, executor);

  Result result;
  result.row = row;
  result.flops = subjects.front().call().flops();
  result.bytes = static_cast<double>(workload.key_value_bytes().size());
  result.difference = check(engine, workload, subjects);
  if (!result.difference.fault.empty()) return result;
  const Clock::time_point start = Clock::now();
  while (subjects.front().shares().size() < fewest_samples || seconds_since(start) < settings.seconds)
    for (Subject& subject : subjects) subject.sample();
  for (const Subject& subject : subjects) result.readings.push_back(subject.reading());
  if (subjects.size() > 1 && row.limit != Limit::dispatch) result.scaling = scaling(subjects.front(), subjects.back());
  return result;
}

}  // namespace attune::bench
