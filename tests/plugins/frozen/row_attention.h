/* softmax(scale * query * key^T) * value for one f32 problem without options, in plain C. */
#ifndef ATTUNE_TESTS_ROW_ATTENTION_H
#define ATTUNE_TESTS_ROW_ATTENTION_H

#include <attune/plugin_abi.h>
#include <math.h>
#include <string.h>

static const float* row_of(const attune_tensor* tensor, int64_t b, int64_t h, int64_t row) {
  return (const float*)tensor->data + b * tensor->strides[0] + h * tensor->strides[1] + row * tensor->strides[2];
}

static double product(const attune_tensor* q, const float* query, const attune_tensor* k, const float* key,
                      int64_t dim) {
  double sum = 0;
  for (int64_t d = 0; d < dim; ++d) sum += (double)query[d * q->strides[3]] * (double)key[d * k->strides[3]];
  return sum;
}

static void attend_row(const attune_arguments* a, int64_t b, int64_t h, int64_t i, double* scores) {
  const int64_t kv_head = h / (a->heads / a->kv_heads), keys = a->key.shape[2];
  const float* query = row_of(&a->query, b, h, i);
  double largest = -HUGE_VAL, sum = 0;
  for (int64_t j = 0; j < keys; ++j) {
    scores[j] = a->scale * product(&a->query, query, &a->key, row_of(&a->key, b, kv_head, j), a->head_dim);
    if (scores[j] > largest) largest = scores[j];
  }
  for (int64_t j = 0; j < keys; ++j) sum += scores[j] = exp(scores[j] - largest);
  for (int64_t d = 0; d < a->value_dim; ++d) {
    double result = 0;
    for (int64_t j = 0; j < keys; ++j) {
      result += scores[j] * (double)row_of(&a->value, b, kv_head, j)[d * a->value.strides[3]];
    }
    float* out = (float*)a->out.data + b * a->out.strides[0] + h * a->out.strides[1] + i * a->out.strides[2];
    out[d * a->out.strides[3]] = keys > 0 ? (float)(result / sum) : 0;
  }
}

static void attend_all(const attune_arguments* a, double* scores) {
  for (int64_t b = 0; b < a->members; ++b) {
    for (int64_t h = 0; h < a->heads; ++h) {
      for (int64_t i = 0; i < a->query.shape[2]; ++i) attend_row(a, b, h, i, scores);
    }
  }
}

static void say(const char* what, char* text, uint64_t text_bytes) {
  if (text != 0 && text_bytes > strlen(what)) strcpy(text, what);
}

#endif
