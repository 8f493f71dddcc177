// `attune plugin new`: a project to write a backend in.
#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <attune/engine.hpp>

#include "tools/attune/io/pending_file.hpp"
#include "tools/attune/io/tensor.hpp"
#include "tools/attune/plugin/plugin.hpp"
#include "tools/attune/plugin/scaffold.hpp"

namespace attune::tool {
namespace {

constexpr std::size_t longest_name = 32;  // of a plugin's name, see plugin_abi.h

/// CMake has targets of these names in every project.
constexpr std::array<std::string_view, 9> names_of_cmake = {
    "all", "clean", "edit_cache", "help", "install", "package", "package_source", "rebuild_cache", "test"};

bool is_well_formed(std::string_view name) {
  const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto allowed = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && name.size() <= longest_name && letter(name.front()) &&
         std::all_of(name.begin(), name.end(), allowed);
}

/// One name serves for the folder, the CMake target, the library and the backend.
void check_name(const std::string& name) {
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorCode::invalid_argument, fmt::format("NAME: {} {}", io::in_quotes(name), why));
  };
  if (!is_well_formed(name)) {
    refuse(fmt::format("is not 1 to {} of a-z, 0-9 and _, beginning with a letter; for example fast_attention",
                       longest_name));
  }
  if (std::find(names_of_cmake.begin(), names_of_cmake.end(), name) != names_of_cmake.end()) {
    refuse("is a target that CMake makes in every project; take another name");
  }
  const Engine engine{Engine::Config{}};
  for (const auto& backend : engine.backends()) {
    if (backend->name() == name) refuse("is a backend of Attune's own, whose name no plugin can take");
  }
}

/// "fast_attention": "FastAttentionBackend".
std::string class_name(std::string_view name) {
  std::string result;
  bool upper = true;
  for (const char c : name) {
    if (c != '_') result += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = c == '_';
  }
  constexpr std::string_view suffix = "Backend";
  return result.ends_with(suffix) ? result : result.append(suffix);
}

std::string replace_all(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
  return text;
}

std::string named(std::string_view text, const std::string& name) {
  return replace_all(replace_all(std::string(text), scaffold_class, class_name(name)), scaffold_name, name);
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  io::PendingFile file(path.string());
  file.write(std::as_bytes(std::span(text)));
  file.finish();
  file.commit();
}

/// Makes the folder, which must not exist: whatever is in it afterwards was written here.
void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  if (std::filesystem::create_directory(folder, error)) return;
  if (std::filesystem::exists(std::filesystem::symlink_status(folder, error))) {
    throw Error(ErrorCode::invalid_argument,
                fmt::format("NAME: {} exists already, and nothing is overwritten; take another name",
                            io::in_quotes(folder.string())));
  }
  throw io::WriteError(fmt::format("{} cannot be made: {}", io::in_quotes(folder.string()), error.message()));
}

void write_project(const std::string& name, const std::filesystem::path& folder) {
  check_name(name);
  make_folder(folder);
  try {
    for (const ScaffoldFile& file : scaffold()) {
      write_file(folder / named(file.name, name), named(file.text, name));
    }
  } catch (...) {  // half a project is none
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    throw;
  }
}

void print_next_steps(const std::string& name, const std::string& folder) {
  fmt::print("Wrote {}/:", folder);
  for (const ScaffoldFile& file : scaffold()) fmt::print(" {}", named(file.name, name));
  fmt::print("\n\nIt computes attention as it is. Build it, check it, use it:\n");
  fmt::print("  cmake -S {0} -B {0}/build\n  cmake --build {0}/build\n", folder);
  fmt::print("  attune plugin check {0}/build/{1}.so\n", folder, name);
  fmt::print("  ATTUNE_PLUGIN_PATH={}/build attune backends\n", std::filesystem::absolute(folder).string());
  fmt::print("{}/README.md says how to go on.\n", folder);
}

struct NewFlags {
  std::string name;
  std::string parent;
};

}  // namespace

void add_plugin_new(CLI::App& group) {
  auto flags = std::make_shared<NewFlags>();
  CLI::App* command = group.add_subcommand("new", "Write a project for a backend of your own");
  command->add_option("NAME", flags->name, "Of the backend and of the project's folder: a-z, 0-9 and _")->required();
  command->add_option("--in", flags->parent, "Where the folder is made; default: here");
  command->footer(R"(Writes a folder NAME: a backend that works, in plain loops, to replace by your own arithmetic;
a bench; a README that says how to go on. It builds with CMake against the installed Attune.

Example:
  attune plugin new fast_attention

Exit status: 0 done, 1 it failed, 2 the input or the command line was wrong.)");
  command->callback([flags] {
    const std::filesystem::path folder = std::filesystem::path(flags->parent) / flags->name;
    write_project(flags->name, folder);
    print_next_steps(flags->name, folder.string());
  });
}

}  // namespace attune::tool
