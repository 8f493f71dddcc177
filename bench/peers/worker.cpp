// attune_peers_worker: Attune's side of bench/peers. Requests come as JSON, a line each; serve.py says which there are.
// Tensors lie in memory that is shared with whoever asks; a call that is timed is one attune::attention() as a program
// makes it, choice, plan and checks included.
#include <algorithm>
#include <cstdint>
#include <ctime>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <attune/attune.hpp>
#include <nlohmann/json.hpp>

#include "bench/program.hpp"
#include "bench/timing.hpp"

namespace attune::bench {
namespace {

using Json = nlohmann::json;

/// A file in memory.
class SharedMemory {
 public:
  explicit SharedMemory(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct stat status{};
    if (file >= 0 && ::fstat(file, &status) == 0) {
      size_ = static_cast<std::size_t>(status.st_size);
      data_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    }
    if (file >= 0) ::close(file);
    if (data_ == MAP_FAILED) throw std::runtime_error("cannot map " + path);
  }
  ~SharedMemory() { ::munmap(data_, size_); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// Throws where the bytes are not all inside.
  std::byte* at(std::size_t offset, std::size_t bytes) const {
    if (offset > size_ || bytes > size_ - offset) throw std::runtime_error("a tensor reaches beyond the shared memory");
    return static_cast<std::byte*>(data_) + offset;
  }

 private:
  void* data_ = MAP_FAILED;
  std::size_t size_ = 0;
};

DType dtype_of(const std::string& word) {
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::boolean})
    if (word == name(dtype)) return dtype;
  throw std::runtime_error("no such dtype here: " + word);
}

/// The call that all requests are about.
class PreparedCall {
 public:
  explicit PreparedCall(const Json& message) : memory_(message.at("path").get<std::string>()) {
    const Json& tensors = message.at("tensors");
    tensors_.query = tensor(tensors.at("query"));
    tensors_.key = tensor(tensors.at("key"));
    tensors_.value = tensor(tensors.at("value"));
    tensors_.out = tensor(tensors.at("out"));
    if (tensors.contains("mask")) options_.attn_mask = tensor(tensors.at("mask"));
    options_.causal = message.at("causal").get<bool>();
  }

  void run(Engine& engine) const { engine.attention(tensors_, options_); }

 private:
  MutableTensorView tensor(const Json& facts) const {
    const auto shape = facts.at("shape").get<std::vector<std::int64_t>>();
    if (shape.size() != max_rank || *std::min_element(shape.begin(), shape.end()) < 1)
      throw std::runtime_error("a tensor has four sizes of 1 or more");
    MutableTensorView view;
    static_cast<TensorLayout&>(view) = contiguous({shape[0], shape[1], shape[2], shape[3]});
    view.dtype = dtype_of(facts.at("dtype").get<std::string>());
    const std::int64_t elements = view.strides[0] * view.shape[0];
    view.data =
        memory_.at(facts.at("offset").get<std::size_t>(), static_cast<std::size_t>(elements) * size_of(view.dtype));
    return view;
  }

  SharedMemory memory_;
  Tensors tensors_;
  AttentionOptions options_;
};

/// CPU seconds of the whole process, all its threads.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

class Worker {
 public:
  explicit Worker(int threads) : engine_(config(threads)) {}

  Json answer(const Json& request) {
    const auto action = request.at("do").get<std::string>();
    if (action == "prepare") {
      call_ = std::make_unique<PreparedCall>(request.at("call"));
      return {{"variants", {"attention"}}, {"refused", Json::object()}};
    }
    if (!call_) throw std::runtime_error("nothing is prepared");
    const Clock::time_point start = Clock::now();
    call_->run(engine_);  // warms up, too
    if (action == "compute") return {{"seconds", seconds_since(start)}};
    if (action != "time") throw std::runtime_error("no such request: " + action);
    if (const auto after = request.at("after").get<double>(); after > 0)
      seconds_per_call([&] { call_->run(engine_); }, after);
    std::int64_t calls = 0;
    const double cpu = cpu_seconds();
    const auto run = [&] { call_->run(engine_), ++calls; };
    const double seconds = seconds_per_call(run, request.at("seconds").get<double>());
    return {{"seconds", seconds}, {"cpu", (cpu_seconds() - cpu) / static_cast<double>(calls)}};
  }

 private:
  static Engine::Config config(int threads) {
    Engine::Config config = Engine::Config::from_environment();
    config.executor = make_executor(threads);
    return config;
  }

  Engine engine_;
  std::unique_ptr<PreparedCall> call_;
};

void serve(Worker& worker) {
  for (std::string line; std::getline(std::cin, line);) {
    Json answer;
    try {
      answer = worker.answer(Json::parse(line));
    } catch (const std::exception& error) {  // is an answer too, and the next request is served
      answer = {{"error", error.what()}};
    }
    std::cout << answer.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  }
}

}  // namespace
}  // namespace attune::bench

int main(int argc, char** argv) {
  CLI::App program("Attune's side of bench/peers: serves requests from standard input.", "attune_peers_worker");
  int threads = 1;
  program.add_option("threads", threads, "Threads")->required()->check(CLI::Range(1, 256));
  return attune::bench::run_program(program, argc, argv, [&threads] {
    attune::bench::Worker worker(threads);
    attune::bench::serve(worker);
    return 0;
  });
}
