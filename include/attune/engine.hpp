// The engine holds backends, chooses between them and keeps what is worth keeping from call to call: plans
// and workspaces. One call of attention() is
//   describe (Problem, Extents) → select a backend → plan → bind (validate) → run
// and each step can be taken by itself.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <attune/backend.hpp>
#include <attune/error.hpp>
#include <attune/executor.hpp>
#include <attune/export.hpp>
#include <attune/machine.hpp>
#include <attune/options.hpp>
#include <attune/plugins.hpp>
#include <attune/problem.hpp>
#include <attune/tuning.hpp>

namespace attune {

struct LinearAttentionOptions;  // linear_attention.hpp

/// What became of one backend in a choice.
struct Candidate {
  std::string backend;
  bool eligible = false;
  std::string reason;                   // why not, if not eligible
  double estimated_seconds = 0;         // if eligible
  std::optional<Measurement> measured;  // by tune(), of its fastest variant
};

/// The engine's choice and its reasons.
struct Choice {
  std::string backend;                    // the chosen one
  std::string rule;                       // the rule that chose it, in words
  Isa isa = Isa::generic;                 // the instruction set its plan uses
  int threads = 1;                        // of the executor, that are to be used
  std::string tiling;                     // that tune() has found the fastest; empty: the backend's own choice
  std::vector<Candidate> candidates;      // every backend of the engine
  std::vector<Measurement> measurements;  // what tune() measured of this problem, by variant; empty: it was not tuned
};

/// The choice, and what the chosen backend is going to do.
struct Explanation {
  Choice choice;
  std::string plan;                 // in words: tiles, splits, threads
  std::size_t workspace_bytes = 0;  // of one call
  double pairs = 0;                 // of a query and a key, over all heads and members
  double attended = 0;              // of them, that causal and window leave (see attended_pairs())
  double flops = 0;                 // of the two products over the attended pairs

  /// Of the pairs, between 0 and 1.
  ATTUNE_API double skipped_share() const noexcept;
};

/// What a caller may force. Empty strings leave the choice to the engine.
struct Selection {
  std::string_view backend{};
  std::string_view isa{};
  bool reproducible = false;
};

/// Every member may be called from any thread; plans handed out stay valid for as long as they are held.
class ATTUNE_API Engine {
 public:
  /// What an engine is made with. ATTUNE_BACKEND, ATTUNE_ISA, ATTUNE_WISDOM and ATTUNE_LOG are read when the config is
  /// made by Config::from_environment(), and nowhere else.
  struct Config {
    std::string backend{};                 // force this backend in every call that does not name one
    std::string isa{};                     // force this instruction set likewise
    std::shared_ptr<Executor> executor{};  // null: make_executor(), made when it is first needed
    bool builtins = true;                  // start with the built-in backends
    /// The file of what tune() measured: read when the engine is made, written by tune(). "auto": this machine's own in
    /// the user's state folder, $XDG_STATE_HOME/attune, which is what from_environment() asks for unless ATTUNE_WISDOM
    /// names another file. Empty, as an empty ATTUNE_WISDOM: none.
    std::string wisdom{};
    bool log_choices = false;  // ATTUNE_LOG=select: each choice is a line on standard error, once

    /// Throws Error(invalid_argument) for an ATTUNE_LOG that is not known.
    static Config from_environment();
  };

  /// Throws Error(invalid_argument) for an unknown instruction set, and Error(unsupported) for one that this machine
  /// lacks. A backend that the configuration forces may come later, from a plugin: calls refuse one that is unknown.
  explicit Engine(const Config& config = Config::from_environment());
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const Machine& machine() const noexcept;
  Executor& executor();

  /// Adds a backend. Throws Error(invalid_argument) for an empty name or one that is taken.
  void add(std::shared_ptr<const Backend> backend);
  /// Finds plugins, tries each new one in a process of its own, and adds what is good; see plugins.hpp. No other member
  /// ever loads one. Called again, it looks at what is new. Throws nothing but std::bad_alloc: the report says what
  /// became of every file.
  PluginReport load_plugins(const PluginSearch& search = {});
  /// Every file that load_plugins() has tried, with what became of it.
  std::vector<PluginFile> plugins() const;

