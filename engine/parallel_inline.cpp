// make_executor() of a library that was built without oneTBB (ATTUNE_TBB=OFF).
#include <memory>
#include <string>

#include <attune/error.hpp>
#include <attune/executor.hpp>

namespace attune {

std::shared_ptr<Executor> make_executor(int threads) {
  if (threads < 0) {
    throw Error(ErrorCode::invalid_argument,
                "threads: is " + std::to_string(threads) + ", must be 0 (all available cores) or more");
  }
  if (threads > 1) {
    throw Error(ErrorCode::unsupported, "threads: is " + std::to_string(threads) +
                                            ", but this library was built without oneTBB (ATTUNE_TBB=OFF) and has "
                                            "one thread; pass an executor of your own for more");
  }
  return std::make_shared<InlineExecutor>();
}

}  // namespace attune
