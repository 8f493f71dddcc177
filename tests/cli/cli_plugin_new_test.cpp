// `attune plugin new`: what it writes, and what it refuses to. That the project builds and works is shown by the test
// docs.writing_a_backend.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/cli/program.hpp"
#include "tests/io/file_size_limit.hpp"
#include "tests/io/scratch_folder.hpp"

namespace attune::test {
namespace {

const Words files = {"CMakeLists.txt", "README.md", "bench.cpp"};

class PluginNew : public testing::Test {
 protected:
  Outcome make(const std::string& name) const { return run_attune({"plugin", "new", name, "--in", folder_.path("")}); }

  void expect_refused(const std::string& name, const std::string& words, int status = 2) const {
    const auto before = folder_.names();
    const Outcome outcome = make(name);
    EXPECT_EQ(outcome.status, status) << name;
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(outcome.err.starts_with("attune: ")) << outcome.err;
    EXPECT_NE(outcome.err.find(words), std::string::npos) << words << " in " << outcome.err;
    EXPECT_EQ(folder_.names(), before);
  }

  ScratchFolder folder_;
};

TEST_F(PluginNew, WritesAProjectOfThatName) {
  const Outcome outcome = make("fast_attention");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_NE(outcome.out.find("attune plugin check"), std::string::npos) << outcome.out;
  Words written;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path("fast_attention"))) {
    written.push_back(entry.path().filename());
  }
  std::sort(written.begin(), written.end());
  EXPECT_EQ(written, files + Words{"fast_attention.cpp"});
}

TEST_F(PluginNew, CallsTheBackendByItsNameEverywhere) {
  ASSERT_EQ(make("fast_attention").status, 0);
  std::string all;
  for (const std::string& file : files + Words{"fast_attention.cpp"}) {
    all += contents_of(folder_.path("fast_attention/" + file));
  }
  for (const char* placeholder : {"my_backend", "MyBackend"}) EXPECT_EQ(all.find(placeholder), std::string::npos);
  for (const char* expected :
       {"project(fast_attention ", "attune_add_plugin(fast_attention ", "ATTUNE_PLUGIN(FastAttentionBackend)",
        "return \"fast_attention\";", "fast_attention_bench", "# fast_attention: a backend"}) {
    EXPECT_NE(all.find(expected), std::string::npos) << expected;
  }
}

TEST_F(PluginNew, TheClassEndsInBackendOnce) {
  ASSERT_EQ(make("my_own_backend").status, 0);
  const std::string source = contents_of(folder_.path("my_own_backend/my_own_backend.cpp"));
  EXPECT_NE(source.find("ATTUNE_PLUGIN(MyOwnBackend)"), std::string::npos);
}

TEST_F(PluginNew, RefusesNamesThatWouldNotWork) {
  for (const char* name : {"", "Fast", "1st", "_x", "a b", "a-b", "../up", "/x", "naïve", "x.so"}) {
    expect_refused(name, "beginning with a letter");
  }
  expect_refused(std::string(33, 'a'), "is not 1 to 32");
  EXPECT_EQ(make(std::string(32, 'a')).status, 0);
  for (const char* name : {"test", "install", "all"}) expect_refused(name, "CMake");
  for (const char* name : {"naive", "simd", "tiled"}) expect_refused(name, "Attune's own");
}

TEST_F(PluginNew, OverwritesNothing) {
  ASSERT_EQ(make("mine").status, 0);
  folder_.file("mine/mine.cpp", "changed");
  expect_refused("mine", "exists already");
  EXPECT_EQ(contents_of(folder_.path("mine/mine.cpp")), "changed");
  folder_.file("a_file", "kept");
  expect_refused("a_file", "exists already");
  EXPECT_EQ(contents_of(folder_.path("a_file")), "kept");
  std::filesystem::create_symlink("nowhere", folder_.path("a_link"));
  expect_refused("a_link", "exists already");
}

TEST_F(PluginNew, SaysWhereItCannotWrite) {
  const Outcome outcome = run_attune({"plugin", "new", "mine", "--in", folder_.path("not/there")});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("cannot be made"), std::string::npos) << outcome.err;
}

TEST_F(PluginNew, LeavesNothingHalfWritten) {
  const FileSizeLimit limit(2000);  // less than the sources have
  expect_refused("mine", "written", 1);
}

}  // namespace
}  // namespace attune::test
