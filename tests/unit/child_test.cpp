// Children that behave badly, and the parent that lives on.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <thread>

#include "tests/support/child.hpp"
#include "tests/support/guarded_memory.hpp"

namespace attune::test {
namespace {

using namespace std::chrono_literals;
using Kind = Ending::Kind;

Ending run_one(const std::function<std::string()>& work, std::chrono::milliseconds limit = 60s) {
  Ending result;
  run_in_children(
      1, [&](std::size_t) { return work(); }, {limit, 1},
      [&](std::size_t, const Ending& ending) {
        result = ending;
        return true;
      });
  return result;
}

TEST(Child, AnswersOfAnyLengthArriveWhole) {
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{1} << 20}) {
    const std::string text(length, '\n');
    const Ending ending = run_one([&] { return text; });
    EXPECT_EQ(ending.kind, Kind::answered);
    EXPECT_EQ(ending.answer, text);
  }
}

TEST(Child, PrintsAreKeptApartAndCut) {
  const Ending ending = run_one([] {
    for (int i = 0; i < 1 << 20; ++i) std::putchar('x');
    std::fflush(stdout);
    std::fputs("the end", stderr);
    return std::string("done");
  });
  EXPECT_EQ(ending.answer, "done");
  EXPECT_LE(ending.printed.size(), 2000u);
  EXPECT_TRUE(ending.printed.ends_with("xxxthe end"));
}

TEST(Child, WhatTheParentHasNotPrintedYetIsNotPrintedByTheChild) {
  std::printf("of the parent");
  const Ending ending = run_one([]() -> std::string { std::exit(0); });
  EXPECT_EQ(ending.printed, "");
  std::printf("\n");
}

TEST(Child, ReadsNothing) {
  EXPECT_EQ(run_one([] { return std::to_string(std::getchar()); }).answer, std::to_string(EOF));
}

TEST(Child, EveryWayToEndIsNamed) {
  const auto reason = [](const std::function<void()>& end) {
    const Ending ending = run_one([&] {
      end();
      return std::string();
    });
    EXPECT_EQ(ending.kind, Kind::crashed);
    return ending.reason;
  };
  EXPECT_EQ(reason([] { std::abort(); }), "killed by SIGABRT (Aborted)");
  EXPECT_EQ(reason([] { raise(SIGKILL); }), "killed by SIGKILL (Killed)");
  EXPECT_EQ(reason([] { std::exit(0); }), "ended the process with status 0 in the middle");
  EXPECT_EQ(reason([] { _exit(7); }), "ended the process with status 7 in the middle");
  EXPECT_EQ(reason([] { kill(0, SIGTERM); }), "killed by SIGTERM (Terminated)");  // its group is its own
}

TEST(Child, EndsBySignalsThatTheParentHandlesOrBlocks) {
  for (const int number : {SIGSEGV, SIGABRT, SIGUSR1, SIGTERM}) {
    struct sigaction exits{}, before{};
    exits.sa_handler = [](int) { _exit(1); };
    sigaction(number, &exits, &before);
    sigset_t blocked, mask;
    sigemptyset(&blocked);
    sigaddset(&blocked, number);
    sigprocmask(SIG_BLOCK, &blocked, &mask);
    const Ending ending = run_one([number] { return std::to_string(raise(number)); });
    sigprocmask(SIG_SETMASK, &mask, nullptr);
    sigaction(number, &before, nullptr);
    EXPECT_EQ(ending.kind, Kind::crashed);
    EXPECT_TRUE(ending.reason.starts_with(std::string("killed by SIG") + sigabbrev_np(number))) << ending.reason;
  }
}

TEST(Child, ASignalHandlerCanSayWhy) {
  const Ending ending = run_one([]() -> std::string {
    signal(SIGABRT, [](int) { explain_end("it had enough"); });
    std::abort();
  });
  EXPECT_EQ(ending.kind, Kind::crashed);
  EXPECT_EQ(ending.reason, "killed by SIGABRT (Aborted): it had enough");
  explain_end("this is no child");
}

TEST(Child, AnExceptionEndsItAndIsShown) {
  const Ending ending = run_one([]() -> std::string { throw std::runtime_error("no reason at all"); });
  EXPECT_EQ(ending.kind, Kind::crashed);
  EXPECT_NE(ending.printed.find("no reason at all"), std::string::npos) << ending.printed;
}

