// How this thread rounds, and whether it takes subnormals for 0: of every thread its own.
#pragma once

#include <fenv.h>  // fegetmode() is C23's and not in <cfenv>

namespace attune::detail {

/// Sets the mode back at its end. A library that was linked with -ffast-math lets the thread that loads it flush
/// subnormals to 0, from then on and in everybody's code.
class KeepFloatingPointMode {
 public:
  KeepFloatingPointMode() noexcept { fegetmode(&mode_); }
  ~KeepFloatingPointMode() { fesetmode(&mode_); }
  KeepFloatingPointMode(const KeepFloatingPointMode&) = delete;
  KeepFloatingPointMode& operator=(const KeepFloatingPointMode&) = delete;

 private:
  femode_t mode_;  // without the exception flags: reading and setting those takes eight times as long
};

}  // namespace attune::detail
