// .npy: what is read, what is refused and in which words.
#include "tools/attune/io/npy.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/io/hostile_files.hpp"
#include "tests/io/tensor_bytes.hpp"

namespace attune {
namespace {

using namespace test;

constexpr const char* four_bytes = "abcd";

io::Tensor read(std::string_view file) {
  const auto bytes = bytes_of(file);
  return io::read_npy(io::MemorySource(bytes));
}

TEST(Npy, ReadsEveryDtype) {
  struct Case {
    const char* descr;
    DType dtype;
  };
  for (const Case& c : {Case{"<f2", DType::f16},
                        {"<f4", DType::f32},
                        {"<f8", DType::f64},
                        {"|b1", DType::boolean},
                        {"|u1", DType::u8},
                        {"<i4", DType::i32},
                        {"<i8", DType::i64}}) {
    const std::string elements(size_of(c.dtype) * 3, '\1');
    const io::Tensor tensor = read(npy_file(npy_dict(c.descr, "(3,)"), elements));
    EXPECT_EQ(tensor.dtype, c.dtype);
    EXPECT_EQ(tensor.shape, io::Shape{3});
    EXPECT_EQ(tensor.bytes.size(), elements.size());
  }
}

TEST(Npy, ReadsEveryVersionAndSpelling) {
  for (const int version : {1, 2, 3}) {
    EXPECT_EQ(read(npy_file(npy_dict("<f4", "(1, 1)"), four_bytes, version)).shape, (io::Shape{1, 1}));
  }
  const char* spellings[] = {
      "{'shape': (1,), 'fortran_order': False, 'descr': '<f4'}",
      "{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (1L,), }",
      "{'descr':'<f4','fortran_order':False,'shape':(1,)}",
      "  { 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 1 , ) , }  ",
  };
  for (const char* header : spellings) EXPECT_EQ(read(npy_file(header, four_bytes)).shape, io::Shape{1}) << header;
}

TEST(Npy, ReadsScalarsAndEmptyArrays) {
  EXPECT_EQ(read(npy_file(npy_dict("<f4", "()"), four_bytes)).shape, io::Shape{});
  EXPECT_EQ(read(npy_file(npy_dict("<f4", "(2, 0, 3)"), "")).shape, (io::Shape{2, 0, 3}));
}

TEST(Npy, KeepsTheBytes) {
  const io::Tensor tensor = read(npy_file(npy_dict("<i4", "(2,)"), little_endian(7, 4) + little_endian(~0u, 4)));
  EXPECT_EQ(tensor.view().as<std::int32_t>()[0], 7);
  EXPECT_EQ(tensor.view().as<std::int32_t>()[1], -1);
}

TEST(Npy, RefusesHostileFiles) {
  for (const HostileFile& hostile : hostile_npy_files()) {
    const std::string complaint = complaint_about(hostile.contents, io::read_npy);
    EXPECT_NE(complaint.find(hostile.words), std::string::npos) << hostile.what << ": \"" << complaint << '"';
    EXPECT_EQ(complaint.find('\n'), std::string::npos) << hostile.what;
    EXPECT_EQ(complaint.find('\x1b'), std::string::npos) << hostile.what;
  }
}

TEST(Npy, RefusesEveryCutOfAGoodFile) {
  const std::string good = npy_file(npy_dict("<f4", "(3, 1)"), "abcdefghijkl");
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_NE(complaint_about(good.substr(0, length), io::read_npy), "") << length;
  }
}

TEST(Npy, WritesWhatItReads) {
  for (const io::Shape& shape : {io::Shape{}, io::Shape{5}, io::Shape{2, 0}, io::Shape{1, 2, 3, 4}, io::Shape(20, 1)}) {
    for (const DType dtype : {DType::f32, DType::f16, DType::f64, DType::boolean, DType::u8, DType::i32, DType::i64}) {
      const io::Tensor tensor = io::make_tensor(dtype, shape);
      std::vector<std::byte> file = io::npy_header(dtype, shape);
      EXPECT_EQ(file.size() % 64, 0u);
      file.insert(file.end(), tensor.bytes.begin(), tensor.bytes.end());
      const io::Tensor again = io::read_npy(io::MemorySource(file));
      EXPECT_EQ(again.dtype, dtype);
      EXPECT_EQ(again.shape, shape);
    }
  }
}

TEST(Npy, CannotNameBf16) {
  try {
    io::npy_header(DType::bf16, {1});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_NE(std::string(error.what()).find(".safetensors"), std::string::npos);
  }
}

}  // namespace
}  // namespace attune
