"""OpenVINO: scaled dot product attention in a graph, and in a graph that keeps keys and values as state (decode)."""
import sys

import numpy
import openvino
from openvino import opset13 as ops
from openvino import opset6

from call import Call
from serve import Refused, Variant, Variants, collect, serve

ELEMENTS = {"f32": openvino.Type.f32, "f16": openvino.Type.f16, "bf16": openvino.Type.bf16, "bool": openvino.Type.boolean}
THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else 1


def settings(dtype: str) -> dict:
    # Left to itself it computes f32 models in bf16 where the CPU can, and keeps state in 8 bits.
    precision = {"f32": "f32", "bf16": "bf16", "f16": "f16"}[dtype]
    return {"INFERENCE_NUM_THREADS": THREADS, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision, "KV_CACHE_PRECISION": precision}


def tensor(array: numpy.ndarray, dtype: str) -> openvino.Tensor:
    """The same memory."""
    if dtype == "bf16":
        return openvino.Tensor(array, openvino.Shape(array.shape), openvino.Type.bf16)
    return openvino.Tensor(array, shared_memory=True)


def parameter(array: numpy.ndarray, dtype: str, name: str):
    return ops.parameter(openvino.PartialShape(list(array.shape)), ELEMENTS[dtype], name=name)


def spread(node, kv_heads: int, group: int, dim: int):
    """[B, Hkv, S, D] to [B, Hkv * group, S, D], as exported models write it."""
    grouped = ops.unsqueeze(node, ops.constant(numpy.array(2, numpy.int64)))
    wide = ops.broadcast(grouped, ops.constant(numpy.array([1, 1, group, 1, 1], numpy.int64)), None, "BIDIRECTIONAL")
    return ops.reshape(wide, ops.constant(numpy.array([0, kv_heads * group, -1, dim], numpy.int64)), True)


class Graph:
    """A compiled model whose inputs and output are arrays. A request does not keep their memory: this does."""

    def __init__(self, dtype: str, inputs: list[tuple[openvino.Node, numpy.ndarray, str]], result, out: numpy.ndarray):
        model = openvino.Model([ops.result(result)], [node for node, _, _ in inputs])
        self._request = openvino.Core().compile_model(model, "CPU", settings(dtype)).create_infer_request()
        self._kept = [inputs, out]
        for index, (_, array, kind) in enumerate(inputs):
            self._request.set_input_tensor(index, tensor(array, kind))
        self._request.set_output_tensor(0, tensor(out, dtype))

    def run(self) -> None:
        self._request.infer()


def plain(call: Call, key: numpy.ndarray, value: numpy.ndarray, group: int) -> Variant:
    """One operator; `group` > 1 spreads keys and values in the graph."""
    dtype, arrays = call.dtype, {"query": call.query, "key": key, "value": value}
    inputs = [(parameter(array, dtype, name), array, dtype) for name, array in arrays.items()]
    q, k, v = (node for node, _, _ in inputs)
    mask = None
    if call.mask_or_none is not None:
        kind = "bool" if call.mask.dtype == bool else dtype
        mask = parameter(call.mask, kind, "mask")
        inputs.append((mask, call.mask, kind))
    if group > 1:
        k, v = (spread(node, key.shape[1], group, key.shape[3]) for node in (k, v))
    out = numpy.empty_like(call.query)
    graph = Graph(dtype, inputs, ops.scaled_dot_product_attention(q, k, v, mask, causal=call.causal), out)
    return Variant(graph.run, lambda _: out)


class Stateful:
    """Keys and values but the last stay in the graph's state; a call appends the last ones and attends to all. The
    state grows by a key with each call, and is filled anew after a few."""

    def __init__(self, call: Call):
        self._call = call
        dtype, batch, (_, kv_heads, keys, dim) = call.dtype, call.query.shape[0], call.key.shape
        element = ELEMENTS[dtype]
        growing = openvino.PartialShape([batch, kv_heads, -1, dim])
        query = ops.parameter(openvino.PartialShape([batch, call.query.shape[1], -1, dim]), element, name="query")
        beams = ops.parameter(openvino.PartialShape([batch]), openvino.Type.i32, name="beams")
        fresh = {name: ops.parameter(growing, element, name=name) for name in ("key", "value")}
        all_rows, assigns = {}, []
        empty = ops.constant(numpy.zeros((batch, kv_heads, 0, dim), numpy.float32))
        for name, node in fresh.items():
            info = openvino.op.util.VariableInfo()
            info.data_shape, info.data_type, info.variable_id = growing, element, name
            variable = openvino.op.util.Variable(info)
            past = opset6.read_value(ops.convert(empty, element), variable)
            past = ops.gather(past, beams, ops.constant(numpy.array(0, numpy.int64)))
            all_rows[name] = ops.concat([past, node], 2)
            assigns.append(opset6.assign(all_rows[name], variable))
        k, v = all_rows["key"], all_rows["value"]
        if call.group > 1:
            k, v = (spread(node, kv_heads, call.group, dim) for node in (k, v))
        attention = ops.scaled_dot_product_attention(query, k, v, causal=False)
        model = openvino.Model([ops.result(attention)], assigns, [query, fresh["key"], fresh["value"], beams])
        self.request = openvino.Core().compile_model(model, "CPU", settings(dtype)).create_infer_request()
        self._beams = openvino.Tensor(numpy.arange(batch, dtype=numpy.int32))
        # What the state is filled with, and the last two keys and values, which calls append.
        self._past, self._before, self._last = (
            [numpy.ascontiguousarray(array[:, :, part]) for array in (call.key, call.value)]
            for part in (slice(None, -2), slice(-2, -1), slice(-1, None)))

    def _give(self, rows: list[numpy.ndarray]) -> None:
        tensors = [tensor(array, self._call.dtype) for array in (self._call.query, *rows)] + [self._beams]
        for index, value in enumerate(tensors):
            self.request.set_input_tensor(index, value)

    def reset(self) -> None:
        self.request.reset_state()
        for state, rows in zip(sorted(self.request.query_state(), key=lambda state: state.name), self._past):
            state.state = tensor(rows, self._call.dtype)
        self._give(self._before)
        self.request.infer()  # makes room for more
        self._give(self._last)

    def variant(self) -> Variant:
        self.reset()
        few = max(4, self._call.key.shape[2] // 64)  # so that what grows stays nearly the length that is compared
        return Variant(self.run, lambda _: self._out(), self.reset, few)

    def run(self) -> None:
        self.request.infer()

    def _out(self) -> numpy.ndarray:
        out = self.request.get_output_tensor(0)
        data = out.data if self._call.dtype != "bf16" else numpy.frombuffer(out.data, numpy.uint16)
        return numpy.array(data).reshape(self._call.query.shape)


def prepare(call: Call) -> tuple[Variants, Refused]:
    grouped, group = call.group > 1, call.group

    def sdpa() -> Variant | None:
        return None if grouped else plain(call, call.key, call.value, 1)

    def broadcast() -> Variant | None:
        return plain(call, call.key, call.value, group) if grouped else None

    def expand() -> Variant | None:
        if not grouped:
            return None
        return plain(call, call.key.repeat(group, axis=1), call.value.repeat(group, axis=1), 1)  # repeated: not timed

    def stateful() -> Variant | None:
        return Stateful(call).variant() if call.query.shape[2] == 1 else None

    return collect({"sdpa": sdpa, "broadcast": broadcast, "expand": expand, "stateful": stateful})


if __name__ == "__main__":
    serve(prepare)
