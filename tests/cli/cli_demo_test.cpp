// `attune demo` against what the model itself computed, stored beside its inputs.
//
// Tolerance: a projection is a sum of 384 products; its roundings, each of a partial sum of at most 16, add up like a
// random walk to 20 · 2⁻²⁴ · 16 (standard deviation), and 3 of those are 6e-5. A score is off by about as much (32
// products scaled by 1/√32), a weight by twice that relative to itself, and outputs are means of values that are as
// much off.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/cli/sample.hpp"

namespace attune::test {
namespace {

constexpr double tolerance = 6e-5;

TEST(Demo, ReproducesTheModelsLayer) {
  const Outcome outcome = run_attune({"demo", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto facts = outcome.json();
  EXPECT_EQ(facts["layer"], 3);
  EXPECT_EQ(facts["head"], 1);
  EXPECT_LT(facts["projections_largest_difference"], tolerance);
  EXPECT_LT(facts["output_by"]["largest_difference"], tolerance);
  EXPECT_LT(facts["layer_largest_difference"], tolerance);
  EXPECT_LT(facts["weights_by"]["largest_difference"], 2 * tolerance);
  EXPECT_NEAR(facts["it_to_cat"], 0.4915, 1e-4);  // data/minilm/README.md, rounded to four digits
  EXPECT_NEAR(facts["it_to_mat"], 0.1444, 1e-4);
  EXPECT_NEAR(facts["soft"]["it_to_cat"], 0.149, 1e-3);
  EXPECT_NEAR(facts["soft"]["it_to_mat"], 0.196, 1e-3);
  EXPECT_EQ(facts["words"].size(), 13u);
  for (const auto& row : facts["weights"]) {
    double sum = 0;
    for (const double weight : row) sum += weight;
    EXPECT_NEAR(sum, 1.0, 1e-5);
  }
  EXPECT_FALSE(facts["output_by"]["backend"].get<std::string>().empty());
  EXPECT_FALSE(facts["output_by"]["rule"].get<std::string>().empty());
}

TEST(Demo, ShowsEveryLayerAndHead) {
  for (int layer = 0; layer < 6; ++layer) {
    const auto facts = run_attune({"demo", "--json", "--layer", std::to_string(layer), "--head", "11"}).json();
    EXPECT_EQ(facts["layer"], layer);
    EXPECT_LT(facts["weights_by"]["largest_difference"], 2 * tolerance);
    EXPECT_EQ(facts.contains("soft"), layer == 3);
  }
}

TEST(Demo, TellsItsStory) {
  const Outcome outcome = run_attune({"demo", "--color", "never"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const char* words : {"The cat sat on the mat because it was tired.", "Query, key, value", "Scores", "Softmax",
                            "Weighted sum", "it → cat  0.49", "computed by", "The weights come from", "not proof"})
    EXPECT_NE(outcome.out.find(words), std::string::npos) << words;
  EXPECT_EQ(outcome.out.find('\x1b'), std::string::npos) << "no colours were wanted";
  EXPECT_NE(run_attune({"demo", "--color", "always"}).out.find('\x1b'), std::string::npos);
}

TEST(Demo, AForcedBackendIsUsed) {
  const auto facts = run_attune({"demo", "--json"}, {"ATTUNE_BACKEND=naive"}).json();
  EXPECT_EQ(facts["output_by"]["backend"], "naive");
}

TEST(Demo, RefusesWhatIsNotThere) {
  EXPECT_EQ(run_attune({"demo", "--layer", "6"}).status, 2);
  EXPECT_EQ(run_attune({"demo", "--head", "-3"}).status, 2);
  EXPECT_EQ(run_attune({"demo", "--data", "/nonexistent"}).status, 2);
  EXPECT_EQ(run_attune({"demo", "--color", "sometimes"}).status, 2);
}

TEST(Demo, PicturesAreDrawnOrTheMessageSaysWhatIsMissing) {
  const std::string path = testing::TempDir() + "attune_demo_test.svg";
  const Outcome outcome = run_attune({"demo", "--svg", path});
  if (outcome.status == 0) {
    std::ifstream file(path);
    EXPECT_NE(std::string(std::istreambuf_iterator<char>(file), {}).find("<svg"), std::string::npos);
  } else {
    EXPECT_EQ(outcome.status, 1);
    EXPECT_NE(outcome.err.find("gnuplot"), std::string::npos) << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  std::filesystem::remove(path);

  const Outcome without = run_attune({"demo", "--png", path}, {"PATH=/nonexistent"});
  EXPECT_EQ(without.status, 1);
  EXPECT_NE(without.err.find("apt install gnuplot"), std::string::npos) << without.err;
  EXPECT_EQ(run_attune({"demo", "--png", "/nonexistent/folder/x.png"}).status, 1);
}

}  // namespace
}  // namespace attune::test
