// .npy: what is read, what is refused and in which words.
#include "tools/attune/io/npy.hpp"

#include <gtest/gtest.h>

#include <string>

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

struct Hostile {
  const char* what;
  std::string file;
  const char* words;  // that the complaint holds
};

std::vector<Hostile> hostile_files() {
  const std::string good = npy_file(npy_dict("<f4", "(1,)"), four_bytes);
  const auto with_header = [](std::string_view header) { return npy_file(header, four_bytes); };
  const auto with_shape = [](std::string_view shape) { return npy_file(npy_dict("<f4", shape), four_bytes); };
  const auto with_descr = [](std::string_view descr) { return npy_file(npy_dict(descr, "(1,)"), four_bytes); };
  std::string deep = "(";
  for (int i = 0; i < 100; ++i) deep += "1, ";
  return {
      {"empty", "", "is empty"},
      {"half of the magic", good.substr(0, 4), "ends too early"},
      {"another format", std::string(200, 'x'), "does not start with"},
      {"version 4", npy_file(npy_dict("<f4", "(1,)"), four_bytes, 4), "version 4.0"},
      {"version 0", npy_file(npy_dict("<f4", "(1,)"), four_bytes, 0), "version 0.0"},
      {"cut in the length", good.substr(0, 9), "ends too early"},
      {"cut in the header", good.substr(0, 40), "ends within its header"},
      {"header beyond the file", "\x93NUMPY\x02" + std::string(1, '\0') + "\xff\xff\xff\xff" + good,
       "ends within its header"},
      {"cut in the elements", good.substr(0, good.size() - 1), "ends too early"},
      {"no elements", good.substr(0, good.size() - 4), "ends too early"},
      {"trailing garbage", good + "x", "bytes after its elements"},
      {"Fortran order", with_header("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }"), "Fortran order"},
      {"big-endian", with_descr(">f4"), "big-endian"},
      {"native without a name", with_descr("=f4"), "is not read here"},
      {"complex", with_descr("<c8"), "is not read here"},
      {"unsigned 32", with_descr("<u4"), "is not read here"},
      {"bf16 as NumPy has it", with_descr("<V2"), ".safetensors"},
      {"structured", with_header("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }"),
       "structured array"},
      {"Python object", with_descr("|O"), "is not read here"},
      {"negative size", with_shape("(-1,)"), "a size"},
      {"size beyond 64 bits", with_shape("(99999999999999999999,)"), "beyond 64 bits"},
      {"elements overflow", with_shape("(4294967296, 4294967296)"), "more elements than 64 bits"},
      {"bytes overflow", with_shape("(4611686018427387904,)"), "more bytes than 64 bits"},
      {"overflow behind a 0", with_shape("(0, 4294967296, 4294967296)"), "more elements than 64 bits"},
      {"far more than the file", with_shape("(1099511627776,)"), "ends too early"},
      {"tuple without a comma", with_shape("(1)"), "tuple of one"},
      {"list for a tuple", with_shape("[1]"), "'('"},
      {"too many sizes", with_shape(deep + ")"), "more than 64"},
      {"endless tuple", with_shape("(1, "), "a size"},
      {"float for a size", with_shape("(1.0,)"), "','"},
      {"no shape", with_header("{'descr': '<f4', 'fortran_order': False, }"), "no \"shape\""},
      {"no descr", with_header("{'fortran_order': False, 'shape': (1,), }"), "no \"descr\""},
      {"no order", with_header("{'descr': '<f4', 'shape': (1,), }"), "no \"fortran_order\""},
      {"two shapes", with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'shape': (2,), }"), "twice"},
      {"unknown key", with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': (2,), }"),
       "unknown key"},
      {"no dictionary", with_header("42"), "'{'"},
      {"unclosed dictionary", with_header("{'descr': '<f4'"), "'}'"},
      {"unclosed quote", with_header("{'descr: "), "closing quote"},
      {"words after the dictionary", with_header(npy_dict("<f4", "(1,)") + " import os"), "end of the header"},
      {"order is a number", with_header("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }"), "True or False"},
      {"non-ASCII header", with_header("{'descr': '<f4', 'fortran_order': False, 'sh\xc3\xa4pe': (1,), }"),
       "unknown key"},
      {"terminal escapes in the header", with_header("{'\x1b[2J': 1}"), "\\x1b[2J"},
      {"a bool that is 2", npy_file(npy_dict("|b1", "(1,)"), "\2"), "must be 0 or 1"},
  };
}

TEST(Npy, RefusesHostileFiles) {
  for (const Hostile& hostile : hostile_files()) {
    const std::string complaint = complaint_about(hostile.file, io::read_npy);
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
