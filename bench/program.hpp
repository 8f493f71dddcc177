// How the benches' programs begin and end.
#pragma once

#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>
#include <attune/error.hpp>

namespace attune::bench {

/// Parses the command line and answers the exit status, which is run()'s; what goes wrong is told on standard error:
/// 2 where the command line was wrong or asks for what there is not, 1 for everything else.
template <typename Run>
int run_program(CLI::App& program, int argc, char** argv, Run run) {
  const auto told = [&program](const std::exception& error, int status) {
    std::fprintf(stderr, "%s: %s\n", program.get_name().c_str(), error.what());
    return status;
  };
  try {
    program.parse(argc, argv);
    return run();
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  } catch (const Error& error) {
    const bool wrong_line = error.code() == ErrorCode::invalid_argument || error.code() == ErrorCode::unsupported;
    return told(error, wrong_line ? 2 : 1);
  } catch (const std::exception& error) {
    return told(error, 1);
  }
}

}  // namespace attune::bench
