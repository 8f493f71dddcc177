// Which files are loaded, where they are looked for, and what is said of the others.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "tests/plugins/plugin_home.hpp"
#include "tests/unit/small_call.hpp"

namespace attune::test {
namespace {

namespace fs = std::filesystem;

class LoadPlugins : public testing::Test {
 protected:
  /// Loads the file, which must be refused for a reason that holds the words.
  void expect_refused(const std::string& path, const std::string& words) {
    Engine engine(plain_config());
    const PluginFile file = load_one(engine, path);
    EXPECT_EQ(file.state, PluginState::refused) << path;
    EXPECT_NE(file.reason.find(words), std::string::npos) << file.reason;
    EXPECT_EQ(engine.backends().size(), 3u);
  }

  const PluginHome home;
  const std::string good = hostile_plugin("none");
};

TEST_F(LoadPlugins, OfAFileThatIsCutOffAnywhereIsRefused) {
  const std::string whole = contents_of(good);
  constexpr std::size_t places = 100;
  for (std::size_t place = 0; place < places; ++place) {
    const std::string path = home.folder().file("cut.so", whole.substr(0, whole.size() * place / places));
    Engine engine(plain_config());
    const PluginFile file = load_one(engine, path);
    EXPECT_EQ(file.state, PluginState::refused) << place << ": " << file.reason;
  }
}

TEST_F(LoadPlugins, OfAFileWithRandomDamageToItsHeadersLeavesTheHostAlive) {
  const std::string whole = contents_of(good);
  for (std::size_t at = 0; at < 64 + 56 * 4; at += 3) {  // the ELF header and the first program headers
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    Engine engine(plain_config());
    load_one(engine, home.folder().file("damaged" + std::to_string(at) + ".so", damaged));
  }
}

TEST_F(LoadPlugins, OfWhatIsNoLibraryIsRefused) {
  expect_refused(home.folder().file("text.so", "#!/bin/sh\necho no\n"), "not an ELF file");
  expect_refused(home.folder().file("empty.so", ""), "not an ELF file");
  expect_refused(ATTUNE_NOT_A_PLUGIN, "does not export attune_plugin_query");
  expect_refused(home.folder().path("nowhere.so"), "cannot be found");
  fs::create_directory(home.folder().path("folder.so"));
  expect_refused(home.folder().path("folder.so"), "not a regular file");
  ASSERT_EQ(mkfifo(home.folder().path("fifo.so").c_str(), 0600), 0);
  expect_refused(home.folder().path("fifo.so"), "not a regular file");
}

TEST_F(LoadPlugins, OfALibraryForAnotherMachineIsRefused) {
  std::string other = contents_of(good);
  other[18] = static_cast<char>(other[18] ^ 0x40);  // e_machine
  expect_refused(home.folder().file("other.so", other), "another kind of machine");
}

TEST_F(LoadPlugins, OfAFileThatOthersMayWriteIsRefused) {
  const std::string path = home.copy(good, "open/it.so");
  for (const auto permission : {fs::perms::others_write, fs::perms::group_write}) {
    fs::permissions(path, fs::perms::owner_all | permission);
    expect_refused(path, "can be written by others");
  }
  fs::permissions(path, fs::perms::owner_all);
  fs::permissions(fs::path(path).parent_path(), fs::perms::all);
  expect_refused(path, "the folder it lies in can be written by others");
}

TEST_F(LoadPlugins, OfALinkLoadsWhatItLeadsToUnderTheSameRules) {
  const std::string path = home.copy(good, "real/it.so");
  const std::string link = home.folder().path("link.so"), dangling = home.folder().path("dangling.so");
  fs::create_symlink(path, link);
  fs::create_symlink(home.folder().path("nowhere.so"), dangling);
  Engine engine(plain_config());
  const PluginFile file = load_one(engine, link);
  EXPECT_EQ(file.state, PluginState::loaded) << file.reason;
  EXPECT_EQ(file.path, path);
  EXPECT_EQ(load_one(engine, path).state, PluginState::loaded);  // the same file: loaded already
  EXPECT_EQ(engine.backends().size(), 4u);
  expect_refused(dangling, "cannot be found");
  fs::permissions(path, fs::perms::all);
  expect_refused(link, "can be written by others");
}

TEST_F(LoadPlugins, OfAFileThatIsBackInItsPlaceSaysThatItIsLoaded) {
  const std::string path = home.copy(good, "it.so"), aside = home.folder().path("aside.so");
  Engine engine(plain_config());
  EXPECT_EQ(load_one(engine, path).state, PluginState::loaded);
  fs::rename(path, aside);
  home.folder().file("it.so", "no library");
  EXPECT_EQ(load_one(engine, path).state, PluginState::refused);
  fs::rename(aside, path);
  const PluginFile file = load_one(engine, path);
  EXPECT_EQ(file.state, PluginState::loaded) << file.reason;
  EXPECT_EQ(engine.plugins().front().state, PluginState::loaded);
}

TEST_F(LoadPlugins, SearchesTheFoldersInTheirOrder) {
  const std::string first = home.copy(hostile_plugin("twin_a"), "named/b.so");
  const std::string second = home.copy(hostile_plugin("none"), "named/c.so");
  home.copy(hostile_plugin("twin_b"), "data/attune/plugins/a.so");
  home.folder().file("named/readme.txt", "no plugin");
  setenv("ATTUNE_PLUGIN_PATH", (home.folder().path("named") + "::relative:" + home.folder().path("missing")).c_str(),
         1);
  Engine engine(plain_config());
  const PluginReport report = engine.load_plugins({.files = {hostile_plugin("claims_nothing")}});
  ASSERT_GE(report.files.size(), 4u);
  EXPECT_EQ(report.files[0].backend, "claims_nothing");
  EXPECT_EQ(report.files[0].origin, "given");
  EXPECT_EQ(report.files[1].path, first);
  EXPECT_EQ(report.files[1].backend, "twin");
  EXPECT_EQ(report.files[1].origin, "ATTUNE_PLUGIN_PATH");
  EXPECT_EQ(report.files[2].path, second);
  EXPECT_EQ(report.files[3].origin, "user");
  EXPECT_EQ(report.files[3].state, PluginState::refused);  // the name is taken
  ASSERT_GE(report.folders.size(), 5u);
  EXPECT_EQ(report.folders[0].hindrance, "");
  EXPECT_NE(report.folders[1].hindrance.find("working directory"), std::string::npos);
  EXPECT_NE(report.folders[2].hindrance.find("working directory"), std::string::npos);
  EXPECT_NE(report.folders[3].hindrance, "");
  EXPECT_EQ(report.folders.back().origin, "system");
}

TEST_F(LoadPlugins, NeverLooksIntoTheWorkingDirectory) {
  const fs::path before = fs::current_path();
  home.copy(good, "here/it.so");
  fs::current_path(home.folder().path("here"));
  Engine engine(plain_config());
  const PluginReport report = engine.load_plugins();
  fs::current_path(before);
  EXPECT_TRUE(std::none_of(report.files.begin(), report.files.end(),
                           [](const PluginFile& file) { return file.path.find("/here/") != std::string::npos; }));
}

TEST_F(LoadPlugins, WithoutAProbeRefusesWhatIsNewAndSaysWhereItLooked) {
  setenv("ATTUNE_PLUGIN_PROBE", home.folder().path("no-probe").c_str(), 1);
  expect_refused(good, home.folder().path("no-probe"));
  setenv("ATTUNE_PLUGIN_PROBE", home.folder().file("not-executable", "x").c_str(), 1);
  expect_refused(good, "not executable");
  setenv("ATTUNE_PLUGIN_PROBE", "/bin/true", 1);  // a program, but no probe
  expect_refused(good, "the probe program does not work");
}

TEST_F(LoadPlugins, TriesAFileAgainWhenItHasChanged) {
  const std::string path = home.copy(hostile_plugin("aborts_at_load"), "data/attune/plugins/it.so");
  const auto state_of_it = [&] {
    Engine engine(plain_config());
    const auto files = engine.load_plugins().files;
    const auto it = std::find_if(files.begin(), files.end(), [&](const PluginFile& f) { return f.path == path; });
    return it->state;
  };
  EXPECT_EQ(state_of_it(), PluginState::quarantined);
  fs::remove(path);
  home.copy(good, "data/attune/plugins/it.so");
  EXPECT_EQ(state_of_it(), PluginState::loaded);
}

/// As if the plugin had ended the probe's process while it was loaded.
void use_probe_that_ends(const ScratchFolder& folder, int status) {
  const std::string program = folder.file(
      "probe-that-ends", "#!/bin/sh\necho stage while it was loaded >&3\nexit " + std::to_string(status) + "\n");
  fs::permissions(program, fs::perms::owner_all);
  setenv("ATTUNE_PLUGIN_PROBE", program.c_str(), 1);
}

TEST_F(LoadPlugins, TriesAFileAgainThatIsNamedOrForgotten) {
  Engine engine(plain_config());
  const std::string path = home.copy(good, "data/attune/plugins/it.so");
  use_probe_that_ends(home.folder(), 0);
  EXPECT_EQ(load_one(engine, path).state, PluginState::quarantined);
  use_probe_that_ends(home.folder(), 1);
  EXPECT_EQ(engine.load_plugins().files.front().reason.find("status 1"), std::string::npos);  // not tried again
  EXPECT_NE(load_one(engine, path).reason.find("status 1"), std::string::npos);
  EXPECT_EQ(forget_plugin_verdicts(path), 1u);
  EXPECT_EQ(forget_plugin_verdicts(), 0u);
}

TEST_F(LoadPlugins, DoesNotBelieveVerdictsThatOthersMayWrite) {
  Engine engine(plain_config());
  const std::string path = home.copy(good, "data/attune/plugins/it.so");
  ASSERT_EQ(load_one(engine, path).state, PluginState::loaded);
  setenv("ATTUNE_PLUGIN_PROBE", "/bin/true", 1);
  Engine believing(plain_config());
  EXPECT_EQ(believing.load_plugins().files.front().state, PluginState::loaded);
  fs::permissions(plugin_verdicts_file(), fs::perms::all);
  Engine doubting(plain_config());
  EXPECT_EQ(doubting.load_plugins().files.front().state, PluginState::refused);  // by a probe that is none
}

TEST_F(LoadPlugins, AnUnknownBackendsRefusalTellsWhichPluginsWereNotLoaded) {
  Engine engine(plain_config());
  load_one(engine, hostile_plugin("null_execute"));
  const std::string message = refusal([&] { engine.select(Problem{}, Extents{}, 1, {.backend = "null_execute"}); });
  EXPECT_NE(message.find("hostile_null_execute.so is refused: its function execute is null"), std::string::npos)
      << message;
}

TEST_F(LoadPlugins, InspectionFindsSymbolsWithoutRunningAnything) {
  const PluginInspection inspection = inspect_plugin(hostile_plugin("aborts_at_load"));
  EXPECT_EQ(inspection.complaint, "");
  EXPECT_TRUE(inspection.symbols_known);
  EXPECT_EQ(inspection.exported, std::vector<std::string>{"attune_plugin_query"});
  EXPECT_TRUE(inspection.unique.empty());
  EXPECT_NE(inspect_plugin(ATTUNE_NOT_A_PLUGIN).complaint, "");
  EXPECT_NE(inspect_plugin("/nowhere").complaint, "");
}

}  // namespace
}  // namespace attune::test
