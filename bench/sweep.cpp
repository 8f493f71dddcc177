// attune_sweep: looks for cliffs. Throughput is to grow smoothly with the sequence length and the head dim: a point
// well below both of its neighbours is a tail that was forgotten.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <attune/attune.hpp>

#include "bench/program.hpp"
#include "bench/ready_call.hpp"
#include "bench/workload.hpp"

namespace attune::bench {
namespace {

constexpr std::int64_t distance = 16;  // between a point and the neighbours that it is compared with

struct CommandLine {
  std::int64_t heads = 4, dim = 64, length = 512, show = 10;
  std::string dtype = "f32", isa, backend;
  int threads = 1;
  bool causal = false;
  double floor = 0.6;

  DType element() const { return dtype == "f32" ? DType::f32 : dtype == "f16" ? DType::f16 : DType::bf16; }
};

void declare(CLI::App& program, CommandLine& line) {
  program.add_option("--heads", line.heads, "Heads of every point")->capture_default_str()->check(CLI::Range(1, 1024));
  program.add_option("--head-dim", line.dim, "Head dim of the sweep over lengths")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  program.add_option("--length", line.length, "Sequence length of the sweep over head dims")
      ->capture_default_str()
      ->check(CLI::Range(1, 16384));
  program.add_option("--dtype", line.dtype, "f32, f16 or bf16")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "f16", "bf16"}));
  program.add_flag("--causal", line.causal, "Causal attention");
  program.add_option("--threads", line.threads, "Threads")->capture_default_str()->check(CLI::Range(1, 256));
  program.add_option("--isa", line.isa, "Kernels of this instruction set (default: the best)");
  program.add_option("--backend", line.backend, "This backend (default: the engine's choice)");
  program.add_option("--floor", line.floor, "Throughput over the better neighbour's that a point is to reach")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  program.add_option("--show", line.show, "Points to print, the worst first")->capture_default_str();
  program.footer(
      "Sweeps S = 16 ... 520 by 1 and head_dim 8 ... 256 by 8; each point is compared with the better of its two\n"
      "neighbours 16 away. Exit status: 0 no point below the floor, 1 there is one or a result was wrong, 2 the "
      "command\n"
      "line was wrong.");
}

/// One axis of the sweep: throughput by length or by head dim.
class Sweep {
 public:
  Sweep(const CommandLine& line, std::string axis) : line_(line), axis_(std::move(axis)) {}

  void add(std::int64_t at) { rates_[at] = rate(at); }

  /// A point may have met a disturbance: the worst are measured again, beside their neighbours, and keep the better of
  /// what they reached.
  void measure_worst_again() {
    for (int round = 0; round < 3; ++round)
      for (const std::int64_t at : worst())
        for (const std::int64_t i : {at - distance, at, at + distance})
          if (rates_.contains(i)) rates_[i] = std::max(rates_[i], rate(i));
  }

  /// Prints the worst points; returns how many are below the floor.
  std::int64_t report() const {
    fmt::print("\n{:>8} {:>10} {:>22}\n", axis_, "GFLOP/s", "over better neighbour");
    for (const std::int64_t at : worst()) {
      const double found = ratio(at);
      fmt::print("{:>8} {:>10.1f} {:>22.3f}{}\n", at, rates_.at(at) * 1e-9, found,
                 found < line_.floor ? "  CLIFF" : "");
    }
    const auto below = std::count_if(rates_.begin(), rates_.end(),
                                     [this](const auto& point) { return ratio(point.first) < line_.floor; });
    fmt::print("{} of {} points are below {:.2f}.\n", below, rates_.size(), line_.floor);
    std::fflush(stdout);
    return below;
  }

 private:
  Shape shape(std::int64_t at) const {
    const bool by_length = axis_ == "S";
    const std::int64_t length = by_length ? at : line_.length;
    return {axis_ + std::to_string(at),
            1,
            line_.heads,
            line_.heads,
            length,
            length,
            by_length ? line_.dim : at,
            line_.causal,
            line_.element()};
  }

  /// Floating point operations per second: the best of several looks, because a disturbance only ever slows.
  double rate(std::int64_t at) const {
    Workload workload(shape(at));
    AttentionOptions options = workload.options();
    options.backend = line_.backend;
    options.isa = line_.isa;
    const ReadyCall call(default_engine(), workload.tensors(), options, make_executor(line_.threads));
    call.run();
    constexpr double checked_flops = 4e6;
    if (const std::string fault = workload.check(default_engine(), checked_flops).fault; !fault.empty())
      throw std::runtime_error("wrong result at " + workload.shape().name + ": " + fault);
    double seconds = call.time(2e-3);
    for (int look = 0; look < 3; ++look) seconds = std::min(seconds, call.time(2e-3));
    return call.flops() / seconds;
  }

  double ratio(std::int64_t at) const {
    double better = 0;
    for (const std::int64_t i : {at - distance, at + distance})
      if (const auto found = rates_.find(i); found != rates_.end()) better = std::max(better, found->second);
    return better == 0 ? 1 : rates_.at(at) / better;
  }

  std::vector<std::int64_t> worst() const {
    std::vector<std::int64_t> points;
    for (const auto& [at, rate] : rates_) points.push_back(at);
    std::sort(points.begin(), points.end(), [this](auto a, auto b) { return ratio(a) < ratio(b); });
    points.resize(std::min(points.size(), static_cast<std::size_t>(std::max<std::int64_t>(line_.show, 1))));
    return points;
  }

  const CommandLine& line_;
  std::string axis_;
  std::map<std::int64_t, double> rates_;
};

int run(const CommandLine& line) {
  fmt::print("attune {} on {}: {} heads, {}{}, {} thread{}; S by head_dim {}, head_dim by S {}\n", version(),
             default_engine().machine().cpu, line.heads, line.dtype, line.causal ? ", causal" : "", line.threads,
             line.threads == 1 ? "" : "s", line.dim, line.length);
  Sweep lengths(line, "S"), dims(line, "head_dim");
  for (std::int64_t length = 16; length <= 520; ++length) lengths.add(length);
  for (std::int64_t dim = 8; dim <= 256; dim += 8) dims.add(dim);
  std::int64_t below = 0;
  for (Sweep* sweep : {&lengths, &dims}) {
    sweep->measure_worst_again();
    below += sweep->report();
  }
  return below == 0 ? 0 : 1;
}

}  // namespace
}  // namespace attune::bench

int main(int argc, char** argv) {
  using namespace attune;
  CLI::App program("Looks for points where attention is much slower than at their neighbours.", "attune_sweep");
  bench::CommandLine line;
  bench::declare(program, line);
  return bench::run_program(program, argc, argv, [&line] { return bench::run(line); });
}
