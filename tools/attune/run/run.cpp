#include "tools/attune/run/run.hpp"

#include <memory>

#include "tools/attune/plugin/load.hpp"
#include "tools/attune/run/execution.hpp"
#include "tools/attune/run/flags.hpp"
#include "tools/attune/run/inputs.hpp"
#include "tools/attune/run/outputs.hpp"
#include "tools/attune/run/report.hpp"

namespace attune::tool {
namespace {

/// Everything that can be wrong is found before memory is taken for the outputs, and files are written last.
void run(const RunFlags& flags) {
  AttentionOptions options = options_of(flags);
  const ExecutionWish wish{threads_of(flags), repeats_of(flags)};
  check_output_names(flags);

  Engine engine;
  load_plugins(engine);
  const RunInputs inputs = read_inputs(flags);
  RunOutputs outputs(flags, inputs);
  inputs.attach_to(options);
  outputs.attach_to(options);
  Tensors tensors{inputs.view_of(inputs.query), inputs.view_of(inputs.key), inputs.view_of(inputs.value),
                  outputs.out()};
  Executable executable(engine, tensors, options, wish);

  outputs.allocate();
  outputs.attach_to(options);
  tensors.out = outputs.out();
  const Execution execution = executable.run(tensors, options);
  outputs.write();
  const auto report = flags.json ? print_json_report : print_report;
  report(execution, outputs.all());
}

}  // namespace

void add_run(CLI::App& program) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command = program.add_subcommand("run", "Compute attention on tensors from files");
  declare(*command, *flags);
  command->callback([flags] { run(*flags); });
}

}  // namespace attune::tool
