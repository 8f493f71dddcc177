// Every backend and every instruction-set variant that this machine can run, over a table of shapes.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include <attune/attune.hpp>
#include <attune/peak.hpp>

#include "bench/ready_call.hpp"
#include "bench/workload.hpp"

namespace {

using attune::bench::Shape;
using attune::bench::Workload;

std::vector<Shape> shapes() {
  std::vector<Shape> table;
  for (const std::int64_t dim : {64, 128})
    for (const std::int64_t length : {128, 512, 1024, 4096})
      for (const bool causal : {false, true})
        table.push_back(
            {(causal ? "causal" : "full") + std::string("/S:") + std::to_string(length) + "/D:" + std::to_string(dim),
             1, 1, 1, length, length, dim, causal});
  table.push_back({"short/S:16/D:64", 1, 96, 96, 16, 16, 64, false});
  table.push_back({"short/S:64/D:64", 1, 96, 96, 64, 64, 64, false});
  table.push_back({"bert/S:128/D:64", 8, 12, 12, 128, 128, 64, false});
  table.push_back({"gqa_prefill/S:1024/D:128", 1, 8, 2, 1024, 1024, 128, true});
  table.push_back({"cross/Sq:64/Sk:1500/D:64", 1, 12, 12, 64, 1500, 64, false});
  table.push_back({"decode/Sk:4096/D:128", 1, 32, 8, 1, 4096, 128, true});
  return table;
}

/// naive takes a minute for what others do in milliseconds: leave it the problems it finishes.
bool sensible(std::string_view backend, const Workload& workload) {
  return backend != "naive" || flops(workload.description().problem, workload.description().extents) < 1e8;
}

void run(benchmark::State& state, const Shape& shape, const std::string& backend, attune::Isa isa, int threads) {
  attune::Engine& engine = attune::default_engine();
  Workload workload(shape);
  if (!sensible(backend, workload)) return state.SkipWithError("too large for this backend");
  attune::AttentionOptions options = workload.options();
  options.backend = backend;
  options.isa = isa == attune::Isa::generic ? "" : name(isa);
  const attune::bench::ReadyCall call(engine, workload.tensors(), options, attune::make_executor(threads));

  call.run();
  if (const std::string fault = workload.check(engine).fault; !fault.empty())
    return state.SkipWithError(("wrong result: " + fault).c_str());

  // A backend without kernels for one of Attune's instruction sets is held against all that the machine can do.
  const attune::Isa peak_isa = isa == attune::Isa::generic ? engine.machine().isa : isa;
  const double before = attune::measure_peak(peak_isa, call.executor());
  const auto start = attune::bench::Clock::now();
  for (auto _ : state) call.run();
  const double elapsed = attune::bench::seconds_since(start);
  const double after = attune::measure_peak(peak_isa, call.executor());

  const double rate = call.flops() * static_cast<double>(state.iterations()) / elapsed;
  state.counters["GFLOP/s"] = rate * 1e-9;
  state.counters["share_of_peak"] = rate / ((before + after) / 2);
}

/// The variants of a backend that this machine can run.
std::vector<attune::Isa> variants(const attune::Backend& backend, const attune::Machine& machine) {
  std::vector<attune::Isa> result;
  for (const attune::Isa isa : backend.instruction_sets())
    if (std::find(machine.isas.begin(), machine.isas.end(), isa) != machine.isas.end()) result.push_back(isa);
  if (result.empty()) result.push_back(attune::Isa::generic);
  return result;
}

void register_all() {
  attune::Engine& engine = attune::default_engine();
  const attune::Machine& machine = engine.machine();
  for (const auto& backend : engine.backends())
    for (const attune::Isa isa : variants(*backend, machine))
      for (const Shape& shape : shapes())
        for (int threads = 1; threads <= (backend->parallel() ? machine.cores : 1); threads *= 2) {
          const std::string backend_name(backend->name());
          const std::string label =
              backend_name + "/" + name(isa) + "/" + shape.name + "/threads:" + std::to_string(threads);
          benchmark::RegisterBenchmark(label.c_str(), run, shape, backend_name, isa, threads)
              ->UseRealTime()
              ->Unit(benchmark::kMicrosecond);
        }
}

}  // namespace

/// The plugin on oneDNN, where it was built, stands beside Attune's own backends.
void load_onednn() {
  const std::string file = ATTUNE_ONEDNN_FILE;
  if (file.empty()) return;
  attune::PluginSearch search;
  search.files = {file};
  search.folders = false;
  const attune::PluginFile loaded = attune::default_engine().load_plugins(search).files.at(0);
  if (loaded.state != attune::PluginState::loaded) benchmark::AddCustomContext("onednn", loaded.reason);
}

int main(int argc, char** argv) {
  load_onednn();
  register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const attune::Machine& machine = attune::default_engine().machine();
  benchmark::AddCustomContext("attune", attune::version());
  benchmark::AddCustomContext("cpu", machine.cpu);
  benchmark::AddCustomContext("instruction set", name(machine.isa));
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
