// Keeps threads that help a caller off the caller's core. Linux wakes a thread on the core of whoever wakes it when no
// other core looks idle, and in a virtual machine none does that has been idle for a while; from there it is moved
// after two ticks, 20 ms. A program that waits between its calls then has one core however many threads it asks for:
// with two threads on two cores, calls of a millisecond took twice as long after pauses of 2 or 20 ms.
//
// So helpers are given the cores that they had without the one that the caller runs on. One whose cores somebody else
// has changed meanwhile is left as it is; the others get theirs back when nobody needs helpers any more.
#pragma once

namespace attune::detail {

/// Lives with whoever has helpers; these are the process's, whoever wakes them. Thread-safe.
class HelperCores {
 public:
  HelperCores() noexcept;
  ~HelperCores();
  HelperCores(const HelperCores&) = delete;
  HelperCores& operator=(const HelperCores&) = delete;

  /// Called by the caller, before it wakes its helpers. Quick unless it runs on another core than the last caller.
  static void leave_to_caller() noexcept;

  /// Called by a thread that helps another: from then on it is known as a helper, unless it has been a caller itself.
  static void help() noexcept;
};

}  // namespace attune::detail
