#include "engine/plugins/query.hpp"

#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>

#include <attune/engine.hpp>
#include <attune/plugin_structs.hpp>

namespace attune::detail {
namespace {

constexpr std::size_t longest_name = 32;
constexpr std::size_t longest_description = 200;
constexpr std::size_t longest_message = 1000;
constexpr std::uint32_t largest_struct = 1 << 16;  // more than any version will reach: a number that was never set

/// One line of standard error; a call of its own for each, so that lines of several threads do not mix.
void log(void* ctx, const char* text) noexcept try {
  if (text == nullptr) return;
  const std::string line =
      "attune: " + std::string(static_cast<const char*>(ctx)) + ": " + clean_text(text, longest_message) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
} catch (...) {  // no memory for a message: nothing to tell it with either
}

std::string version_text(const attune_head& head) {
  return std::to_string(head.abi_major) + "." + std::to_string(head.abi_minor);
}

std::string complaint_about(const attune_head& head) {
  if (head.magic != ATTUNE_ABI_MAGIC) return "its answer does not begin with the magic number of the plugin ABI";
  if (head.abi_major != ATTUNE_ABI_MAJOR) {
    return "it speaks plugin ABI " + version_text(head) + "; this Attune takes " + std::to_string(ATTUNE_ABI_MAJOR) +
           ".x";
  }
  const std::uint32_t size = head.struct_size;
  if (size < attune_plugin_size_1_0 || size > largest_struct || size % alignof(attune_plugin) != 0) {
    return "its answer claims a size of " + std::to_string(size) + " bytes; at least " +
           std::to_string(attune_plugin_size_1_0) + " and a multiple of " + std::to_string(alignof(attune_plugin)) +
           " would do";
  }
  return {};
}

std::string missing_function(const attune_plugin& table) {
  const std::array<std::pair<const char*, bool>, 7> functions{{{"supports", table.supports != nullptr},
                                                               {"estimate", table.estimate != nullptr},
                                                               {"plan_create", table.plan_create != nullptr},
                                                               {"plan_destroy", table.plan_destroy != nullptr},
                                                               {"workspace_bytes", table.workspace_bytes != nullptr},
                                                               {"execute", table.execute != nullptr},
                                                               {"describe", table.describe != nullptr}}};
  for (const auto& [name, given] : functions) {
    if (!given) return std::string("its function ") + name + " is null";
  }
  return {};
}

bool is_name(std::string_view name) noexcept {
  return !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == name.npos;
}

/// Copies the texts, so that they stay what was checked.
std::string complaint_about_texts(Plugin& plugin) {
  const attune_plugin& table = plugin.table;
  if (table.name == nullptr || table.description == nullptr) return "its name or its description is null";
  plugin.name.assign(table.name, strnlen(table.name, longest_name + 1));
  if (plugin.name.size() > longest_name || !is_name(plugin.name)) {
    return "its name \"" + clean_text(plugin.name.c_str(), longest_name) + "\" is not one of 1 to " +
           std::to_string(longest_name) + " of a-z, 0-9, _ and -";
  }
  plugin.description = clean_text(table.description, longest_description);
  return {};
}

}  // namespace

std::string clean_text(const char* text, std::size_t bytes) {
  std::string clean(text, strnlen(text, bytes));
  for (char& c : clean) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  return clean;
}

attune_host host_services(const char* name) noexcept {
  auto host = plugin::make<attune_host>();
  host.oldest_major = ATTUNE_ABI_MAJOR;
  host.features = ATTUNE_FEATURES_KNOWN;
  host.version = version();
  host.ctx = const_cast<char*>(name);
  host.log = log;
  return host;
}

std::string query_plugin(attune_query_function query, const attune_host& host, Plugin& plugin) {
  std::array<char, 512> text{};
  const attune_plugin* answer = query(&host, text.data(), text.size());
  if (answer == nullptr) {
    const std::string why = clean_text(text.data(), text.size());
    return why.empty() ? "it refuses this host without saying why" : "it refuses this host: " + why;
  }
  attune_head head;
  std::memcpy(&head, answer, sizeof head);
  if (std::string complaint = complaint_about(head); !complaint.empty()) return complaint;
  plugin::read(answer, plugin.table);
  if (std::string complaint = missing_function(plugin.table); !complaint.empty()) return complaint;
  if (plugin.table.isas != 0 && plugin::isas_of(plugin.table.isas).empty()) {
    return "it holds kernels only for instruction sets that this Attune does not know";
  }
  return complaint_about_texts(plugin);
}

}  // namespace attune::detail