TEST(Child, EndlessWorkRunsOutOfTime) {
  const Ending ending = run_one(
      []() -> std::string {
        for (;;) std::this_thread::sleep_for(1s);
      },
      100ms);
  EXPECT_EQ(ending.kind, Kind::timed_out);
  EXPECT_EQ(ending.reason, "not done in 0.1 s");
}

TEST(Child, EndlessPrintingRunsOutOfTime) {
  const Ending ending = run_one(
      []() -> std::string {
        for (;;) std::puts("again");
      },
      200ms);
  EXPECT_EQ(ending.kind, Kind::timed_out);
}

TEST(Child, AStoppedOneRunsOutOfTime) {
  EXPECT_EQ(run_one(
                [] {
                  raise(SIGSTOP);
                  return std::string();
                },
                100ms)
                .kind,
            Kind::timed_out);
}

TEST(Child, ThreadsThatItLeavesRunningDoNotMatter) {
  const Ending ending = run_one([] {
    std::thread([] {
      for (;;) std::this_thread::sleep_for(1s);
    }).detach();
    return std::string("done");
  });
  EXPECT_EQ(ending.answer, "done");
}

TEST(Child, ProcessesThatItLeavesRunningAreKilled) {
  const Ending ending = run_one([] {
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      for (;;) pause();  // holding both pipes open
    }
    return std::to_string(grandchild);
  });
  ASSERT_EQ(ending.kind, Kind::answered);
  const pid_t grandchild = std::stoi(ending.answer);
  // Killed is killed; whoever inherited it may take a moment to notice.
  for (int turn = 0; turn < 1000 && kill(grandchild, 0) == 0; ++turn) {
    char state = 'Z', path[64];
    std::snprintf(path, sizeof path, "/proc/%d/stat", grandchild);
    if (std::FILE* file = std::fopen(path, "r")) {
      if (std::fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 'Z';
      std::fclose(file);
    }
    if (state == 'Z') break;
    std::this_thread::sleep_for(10ms);
    ASSERT_LT(turn, 999) << "the grandchild lives";
  }
}

TEST(Child, LeavesNoCoreFile) {
  EXPECT_EQ(run_one([] {
              rlimit limit{};
              getrlimit(RLIMIT_CORE, &limit);
              return std::to_string(limit.rlim_cur);
            }).answer,
            "1");  // see child.cpp
}

TEST(Children, AllRunAndComeBackUnderTheirNumbers) {
  std::map<std::size_t, std::string> answers;
  run_in_children(
      40, [](std::size_t i) { return i % 7 == 3 ? (std::abort(), std::string()) : std::to_string(i); }, {60s, 4},
      [&](std::size_t i, const Ending& ending) {
        answers[i] = ending.kind == Kind::answered ? ending.answer : "crashed";
        return true;
      });
  ASSERT_EQ(answers.size(), 40u);
  for (const auto& [i, answer] : answers) EXPECT_EQ(answer, i % 7 == 3 ? "crashed" : std::to_string(i));
}

TEST(Children, NoneIsStartedAfterTheCallerHasHadEnough) {
  int ended = 0;
  run_in_children(
      40, [](std::size_t) { return std::string(); }, {60s, 3}, [&](std::size_t, const Ending&) { return ++ended < 5; });
  EXPECT_GE(ended, 5);
  EXPECT_LE(ended, 7);  // those that ran already
}

TEST(Children, LeaveNoZombieAndNoDescriptor) {
  const int before = dup(STDIN_FILENO);
  close(before);
  run_in_children(
      10, [](std::size_t) { return std::string(); }, {60s, 3}, [](std::size_t, const Ending&) { return true; });
  const int after = dup(STDIN_FILENO);
  close(after);
  EXPECT_EQ(before, after);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
}

TEST(GuardedMemory, SaysWhoseGuardWasHit) {
  GuardedBuffer key(100);
  key.set_name("key");
  CanaryBuffer out(100);
  out.set_name("out");
  const auto words = [](const void* address) {
    std::array<char, 100> text{};
    return describe_forbidden(address, text) ? std::string(text.data()) : "";
  };
  EXPECT_EQ(words(key.data() + 100), "byte 100 of key, which has 100");
  EXPECT_EQ(words(key.data() - 1), "byte -1 of key, which has 100");
  EXPECT_EQ(words(key.data() + 5), "byte 5 of key, which is not to be touched so");
  EXPECT_EQ(words(out.data() + 100 + 4096), "byte 8292 of out with 4096 bytes on either side, which has 8292");
  EXPECT_EQ(words(&words), "");
  key.set_name(nullptr);
  EXPECT_EQ(words(key.data() + 100), "");
}

}  // namespace
}  // namespace attune::test
