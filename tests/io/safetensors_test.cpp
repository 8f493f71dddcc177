// .safetensors: what is read, what is refused and in which words.
#include "tools/attune/io/safetensors.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/io/tensor_bytes.hpp"

namespace attune {
namespace {

using namespace test;

std::string entry(std::string_view name, std::string_view dtype, std::string_view shape, std::string_view offsets) {
  return "\"" + std::string(name) + "\":{\"dtype\":\"" + std::string(dtype) + "\",\"shape\":" + std::string(shape) +
         ",\"data_offsets\":" + std::string(offsets) + "}";
}

std::string object(std::string_view members) { return "{" + std::string(members) + "}"; }

/// A reader and the bytes it reads.
struct Opened {
  explicit Opened(std::string_view file) : bytes(bytes_of(file)), index(io::read_index(source())) {}
  io::MemorySource source() const { return io::MemorySource(bytes); }
  io::Tensor tensor(const std::string& name) const { return io::read_stored_tensor(source(), index, name); }

  std::vector<std::byte> bytes;
  io::SafetensorsIndex index;
};

TEST(Safetensors, ReadsEveryDtype) {
  struct Case {
    const char* name;
    DType dtype;
  };
  for (const Case& c : {Case{"F32", DType::f32},
                        {"F16", DType::f16},
                        {"BF16", DType::bf16},
                        {"F64", DType::f64},
                        {"BOOL", DType::boolean},
                        {"U8", DType::u8},
                        {"I32", DType::i32},
                        {"I64", DType::i64}}) {
    const std::string elements(size_of(c.dtype) * 2, '\1');
    const std::string offsets = "[0," + std::to_string(elements.size()) + "]";
    const Opened file(safetensors_file(object(entry("t", c.name, "[2,1]", offsets)), elements));
    EXPECT_EQ(file.tensor("t").dtype, c.dtype);
    EXPECT_EQ(file.tensor("t").shape, (io::Shape{2, 1}));
  }
}

TEST(Safetensors, ListsTensorsInTheirOrderAndMetadata) {
  const Opened file(
      safetensors_file(object("\"__metadata__\":{\"licence\":\"none\"}," + entry("late", "U8", "[2]", "[4,6]") + "," +
                              entry("early", "F32", "[]", "[0,4]") + "," + entry("nothing", "F32", "[0,3]", "[4,4]")),
                       "abcdef"));
  ASSERT_EQ(file.index.tensors.size(), 3u);
  EXPECT_EQ(file.index.tensors[0].name, "early");
  EXPECT_EQ(file.index.tensors[1].name, "nothing");
  EXPECT_EQ(file.index.tensors[2].name, "late");
  EXPECT_EQ(file.index.metadata.at("licence"), "none");
  EXPECT_EQ(file.tensor("late").view().as<std::uint8_t>()[1], 'f');
  EXPECT_TRUE(file.tensor("nothing").bytes.empty());
}

TEST(Safetensors, TakesTheOnlyTensorWithoutAName) {
  EXPECT_EQ(Opened(safetensors_file(object(entry("t", "U8", "[1]", "[0,1]")), "x")).tensor("").shape, io::Shape{1});
}

TEST(Safetensors, NamesMayBeAnyText) {
  const Opened file(safetensors_file(object(entry("gr\xc3\xb6\xc3\x9f"
                                                  "e \\u00e4",
                                                  "U8", "[1]", "[0,1]")),
                                     "x"));
  EXPECT_EQ(file.index.tensors[0].name,
            "gr\xc3\xb6\xc3\x9f"
            "e \xc3\xa4");
}

TEST(Safetensors, TypesThatAreNotReadDoNotHinderOthers) {
  const Opened file(safetensors_file(
      object(entry("odd", "F8_E4M3", "[3]", "[0,3]") + "," + entry("t", "U8", "[1]", "[3,4]")), "abcd"));
  EXPECT_EQ(file.tensor("t").shape, io::Shape{1});
  EXPECT_THROW(file.tensor("odd"), Error);
}

struct Hostile {
  const char* what;
  std::string file;
  const char* words;  // that the complaint holds
};

std::vector<Hostile> hostile_files() {
  const std::string t = entry("t", "F32", "[1]", "[0,4]");
  const std::string good = safetensors_file(object(t), "abcd");
  const auto with_header = [](std::string_view header) { return safetensors_file(header, "abcd"); };
  const auto with_entry = [&](std::string_view members) { return with_header(object(members)); };
  std::string list = "[0";
  for (int i = 0; i < 1000; ++i) list += ",0";
  return {
      {"empty", "", "is empty"},
      {"cut in the length", good.substr(0, 7), "ends too early"},
      {"cut in the header", good.substr(0, 20), "cut short"},
      {"header beyond the file", little_endian(1000, 8) + "{}", "cut short"},
      {"header beyond 64 bits", std::string(8, '\xff') + "{}", "cut short"},
      {"another format", "\x93NUMPY and so on", "is not a .safetensors file"},
      {"empty header", safetensors_file("", ""), "not valid JSON"},
      {"no JSON", with_header("hello"), "not valid JSON"},
      {"two values", with_header("{}{}"), "not valid JSON"},
      {"unclosed", with_header("{\"t\":"), "not valid JSON"},
      {"invalid UTF-8", with_entry("\"\xff\":{}"), "not valid JSON"},
      {"control characters", with_entry("\"\x1b[2J\n\":{}"), "not valid JSON"},
      {"a list", with_header("[]"), "not a JSON object"},
      {"deep nesting of lists", with_header(std::string(100000, '[')), "nested too deeply"},
      {"deep nesting of objects", with_entry("\"a\":{\"b\":{\"c\":{\"d\":{}}}}"), "nested too deeply"},
      {"long list", with_entry(entry("t", "F32", list + "]", "[0,4]")), "list of more than"},
      {"tensor twice", with_entry(t + "," + t), "twice"},
      {"shape twice", with_entry("\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}"),
       "twice"},
      {"metadata twice", with_entry("\"__metadata__\":{},\"__metadata__\":{}," + t), "twice"},
      {"metadata of numbers", with_entry("\"__metadata__\":{\"a\":1}," + t), "is not a string"},
      {"metadata is a list", with_entry("\"__metadata__\":[]," + t), "__metadata__ is not an object"},
      {"entry is a number", with_entry("\"t\":1"), "not described by an object"},
      {"no dtype", with_entry("\"t\":{\"shape\":[1],\"data_offsets\":[0,4]}"), "no \"dtype\""},
      {"no shape", with_entry("\"t\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}"), "no \"shape\""},
      {"no offsets", with_entry("\"t\":{\"dtype\":\"F32\",\"shape\":[1]}"), "no \"data_offsets\""},
      {"dtype is a number", with_entry("\"t\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}"), "not a string"},
      {"shape is a number", with_entry(entry("t", "F32", "1", "[0,4]")), "not a list"},
      {"negative size", with_entry(entry("t", "F32", "[-1]", "[0,4]")), "other than sizes"},
      {"fraction", with_entry(entry("t", "F32", "[1.5]", "[0,4]")), "other than sizes"},
      {"exponent", with_entry(entry("t", "F32", "[1e0]", "[0,4]")), "other than sizes"},
      {"text for a size", with_entry(entry("t", "F32", "[\"1\"]", "[0,4]")), "other than sizes"},
      {"64 bits", with_entry(entry("t", "F32", "[18446744073709551615]", "[0,4]")), "other than sizes"},
      {"more than 64 bits", with_entry(entry("t", "F32", "[99999999999999999999]", "[0,4]")), "other than sizes"},
      {"elements overflow", with_entry(entry("t", "F32", "[4294967296,4294967296]", "[0,4]")), "64 bits can count"},
      {"overflow of a type not read", with_entry(entry("t", "X9", "[4294967296,4294967296]", "[0,4]")),
       "64 bits can count"},
      {"bytes overflow", with_entry(entry("t", "F64", "[2305843009213693952]", "[0,4]")), "64 bits can count"},
      {"one offset", with_entry(entry("t", "F32", "[1]", "[4]")), "must be two"},
      {"three offsets", with_entry(entry("t", "F32", "[1]", "[0,4,4]")), "must be two"},
      {"end before begin", with_entry(entry("t", "F32", "[1]", "[4,0]")), "lie outside"},
      {"end beyond the file", with_entry(entry("t", "F32", "[2]", "[0,8]")), "lie outside"},
      {"begin beyond the file", with_entry(entry("t", "F32", "[0]", "[9223372036854775807,9223372036854775807]")),
       "lie outside"},
      {"shape larger than the bytes", with_entry(entry("t", "F32", "[2]", "[0,4]")), "takes 8 bytes"},
      {"shape smaller than the bytes", with_entry(entry("t", "F16", "[1]", "[0,4]")), "takes 2 bytes"},
      {"overlap", with_entry(entry("a", "U8", "[3]", "[0,3]") + "," + entry("b", "U8", "[2]", "[2,4]")), "overlaps"},
      {"the same bytes twice", with_entry(entry("a", "F32", "[1]", "[0,4]") + "," + entry("b", "F32", "[1]", "[0,4]")),
       "overlaps"},
      {"hole at the start", with_entry(entry("t", "U8", "[2]", "[2,4]")), "hole of 2 bytes"},
      {"hole between", with_entry(entry("a", "U8", "[1]", "[0,1]") + "," + entry("b", "U8", "[1]", "[3,4]")),
       "hole of 2 bytes"},
      {"trailing garbage", good + "x", "after its last tensor"},
      {"elements of no tensor", with_header("{}"), "after its last tensor"},
  };
}

TEST(Safetensors, RefusesHostileFiles) {
  for (const Hostile& hostile : hostile_files()) {
    const std::string complaint = complaint_about(hostile.file, io::read_index);
    EXPECT_NE(complaint.find(hostile.words), std::string::npos) << hostile.what << ": \"" << complaint << '"';
    EXPECT_EQ(complaint.find('\n'), std::string::npos) << hostile.what;
    EXPECT_EQ(complaint.find('\x1b'), std::string::npos) << hostile.what;
  }
}

TEST(Safetensors, RefusesEveryCutOfAGoodFile) {
  const std::string good = safetensors_file(object(entry("t", "F32", "[1]", "[0,4]")), "abcd");
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_NE(complaint_about(good.substr(0, length), io::read_index), "") << length;
  }
}

TEST(Safetensors, AMissingTensorIsAnsweredWithTheNamesThereAre) {
  const Opened file(safetensors_file(
      object(entry("first", "U8", "[1]", "[0,1]") + "," + entry("second", "U8", "[1]", "[1,2]")), "ab"));
  for (const char* name : {"third", ""}) {
    try {
      file.tensor(name);
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_NE(std::string(error.what()).find("\"first\", \"second\""), std::string::npos) << error.what();
    }
  }
}

TEST(Safetensors, WritesWhatItReads) {
  for (const char* name : {"out", "with \"quotes\"",
                           "gr\xc3\xb6\xc3\x9f"
                           "e"}) {
    const io::Tensor tensor = io::make_tensor(DType::bf16, {2, 3});
    std::vector<std::byte> file = io::safetensors_header(name, tensor.dtype, tensor.shape);
    EXPECT_EQ(file.size() % 8, 0u);
    file.insert(file.end(), tensor.bytes.begin(), tensor.bytes.end());
    const io::MemorySource source(file);
    const io::Tensor again = io::read_stored_tensor(source, io::read_index(source), name);
    EXPECT_EQ(again.dtype, tensor.dtype);
    EXPECT_EQ(again.shape, tensor.shape);
  }
}

}  // namespace
}  // namespace attune
