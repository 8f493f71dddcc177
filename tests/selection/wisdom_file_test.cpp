// The file of wisdom: shared by processes, some of which are killed, and robust against whatever lies there.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>

#include <attune/error.hpp>

#include "engine/wisdom/wisdom.hpp"
#include "tests/selection/some_wisdom.hpp"

namespace attune::detail {
namespace {

using test::made_up_machine;
using test::some_entry;
using test::some_key;

class File : public testing::Test {
 protected:
  File() {
    std::string pattern = testing::TempDir() + "attune-wisdom-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ / "state" / "wisdom.json";  // the folder between is made
  }
  ~File() override { std::filesystem::remove_all(folder_); }

  WisdomFile file() const { return {path_, made_up_machine()}; }
  void write(const std::string& text) const {
    std::filesystem::create_directories(path_.parent_path());
    std::ofstream(path_, std::ios::binary) << text;
  }
  std::string text() const {
    std::ifstream stream(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  std::filesystem::path folder_, path_;
};

TEST_F(File, IsNothingBeforeItIsWritten) {
  const WisdomReading reading = file().read();
  EXPECT_TRUE(reading.entries.empty());
  EXPECT_EQ(reading.note, "");
}

TEST_F(File, HoldsWhatWasAdded) {
  EXPECT_TRUE(file().add(test::one(some_key(1), some_entry())).saved);
  const WisdomWriting second = file().add(test::one(some_key(2), some_entry()));
  EXPECT_TRUE(second.saved);
  EXPECT_EQ(second.note, "");
  EXPECT_EQ(second.entries.size(), 2u);
  EXPECT_EQ(file().read().entries.size(), 2u);
  EXPECT_FALSE(std::filesystem::exists(path_.string() + ".new"));
}

TEST_F(File, WithoutAPathNothingIsReadOrSaved) {
  const WisdomFile none("", made_up_machine());
  EXPECT_EQ(none.read().note, "");
  EXPECT_FALSE(none.add(test::one(some_key(1), some_entry())).saved);
}

TEST_F(File, ADamagedOneIsANoteAndIsMovedAside) {
  write("{\"format\": \"attune wis");
  const WisdomReading reading = file().read();
  EXPECT_TRUE(reading.entries.empty());
  EXPECT_NE(reading.note.find("is not JSON; it is not used"), std::string::npos) << reading.note;
  const WisdomWriting writing = file().add(test::one(some_key(1), some_entry()));
  EXPECT_TRUE(writing.saved);
  EXPECT_NE(writing.note.find("moved to"), std::string::npos) << writing.note;
  EXPECT_EQ(file().read().entries.size(), 1u);
  EXPECT_TRUE(std::filesystem::exists(path_.string() + ".damaged"));
}

TEST_F(File, OneOfAnotherMachineIsLeftAlone) {
  MachineDescription other = made_up_machine();
  other.cpu = "Other CPU";
  EXPECT_TRUE(WisdomFile(path_, other).add(test::one(some_key(1), some_entry())).saved);
  const std::string before = text();
  EXPECT_NE(file().read().note.find("another machine"), std::string::npos);
  const WisdomWriting writing = file().add(test::one(some_key(2), some_entry()));
  EXPECT_FALSE(writing.saved);
  EXPECT_NE(writing.note.find("nothing was saved"), std::string::npos) << writing.note;
  EXPECT_EQ(text(), before);
}

TEST_F(File, WhatIsNoRegularFileIsANote) {
  std::filesystem::create_directories(path_);
  EXPECT_NE(file().read().note.find("is not used"), std::string::npos);
  EXPECT_FALSE(file().add(test::one(some_key(1), some_entry())).saved);
  std::filesystem::remove_all(path_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);  // reading it would wait for ever
  EXPECT_NE(file().read().note.find("no regular file"), std::string::npos);
}

TEST_F(File, AHugeOneIsANote) {
  write("");
  ASSERT_EQ(truncate(path_.c_str(), static_cast<off_t>(most_wisdom_bytes) + 1), 0);
  EXPECT_NE(file().read().note.find("larger than"), std::string::npos);
}

TEST_F(File, AFolderThatCannotBeMadeIsANote) {
  std::ofstream(folder_ / "state") << "in the way";
  EXPECT_FALSE(file().add(test::one(some_key(1), some_entry())).saved);
  EXPECT_NE(file().read().note, "");
}

TEST_F(File, ALockThatAnotherHoldsIsANote) {
  ASSERT_TRUE(file().add(test::one(some_key(1), some_entry())).saved);
  const int lock = open((path_.string() + ".lock").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(flock(lock, LOCK_EX), 0);
  const WisdomWriting writing = file().add(test::one(some_key(2), some_entry()));
  EXPECT_FALSE(writing.saved);
  EXPECT_NE(writing.note.find("another process holds it; nothing was saved"), std::string::npos) << writing.note;
  close(lock);
  EXPECT_EQ(file().read().entries.size(), 1u);
}

TEST_F(File, ClearRemovesItWhateverItHolds) {
  EXPECT_EQ(file().clear(), "");
  write("anything");
  EXPECT_EQ(file().clear(), "");
  EXPECT_FALSE(std::filesystem::exists(path_));
}

/// Runs f in a child process.
template <typename F>
pid_t child(F f) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  f();
  _exit(0);
}

/// Repeats where the lock was not to be had: many writers on a slow disk.
void add_patiently(const WisdomFile& file, const WisdomEntries& entries) {
  while (!file.add(entries).saved) {
  }
}

TEST_F(File, EightWritersLoseNothing) {
  constexpr std::int64_t writers = 8, each = 12;
  std::array<pid_t, writers> children{};
  for (std::int64_t writer = 0; writer < writers; ++writer) {
    children[static_cast<std::size_t>(writer)] = child([&] {
      for (std::int64_t i = 0; i < each; ++i)
        add_patiently(file(), test::one(some_key(writer * each + i), some_entry()));
    });
  }
  for (const pid_t pid : children) {
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  const WisdomReading reading = file().read();
  EXPECT_EQ(reading.note, "");
  for (std::int64_t i = 0; i < writers * each; ++i) EXPECT_TRUE(reading.entries.contains(some_key(i))) << i;
}

TEST_F(File, AKilledWriterLosesAtMostItsOwn) {
  std::mt19937 random(7);
  std::int64_t next = 0, promised = 0;
  for (int kill_number = 0; kill_number < 15; ++kill_number) {
    int channel[2];
    ASSERT_EQ(pipe2(channel, O_CLOEXEC), 0);
    const pid_t pid = child([&] {
      for (std::int64_t i = next;; ++i) {
        add_patiently(file(), test::one(some_key(i), some_entry()));
        const std::int64_t done = i + 1;
        if (::write(channel[1], &done, sizeof done) < 0) _exit(1);
      }
    });
    close(channel[1]);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 30'000));
    kill(pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    for (std::int64_t told = 0; ::read(channel[0], &told, sizeof told) == sizeof told;) promised = told;
    close(channel[0]);
    const WisdomReading reading = file().read();
    ASSERT_EQ(reading.note, "");
    for (std::int64_t i = 0; i < promised; ++i) ASSERT_TRUE(reading.entries.contains(some_key(i))) << i;
    next = promised;
  }
}

TEST_F(File, EnginesOfOneProcessShareIt) {
  Wisdom first(path_, made_up_machine()), second(path_, made_up_machine());
  EXPECT_EQ(first.learn(test::one(some_key(1), some_entry())), "");
  EXPECT_EQ(second.table()->entries().size(), 0u);
  EXPECT_EQ(second.learn(test::one(some_key(2), some_entry())), "");
  EXPECT_EQ(second.table()->entries().size(), 2u);
}

TEST_F(File, WhatCouldNotBeSavedIsSavedLater) {
  std::ofstream(folder_ / "state") << "in the way";
  Wisdom wisdom(path_, made_up_machine());
  EXPECT_NE(wisdom.learn(test::one(some_key(1), some_entry())), "");
  EXPECT_EQ(wisdom.table()->entries().size(), 1u);
  std::filesystem::remove(folder_ / "state");
  EXPECT_EQ(wisdom.learn(test::one(some_key(2), some_entry())), "");
  EXPECT_EQ(file().read().entries.size(), 2u);
}

TEST_F(File, LookupsDoNotWaitUntilItIsWritten) {
  ASSERT_TRUE(file().add(test::one(some_key(1), some_entry())).saved);
  const int lock = open((path_.string() + ".lock").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(flock(lock, LOCK_EX), 0);
  Wisdom wisdom(path_, made_up_machine());
  std::string note = "not answered";
  std::thread learner([&] { note = wisdom.learn(test::one(some_key(2), some_entry())); });
  while (!wisdom.table()->entries().contains(some_key(2))) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  close(lock);
  learner.join();
  EXPECT_EQ(note, "");  // the table was seen before learn() gave up on the lock
  EXPECT_EQ(file().read().entries.size(), 2u);
}

TEST_F(File, ExportAndImportMoveEverything) {
  Wisdom from("", made_up_machine()), to(path_, made_up_machine());
  EXPECT_EQ(from.learn(test::one(some_key(1), some_entry())), "");
  EXPECT_EQ(to.import(from.exported()), "");
  EXPECT_TRUE(to.table()->entries().contains(some_key(1)));
  EXPECT_TRUE(file().read().entries.contains(some_key(1)));
  EXPECT_THROW(to.import("nonsense"), Error);
  EXPECT_EQ(to.clear(), "");
  EXPECT_TRUE(to.table()->entries().empty());
  EXPECT_TRUE(file().read().entries.empty());
}

TEST(DefaultPath, IsInTheUsersStateFolder) {
  const MachineDescription machine = made_up_machine();
  setenv("HOME", "/home/somebody", 1);
  setenv("XDG_STATE_HOME", "/var/state", 1);
  EXPECT_EQ(WisdomFile::default_path(machine), "/var/state/attune/" + machine.file_name());
  setenv("XDG_STATE_HOME", "relative", 1);
  EXPECT_EQ(WisdomFile::default_path(machine), "/home/somebody/.local/state/attune/" + machine.file_name());
  unsetenv("XDG_STATE_HOME");
  unsetenv("HOME");
  EXPECT_EQ(WisdomFile::default_path(machine), "");
}

}  // namespace
}  // namespace attune::detail
