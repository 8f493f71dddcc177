// Wisdom as text: what is written is read again, and nothing else is.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/selection/some_wisdom.hpp"

namespace attune::detail {
namespace {

using test::made_up_machine;
using test::some_entry;
using test::some_key;

std::string sample() {
  WisdomEntries entries = test::one(some_key(1), some_entry());
  add(entries, some_key(2), some_entry());
  return to_json(entries, made_up_machine());
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " in\n" << text;
  return text.replace(at, from.size(), to);
}

void expect_unreadable(const std::string& text, const std::string& words,
                       Unreadable::Kind kind = Unreadable::Kind::damaged) {
  try {
    from_json(text, made_up_machine());
    ADD_FAILURE() << "was read: " << text.substr(0, 300);
  } catch (const Unreadable& error) {
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    EXPECT_EQ(error.kind, kind) << error.what();
  }
}

TEST(Json, EveryFieldOfAKeyComesBack) {
  WisdomKey key = some_key(12);
  Problem& p = key.problem;
  p.kv_heads = 3;
  p.value_dim = 32;
  p.query_dtype = DType::bf16, p.key_dtype = DType::f16, p.value_dtype = DType::f32, p.out_dtype = DType::f32;
  p.mask = MaskKind::f16;
  p.align = Align::Kind::offsets;
  p.window_left = 7, p.window_right = 0;
  p.causal = p.softcap = p.alibi = p.sinks = p.key_lengths = p.cu_seqlens = p.lse = p.weights = p.block_mask = true;
  key.buckets = {4, 8, 16, 32, 64};
  key.threads = 3;
  key.backend = "tiled";
  key.isa = Isa::avx512_bf16;
  const WisdomEntries read = from_json(to_json(test::one(key, some_entry()), made_up_machine()), made_up_machine());
  ASSERT_EQ(read.size(), 1u);
  EXPECT_TRUE(read.begin()->first == key);
}

TEST(Json, EachSwitchStandsForItself) {
  for (bool Problem::* option :
       {&Problem::causal, &Problem::softcap, &Problem::alibi, &Problem::sinks, &Problem::key_lengths,
        &Problem::cu_seqlens, &Problem::lse, &Problem::weights, &Problem::block_mask}) {
    WisdomKey key = some_key(1);
    key.problem.*option = true;
    EXPECT_TRUE(from_json(to_json(test::one(key, some_entry()), made_up_machine()), made_up_machine()).contains(key));
  }
}

TEST(Json, EveryFieldOfAnEntryComesBack) {
  WisdomEntry entry = some_entry(123456789);
  entry.winner_version = "7.1 (build ü)";
  const WisdomEntry read =
      from_json(to_json(test::one(some_key(1), entry), made_up_machine()), made_up_machine()).begin()->second;
  EXPECT_EQ(read.winner, entry.winner);
  EXPECT_EQ(read.winner.tiling, "small items");
  EXPECT_EQ(read.winner_version, entry.winner_version);
  EXPECT_EQ(read.measured_at, entry.measured_at);
  ASSERT_EQ(read.measurements.size(), 2u);
  EXPECT_EQ(read.measurements[0].variant, entry.measurements[0].variant);
  EXPECT_EQ(read.measurements[0].seconds, entry.measurements[0].seconds);
  EXPECT_EQ(read.measurements[0].spread, entry.measurements[0].spread);
  EXPECT_EQ(read.measurements[0].samples, entry.measurements[0].samples);
  EXPECT_EQ(read.measurements[0].verdict, entry.measurements[0].verdict);
}

TEST(Json, AWinnerWithoutATilingHasTheBackendsOwn) {
  WisdomEntry entry = some_entry();
  entry.winner.tiling.clear();
  const std::string text = to_json(test::one(some_key(1), entry), made_up_machine());
  EXPECT_EQ(from_json(text, made_up_machine()).begin()->second.winner.tiling, "");
  expect_unreadable(replaced(sample(), "\"small items\"", "7"), "\"tiling\" is not a short text");
}

TEST(Json, NamesNeedNotBeUtf8) {
  WisdomEntry entry = some_entry();
  entry.measurements[1].verdict = "odd \xff bytes";
  EXPECT_EQ(from_json(to_json(test::one(some_key(1), entry), made_up_machine()), made_up_machine()).size(), 1u);
  MachineDescription odd = made_up_machine();
  odd.cpu = "odd \xff CPU";
  EXPECT_EQ(from_json(to_json(test::one(some_key(1), entry), odd), odd).size(), 1u);
}

TEST(Json, OfAnotherMachineIsTold) {
  for (const auto& change : {std::pair{"Made-up CPU", "Other CPU"}, {"sse2, avx2", "sse2"}, {"1.2.3", "1.2.4"}}) {
    expect_unreadable(replaced(sample(), change.first, change.second), "another machine",
                      Unreadable::Kind::other_machine);
  }
  expect_unreadable(replaced(sample(), "\"cores\": 4", "\"cores\": 5"), "\"cores\" is 5, here 4",
                    Unreadable::Kind::other_machine);
}

TEST(Json, OfAnotherVersionIsTold) {
  expect_unreadable(replaced(sample(), "\"version\": 1", "\"version\": 2"), "version 2",
                    Unreadable::Kind::other_version);
}

TEST(Json, EveryTruncationIsDamaged) {
  const std::string whole = sample();
  for (std::size_t length = 0; length + 2 < whole.size(); ++length) {
    EXPECT_THROW(from_json(whole.substr(0, length), made_up_machine()), Unreadable) << length;
  }
}

TEST(Json, HostileTextsAreDamaged) {
  expect_unreadable("", "not JSON");
  expect_unreadable("[]", "something else");
  expect_unreadable("{}", "\"format\" is missing");
  expect_unreadable("{\"format\": \"recipes\"}", "is not wisdom");
  expect_unreadable(std::string(1 << 20, '['), "nested too deeply");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  expect_unreadable(objects, "nested too deeply");
  expect_unreadable(std::string(most_wisdom_bytes + 1, ' '), "longer than");
  expect_unreadable(sample() + std::string("\0", 1), "zero byte");
  expect_unreadable(std::string("\0", 1) + sample(), "zero byte");
  expect_unreadable(replaced(sample(), "Made-up CPU", "\xff\xfe"), "not JSON");
}

TEST(Json, WrongValuesAreDamaged) {
  for (const char* number :
       {"-1", "1e400", "1e30", "99999999999999999999", "1.5", "\"2\"", "null", "[]", "{}", "true"}) {
    EXPECT_THROW(from_json(replaced(sample(), "\"heads\": 1", std::string("\"heads\": ") + number), made_up_machine()),
                 Unreadable)
        << number;
    EXPECT_THROW(
        from_json(replaced(sample(), "\"threads\": 2", std::string("\"threads\": ") + number), made_up_machine()),
        Unreadable)
        << number;
  }
  for (const char* number : {"-1", "1e30", "\"2\"", "null", "[]"}) {
    EXPECT_THROW(
        from_json(replaced(sample(), "\"seconds\": 0.0015", std::string("\"seconds\": ") + number), made_up_machine()),
        Unreadable)
        << number;
  }
  expect_unreadable(replaced(sample(), "\"isa\": \"avx2\"", "\"isa\": \"avx9\""), "\"isa\"");
  expect_unreadable(replaced(sample(), "\"query\": \"f32\"", "\"query\": \"f33\""), "\"query\"");
  expect_unreadable(replaced(sample(), "\"options\": []", "\"options\": [\"magic\"]"), "no option");
  expect_unreadable(replaced(sample(), "\"options\": []", "\"options\": [1]"), "no option");
  expect_unreadable(replaced(sample(), "\"threads\": 2", "\"threads\": 5"), "more threads");
  expect_unreadable(replaced(sample(), "\"the fastest\"", "\"" + std::string(2000, 'x') + "\""), "short text");
  expect_unreadable(replaced(sample(), "\"cpu\": \"Made-up CPU\"", "\"cpu\": [[]]"), "\"cpu\"");
}

TEST(Json, FlippedBytesAreReadOrRefused) {
  const std::string whole = sample();
  std::mt19937 random(20261125);
  for (int trial = 0; trial < 3000; ++trial) {
    std::string text = whole;
    for (int flips = 0; flips < 3; ++flips) text[random() % text.size()] = static_cast<char>(random());
    try {
      from_json(text, made_up_machine());
    } catch (const Unreadable&) {
    }
  }
}

TEST(MachineDescription, EachPartNamesAnotherFile) {
  const MachineDescription here = made_up_machine();
  EXPECT_EQ(here.file_name(), made_up_machine().file_name());
  MachineDescription other = here;
  other.cores = 5;
  EXPECT_NE(other.file_name(), here.file_name());
  other = here;
  other.library = "1.2.4";
  EXPECT_NE(other.file_name(), here.file_name());
}

}  // namespace
}  // namespace attune::detail
