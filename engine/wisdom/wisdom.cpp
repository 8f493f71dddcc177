#include "engine/wisdom/wisdom.hpp"

#include <utility>

#include <attune/error.hpp>

namespace attune::detail {

Wisdom::Wisdom(const std::string& path, const MachineDescription& machine) : file_(path, machine), machine_(machine) {
  WisdomReading reading = file_.read();
  set_note(std::move(reading.note));
  replace_table(std::move(reading.entries));
}

std::shared_ptr<const WisdomTable> Wisdom::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

void Wisdom::replace_table(WisdomEntries entries) {
  auto table = std::make_shared<const WisdomTable>(std::move(entries));
  const std::lock_guard lock(mutex_);
  table_.swap(table);
}

std::string Wisdom::learn(const WisdomEntries& entries) {
  const std::lock_guard change(change_mutex_);
  WisdomEntries all = table()->entries();
  merge(all, entries);
  replace_table(std::move(all));
  if (file_.path().empty()) return "";
  merge(unsaved_, entries);
  WisdomWriting writing = file_.add(unsaved_);
  if (!writing.saved) return writing.note;
  unsaved_.clear();
  merge(writing.entries, table()->entries());  // and with it what other processes have learned meanwhile
  replace_table(std::move(writing.entries));
  return writing.note;
}

std::string Wisdom::clear() {
  const std::lock_guard change(change_mutex_);
  unsaved_.clear();
  set_note("");
  replace_table({});
  return file_.path().empty() ? "" : file_.clear();
}

std::string Wisdom::exported() const { return to_json(table()->entries(), machine_); }

std::string Wisdom::import(std::string_view text) {
  try {
    return learn(from_json(text, machine_));
  } catch (const Unreadable& error) {
    throw Error(ErrorCode::invalid_argument, std::string("wisdom: ") + error.what());
  }
}

void Wisdom::set_note(std::string note) {
  const std::lock_guard lock(mutex_);
  note_ = std::move(note);
}

std::string Wisdom::note() const {
  const std::lock_guard lock(mutex_);
  return note_;
}

}  // namespace attune::detail
