// What a terminal shows beside plain lines.
#pragma once

#include <string>

namespace attune::tool {

/// A bar of at most `width` columns for a share in 0 … 1, in eighths of a column.
std::string bar(double share, int width);

/// One line on standard error that is overwritten as work goes on and gone when it is done. Shows nothing where
/// standard error is not a terminal.
class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `share` of the work is done, the rest takes about `seconds_left`; `doing` is what happens now.
  void show(double share, double seconds_left, const std::string& doing);
  /// Takes the line away, so that something else can be written.
  void clear();

 private:
  bool terminal_ = false;
  bool shown_ = false;
};

/// While it lives, the first Ctrl-C only asks to stop; the second one ends the program as usual.
class Interruptible {
 public:
  Interruptible();
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

  static bool asked_to_stop() noexcept;
};

}  // namespace attune::tool
