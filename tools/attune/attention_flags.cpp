#include "tools/attune/attention_flags.hpp"

#include <limits>
#include <tuple>

#include "tools/attune/numbers.hpp"

namespace attune::tool {
namespace {

constexpr std::int64_t most_threads = 1024;

Align align_of(const std::string& text) {
  if (text == "top-left") return Align::top_left();
  if (text == "bottom-right") return Align::bottom_right();
  return Align::at(parse_integer("--align (top-left, bottom-right or N)", text,
                                 std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()));
}

}  // namespace

void declare_attention(CLI::App& command, AttentionFlags& flags) {
  command.add_flag("--causal", flags.causal, "A query attends only to keys at or before its position");
  command
      .add_option("--align", flags.align,
                  "Where query 0 stands among the keys: top-left (at key 0), bottom-right (the last query at the "
                  "last key; the default) or at key N")
      ->type_name("top-left|bottom-right|N");
  command.add_option("--scale", flags.scale, "Factor of query times key (default: 1/sqrt(D))")->type_name("X");
  command.add_option("--window", flags.window, "Keys attended before and after the query's position; -1: all")
      ->type_name("LEFT,RIGHT");
  command.add_option("--softcap", flags.softcap, "Scores s become X * tanh(s / X); 0: they do not")->type_name("X");
}

void declare_execution(CLI::App& command, AttentionFlags& flags) {
  command
      .add_option("--backend", flags.backend,
                  "Use this backend (see attune backends); default: the fastest, measured or by estimate")
      ->type_name("NAME");
  command.add_option("--isa", flags.isa, "Use this instruction set: sse2, avx2, avx512, avx512_bf16")
      ->type_name("NAME");
  command.add_option("--threads", flags.threads, "Exactly this many threads, where the backend uses several")
      ->type_name("N");
}

AttentionOptions options_of(const AttentionFlags& flags) {
  AttentionOptions options;
  options.causal = flags.causal;
  if (flags.align) options.align = align_of(*flags.align);
  if (flags.scale) options.scale = parse_real("--scale", *flags.scale);
  if (flags.window)
    std::tie(options.window_left, options.window_right) = parse_pair("--window", *flags.window, "LEFT,RIGHT", -1);
  if (flags.softcap) options.softcap = parse_real("--softcap", *flags.softcap);
  if (flags.backend) options.backend = *flags.backend;
  if (flags.isa) options.isa = *flags.isa;
  return options;
}

std::optional<int> threads_of(const AttentionFlags& flags) {
  if (!flags.threads) return std::nullopt;
  return static_cast<int>(parse_integer("--threads", *flags.threads, 1, most_threads));
}

}  // namespace attune::tool
