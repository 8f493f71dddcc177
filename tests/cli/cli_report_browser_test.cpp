// The report of `attune profile` in a real browser, as wide as a phone and as a desk's screen: it draws, complains of
// nothing, needs no sideways scrolling, and no label is cut off. A browser that is not installed is a visible skip
// (tools/setup browser).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tests/cli/program.hpp"
#include "tests/io/scratch_folder.hpp"

namespace attune::test {
namespace {

std::string output_of(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  std::array<char, 4096> buffer{};
  for (std::size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) output.append(buffer.data(), n);
  pclose(pipe);
  return output;
}

std::string browser() {
  const std::string path = output_of("command -v chromium || command -v chromium-browser || command -v google-chrome");
  return path.substr(0, path.find('\n'));
}

/// Looks at the page from inside and writes what it saw where --dump-dom shows it.
constexpr const char* inspection = R"(<script>
addEventListener('load', () => {
  let cut = [], texts = 0, lines = 0;
  for (const svg of document.querySelectorAll('svg')) {
    const box = svg.viewBox.baseVal;
    for (const text of svg.querySelectorAll('text')) {
      const b = text.getBBox();
      ++texts;
      if (b.x < 0 || b.y < 0 || b.x + b.width > box.width || b.y + b.height > box.height) cut.push(text.textContent);
    }
    for (const line of svg.querySelectorAll('.line')) if (line.getTotalLength() > 0) ++lines;
  }
  const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  document.body.setAttribute('data-seen', `cut [${cut}] wide ${wide} texts ${texts > 20} lines ${lines > 8}`);
});
</script></body>)";

TEST(Report, IsDrawnByABrowserWithoutComplaint) {
  const std::string program = browser();
  if (program.empty()) GTEST_SKIP() << "no chromium here (tools/setup browser installs it)";
  const ScratchFolder folder;
  const Outcome outcome = run_attune({"profile", "--seq", "16:128", "--heads", "2", "--head-dim", "8", "--seconds",
                                      "20", "--variants", "full,causal+window:512,block-sparse:longformer",
                                      "--time-limit", "1ms", "--html", folder.path("r.html")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  std::string html = contents_of(folder.path("r.html"));
  const std::size_t end = html.rfind("</body>");
  ASSERT_NE(end, std::string::npos);
  html.replace(end, 7, inspection);
  const std::string page = folder.file("page.html", html);
  for (const char* window : {"390,844", "1280,900"}) {
    const std::string log = folder.path("log");
    const std::string dom = output_of(
        "'" + program + "' --headless --no-sandbox --disable-gpu --enable-logging=stderr " + "--user-data-dir='" +
        folder.path("data") + "' --window-size=" + window + " --dump-dom 'file://" + page + "' 2>'" + log + "'");
    const std::string words = contents_of(log);
    const std::size_t complaint = words.find("CONSOLE");
    EXPECT_EQ(complaint, std::string::npos) << words.substr(std::min(complaint, words.size()), 400);
    EXPECT_NE(dom.find("data-seen=\"cut [] wide false texts true lines true\""), std::string::npos)
        << window << ": " << dom.substr(std::min(dom.find("data-seen"), dom.size()), 200);
  }
}

}  // namespace
}  // namespace attune::test