  /// In the order in which they were added, the built-ins first.
  std::vector<std::shared_ptr<const Backend>> backends() const;

  /// Which backend would compute this, and why? A forced backend is used or refused, never replaced.
  /// Throws Error(invalid_argument) for a name that does not exist, listing those that do, and
  /// Error(unsupported) when no backend, or not the forced one, takes the problem, with every reason.
  Choice select(const Problem& problem, const Extents& extents, int threads, const Selection& selection = {}) const;

  /// select(), and the plan of the chosen backend in words and figures. Throws as select() and plan().
  Explanation explain(const Problem& problem, const Extents& extents, int threads, const Selection& selection = {});

  /// Measures the variants that can compute this problem and remembers the fastest, for this engine and in the file of
  /// wisdom: calls whose lengths fall into the same bucket use it from then on. What would be chosen untuned stays
  /// unless another one is faster by more than 3 % and by more than noise, twice, and agrees with the definition on
  /// sampled rows. What `selection` forces is kept, and what is learned then holds for calls that force the same.
  /// Throws Error: as select(), and out_of_memory; backend_failed where the default's own result is wrong.
  TuneResult tune(const Problem& problem, const Extents& extents, const TuneOptions& options = {},
                  const Selection& selection = {});

  /// What tune() has remembered, by problem.
  std::vector<WisdomRecord> wisdom() const;
  /// The file behind it, empty: none; and what was wrong with it when it was read, empty: nothing.
  std::string wisdom_file() const;
  std::string wisdom_note() const;
  /// Forgets it, in memory and on disk. Throws Error(io).
  void clear_wisdom();
  /// All of it as text, and back: what was measured later counts. import_wisdom() answers what kept it from the file;
  /// empty: nothing. Throws Error(invalid_argument) for a text that is not wisdom, or that of another machine, or
  /// version.
  std::string export_wisdom() const;
  std::string import_wisdom(std::string_view text);

  /// The plan of the backend that select() chooses. Plans are kept by problem (the 256 used last), so that a
  /// decode loop whose key length grows plans once.
  std::shared_ptr<const Plan> plan(const Problem& problem, const Extents& extents, int threads,
                                   const Selection& selection = {});

  /// out = softmax(scale · query · keyᵀ + …) · value: describes, selects, plans, binds and runs on the given
  /// executor (default: the engine's own). A warm call allocates nothing. Throws Error: invalid_argument,
  /// unsupported, backend_failed, out_of_memory; only after the last two may anything have been written.
  void attention(const Tensors& tensors, const AttentionOptions& options = {}, Executor* executor = nullptr);

  /// attune::linear_attention() on this engine's executor and workspaces. A warm call of tiled allocates nothing.
  void linear_attention(const Tensors& tensors, const LinearAttentionOptions& options, Executor* executor = nullptr);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The process's engine, made from the environment on first use and never destroyed.
ATTUNE_API Engine& default_engine();

/// attention() of the default engine. Shapes: see Tensors; options and their order: see AttentionOptions.
///   attune::attention(attune::view(q, attune::bhsd(1, 12, 512, 64)), key, value, out, {.causal = true});
ATTUNE_API void attention(const TensorView& query, const TensorView& key, const TensorView& value,
                          const MutableTensorView& out, const AttentionOptions& options = {});

/// Joins two partial results over disjoint sets of keys, row by row: as if the keys had been attended
/// together. out [B, H, Sq, Dv] and lse [B, H, Sq], all f32; the result may be written over either part.
/// A sink belongs to one part only; two empty rows (lse −inf) merge to 0 and −inf.
/// Source: Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018.
/// Throws Error(invalid_argument) for shapes or dtypes that do not fit.
ATTUNE_API void merge_states(const TensorView& out_a, const TensorView& lse_a, const TensorView& out_b,
                             const TensorView& lse_b, const MutableTensorView& out, const MutableTensorView& lse);

/// "0.1.0": the library's version.
ATTUNE_API const char* version() noexcept;

}  // namespace attune
