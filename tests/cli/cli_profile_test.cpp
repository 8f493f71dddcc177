// `attune profile`: a real, tiny measurement in every form it is told in, and made-up profiles whose findings are
// known.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <sstream>

#include "tests/cli/program.hpp"
#include "tests/io/scratch_folder.hpp"

namespace attune::test {
namespace {

const Words tiny{"profile", "--seq", "16:64", "--heads", "2", "--kv-heads", "1", "--head-dim", "8", "--seconds", "20"};

bool contains(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

/// A profile as --json writes it, of one variant; a curve for each function of the length.
nlohmann::json made_up(const std::vector<std::pair<std::string, std::function<double(double)>>>& backends) {
  nlohmann::json facts{{"format", "attune-profile"},
                       {"format_version", 1},
                       {"setting",
                        {{"version", "0"},
                         {"cpu", "made up"},
                         {"cores", 1},
                         {"mode", "prefill"},
                         {"batch", 1},
                         {"heads", 8},
                         {"kv_heads", 8},
                         {"head_dim", 64},
                         {"queries", 64},
                         {"dtype", "f32"},
                         {"budget_seconds", 60}}},
                       {"seconds", 1},
                       {"interrupted", false},
                       {"variants", {"full"}},
                       {"curves", nlohmann::json::array()}};
  for (const auto& [name, seconds] : backends) {
    nlohmann::json curve{{"variant", "full"}, {"backend", name}, {"isa", "sse2"}, {"threads", 1}};
    for (double n = 128; n <= 16384; n *= 2)
      curve["points"].push_back({{"length", n},
                                 {"measured", true},
                                 {"tensor_bytes", 100 * n},
                                 {"flops", n * n},
                                 {"bytes", n},
                                 {"seconds", seconds(n)},
                                 {"spread", 0.01},
                                 {"runs", 5},
                                 {"peak_flops_per_second", 1e11},
                                 {"workspace_bytes", 0},
                                 {"peak_bytes", 100 * n}});
    facts["curves"].push_back(curve);
  }
  return facts;
}

double line(double n) { return 1e-6 * n; }
double square(double n) { return 1e-9 * n * n; }

/// Every tag is closed, in order, and quotes are paired: what XML asks of a document without a DTD.
std::string imbalance_of(const std::string& text) {
  std::vector<std::string> open;
  for (std::size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at + 1)) {
    const std::size_t end = text.find('>', at);
    if (end == std::string::npos) return "a tag without an end at " + std::to_string(at);
    const std::string tag = text.substr(at + 1, end - at - 1);
    if (tag.starts_with("!")) continue;
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0) return "quotes in <" + tag + ">";
    if (tag.ends_with("/")) continue;
    const std::string name = tag.substr(0, tag.find_first_of(" \n"));
    if (!tag.starts_with("/")) {
      open.push_back(name);
    } else if (open.empty() || "/" + open.back() != name) {
      return "<" + tag + "> closes " + (open.empty() ? "nothing" : open.back());
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : open.back() + " is never closed";
}

TEST(Profile, IsATableThatEndsWithWhatWasFound) {
  const Outcome outcome = run_attune(tiny + Words{"--time-limit", "1s", "--memory-limit", "1GB"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const char* words :
       {"full: naive", "causal: tiled", "window:512: simd", "block-sparse:bigbird", "GFLOP/s", "of peak", "workspace",
        "The time of full attention grows as n^", "Within 1 s:", "Within 1 GB:", "extrapolated"})
    EXPECT_TRUE(contains(outcome.out, words)) << words << "\n" << outcome.out;
  EXPECT_EQ(outcome.err, "") << "no progress where there is no terminal";
}

TEST(Profile, JsonHoldsEveryPoint) {
  for (const char* mode : {"prefill", "decode", "cross"}) {
    const Outcome outcome = run_attune(tiny + Words{"--json", "--mode", mode, "--dtype", "bf16", "--threads", "1"});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const auto facts = outcome.json();
    EXPECT_EQ(facts["format"], "attune-profile");
    EXPECT_EQ(facts["setting"]["mode"], mode);
    EXPECT_EQ(facts["setting"]["dtype"], "bf16");
    EXPECT_EQ(facts["setting"]["kv_heads"], 1);
    EXPECT_EQ(facts["variants"].size(), 4u);
    EXPECT_EQ(facts["curves"].size(), 12u);
    for (const auto& curve : facts["curves"]) {
      EXPECT_TRUE(std::isfinite(curve["fit"]["exponent"].get<double>()));
      ASSERT_EQ(curve["points"].size(), 3u);
      EXPECT_EQ(curve["threads"], 1);
      for (const auto& point : curve["points"]) {
        ASSERT_TRUE(point["measured"]) << curve["backend"] << point;
        for (const char* key : {"seconds", "flops", "bytes", "gflops_per_second", "share_of_peak", "gb_per_second",
                                "peak_flops_per_second", "tensor_bytes", "peak_bytes"})
          EXPECT_GT(point[key].get<double>(), 0) << key;
        EXPECT_GE(point["runs"].get<int>(), 1);
        EXPECT_GE(point["peak_bytes"], point["tensor_bytes"]);
      }
    }
  }
}

TEST(Profile, CountsOperationsAndBytes) {
  const auto facts = run_attune(tiny + Words{"--json", "--variants", "full,causal", "--backends", "naive"}).json();
  const auto& full = facts["curves"][0]["points"][2];
  const auto& causal = facts["curves"][1]["points"][2];
  EXPECT_EQ(full["flops"], 4.0 * 64 * 64 * 2 * 8) << "two products of 2 heads of 8 over 64 · 64 pairs";
  EXPECT_EQ(causal["flops"], 4.0 * 64 * 65 / 2 * 2 * 8);
  EXPECT_EQ(full["tensor_bytes"], 4.0 * 64 * 8 * (2 + 1 + 1 + 2));
  EXPECT_EQ(full["bytes"], full["tensor_bytes"]) << "every key is attended";
}

TEST(Profile, LinearAttentionStandsBesideSoftmaxAndIsCalledAnotherFunction) {
  const Outcome outcome = run_attune(tiny + Words{"--json", "--variants", "full,linear,causal+linear"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto facts = outcome.json();
  EXPECT_TRUE(contains(facts["headline"], "linear (another function, n^")) << facts["headline"];
  EXPECT_TRUE(contains(facts["remarks"].dump(), "linear is another function than softmax attention"));
  for (std::size_t i = 3; i < 9; ++i) {
    const auto& curve = facts["curves"][i];
    for (const auto& point : curve["points"]) {
      EXPECT_EQ(point["measured"], curve["backend"] != "simd") << curve["backend"] << point;
      EXPECT_EQ(point["flops"].get<double>(), 2.0 * (2 + 1) * point["length"].get<double>() * 8 * 9);
    }
  }
  EXPECT_EQ(facts["curves"][4]["points"][0]["gap"], "refused");
}

TEST(Profile, CsvHasALineForEachPoint) {
  const Outcome outcome = run_attune(tiny + Words{"--csv", "--variants", "full,causal"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  std::size_t count = 0;
  for (std::string text; std::getline(lines, text); ++count)
    EXPECT_EQ(std::count(text.begin(), text.end(), ','), 17) << text;
  EXPECT_EQ(count, 1u + 2 * 3 * 3);
}

TEST(Profile, CanBeLoadedAgainAndSaysTheSame) {
  const ScratchFolder folder;
  const Outcome measured = run_attune(tiny + Words{"--json"});
  const Outcome loaded = run_attune({"profile", "--json", "--load", folder.file("a.json", measured.out)});
  ASSERT_EQ(loaded.status, 0) << loaded.err;
  EXPECT_EQ(loaded.out, measured.out);
}

TEST(Profile, TheReportIsOneWellFormedFile) {
  const ScratchFolder folder;
  const Outcome outcome = run_attune(tiny + Words{"--html", folder.path("r.html"), "--plots", folder.path("plots")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string html = contents_of(folder.path("r.html"));
  EXPECT_EQ(imbalance_of(html), "");
  for (const char* elsewhere : {"src=", "href=\"http", "url(", "@import", "<script"})
    EXPECT_FALSE(contains(html, elsewhere)) << elsewhere;
  const std::size_t heading = html.find("<h1>The time of full attention grows as ");
  ASSERT_NE(heading, std::string::npos) << "it opens with what was found";
  EXPECT_LT(heading, html.find("<svg"));
  EXPECT_TRUE(contains(html, "prefers-color-scheme"));
  for (const char* name : {"time", "share-of-peak", "memory", "backends-full", "backends-window-512"}) {
    const std::string svg = contents_of(folder.path("plots/" + std::string(name) + ".svg"));
    EXPECT_TRUE(svg.starts_with("<svg")) << name;
    EXPECT_EQ(imbalance_of(svg), "") << name;
  }
  const bool png = contents_of(folder.path("plots/time.png")).starts_with("\x89PNG");
  EXPECT_TRUE(png || contains(outcome.err, "apt install librsvg2-bin")) << outcome.err;
}

TEST(Profile, ABackendHasOneColourInEveryPlot) {
  const ScratchFolder folder;
  nlohmann::json facts = made_up({{"absent", line}, {"there", square}});
  for (auto& point : facts["curves"][0]["points"])
    point.update({{"measured", false}, {"gap", "refused"}, {"reason", "made up"}, {"expected_seconds", 0}});
  const Outcome outcome =
      run_attune({"profile", "--load", folder.file("a.json", facts.dump()), "--plots", folder.path("plots"), "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string svg = contents_of(folder.path("plots/backends-full.svg"));
  EXPECT_TRUE(contains(svg, "<g class=\"c1\">")) << svg;
  EXPECT_FALSE(contains(svg, "<g class=\"c0\">")) << svg;
}

TEST(Profile, FindsWhatIsKnown) {
  const ScratchFolder folder;
  const std::string file = folder.file("a.json", made_up({{"line", line}, {"square", square}}).dump());
  const Outcome outcome =
      run_attune({"profile", "--load", file, "--time-limit", "2ms", "--memory-limit", "10MB", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto facts = outcome.json();
  EXPECT_NEAR(facts["curves"][0]["fit"]["exponent"], 1, 1e-9);
  EXPECT_NEAR(facts["curves"][1]["fit"]["exponent"], 2, 1e-9);
  EXPECT_NEAR(facts["curves"][1]["fit"]["exponent_margin_95"], 0, 1e-6);
  EXPECT_TRUE(
      contains(facts["headline"], "The time of full attention grows as n^1.00, to 16.4 ms at 16k tokens (line"));
  const std::string remarks = facts["remarks"].dump();
  EXPECT_TRUE(contains(remarks, "From about 1000 tokens on, line full is faster than square full.")) << remarks;
  EXPECT_TRUE(contains(remarks, "Within 2 ms: up to about 2000 tokens (line full).")) << remarks;
  EXPECT_TRUE(contains(remarks, "Within 10 MB: up to about 100000 tokens, extrapolated (line full).")) << remarks;
}

TEST(Profile, SaysWhenAPeakCannotBeRight) {
  const ScratchFolder folder;
  const auto remarks_of = [&](double (*seconds)(double)) {
    const std::string file = folder.file("p.json", made_up({{"some", seconds}}).dump());
    const Outcome outcome = run_attune({"profile", "--load", file, "--json"});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.json()["remarks"].dump();
  };
  const char* const doubt = "Shares of peak above 100 %";
  EXPECT_FALSE(contains(remarks_of([](double n) { return n * n / 0.99e11; }), doubt));
  EXPECT_TRUE(contains(remarks_of([](double n) { return n * n / 1.07e11; }), doubt));
}

TEST(Profile, WhatThereIsNoTimeForIsSaidWithWhatItWouldTake) {
  const Outcome outcome = run_attune({"profile", "--seq", "8192:16384", "--heads", "64", "--seconds", "0.5",
                                      "--backends", "naive", "--variants", "full", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto facts = outcome.json();
  for (const auto& point : facts["curves"][0]["points"]) {
    EXPECT_FALSE(point["measured"]);
    EXPECT_EQ(point["gap"], "time");
    EXPECT_GT(point["expected_seconds"].get<double>(), 1);
  }
  EXPECT_EQ(facts["headline"], "Nothing could be measured.");
  EXPECT_TRUE(contains(facts["remarks"].dump(), "Not measured, for lack of time (--seconds): naive full from 8k on."));
}

TEST(Profile, ComparesBeforeAndAfter) {
  const ScratchFolder folder;
  const std::string before =
      folder.file("b.json", made_up({{"same", square}, {"worse", square}, {"better", square}}).dump());
  const std::string after = folder.file("a.json", made_up({{"same", [](double n) { return 1.02 * square(n); }},
                                                           {"worse", [](double n) { return 1.5 * square(n); }},
                                                           {"better", [](double n) { return 0.5 * square(n); }}})
                                                      .dump());
  const Outcome outcome = run_attune({"profile", "--compare", before, after, "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto facts = outcome.json();
  ASSERT_EQ(facts["changes"].size(), 24u);
  EXPECT_EQ(facts["changes"][0]["verdict"], "same");
  EXPECT_EQ(facts["changes"][8]["verdict"], "slower");
  EXPECT_EQ(facts["changes"][16]["verdict"], "faster");
  EXPECT_EQ(
      facts["headline"],
      "Of 24 points 8 faster (0.50× the time on average), 8 slower (1.50× the time on average), 8 the same within "
      "noise.");
  const Outcome text = run_attune({"profile", "--compare", before, after});
  EXPECT_TRUE(contains(text.out, "VERDICT") && contains(text.out, "slower")) << text.out;
}

TEST(Profile, FilesThatAreNoProfileAreRefused) {
  const ScratchFolder folder;
  nlohmann::json falling = made_up({{"a", line}});
  falling["curves"][0]["points"][1]["length"] = 5;
  nlohmann::json negative = made_up({{"a", line}});
  negative["curves"][0]["points"][1]["seconds"] = -1;
  const std::string whole = made_up({{"a", line}}).dump();
  for (const std::string& text : {std::string(), std::string("{}"), std::string("[]"), std::string("nonsense"),
                                  whole.substr(0, whole.size() / 2), falling.dump(), negative.dump()}) {
    const Outcome outcome = run_attune({"profile", "--load", folder.file("bad.json", text)});
    EXPECT_EQ(outcome.status, 2) << text.substr(0, 40);
    EXPECT_TRUE(contains(outcome.err, "not what `attune profile --json` writes")) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
  EXPECT_EQ(run_attune({"profile", "--load", folder.path("missing.json")}).status, 2);
}

TEST(Profile, WrongArgumentsAreRefusedInOneLine) {
  const std::vector<std::pair<Words, std::string>> table{
      {{"--seq", "64:16"}, "falls"},
      {{"--seq", "0:16"}, "at least 1"},
      {{"--seq", "16,x"}, "whole number"},
      {{"--seq", ""}, "whole number"},
      {{"--backends", "fast"}, "naive"},
      {{"--variants", "full,holes"}, "block-sparse:bigbird"},
      {{"--variants", "linear+window:5"}, "causal"},
      {{"--variants", "linear", "--mode", "decode"}, "carried state"},
      {{"--mode", "train"}, "--mode"},
      {{"--dtype", "f8"}, "--dtype"},
      {{"--heads", "6", "--kv-heads", "4"}, "does not divide"},
      {{"--queries", "3"}, "--mode cross"},
      {{"--seconds", "0"}, "above 0"},
      {{"--seconds", "many"}, "--seconds"},
      {{"--time-limit", "-1ms"}, "above 0"},
      {{"--memory-limit", "lots"}, "--memory-limit"},
      {{"--threads", "0"}, "at least 1"},
      {{"--isa", "mmx"}, "mmx"},
      {{"--json", "--csv"}, "excludes"},
      {{"--load", "a.json", "--seq", "1:2"}, "excludes"},
      {{"--compare", "a.json"}, "--compare"},
      {{"--compare", "a.json", "b.json", "--html", "r.html"}, "excludes"}};
  for (const auto& [arguments, words] : table) {
    const Outcome outcome = run_attune(Words{"profile"} + arguments);
    EXPECT_EQ(outcome.status, 2) << words << outcome.out;
    EXPECT_TRUE(contains(outcome.err, words)) << words << ": " << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
}

TEST(Profile, AReportThatCannotBeWrittenIsRefusedBeforeMeasuring) {
  EXPECT_EQ(run_attune(Words{"profile", "--html", "/nonexistent/r.html"}).status, 1);
}

}  // namespace
}  // namespace attune::test
