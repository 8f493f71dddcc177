#include "tools/attune/run/outputs.hpp"

#include <cstddef>
#include <filesystem>
#include <utility>

#include "tools/attune/io/tensor_file.hpp"

namespace attune::tool {
namespace {

namespace fs = std::filesystem;

struct NamedFile {
  const char* option;
  std::string file;
};

void add_file(std::vector<NamedFile>& files, const char* option, const std::optional<std::string>& spec) {
  if (!spec) return;
  try {
    files.push_back({option, io::parse_spec(*spec).file});
  } catch (const Error& error) {
    throw Error(error.code(), std::string(option) + " " + error.what());
  }
}

std::vector<NamedFile> input_files(const RunFlags& flags) {
  std::vector<NamedFile> files;
  add_file(files, "--q", flags.query);
  add_file(files, "--k", flags.key);
  add_file(files, "--v", flags.value);
  add_file(files, "--mask", flags.mask);
  add_file(files, "--block-mask", flags.block_mask);
  add_file(files, "--alibi", flags.alibi);
  add_file(files, "--sinks", flags.sinks);
  add_file(files, "--key-lengths", flags.key_lengths);
  add_file(files, "--cu-seqlens-q", flags.cu_seqlens_q);
  add_file(files, "--cu-seqlens-k", flags.cu_seqlens_k);
  return files;
}

/// By what the names lead to: links and other spellings of a path are the same file.
bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  if (fs::equivalent(a, b, error)) return true;
  std::error_code error_a, error_b;
  const fs::path path_a = fs::weakly_canonical(fs::absolute(a, error_a), error_a);
  const fs::path path_b = fs::weakly_canonical(fs::absolute(b, error_b), error_b);
  return !error_a && !error_b && path_a == path_b;
}

void refuse_same_file(const NamedFile& output, const std::vector<NamedFile>& others) {
  for (const NamedFile& other : others) {
    if (!same_file(output.file, other.file)) continue;
    throw Error(ErrorCode::invalid_argument, std::string(output.option) + " and " + other.option +
                                                 " are the same file, " + io::in_quotes(output.file));
  }
}

/// lse and weights of a query without batch, or without heads, lack these sizes too.
io::Shape with_rank_of(const io::Tensor& query, io::Shape full) {
  full.erase(full.begin(), full.begin() + (max_rank - static_cast<std::ptrdiff_t>(query.shape.size())));
  return full;
}

/// A result's sizes in its file, and as the engine sees it.
struct Sizes {
  io::Shape in_file;
  TensorLayout axes;
};

struct ResultSizes {
  Sizes out, lse, weights;
};

ResultSizes padded_results(const RunInputs& inputs) {
  const auto [batch, heads, queries, head_dim] = inputs.view_of(inputs.query).shape;
  const std::int64_t keys = inputs.view_of(inputs.key).shape[2];
  const std::int64_t value_dim = inputs.view_of(inputs.value).shape[3];
  const io::Shape out = file_shape({batch, heads, queries, value_dim}, inputs.layout, inputs.query.shape.size());
  return {{out, attention_layout(out, inputs.layout)},
          {with_rank_of(inputs.query, {batch, heads, queries}), contiguous({batch, heads, queries})},
          {with_rank_of(inputs.query, {batch, heads, queries, keys}), contiguous({batch, heads, queries, keys})}};
}

/// There are no weights of packed tensors; the engine says so, whatever their sizes.
ResultSizes packed_results(const RunInputs& inputs) {
  const std::int64_t total = inputs.query.shape[0], heads = inputs.query.shape[1], value_dim = inputs.value.shape[2];
  return {{{total, heads, value_dim}, packed(total, heads, value_dim)},
          {{heads, total}, contiguous({heads, total})},
          {{heads, total, 0}, contiguous({heads, total, 0})}};
}

Output make_output(const char* name, const std::string& spec, DType dtype, const Sizes& sizes) {
  io::byte_count(dtype, sizes.in_file);  // refuses sizes that nothing could hold, before anything multiplies them
  try {
    io::check_writable(spec, dtype);
  } catch (const io::WriteError&) {
    throw;
  } catch (const Error& error) {
    throw Error(error.code(), std::string("--") + name + " " + error.what());
  }
  return {name, spec, {dtype, sizes.in_file, {}}, sizes.axes};
}

}  // namespace

void check_output_names(const RunFlags& flags) {
  const std::vector<NamedFile> inputs = input_files(flags);
  std::vector<NamedFile> outputs;
  add_file(outputs, "--out", flags.out);
  add_file(outputs, "--lse", flags.lse);
  add_file(outputs, "--weights", flags.weights);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    refuse_same_file(outputs[i], inputs);
    refuse_same_file(outputs[i], {outputs.begin() + static_cast<std::ptrdiff_t>(i) + 1, outputs.end()});
  }
}

MutableTensorView Output::view() {
  MutableTensorView view;
  static_cast<TensorLayout&>(view) = axes;
  view.dtype = tensor.dtype;
  view.data = tensor.bytes.empty() ? nullptr : tensor.bytes.data();
  return view;
}

RunOutputs::RunOutputs(const RunFlags& flags, const RunInputs& inputs) {
  const ResultSizes sizes = inputs.layout == Layout::packed ? packed_results(inputs) : padded_results(inputs);
  outputs_.push_back(make_output("out", flags.out, out_dtype_of(flags).value_or(inputs.query.dtype), sizes.out));
  if (flags.lse) outputs_.push_back(make_output("lse", *flags.lse, DType::f32, sizes.lse));
  if (flags.weights) outputs_.push_back(make_output("weights", *flags.weights, DType::f32, sizes.weights));
}

void RunOutputs::allocate() {
  for (Output& output : outputs_) output.tensor = io::make_tensor(output.tensor.dtype, output.tensor.shape);
}

void RunOutputs::attach_to(AttentionOptions& options) {
  for (Output& output : outputs_) {
    if (output.name == "lse") options.lse = output.view();
    if (output.name == "weights") options.weights = output.view();
  }
}

void RunOutputs::write() const {
  std::vector<io::PendingFile> pending;
  for (const Output& output : outputs_) pending.push_back(io::write_pending(output.spec, output.tensor, output.name));
  for (io::PendingFile& file : pending) file.commit();
}

}  // namespace attune::tool
