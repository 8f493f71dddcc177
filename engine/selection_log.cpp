#include "engine/selection_log.hpp"

#include <cstdio>
#include <functional>
#include <string>

namespace attune::detail {
namespace {

/// Bounds what a program with ever new problems keeps; beyond it lines may come twice.
constexpr std::size_t most_told = 4096;

std::string line_of(const Request& request, const Pick& picked) {
  return "attune: select: " + std::string(picked.entry->name()) + " (" + name(picked.isa()) + ", " +
         std::to_string(picked.threads) + (picked.threads == 1 ? " thread) for " : " threads) for ") +
         to_text(request.problem, request.extents) + ": " + picked.rule + "\n";
}

}  // namespace

void SelectionLog::chosen(const Request& request, const Pick& picked) {
  const std::string line = line_of(request, picked);
  const std::lock_guard lock(mutex_);
  if (told_.size() >= most_told) told_.clear();
  if (told_.insert(std::hash<std::string>{}(line)).second) std::fputs(line.c_str(), stderr);
}

}  // namespace attune::detail
