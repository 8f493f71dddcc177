#include "tools/attune/profile/command.hpp"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "tools/attune/io/pending_file.hpp"
#include "tools/attune/json_text.hpp"
#include "tools/attune/plugin/load.hpp"
#include "tools/attune/profile/compare.hpp"
#include "tools/attune/profile/flags.hpp"
#include "tools/attune/profile/report.hpp"
#include "tools/attune/profile/storage.hpp"
#include "tools/attune/profile/table.hpp"

namespace attune::tool {
namespace {

using namespace profile;

void show_comparison(const Flags& flags) {
  const Comparison comparison = compare(read_profile(flags.compare[0]), read_profile(flags.compare[1]));
  if (flags.json)
    fmt::print("{}\n", json_text(json_of(comparison)));
  else
    print(comparison);
}

Profile profile_of(const Flags& flags) {
  if (flags.load.empty()) {
    Engine engine;
    load_plugins(engine);
    return measure(engine, request_of(flags, engine));
  }
  Profile profile = read_profile(flags.load);
  set_limits(flags, profile.setting);
  return profile;
}

/// A wrong result must not pass for a slow one.
void complain_of_wrong_results(const Profile& profile) {
  for (const Curve& curve : profile.curves)
    for (const Point& point : curve.points)
      if (point.gap == Gap::wrong)
        throw Error(ErrorCode::backend_failed,
                    fmt::format("{} {} at {}: {}", curve.backend, curve.variant, point.length, point.reason));
}

void show_profile(const Flags& flags) {
  if (!flags.html.empty()) io::check_destination(flags.html);  // before minutes are spent
  const Profile profile = profile_of(flags);
  if (flags.json)
    fmt::print("{}\n", json_text(json_of(profile)));
  else if (flags.csv)
    fmt::print("{}", csv_of(profile));
  else
    print_table(profile);
  if (!flags.html.empty()) write_text(flags.html, html_of(profile));
  if (!flags.plots.empty()) fmt::print(stderr, "{}\n", write_plots(profile, flags.plots));
  complain_of_wrong_results(profile);
}

}  // namespace

void add_profile(CLI::App& program) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = program.add_subcommand("profile", "Measure how time and memory grow with sequence length");
  declare(*command, *flags);
  command->callback([flags] { flags->compare.empty() ? show_profile(*flags) : show_comparison(*flags); });
}

}  // namespace attune::tool
