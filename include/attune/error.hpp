// Errors of Attune: one exception type, told apart by its code.
#pragma once

#include <stdexcept>
#include <string>

#include <attune/export.hpp>

namespace attune {

enum class ErrorCode {
  invalid_argument,  // the call contradicts itself; the message names the argument
  unsupported,       // the call is sound, but no (or not the forced) backend takes it
  backend_failed,    // a backend that had accepted the call reported a failure
  out_of_memory,     // memory for a plan or a workspace could not be had
  io,                // a file could not be read or written
};

/// The name of a code as it stands in the enumeration, for example "unsupported".
constexpr const char* name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::backend_failed:
      return "backend_failed";
    case ErrorCode::out_of_memory:
      return "out_of_memory";
    case ErrorCode::io:
      return "io";
  }
  return "unknown";
}

/// Everything Attune throws. The message names the argument, what it was and what would do.
class ATTUNE_API Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace attune
