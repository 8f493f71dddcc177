// Keeps threads that help a caller off the caller's core. Linux wakes a thread on the core of whoever wakes it when no
// other core looks idle, and in a virtual machine none does that has been idle for a while; from there it is moved
// after two ticks, 20 ms. A program that waits between its calls then has one core however many threads it asks for: of
// two threads on two cores, calls of a millisecond after pauses of 2 and 20 ms took 1.8 times as long.
//
// So helpers are given the cores that they had without the one that the caller runs on. A thread whose cores somebody
// else has changed meanwhile is left alone, and all get theirs back when nobody needs them any more.
#pragma once

namespace attune::detail {

/// Lives with whoever has helpers; the threads are the process's, whoever wakes them. Thread-safe, allocates nothing.
class HelperCores {
 public:
  HelperCores() noexcept;
  ~HelperCores();
  HelperCores(const HelperCores&) = delete;
  HelperCores& operator=(const HelperCores&) = delete;

  /// Called by the caller, before it wakes its helpers. Quick unless it runs on another core than the last caller.
  static void leave_to_caller() noexcept;

  /// Called by a helper: from then on it is known as one.
  static void help() noexcept;
};

}  // namespace attune::detail
