// make_fuzz_seeds npy|safetensors FOLDER: writes a few small well-formed files, for a fuzzer to start from.
#include <cstdio>
#include <filesystem>
#include <string>

#include "tools/attune/io/tensor_file.hpp"

using namespace attune;

namespace {

constexpr DType every_dtype[] = {DType::f32,     DType::f16, DType::bf16, DType::f64,
                                 DType::boolean, DType::u8,  DType::i32,  DType::i64};

void write_seeds(const std::string& format, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  for (const DType dtype : every_dtype) {
    if (format == "npy" && dtype == DType::bf16) continue;
    for (const io::Shape& shape : {io::Shape{}, io::Shape{3}, io::Shape{2, 0, 1}, io::Shape{1, 2, 2, 2}}) {
      const std::string file = std::string(name(dtype)) + "-rank" + std::to_string(shape.size()) + "." + format;
      io::write_tensor(folder / file, io::make_tensor(dtype, shape), "seed");
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || (std::string(argv[1]) != "npy" && std::string(argv[1]) != "safetensors")) {
    std::fprintf(stderr, "usage: make_fuzz_seeds npy|safetensors FOLDER\n");
    return 2;
  }
  write_seeds(argv[1], argv[2]);
  return 0;
}
