// What a plugin answers when it is asked who it is, and whether that can be used.
#pragma once

#include <string>

#include <attune/plugin_abi.h>

namespace attune::detail {

/// An answer that was checked. Fields that the plugin's header does not know are zero.
struct Plugin {
  attune_plugin table{};
  std::string name;
  std::string description;
};

/// What a plugin is told of this host. `name` is what its messages on standard error begin with; it may never go.
attune_host host_services(const char* name) noexcept;

/// Asks the plugin. Answers why it cannot be used; empty: it can.
std::string query_plugin(attune_query_function query, const attune_host& host, Plugin& plugin);

/// Text from a plugin's buffer of that size, on one line and without control characters, whatever it holds.
std::string clean_text(const char* text, std::size_t bytes);

}  // namespace attune::detail
