// .safetensors: what is read, what is refused and in which words.
#include "tools/attune/io/safetensors.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/io/hostile_files.hpp"
#include "tests/io/tensor_bytes.hpp"

namespace attune {
namespace {

using namespace test;

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
    const Opened file(safetensors_file(object(safetensors_entry("t", c.name, "[2,1]", offsets)), elements));
    EXPECT_EQ(file.tensor("t").dtype, c.dtype);
    EXPECT_EQ(file.tensor("t").shape, (io::Shape{2, 1}));
  }
}

TEST(Safetensors, ListsTensorsInTheirOrderAndMetadata) {
  const Opened file(safetensors_file(
      object("\"__metadata__\":{\"licence\":\"none\"}," + safetensors_entry("late", "U8", "[2]", "[4,6]") + "," +
             safetensors_entry("early", "F32", "[]", "[0,4]") + "," +
             safetensors_entry("nothing", "F32", "[0,3]", "[4,4]")),
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
  EXPECT_EQ(Opened(safetensors_file(object(safetensors_entry("t", "U8", "[1]", "[0,1]")), "x")).tensor("").shape,
            io::Shape{1});
}

TEST(Safetensors, NamesMayBeAnyText) {
  const Opened file(safetensors_file(object(safetensors_entry("gr\xc3\xb6\xc3\x9f"
                                                              "e \\u00e4",
                                                              "U8", "[1]", "[0,1]")),
                                     "x"));
  EXPECT_EQ(file.index.tensors[0].name,
            "gr\xc3\xb6\xc3\x9f"
            "e \xc3\xa4");
}

TEST(Safetensors, TypesThatAreNotReadDoNotHinderOthers) {
  const Opened file(safetensors_file(
      object(safetensors_entry("odd", "F8_E4M3", "[3]", "[0,3]") + "," + safetensors_entry("t", "U8", "[1]", "[3,4]")),
      "abcd"));
  EXPECT_EQ(file.tensor("t").shape, io::Shape{1});
  EXPECT_THROW(file.tensor("odd"), Error);
}

TEST(Safetensors, RefusesHostileFiles) {
  for (const HostileFile& hostile : hostile_safetensors_files()) {
    const std::string complaint = complaint_about(hostile.contents, io::read_index);
    EXPECT_NE(complaint.find(hostile.words), std::string::npos) << hostile.what << ": \"" << complaint << '"';
    EXPECT_EQ(complaint.find('\n'), std::string::npos) << hostile.what;
    EXPECT_EQ(complaint.find('\x1b'), std::string::npos) << hostile.what;
  }
}

TEST(Safetensors, RefusesEveryCutOfAGoodFile) {
  const std::string good = safetensors_file(object(safetensors_entry("t", "F32", "[1]", "[0,4]")), "abcd");
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_NE(complaint_about(good.substr(0, length), io::read_index), "") << length;
  }
}

TEST(Safetensors, AMissingTensorIsAnsweredWithTheNamesThereAre) {
  const Opened file(safetensors_file(object(safetensors_entry("first", "U8", "[1]", "[0,1]") + "," +
                                            safetensors_entry("second", "U8", "[1]", "[1,2]")),
                                     "ab"));
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

TEST(Safetensors, RefusesToWriteNamesThatItCouldNotRead) {
  for (const char* name : {"\xff", "__metadata__"}) {
    EXPECT_THROW(io::safetensors_header(name, DType::f32, {1}), Error) << name;
  }
}

}  // namespace
}  // namespace attune
