// The check of a result: right ones pass in every dtype and mode, and one wrong element is found.
#include <gtest/gtest.h>

#include <attune/linear_attention.hpp>

#include "tools/attune/profile/linear.hpp"
#include "tools/attune/profile/workload.hpp"

namespace attune::tool::profile {
namespace {

Setting setting_of(Mode mode, const std::string& dtype) {
  Setting setting;
  setting.mode = mode;
  setting.dtype = dtype;
  setting.batch = 2, setting.heads = 4, setting.kv_heads = 2, setting.head_dim = 20, setting.queries = 7;
  return setting;
}

TEST(Sample, PassesWhatEveryBackendComputes) {
  for (const Mode mode : {Mode::prefill, Mode::decode, Mode::cross})
    for (const char* dtype : {"f32", "f16", "bf16"})
      for (const char* name : {"full", "causal+window:20", "block-sparse:bigbird"}) {
        Workload workload(setting_of(mode, dtype), 150);
        const Tensors tensors = workload.tensors();
        const VariantCall call(parse_variant(name), tensors.query.shape[2], 150);
        const Sample sample(default_engine(), tensors, call);
        for (const auto& backend : default_engine().backends()) {
          workload.forget_result();
          EXPECT_NE(sample.fault_of(tensors.out), "") << "nothing has been computed yet";
          AttentionOptions options = call.options();
          options.backend = backend->name();
          default_engine().attention(tensors, options);
          EXPECT_EQ(sample.fault_of(tensors.out), "") << backend->name() << " " << name << " " << dtype;
        }
      }
}

TEST(Sample, FindsOneWrongElementOfTheLastRow) {
  Workload workload(setting_of(Mode::prefill, "f32"), 50);
  const Tensors tensors = workload.tensors();
  const VariantCall call(parse_variant("causal"), 50, 50);
  default_engine().attention(tensors, call.options());
  const Sample sample(default_engine(), tensors, call);
  EXPECT_EQ(sample.fault_of(tensors.out), "");
  float& last = tensors.out.as<float>()[2 * 4 * 50 * 20 - 1];
  last *= 1.001f;
  EXPECT_NE(sample.fault_of(tensors.out).find("element 7999 of out"), std::string::npos);
  EXPECT_NE(sample.fault_of(tensors.out).find("naive says"), std::string::npos);
}

TEST(Sample, OfLinearAttentionPassesTiledAndFindsAWrongElement) {
  for (const char* dtype : {"f32", "bf16"})
    for (const bool causal : {false, true}) {
      Workload workload(setting_of(Mode::prefill, dtype), 600);
      const Tensors t = workload.tensors();
      const Sample sample = linear_sample(t, causal);
      workload.forget_result();
      EXPECT_NE(sample.fault_of(t.out), "");
      linear_attention(t.query, t.key, t.value, t.out, {.causal = causal});
      EXPECT_EQ(sample.fault_of(t.out), "") << dtype;
      linear_attention(t.query, t.key, t.value, t.out, {.causal = !causal});
      EXPECT_NE(sample.fault_of(t.out), "") << "this is the other one";
    }
}

TEST(Workload, KnowsTheBytesOfItsTensors) {
  const Setting setting = setting_of(Mode::cross, "f16");
  Workload workload(setting, 100);
  const Tensors t = workload.tensors();
  const auto bytes = [](const TensorLayout& layout) {
    return 2.0 * static_cast<double>(layout.shape[0] * layout.shape[1] * layout.shape[2] * layout.shape[3]);
  };
  EXPECT_EQ(tensor_bytes(setting, 100), bytes(t.query) + bytes(t.key) + bytes(t.value) + bytes(t.out));
  const Tensors shapes = tensors_without_memory(setting, 100);
  EXPECT_EQ(shapes.query.shape, t.query.shape);
  EXPECT_EQ(shapes.key.shape, t.key.shape);
  EXPECT_EQ(shapes.out.shape, t.out.shape);
}

}  // namespace
}  // namespace attune::tool::profile
