// Tensor files that are cut short, lie about their sizes, or hold what Attune does not read; and the words by which
// a person is to learn it.
#pragma once

#include <string>
#include <vector>

namespace attune::test {

struct HostileFile {
  const char* what;
  std::string contents;
  const char* words;  // that the complaint holds
};

std::vector<HostileFile> hostile_npy_files();
std::vector<HostileFile> hostile_safetensors_files();

}  // namespace attune::test
