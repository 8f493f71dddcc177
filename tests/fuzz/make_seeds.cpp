// make_fuzz_seeds npy|safetensors|attention FOLDER: writes a few small files for a fuzzer to start from: well-formed
// ones of a format, or plain noise, of which any is a call of attention.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
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

void write_noise(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::mt19937 bits(1);
  for (int file = 0; file < 64; ++file) {
    std::string bytes(256, '\0');
    for (char& byte : bytes) byte = static_cast<char>(bits() & 0xff);
    std::ofstream(folder / ("noise-" + std::to_string(file)), std::ios::binary) << bytes;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc == 3 ? argv[1] : "";
  if (kind == "npy" || kind == "safetensors") {
    write_seeds(kind, argv[2]);
  } else if (kind == "attention") {
    write_noise(argv[2]);
  } else {
    std::fprintf(stderr, "usage: make_fuzz_seeds npy|safetensors|attention FOLDER\n");
    return 2;
  }
  return 0;
}
