#include "tools/attune/demo/picture.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>

#include <fmt/format.h>

#include <attune/error.hpp>

#include "tools/attune/io/pending_file.hpp"

namespace attune::tool {
namespace {

namespace fs = std::filesystem;

bool installed(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::stringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (!folder.empty() && access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  return false;
}

/// A string in gnuplot's single quotes.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("''") : std::string(1, c);
  return result + "'";
}

std::string ticks(const char* axis, const std::vector<std::string>& words, const char* extra) {
  std::string list;
  for (std::size_t i = 0; i < words.size(); ++i)
    list += fmt::format("{}{} {}", i == 0 ? "" : ", ", quoted(words[i]), i);
  return fmt::format("set {} ({}) scale 0 {}\n", axis, list, extra);
}

std::string script(const HeatMap& map, const std::string& title, PictureFormat format, const std::string& path) {
  const std::size_t n = map.words.size();
  std::string text = format == PictureFormat::png ? "set terminal pngcairo size 900,860 font 'sans,12'\n"
                                                  : "set terminal svg size 900,860 font 'sans,14' background 'white'\n";
  text += fmt::format("set output {}\nset title {} noenhanced\n", quoted(path), quoted(title));
  text += "set xlabel 'key: attended to'\nset ylabel 'query'\nset cblabel 'attention weight'\n";
  text += "set cbrange [0:*]\nset palette defined (0 '#f7fbff', 0.25 '#9ecae1', 0.6 '#3182bd', 1 '#08306b')\n";
  text += ticks("xtics", map.words, "rotate by 45 right noenhanced") + ticks("ytics", map.words, "noenhanced");
  text += fmt::format("set xrange [-0.5:{0}-0.5]\nset yrange [{0}-0.5:-0.5]\nset size ratio 1\nunset key\n", n);
  text += "$weights << EOD\n";
  for (std::size_t query = 0; query < n; ++query)
    for (std::size_t key = 0; key < n; ++key)
      text += fmt::format("{} {} {}\n", key, query, static_cast<double>(map.at(query, key)));
  text +=
      "EOD\nplot $weights using 1:2:3 with image, "
      "$weights using 1:2:($3 >= 0.05 ? sprintf('%.2f', $3) : ''):($3 > 0.4 ? 0xffffff : 0x303030) "
      "with labels font ',9' textcolor rgb variable\n";
  return text;
}

/// Feeds the script to gnuplot and returns its status. Where gnuplot cannot open its output it draws to standard
/// output, which is closed to it. A gnuplot that ends early must not end this program by SIGPIPE.
int run_gnuplot(const std::string& commands) {
  struct sigaction before{};
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  FILE* gnuplot = popen("gnuplot >/dev/null 2>&1", "w");
  int status = -1;
  if (gnuplot != nullptr) {
    std::fputs(commands.c_str(), gnuplot);
    status = pclose(gnuplot);
  }
  sigaction(SIGPIPE, &before, nullptr);
  return status;
}

}  // namespace

void write_picture(const HeatMap& map, const std::string& title, PictureFormat format, const std::string& path) {
  if (path.find('\n') != std::string::npos)
    throw Error(ErrorCode::invalid_argument, "the picture's file name holds a line break");
  if (!installed("gnuplot"))
    throw io::WriteError(
        path + ": pictures are drawn by gnuplot, which is not installed (on Debian: apt install gnuplot-nox)");
  io::check_destination(path);
  // Drawn beside its place and moved there: a failure leaves no half picture under the name.
  const std::string draft = path + ".part";
  const int status = run_gnuplot(script(map, title, format, draft));
  std::error_code failure;
  const bool drawn = status == 0 && fs::file_size(draft, failure) > 0 && !failure;
  if (drawn) fs::rename(draft, path, failure);
  if (!drawn || failure) {
    fs::remove(draft, failure);
    throw io::WriteError(path + ": gnuplot could not draw it");
  }
}

}  // namespace attune::tool
