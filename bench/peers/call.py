"""One call of attention in memory that all processes share: made by the comparison, opened by every side."""
import mmap
import os
import tempfile
from dataclasses import dataclass

import numpy

# bf16 is kept as its bits: numpy has no type for it.
STORED = {"f32": numpy.float32, "f16": numpy.float16, "bf16": numpy.uint16, "bool": numpy.bool_}
ALIGNMENT = 64


def bf16_bits(values: numpy.ndarray) -> numpy.ndarray:
    """Rounds to nearest, ties to even."""
    bits = values.astype(numpy.float32).view(numpy.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(numpy.uint16)


def to_stored(values: numpy.ndarray, dtype: str) -> numpy.ndarray:
    return bf16_bits(values) if dtype == "bf16" else values.astype(STORED[dtype])


def to_double(stored: numpy.ndarray, dtype: str) -> numpy.ndarray:
    if dtype == "bf16":
        stored = (stored.astype(numpy.uint32) << 16).view(numpy.float32)
    return stored.astype(numpy.float64)


@dataclass(frozen=True)
class Tensor:
    dtype: str
    shape: tuple[int, ...]
    offset: int  # in bytes, of the shared memory

    @property
    def bytes(self) -> int:
        return int(numpy.prod(self.shape)) * numpy.dtype(STORED[self.dtype]).itemsize


class Call:
    """Tensors by name (query, key, value, out and perhaps mask) as arrays that share memory."""

    def __init__(self, path: str, dtype: str, causal: bool, tensors: dict[str, Tensor]):
        self.path, self.dtype, self.causal, self.tensors = path, dtype, causal, tensors
        with open(path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self.arrays = {name: numpy.frombuffer(self._memory, STORED[tensor.dtype], int(numpy.prod(tensor.shape)),
                                              tensor.offset).reshape(tensor.shape)
                       for name, tensor in tensors.items()}

    def __getattr__(self, name: str) -> numpy.ndarray:
        try:
            return self.__dict__["arrays"][name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def mask_or_none(self) -> numpy.ndarray | None:
        return self.arrays.get("mask")

    @property
    def group(self) -> int:
        return self.query.shape[1] // self.key.shape[1]

    def message(self) -> dict:
        return {"path": self.path, "dtype": self.dtype, "causal": self.causal,
                "tensors": {name: {"dtype": t.dtype, "shape": t.shape, "offset": t.offset}
                            for name, t in self.tensors.items()}}

    @staticmethod
    def from_message(message: dict) -> "Call":
        tensors = {name: Tensor(t["dtype"], tuple(t["shape"]), t["offset"]) for name, t in message["tensors"].items()}
        return Call(message["path"], message["dtype"], message["causal"], tensors)


def make_call(shape, dtype: str) -> Call:
    """Normal inputs, the same ones each time."""
    sizes = {"query": (dtype, (shape.batch, shape.heads, shape.queries, shape.dim)),
             "key": (dtype, (shape.batch, shape.kv_heads, shape.keys, shape.dim)),
             "value": (dtype, (shape.batch, shape.kv_heads, shape.keys, shape.dim)),
             "out": (dtype, (shape.batch, shape.heads, shape.queries, shape.dim))}
    if shape.mask == "keypad":
        sizes["mask"] = ("bool", (shape.batch, 1, 1, shape.keys))
    elif shape.mask == "bias":
        sizes["mask"] = (dtype, (1, shape.heads, shape.queries, shape.keys))
    tensors, end = {}, 0
    for name, (element, size) in sizes.items():
        tensors[name] = Tensor(element, size, end)
        end += (tensors[name].bytes + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    file, path = tempfile.mkstemp(prefix="attune-peers-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    os.ftruncate(file, end)
    os.close(file)
    call = Call(path, dtype, shape.causal, tensors)
    random = numpy.random.default_rng(1)
    for name in ("query", "key", "value"):
        call.arrays[name][...] = to_stored(random.standard_normal(tensors[name].shape, dtype=numpy.float32), dtype)
    if shape.mask == "keypad":  # each member has keys of its own length, the longest all of them
        lengths = numpy.linspace(shape.keys // 2, shape.keys, shape.batch).astype(int)
        call.mask[...] = numpy.arange(shape.keys) < lengths[:, None, None, None]
    elif shape.mask == "bias":
        call.mask[...] = to_stored(random.standard_normal(tensors["mask"].shape, dtype=numpy.float32), dtype)
    return call


def forget(call: Call) -> None:
    os.unlink(call.path)
