// The host's side of the plugin ABI. Nothing that a plugin answers is believed: numbers that mean nothing become
// failures, texts are cleaned before anybody prints them, and its floating-point mode ends with each call.
#include "engine/plugins/adapter.hpp"

#include <array>
#include <limits>
#include <new>
#include <string>
#include <utility>

#include <attune/error.hpp>
#include <attune/plugin_structs.hpp>

#include "engine/plugins/floating_point.hpp"

namespace attune::detail {
namespace {

using plugin::make;
using plugin::to_abi;

using TextBuffer = std::array<char, 512>;

std::string text_in(const TextBuffer& buffer) { return clean_text(buffer.data(), buffer.size()); }

/// The features that the plugin's header does not know, in words; a later Attune's own by their bit.
std::string unknown_features(std::uint64_t unknown) {
  std::string text = "it was built for a version of Attune that does not know ";
  for (bool first = true; unknown != 0; unknown &= unknown - 1, first = false) {
    text += (first ? "" : ", ") + std::string(name(static_cast<Feature>(unknown & (~unknown + 1))));
  }
  return text;
}

/// A status of the host's own, whatever number the plugin answered.
Status status_of(std::int32_t answer) noexcept {
  if (answer == attune_ok) return Status::ok;
  return answer == attune_invalid_workspace ? Status::invalid_workspace : Status::failed;
}

void parallel_for(void* ctx, std::int64_t items, attune_task task, void* arg) noexcept {
  const auto run = [task, arg](std::int64_t item, int worker) noexcept {
    const KeepFloatingPointMode keep;
    task(arg, item, worker);
  };
  if (task != nullptr && items > 0) static_cast<Executor*>(ctx)->parallel_for(items, run);
}

class PluginPlan final : public Plan {
 public:
  PluginPlan(const Problem& problem, Isa isa, std::shared_ptr<const Plugin> plugin) noexcept
      : Plan(problem, isa), plugin_(std::move(plugin)) {}
  ~PluginPlan() override {
    const KeepFloatingPointMode keep;
    if (handle_ != nullptr) plugin_->table.plan_destroy(handle_);
  }

  /// What the plugin sets, with plan_create(): made after this object, so that nothing can fail in between.
  void** handle() noexcept { return &handle_; }

  std::size_t workspace_bytes(const Extents& extents, int num_threads) const noexcept override {
    const KeepFloatingPointMode keep;
    const attune_extents abi = to_abi(extents);
    return plugin_->table.workspace_bytes(handle_, &abi, num_threads);
  }

  Status execute(const Arguments& arguments, std::span<std::byte> workspace,
                 Executor& executor) const noexcept override {
    const KeepFloatingPointMode keep;
    const attune_arguments abi = to_abi(arguments, problem().features());
    auto workers = make<attune_executor>();
    workers.ctx = &executor;
    workers.parallel_for = parallel_for;
    workers.num_threads = executor.num_threads();
    return status_of(plugin_->table.execute(handle_, &abi, workspace.data(), workspace.size(), &workers));
  }

  std::string describe(const Extents& extents, int num_threads) const override {
    const KeepFloatingPointMode keep;
    const attune_extents abi = to_abi(extents);
    TextBuffer text{};
    plugin_->table.describe(handle_, &abi, num_threads, text.data(), text.size());
    return text_in(text);
  }

 private:
  std::shared_ptr<const Plugin> plugin_;
  void* handle_ = nullptr;
};

class PluginBackend final : public Backend {
 public:
  PluginBackend(std::shared_ptr<const Plugin> plugin, std::string version)
      : plugin_(std::move(plugin)), version_(std::move(version)), table_(plugin_->table) {}

  std::string_view name() const noexcept override { return plugin_->name; }
  std::string_view description() const noexcept override { return plugin_->description; }
  std::string_view version() const noexcept override { return version_; }
  std::vector<Isa> instruction_sets() const override { return plugin::isas_of(table_.isas); }
  bool parallel() const noexcept override { return table_.parallel != 0; }
  TraitSet traits() const noexcept override { return TraitSet::from_bits(table_.traits); }

  bool supports(const Problem& problem, const Extents& extents, std::string* reason) const override;
  double estimate(const Problem& problem, const Extents& extents, const Machine& machine,
                  int threads) const noexcept override;
  std::shared_ptr<const Plan> plan(const Problem& problem, const Machine& machine) const override;

 private:
  std::shared_ptr<const Plugin> plugin_;
  std::string version_;
  const attune_plugin& table_;
};

bool PluginBackend::supports(const Problem& problem, const Extents& extents, std::string* reason) const {
  const attune_problem abi_problem = to_abi(problem);
  if (const std::uint64_t unknown = abi_problem.features & ~table_.features; unknown != 0) {
    return reason != nullptr && refuse(reason, unknown_features(unknown));
  }
  const KeepFloatingPointMode keep;
  const attune_extents abi_extents = to_abi(extents);
  TextBuffer text{};
  const std::int32_t answer =
      table_.supports(table_.self, &abi_problem, &abi_extents, reason != nullptr ? text.data() : nullptr,
                      reason != nullptr ? text.size() : 0);
  if (answer == 1) return true;
  if (reason == nullptr) return false;
  return refuse(
      reason, answer == 0 ? text_in(text) : "it answered " + std::to_string(answer) + ", which is neither yes nor no");
}

double PluginBackend::estimate(const Problem& problem, const Extents& extents, const Machine& machine,
                               int threads) const noexcept {
  const KeepFloatingPointMode keep;
  const attune_problem abi_problem = to_abi(problem);
  const attune_extents abi_extents = to_abi(extents);
  const attune_machine abi_machine = to_abi(machine);
  const double seconds = table_.estimate(table_.self, &abi_problem, &abi_extents, &abi_machine, threads);
  return seconds >= 0 ? seconds : std::numeric_limits<double>::infinity();  // NaN too
}

std::shared_ptr<const Plan> PluginBackend::plan(const Problem& problem, const Machine& machine) const {
  const auto made = std::make_shared<PluginPlan>(problem, table_.isas == 0 ? Isa::generic : machine.isa, plugin_);
  const KeepFloatingPointMode keep;
  const attune_problem abi_problem = to_abi(problem);
  const attune_machine abi_machine = to_abi(machine);
  TextBuffer text{};
  const std::int32_t status =
      table_.plan_create(table_.self, &abi_problem, &abi_machine, made->handle(), text.data(), text.size());
  if (status == attune_ok && *made->handle() != nullptr) return made;
  *made->handle() = nullptr;  // a plugin that failed has nothing to destroy
  if (status == attune_out_of_memory) throw std::bad_alloc();
  const std::string why = text_in(text);
  throw Error(ErrorCode::backend_failed, plugin_->name + ": made no plan" + (why.empty() ? "" : ": " + why));
}

}  // namespace

std::shared_ptr<const Backend> adapt(std::shared_ptr<const Plugin> plugin, std::string version) {
  return std::make_shared<PluginBackend>(std::move(plugin), std::move(version));
}

}  // namespace attune::detail
