// What is wrong ends in one line on standard error, the right exit status, and no file written.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "tests/cli/sample.hpp"
#include "tests/io/file_size_limit.hpp"
#include "tests/io/hostile_files.hpp"
#include "tests/io/tensor_bytes.hpp"

namespace attune::test {
namespace {

class Refusal : public testing::Test {
 protected:
  Refusal() { sample_.folder().file("out.npy", "before"); }

  std::string path(std::string_view name) const { return sample_.folder().path(name); }
  Words run() const { return sample_.run() + Words{"--out", path("out.npy")}; }

  void expect_refused(const Words& arguments, const std::string& words, int status = 2,
                      const Words& environment = {}) const {
    const auto names = sample_.folder().names();
    const Outcome outcome = run_attune(arguments, environment);
    EXPECT_EQ(outcome.status, status) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(outcome.err.starts_with("attune: ")) << outcome.err;
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << "one line: " << outcome.err;
    EXPECT_NE(outcome.err.find(words), std::string::npos) << words << " in " << outcome.err;
    EXPECT_EQ(sample_.folder().names(), names);
    EXPECT_EQ(contents_of(path("out.npy")), "before");
  }

  Sample sample_;
};

TEST_F(Refusal, CommandLines) {
  struct Case {
    Words arguments;
    const char* words;
  };
  for (const Case& c : std::initializer_list<Case>{{{}, "subcommand is required"},
                                                   {{"rnu"}, "\"rnu\" is no command"},
                                                   {{"--nope"}, "\"--nope\" is no command or option"},
                                                   {{"run"}, "is required"},
                                                   {{"run", "--query", "q.npy"}, "\"--query\" is no"},
                                                   {{"run", "--q"}, "--q"},
                                                   {{"backends", "naive"}, "\"naive\" is no"}}) {
    expect_refused(c.arguments, c.words);
  }
}

TEST_F(Refusal, OptionsOfRun) {
  struct Case {
    Words arguments;
    const char* words;
  };
  for (const Case& c : std::initializer_list<Case>{{{"--scale", "nan"}, "--scale"},
                                                   {{"--scale", "inf"}, "--scale"},
                                                   {{"--scale", "1e999"}, "--scale"},
                                                   {{"--scale", "1x"}, "--scale"},
                                                   {{"--scale", ""}, "--scale"},
                                                   {{"--softcap", "-1"}, "softcap"},
                                                   {{"--softcap=-inf"}, "--softcap"},
                                                   {{"--window", "3"}, "LEFT,RIGHT"},
                                                   {{"--window", "1,2,3"}, "--window"},
                                                   {{"--window", "-2,3"}, "at least -1"},
                                                   {{"--window", "1.5,3"}, "--window"},
                                                   {{"--window", ",3"}, "--window"},
                                                   {{"--align", "middle"}, "top-left, bottom-right"},
                                                   {{"--align", "99999999999999999999"}, "--align"},
                                                   {{"--layout", "sbhd"}, "--layout"},
                                                   {{"--threads", "0"}, "--threads"},
                                                   {{"--threads", "-1"}, "--threads"},
                                                   {{"--threads", "2.5"}, "--threads"},
                                                   {{"--threads", "1000000"}, "--threads"},
                                                   {{"--repeat", "0"}, "--repeat"},
                                                   {{"--repeat", "-3"}, "--repeat"},
                                                   {{"--repeat", "many"}, "--repeat"},
                                                   {{"--backend", "fastest"}, "naive"},
                                                   {{"--isa", "sse4"}, "sse2, avx2, avx512"},
                                                   {{"--out", "again.npy"}, "--out"},
                                                   {{"extra"}, "\"extra\" is no"}}) {
    expect_refused(run() + c.arguments, c.words);
  }
}

TEST_F(Refusal, Environment) {
  expect_refused(run(), "naive", 2, {"ATTUNE_BACKEND=fastest"});
  expect_refused(run(), "sse2, avx2", 2, {"ATTUNE_ISA=sse4"});
  expect_refused({"backends"}, "sse2, avx2", 2, {"ATTUNE_ISA=sse4"});
}

TEST_F(Refusal, OutputsThatCannotBe) {
  std::filesystem::create_symlink("q.safetensors", path("link.safetensors"));
  std::filesystem::create_hard_link(path("q.safetensors"), path("hard.safetensors"));
  std::filesystem::create_directory(path("folder.npy"));
  const auto out = [this](const std::string& spec) { return sample_.run() + Words{"--out", spec}; };
  expect_refused(out(path("out.txt")), "neither FILE.npy");
  expect_refused(out(path("out")), "neither FILE.npy");
  expect_refused(out(path("out.safetensors:")), "names no tensor");
  expect_refused(out(path("out.safetensors:\xff")), "not UTF-8");
  expect_refused(out(path("out.safetensors:__metadata__")), "reserved");
  expect_refused(out(path("q.safetensors:out")), "--out and --q are the same file");
  expect_refused(out(path("folder.npy/../q.safetensors")), "--out and --q are the same file");
  expect_refused(out(path("link.safetensors")), "--out and --q are the same file");
  expect_refused(out(path("hard.safetensors")), "--out and --q are the same file");
  expect_refused(run() + Words{"--lse", path("./out.npy")}, "--out and --lse are the same file");
  expect_refused(run() + Words{"--lse", path("new.safetensors:a"), "--weights", path("new.safetensors:b")},
                 "--lse and --weights are the same file");
  expect_refused(out(path("folder.npy")), "is a directory", 1);
  expect_refused(out(path("missing/out.npy")), "no directory", 1);
  expect_refused(run() + Words{"--weights", path("missing/w.npy")}, "no directory", 1);
}

TEST_F(Refusal, Bf16HasNoNameInNpy) {
  const Sample bf16(DType::bf16);
  expect_refused(bf16.run() + Words{"--out", path("new.npy")}, ".safetensors");
}

TEST_F(Refusal, TensorsOfTheWrongKind) {
  const auto store = [this](const char* name, DType dtype, const io::Shape& shape) {
    return sample_.store(name, random_tensor(dtype, shape, 1));
  };
  const io::Shape pairs{Sample::queries, Sample::keys};
  const std::string integers = store("integers.npy", DType::i32, sample_.query().shape);
  io::Tensor seven = random_tensor(DType::u8, pairs, 1);
  seven.bytes[0] = std::byte{7};
  const std::string out = path("new.npy"), k = path("k.safetensors"), v = path("v.safetensors");
  expect_refused({"run", "--q", integers, "--k", k, "--v", v, "--out", out}, "holds i32, must be one of f32");
  expect_refused(run() + Words{"--mask", store("m.npy", DType::i64, pairs)}, "holds i64");
  expect_refused(run() + Words{"--mask", store("m.npy", DType::f64, pairs)}, "f64");
  expect_refused(run() + Words{"--mask", sample_.store("m.npy", seven)}, "holds 7, must be 0");
  expect_refused(run() + Words{"--mask", store("m.npy", DType::f32, {Sample::keys, Sample::queries})}, "broadcast");
  expect_refused(run() + Words{"--alibi", store("a.npy", DType::i32, {Sample::heads})}, "holds i32");
  expect_refused(run() + Words{"--sinks", store("s.npy", DType::f32, {Sample::heads + 1})}, "sinks");
  expect_refused(run() + Words{"--sinks", store("s.npy", DType::f64, {Sample::heads})}, "holds f64");
  expect_refused(run() + Words{"--key-lengths", store("l.npy", DType::f32, {Sample::batch})}, "holds f32");
  expect_refused(run() + Words{"--key-lengths", sample_.store("l.npy", index_tensor(DType::i32, {1, 99}))}, "is 99");
}

TEST_F(Refusal, TensorsThatDoNotFit) {
  const auto with_key = [this](const io::Shape& shape) {
    const std::string key = sample_.store("key.npy", random_tensor(DType::f32, shape, 1));
    return Words{"run", "--q", path("q.safetensors"), "--k", key, "--v", path("v.safetensors"), "--out", path("o.npy")};
  };
  expect_refused(with_key({Sample::dim}), "rank 1, must be 2, 3 or 4");
  expect_refused(with_key({1, 1, 1, 1, Sample::dim}), "rank 5");
  expect_refused(with_key({}), "rank 0");
  expect_refused(with_key({Sample::batch, 3, Sample::keys, Sample::dim}), "multiple");
  expect_refused(with_key({Sample::batch, Sample::kv_heads, Sample::keys, Sample::dim + 1}), "head_dim");
}

TEST_F(Refusal, UnreadableInputsOfEveryOption) {
  ASSERT_EQ(::mkfifo(path("pipe.npy").c_str(), 0600), 0);
  std::filesystem::create_directory(path("folder.npy"));
  sample_.folder().file("broken.npy", npy_file(npy_dict("<f4", "(4,)"), "abc"));
  for (const char* option : {"--q", "--k", "--v", "--mask", "--alibi", "--sinks", "--key-lengths"}) {
    for (const auto& [file, words] : std::initializer_list<std::pair<const char*, const char*>>{
             {"missing.npy", "No such file"},
             {"broken.npy", "ends too early"},
             {"pipe.npy", "is a pipe"},
             {"folder.npy", "is a directory"},
             {"q.safetensors:nothing", "has no tensor \"nothing\""},
             {"q.txt", "neither FILE.npy"}}) {
      Words arguments = run();
      const auto given = std::find(arguments.begin(), arguments.end(), option);
      if (given != arguments.end()) arguments.erase(given, given + 2);
      const std::string complaint = std::string("attune: ") + option + " \"" + path(file).substr(0, 20);
      expect_refused(arguments + Words{option, path(file)}, words);
      expect_refused(arguments + Words{option, path(file)}, complaint);
    }
  }
}

TEST_F(Refusal, HostileFiles) {
  const auto expect_all_refused = [this](const char* name, const std::vector<HostileFile>& files) {
    for (const HostileFile& hostile : files) {
      SCOPED_TRACE(hostile.what);
      const std::string file = sample_.folder().file(name, hostile.contents);
      expect_refused({"run", "--q", file, "--k", file, "--v", file, "--out", path("new.npy")}, hostile.words);
    }
  };
  expect_all_refused("hostile.npy", hostile_npy_files());
  expect_all_refused("hostile.safetensors", hostile_safetensors_files());
}

TEST_F(Refusal, AWriteThatFailsLeavesNothing) {
  const FileSizeLimit limit(1000);
  // lse fits, out does not: neither may appear.
  expect_refused(run() + Words{"--lse", path("lse.npy")}, "cannot be written", 1);
}

TEST_F(Refusal, OutOfMemory) {
  if (ATTUNE_SANITIZED) GTEST_SKIP() << "the sanitizers end a program that asks for so much";
  // Weights of 2²³ × 2²³ f32 are 2⁴⁸ bytes, more than there are addresses; the query is all zeros on no disk.
  const std::string file = sample_.folder().file("long.npy", npy_file(npy_dict("<f2", "(8388608, 1)"), ""));
  std::filesystem::resize_file(file, std::filesystem::file_size(file) + (2u << 23));
  expect_refused({"run", "--q", file, "--k", file, "--v", file, "--out", path("new.npy"), "--weights", path("w.npy")},
                 "no memory", 1);
}

TEST_F(Refusal, UnwritableStandardOutput) {
  const FileSizeLimit limit(100);
  const Outcome outcome = run_attune({"backends"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("standard output"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace attune::test
