#include "backends/onednn/steps.hpp"

#include <algorithm>
#include <array>

namespace attune::onednn {
namespace {

using dnnl::memory;

memory::desc matrix(std::int64_t rows, std::int64_t columns) {
  return {{rows, columns}, memory::data_type::f32, memory::dims{columns, 1}};
}

/// f32 is f32, whatever ONEDNN_DEFAULT_FPMATH_MODE allows, and scratch memory is the caller's.
dnnl::primitive_attr exact() {
  dnnl::primitive_attr attributes;
  attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::primitive_attr adding() {
  dnnl::post_ops add;
  add.append_sum(1);
  dnnl::primitive_attr attributes = exact();
  attributes.set_post_ops(add);
  return attributes;
}

dnnl::eltwise_forward::primitive_desc each(const dnnl::engine& engine, dnnl::algorithm function,
                                           const memory::desc& scores) {
  return {engine, dnnl::prop_kind::forward_inference, function, scores, scores, 0.0f, 0.0f, exact()};
}

}  // namespace

Steps::Steps(const dnnl::engine& engine, const Problem& problem, TileSize size)
    : size_(size),
      engine_(engine),
      query_(matrix(size.queries, problem.head_dim)),
      // Keys lie as rows; the product wants them as columns.
      key_({problem.head_dim, size.keys}, memory::data_type::f32, memory::dims{1, problem.head_dim}),
      scores_(matrix(size.queries, size.keys)),
      value_(matrix(size.keys, problem.value_dim)),
      out_(matrix(size.queries, problem.value_dim)) {
  const auto keep = [this](const dnnl::primitive_desc& made) {
    if (made.scratchpad_desc().get_size() > scratch_bytes()) scratch_ = made.scratchpad_desc();
    return dnnl::primitive(made);
  };
  multiply_keys_ = keep(dnnl::matmul::primitive_desc(engine, query_, key_, scores_, exact()));
  exp_ = keep(each(engine, dnnl::algorithm::eltwise_exp, scores_));
  if (problem.softcap) tanh_ = keep(each(engine, dnnl::algorithm::eltwise_tanh, scores_));
  if (problem.value_dim > 0)
    multiply_values_ = keep(dnnl::matmul::primitive_desc(engine, scores_, value_, out_, adding()));
}

BoundSteps::BoundSteps(const Steps& steps, const TileMemory& memory)
    : steps_(steps),
      stream_(steps.engine_),
      query_(steps.query_, steps.engine_, memory.query),
      key_(steps.key_, steps.engine_, nullptr),
      scores_(steps.scores_, steps.engine_, memory.scores),
      value_(steps.value_, steps.engine_, nullptr),
      out_(steps.out_, steps.engine_, memory.out),
      scratch_(steps.scratch_, steps.engine_, memory.scratch) {}

// The C functions, because those of C++ make a map of arguments for each execution.
bool BoundSteps::apply(const dnnl::primitive& step) noexcept {
  const std::array<dnnl_exec_arg_t, 3> arguments = {
      {{DNNL_ARG_SRC, scores_.get()}, {DNNL_ARG_DST, scores_.get()}, {DNNL_ARG_SCRATCHPAD, scratch_.get()}}};
  return dnnl_primitive_execute(step.get(), stream_.get(), arguments.size(), arguments.data()) == dnnl_success;
}

bool BoundSteps::multiply(const dnnl::primitive& step, const memory& left, const memory& right,
                          const memory& result) noexcept {
  const std::array<dnnl_exec_arg_t, 4> arguments = {{{DNNL_ARG_SRC, left.get()},
                                                     {DNNL_ARG_WEIGHTS, right.get()},
                                                     {DNNL_ARG_DST, result.get()},
                                                     {DNNL_ARG_SCRATCHPAD, scratch_.get()}}};
  return dnnl_primitive_execute(step.get(), stream_.get(), arguments.size(), arguments.data()) == dnnl_success;
}

bool BoundSteps::multiply_keys(const float* key) noexcept {
  return dnnl_memory_set_data_handle(key_.get(), const_cast<float*>(key)) == dnnl_success &&
         multiply(steps_.multiply_keys_, query_, key_, scores_);
}

bool BoundSteps::tanh() noexcept { return apply(steps_.tanh_); }

bool BoundSteps::exp() noexcept { return apply(steps_.exp_); }

bool BoundSteps::multiply_values(const float* value) noexcept {
  if (steps_.out_.get_size() == 0) return true;  // a value_dim of 0
  return dnnl_memory_set_data_handle(value_.get(), const_cast<float*>(value)) == dnnl_success &&
         multiply(steps_.multiply_values_, scores_, value_, out_);
}

}  // namespace attune::onednn
