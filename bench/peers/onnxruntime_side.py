"""ONNX Runtime: the standard's Attention operator, and the contributed MultiHeadAttention and GroupQueryAttention."""
import sys

import numpy
import onnxruntime
from onnx import TensorProto, helper

from call import Call
from serve import Refused, Variant, Variants, collect, serve

ELEMENTS = {"f32": TensorProto.FLOAT, "f16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16, "bool": TensorProto.BOOL,
            "i32": TensorProto.INT32}
THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else 1


class Graph:
    """A model of one operator, its inputs and outputs bound to arrays without copies."""

    def __init__(self, operator: str, domain: str, inputs: dict[str, tuple[str, numpy.ndarray] | None],
                 outputs: dict[str, tuple[str, numpy.ndarray]], **attributes):
        given = {name: entry for name, entry in inputs.items() if entry is not None}
        node = helper.make_node(operator, [name if entry else "" for name, entry in inputs.items()], list(outputs),
                                domain=domain, **attributes)
        values = [[helper.make_tensor_value_info(name, ELEMENTS[dtype], array.shape) for name, (dtype, array) in side]
                  for side in (given.items(), outputs.items())]
        graph = helper.make_graph([node], "attention", *values)
        opsets = [helper.make_opsetid("", 24)] + ([helper.make_opsetid(domain, 1)] if domain else [])
        model = helper.make_model(graph, opset_imports=opsets, ir_version=11)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                                     providers=["CPUExecutionProvider"])
        self._kept = (given, outputs)
        self._binding = self._session.io_binding()
        for bind, side in ((self._binding.bind_input, given), (self._binding.bind_output, outputs)):
            for name, (dtype, array) in side.items():
                bind(name, "cpu", 0, ELEMENTS[dtype] if dtype == "bf16" else array.dtype, array.shape, array.ctypes.data)

    def run(self) -> None:
        self._session.run_with_iobinding(self._binding)


def merged(array: numpy.ndarray) -> numpy.ndarray:
    """[B, H, S, D] as [B, S, H * D]: the layout that a model with this operator has, so not timed."""
    batch, heads, length, dim = array.shape
    return numpy.ascontiguousarray(array.transpose(0, 2, 1, 3)).reshape(batch, length, heads * dim)


def split(array: numpy.ndarray, heads: int) -> numpy.ndarray:
    batch, length, width = array.shape
    return array.reshape(batch, length, heads, width // heads).transpose(0, 2, 1, 3)


def bias_of(call: Call) -> numpy.ndarray:
    """A bool mask as what is added, for operators that take no other."""
    if call.mask.dtype != bool:
        return call.mask
    low = numpy.finfo(call.query.dtype).min
    return numpy.where(call.mask, 0, low).astype(call.query.dtype)


def prepare(call: Call) -> tuple[Variants, Refused]:
    dtype = call.dtype
    heads, kv_heads = call.query.shape[1], call.key.shape[1]
    mask = call.mask_or_none
    masked = None
    if mask is not None:  # the operator wants one for each query
        rows = numpy.broadcast_to(mask, (*mask.shape[:2], call.query.shape[2], mask.shape[3]))
        masked = ("bool" if mask.dtype == bool else dtype, numpy.ascontiguousarray(rows))
    wide = {"query": (dtype, merged(call.query)), "key": (dtype, merged(call.key)), "value": (dtype, merged(call.value))}
    wide_out = numpy.empty_like(wide["query"][1])
    causal = int(call.causal)

    def whole(graph: Graph, out: numpy.ndarray) -> Variant:
        return Variant(graph.run, lambda _: out)

    def parted(graph: Graph, out: numpy.ndarray) -> Variant:
        return Variant(graph.run, lambda _: split(out, heads))

    def attention() -> Variant:
        out = numpy.empty_like(call.query)
        inputs = {"query": (dtype, call.query), "key": (dtype, call.key), "value": (dtype, call.value), "mask": masked}
        return whole(Graph("Attention", "", inputs, {"out": (dtype, out)}, is_causal=causal), out)

    def attention3d() -> Variant:
        graph = Graph("Attention", "", {**wide, "mask": masked}, {"out": (dtype, wide_out)}, is_causal=causal,
                      q_num_heads=heads, kv_num_heads=kv_heads)
        return parted(graph, wide_out)

    def multi_head(bnsh: bool) -> Variant | None:
        if heads != kv_heads:
            return None
        keys = {"key": (dtype, call.key), "value": (dtype, call.value)} if bnsh else {}
        bias = None
        if mask is not None:
            full = numpy.broadcast_to(bias_of(call), (mask.shape[0], 1 if mask.shape[1] == 1 else heads,
                                                      call.query.shape[2], call.key.shape[2]))
            bias = (dtype, numpy.ascontiguousarray(full))
        graph = Graph("MultiHeadAttention", "com.microsoft",
                      {**wide, **keys, "projection": None, "padding": None, "bias": bias}, {"out": (dtype, wide_out)},
                      num_heads=heads, unidirectional=causal)
        return parted(graph, wide_out)

    def gqa() -> Variant | None:
        """Always causal. A decode's keys but the last are its past, in a buffer that it appends the last one to."""
        length, queries = call.key.shape[2], call.query.shape[2]
        if mask is not None or not (causal or queries == 1):
            return None
        lengths = numpy.full(call.query.shape[0], length - 1, numpy.int32)
        total = numpy.array([length], numpy.int32)
        past_key, past_value = (None, None)
        present = [numpy.empty_like(call.key), numpy.empty_like(call.value)]
        rows = wide
        if queries == 1 and length > 1:
            present = [call.key.copy(), call.value.copy()]
            past_key, past_value = ((dtype, array) for array in present)
            rows = {"query": wide["query"], **{name: (dtype, wide[name][1][:, -1:].copy()) for name in ("key", "value")}}
        inputs = {**rows, "past_key": past_key, "past_value": past_value, "lengths": ("i32", lengths),
                  "total": ("i32", total)}
        outputs = {"out": (dtype, wide_out), "present_key": (dtype, present[0]), "present_value": (dtype, present[1])}
        return parted(Graph("GroupQueryAttention", "com.microsoft", inputs, outputs, num_heads=heads,
                            kv_num_heads=kv_heads), wide_out)

    if dtype == "bf16":  # there was no kernel for any of them: one attempt tells whether that is still so
        return collect({"attention": attention})
    return collect({"attention": attention, "attention3d": attention3d, "mha": lambda: multi_head(False),
                    "mha-bnsh": lambda: multi_head(True), "gqa": gqa})


if __name__ == "__main__":
    serve(prepare)
