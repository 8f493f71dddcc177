// The file of verdicts: what is written can be read, and what cannot be read is as if it were not there.
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "engine/plugins/verdicts.hpp"
#include "tests/io/scratch_folder.hpp"

namespace attune::detail {
namespace {

Verdict verdict(const std::string& path, Judgement judgement = Judgement::refused) {
  return {{path, 1, 2, 3, 4, "0.1.0"}, judgement, "because\tof \\ this\nand that"};
}

TEST(Verdicts, ALineComesBackAsItWas) {
  for (const Judgement judgement : {Judgement::good, Judgement::refused, Judgement::quarantined, Judgement::slow}) {
    const Verdict written = verdict("/a folder\twith\nall of it/x.so", judgement);
    const std::string line = to_line(written);
    EXPECT_EQ(line.find('\n'), line.npos);
    const auto read = from_line(line);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->file, written.file);
    EXPECT_EQ(read->judgement, judgement);
    EXPECT_EQ(read->text, written.text);
  }
}

TEST(Verdicts, ALineThatIsNoneIsNothing) {
  for (const char* line : {"", "good", "good\t1\t2\t3\t4\tv\tp", "bad\t1\t2\t3\t4\tv\tp\tt",
                           "good\tx\t2\t3\t4\tv\tp\tt", "good\t1\t2\t3\t99999999999999999999999\tv\tp\tt"}) {
    EXPECT_FALSE(from_line(line)) << line;
  }
}

TEST(Verdicts, AreFoundOnlyForTheFileAsItWas) {
  const test::ScratchFolder folder;
  const VerdictFile file(folder.path("state/verdicts"));
  EXPECT_FALSE(file.find(verdict("/x.so").file));
  EXPECT_EQ(file.keep(verdict("/x.so")), "");
  EXPECT_TRUE(file.find(verdict("/x.so").file));
  for (int field = 0; field < 5; ++field) {
    FileIdentity changed = verdict("/x.so").file;
    if (field == 0) ++changed.device;
    if (field == 1) ++changed.inode;
    if (field == 2) ++changed.size;
    if (field == 3) ++changed.mtime_ns;
    if (field == 4) changed.library_version = "0.2.0";
    EXPECT_FALSE(file.find(changed)) << field;
  }
}

TEST(Verdicts, TheLatestCountsAndAllCanBeForgotten) {
  const test::ScratchFolder folder;
  const VerdictFile file(folder.path("verdicts"));
  file.keep(verdict("/x.so"));
  file.keep(verdict("/y.so"));
  file.keep(verdict("/x.so", Judgement::good));
  EXPECT_EQ(file.read().size(), 2u);
  EXPECT_EQ(file.find(verdict("/x.so").file)->judgement, Judgement::good);
  std::size_t forgotten = 0;
  EXPECT_EQ(file.forget("/x.so", forgotten), "");
  EXPECT_EQ(forgotten, 1u);
  EXPECT_EQ(file.forget("", forgotten), "");
  EXPECT_EQ(forgotten, 1u);
  EXPECT_TRUE(file.read().empty());
}

TEST(Verdicts, DamageCostsTheDamagedLinesAlone) {
  const test::ScratchFolder folder;
  const std::string path = folder.file("verdicts", "rubbish\n" + to_line(verdict("/x.so")) + "\n\xff\xfe\n");
  EXPECT_EQ(VerdictFile(path).read().size(), 1u);
}

TEST(Verdicts, ThatCannotBeKeptSayWhy) {
  const test::ScratchFolder folder;
  const std::string in_the_way = folder.file("file", "");
  EXPECT_NE(VerdictFile(in_the_way + "/verdicts").keep(verdict("/x.so")), "");
  EXPECT_NE(VerdictFile("").keep(verdict("/x.so")), "");
}

TEST(Verdicts, AreNotWrittenThroughALinkThatSomebodyHasLaid) {
  const test::ScratchFolder folder;
  const std::string mine = folder.file("mine", "dear to me"), path = folder.path("verdicts");
  ASSERT_EQ(symlink(mine.c_str(), (path + "." + std::to_string(getpid())).c_str()), 0);
  EXPECT_EQ(VerdictFile(path).keep(verdict("/x.so")), "");
  EXPECT_EQ(test::contents_of(mine), "dear to me");
  EXPECT_EQ(VerdictFile(path).read().size(), 1u);
}

TEST(Verdicts, OfSeveralAtOnceLoseNothing) {
  const test::ScratchFolder folder;
  const std::string path = folder.path("verdicts");
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&path, i] { VerdictFile(path).keep(verdict("/" + std::to_string(i) + ".so")); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(VerdictFile(path).read().size(), 8u);
}

}  // namespace
}  // namespace attune::detail
