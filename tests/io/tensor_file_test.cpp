// Tensor files by name: what a path means, what is not a file, and output that is whole or not there.
#include "tools/attune/io/tensor_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "tests/io/file_size_limit.hpp"
#include "tests/io/scratch_folder.hpp"
#include "tests/io/tensor_bytes.hpp"

namespace attune {
namespace {

using namespace test;

TEST(TensorSpec, SplitsOnlyAfterSafetensors) {
  struct Case {
    const char* spec;
    const char* file;
    const char* tensor;
  };
  for (const Case& c : {Case{"a.npy", "a.npy", ""},
                        {"C:x/a.npy", "C:x/a.npy", ""},
                        {"a:b.npy", "a:b.npy", ""},
                        {"a.safetensors", "a.safetensors", ""},
                        {"a.safetensors:q", "a.safetensors", "q"},
                        {"a.safetensors:x:y", "a.safetensors", "x:y"},
                        {"a.safetensors:w.npy", "a.safetensors", "w.npy"},
                        {"d:e/a.safetensors:q", "d:e/a.safetensors", "q"}}) {
    const io::TensorSpec spec = io::parse_spec(c.spec);
    EXPECT_EQ(spec.file, c.file);
    EXPECT_EQ(spec.tensor, c.tensor);
  }
  for (const char* spec : {"", "a", "a.txt", "a.npy:x", "a.npz", "a.safetensors:", "a.NPY"}) {
    EXPECT_THROW(io::parse_spec(spec), Error) << spec;
  }
}

std::string complaint_about_file(const std::string& spec) {
  try {
    io::read_tensor(spec);
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(io::parse_spec(spec).file), std::string::npos) << "names the file";
    return error.what();
  }
  return "";
}

TEST(ReadTensor, NamesTheFileAndTheFault) {
  const ScratchFolder folder;
  std::filesystem::create_directory(folder.path("folder.npy"));
  ASSERT_EQ(::mkfifo(folder.path("pipe.npy").c_str(), 0600), 0);
  struct Case {
    std::string spec;
    const char* words;
  };
  for (const Case& c : {Case{folder.path("missing.npy"), "No such file"},
                        {folder.path("folder.npy"), "is a directory"},
                        {folder.path("pipe.npy"), "is a pipe"},
                        {folder.file("empty.npy", ""), "is empty"},
                        {folder.file("empty.safetensors", ""), "is empty"},
                        {folder.file("text.npy", "hello, world"), "is not a .npy file"}}) {
    EXPECT_NE(complaint_about_file(c.spec).find(c.words), std::string::npos) << complaint_about_file(c.spec);
  }
}

TEST(WriteTensor, RoundTripsThroughFiles) {
  const ScratchFolder folder;
  io::Tensor tensor = io::make_tensor(DType::i32, {2, 3});
  for (std::size_t i = 0; i < tensor.bytes.size(); ++i) tensor.bytes[i] = static_cast<std::byte>(i);
  for (const char* name : {"a.npy", "a.safetensors", "b.safetensors:named"}) {
    io::write_tensor(folder.path(name), tensor, "default");
    const io::Tensor again = io::read_tensor(folder.path(name));
    EXPECT_EQ(again.dtype, tensor.dtype);
    EXPECT_EQ(again.shape, tensor.shape);
    EXPECT_EQ(again.bytes, tensor.bytes);
  }
  EXPECT_EQ(io::read_safetensors_index(folder.path("a.safetensors")).tensors[0].name, "default");
  EXPECT_EQ(io::read_safetensors_index(folder.path("b.safetensors")).tensors[0].name, "named");
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"a.npy", "a.safetensors", "b.safetensors"}));
}

TEST(WriteTensor, NothingAppearsBeforeCommit) {
  const ScratchFolder folder;
  folder.file("out.npy", "before");
  {
    const auto pending = io::write_pending(folder.path("out.npy"), io::make_tensor(DType::f32, {4}), "out");
  }
  EXPECT_EQ(contents_of(folder.path("out.npy")), "before");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"out.npy"});
}

TEST(WriteTensor, FollowsLinksAndTheUmask) {
  const ScratchFolder folder;
  folder.file("real.npy", "before");
  std::filesystem::create_symlink("real.npy", folder.path("link.npy"));
  const mode_t before = ::umask(027);
  io::write_tensor(folder.path("link.npy"), io::make_tensor(DType::f32, {1}), "out");
  ::umask(before);
  EXPECT_TRUE(std::filesystem::is_symlink(folder.path("link.npy")));
  EXPECT_EQ(io::read_tensor(folder.path("real.npy")).shape, io::Shape{1});
  struct stat facts{};
  ASSERT_EQ(::stat(folder.path("real.npy").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777u, 0640u);
}

TEST(WriteTensor, AFailedWriteLeavesNothing) {
  const ScratchFolder folder;
  folder.file("out.npy", "before");
  const FileSizeLimit limit(1000);
  EXPECT_THROW(io::write_tensor(folder.path("out.npy"), io::make_tensor(DType::f32, {1000}), "out"), io::WriteError);
  EXPECT_EQ(contents_of(folder.path("out.npy")), "before");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"out.npy"});
}

TEST(CheckWritable, TellsBeforeAnythingIsWritten) {
  const ScratchFolder folder;
  std::filesystem::create_directory(folder.path("folder.npy"));
  ASSERT_EQ(::mkfifo(folder.path("pipe.npy").c_str(), 0600), 0);
  EXPECT_NO_THROW(io::check_writable(folder.path("out.npy"), DType::f32));
  EXPECT_NO_THROW(io::check_writable(folder.path("out.safetensors"), DType::bf16));
  EXPECT_THROW(io::check_writable(folder.path("folder.npy"), DType::f32), io::WriteError);
  EXPECT_THROW(io::check_writable(folder.path("pipe.npy"), DType::f32), io::WriteError);
  EXPECT_THROW(io::check_writable(folder.path("missing/out.npy"), DType::f32), io::WriteError);
  EXPECT_THROW(io::check_writable(folder.path("out.npy"), DType::bf16), Error);
  EXPECT_THROW(io::check_writable(folder.path("out.bin"), DType::f32), Error);
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"folder.npy", "pipe.npy"}));
}

TEST(Tensor, KnowsItsView) {
  const io::Tensor tensor = io::make_tensor(DType::f16, {2, 3, 4});
  const TensorView view = tensor.view();
  EXPECT_EQ(view.rank, 3);
  EXPECT_EQ(view.strides[0], 12);
  EXPECT_EQ(view.strides[2], 1);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.data) % 64, 0u);
  EXPECT_THROW(io::make_tensor(DType::f32, {1, 1, 1, 1, 1}).view(), Error);
}

TEST(InQuotes, IsFitForOneLine) {
  EXPECT_EQ(io::in_quotes("a\nb\x1b"), "\"a\\x0ab\\x1b\"");
  EXPECT_LT(io::in_quotes(std::string(10000, 'x')).size(), 200u);
}

}  // namespace
}  // namespace attune
