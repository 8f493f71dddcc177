#include "engine/wisdom/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include <attune/error.hpp>

namespace attune::detail {
namespace {

[[noreturn]] void fail(const std::string& what, int error) {
  throw Error(ErrorCode::io, what + ": " + std::generic_category().message(error));
}

/// A file descriptor that is closed.
class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0) : fd_(open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

/// The lock of a sibling file, held until the end of the scope. It is never removed: another process may wait for it.
class Lock {
 public:
  explicit Lock(const std::string& path) : file_(path + ".lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600) {
    if (!file_.is_open()) fail(path + ".lock", errno);
    // Tries are counted instead of time: a process that was stopped in between has not waited.
    constexpr auto pause = std::chrono::milliseconds(5);
    for (int tries = 200; flock(file_.fd(), LOCK_EX | LOCK_NB) != 0; --tries) {
      if (errno != EWOULDBLOCK && errno != EINTR) fail(path + ".lock", errno);
      if (tries == 0) throw Error(ErrorCode::io, path + ".lock: another process holds it");
      std::this_thread::sleep_for(pause);
    }
  }

 private:
  File file_;
};

void write_all(const File& file, const std::string& path, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = write(file.fd(), text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path, errno);
    done += static_cast<std::size_t>(count);
  }
}

/// The file is the old one or the new one at every moment, after a loss of power too. Only the lock's holder comes
/// here, so one name for the temporary file is enough: what a killed process left there is overwritten.
void replace_file(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".new";
  const File file(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  if (!file.is_open()) fail(temporary, errno);
  write_all(file, temporary, text);
  if (fsync(file.fd()) != 0) fail(temporary, errno);
  if (std::rename(temporary.c_str(), path.c_str()) != 0) fail(path, errno);
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const File directory(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY);
  if (directory.is_open()) fsync(directory.fd());  // where a folder cannot be synced, the rename will do
}

void make_folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw Error(ErrorCode::io, folder.string() + ": " + error.message());
}

std::string variable(const char* name) {
  const char* value = secure_getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

std::optional<std::string> read_small_file(const std::string& path, std::size_t most_bytes) {
  const File file(path, O_RDONLY | O_NONBLOCK);  // a pipe must not make anybody wait
  if (!file.is_open() && errno == ENOENT) return std::nullopt;
  if (!file.is_open()) fail(path, errno);
  struct stat facts{};
  if (fstat(file.fd(), &facts) != 0) fail(path, errno);
  if (!S_ISREG(facts.st_mode)) throw Error(ErrorCode::io, path + ": is no regular file");
  std::string text;
  char buffer[1 << 14];
  for (;;) {
    const ssize_t count = read(file.fd(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path, errno);
    if (count == 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > most_bytes)
      throw Error(ErrorCode::io, path + ": is larger than " + std::to_string(most_bytes) + " bytes");
  }
}

WisdomFile::WisdomFile(std::string path, const MachineDescription& machine)
    : path_(std::move(path)), machine_(machine) {}

std::string WisdomFile::default_path(const MachineDescription& machine) {
  std::string folder = variable("XDG_STATE_HOME");
  if (folder.empty() || folder.front() != '/') {  // the XDG specification: a relative one is to be ignored
    const std::string home = variable("HOME");
    if (home.empty() || home.front() != '/') return "";
    folder = home + "/.local/state";
  }
  return folder + "/attune/" + machine.file_name();
}

WisdomReading WisdomFile::read() const {
  if (path_.empty()) return {};
  try {
    const std::optional<std::string> text = read_small_file(path_, most_wisdom_bytes);
    if (!text) return {};
    return {from_json(*text, machine_), ""};
  } catch (const Unreadable& error) {
    return {{}, path_ + ": " + error.what() + "; it is not used"};
  } catch (const Error& error) {
    return {{}, std::string(error.what()) + "; it is not used"};
  }
}

WisdomWriting WisdomFile::add(const WisdomEntries& entries) const {
  if (path_.empty()) return {false, {}, "no file of wisdom is in use"};
  try {
    make_folder_of(path_);
    const Lock lock(path_);
    WisdomWriting result;
    try {
      if (const auto text = read_small_file(path_, most_wisdom_bytes)) result.entries = from_json(*text, machine_);
    } catch (const Unreadable& error) {
      if (error.kind != Unreadable::Kind::damaged) {
        return {false, {}, path_ + ": " + error.what() + "; nothing was saved"};
      }
      const std::string aside = path_ + ".damaged";
      if (std::rename(path_.c_str(), aside.c_str()) != 0) fail(aside, errno);
      result.note = path_ + ": " + error.what() + "; it was moved to " + aside;
    }
    merge(result.entries, entries);
    replace_file(path_, to_json(result.entries, machine_));
    result.saved = true;
    return result;
  } catch (const Error& error) {
    return {false, {}, std::string(error.what()) + "; nothing was saved"};
  }
}

std::string WisdomFile::clear() const {
  if (path_.empty()) return "no file of wisdom is in use";
  try {
    if (!std::filesystem::exists(std::filesystem::symlink_status(path_))) return "";
    const Lock lock(path_);
    if (unlink(path_.c_str()) != 0 && errno != ENOENT) fail(path_, errno);
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace attune::detail
