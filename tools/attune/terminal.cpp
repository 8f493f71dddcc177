#include "tools/attune/terminal.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <string_view>

#include <fmt/format.h>

#include "tools/attune/units.hpp"

namespace attune::tool {
namespace {

volatile std::sig_atomic_t stop = 0;
struct sigaction before{};

void on_interrupt(int) {
  stop = 1;
  sigaction(SIGINT, &before, nullptr);
}

constexpr const char* erase_line = "\r\x1b[K";

}  // namespace

std::string bar(double share, int width) {
  constexpr std::array<std::string_view, 8> eighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int units = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * width * 8));
  std::string text;
  for (int full = 0; full < units / 8; ++full) text += "█";
  return text + std::string(eighths[static_cast<std::size_t>(units % 8)]);
}

Progress::Progress() : terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() { clear(); }

void Progress::show(double share, double seconds_left, const std::string& doing) {
  if (!terminal_) return;
  fmt::print(stderr, "{}{:3.0f} % {:<20}  {} left  {}", erase_line, 100 * share, bar(share, 20),
             duration(std::max(1.0, std::ceil(seconds_left))), doing);
  std::fflush(stderr);
  shown_ = true;
}

void Progress::clear() {
  if (!shown_) return;
  fmt::print(stderr, "{}", erase_line);
  std::fflush(stderr);
  shown_ = false;
}

Interruptible::Interruptible() {
  stop = 0;
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &before);
}

Interruptible::~Interruptible() { sigaction(SIGINT, &before, nullptr); }

bool Interruptible::asked_to_stop() noexcept { return stop != 0; }

}  // namespace attune::tool
