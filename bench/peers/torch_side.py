"""PyTorch: scaled_dot_product_attention in the ways that people call it, and flex_attention, compiled."""
import sys

import numpy
import torch
from torch.nn.functional import scaled_dot_product_attention

from call import Call
from serve import Refused, Variant, Variants, collect, serve


def as_tensor(array: numpy.ndarray, dtype: str) -> torch.Tensor:
    """The same memory."""
    if array.dtype == numpy.uint16 and dtype == "bf16":
        return torch.from_numpy(array.view(numpy.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def as_stored(result: torch.Tensor) -> numpy.ndarray:
    if result.dtype == torch.bfloat16:
        return result.contiguous().view(torch.int16).numpy().view(numpy.uint16)
    return result.numpy()


def prepare(call: Call) -> tuple[Variants, Refused]:
    q, k, v = (as_tensor(array, call.dtype) for array in (call.query, call.key, call.value))
    mask = None if call.mask_or_none is None else as_tensor(call.mask, call.dtype)
    grouped, group = call.group > 1, call.group
    # torch counts causal from the first key: the same where there are as many queries as keys, as in every such shape.
    options = {"attn_mask": mask, "is_causal": call.causal}

    def sdpa() -> Variant | None:
        return None if grouped else Variant(lambda: scaled_dot_product_attention(q, k, v, **options), as_stored)

    def gqa() -> Variant | None:
        run = lambda: scaled_dot_product_attention(q, k, v, enable_gqa=True, **options)
        return Variant(run, as_stored) if grouped else None

    def expand() -> Variant | None:
        if not grouped:
            return None
        wide_k, wide_v = (x.repeat_interleave(group, dim=1) for x in (k, v))  # not timed
        return Variant(lambda: scaled_dot_product_attention(q, wide_k, wide_v, **options), as_stored)

    def fold() -> Variant | None:
        if not grouped or q.shape[2] != 1:
            return None
        rows = q.reshape(q.shape[0], k.shape[1], group, q.shape[3])  # a group's heads as queries of one head
        return Variant(lambda: scaled_dot_product_attention(rows, k, v), lambda r: as_stored(r.reshape(q.shape)))

    def flex() -> Variant | None:
        if not call.causal or call.dtype == "f16":
            return None
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention
        blocks = create_block_mask(lambda b, h, i, j: i >= j, None, None, q.shape[2], k.shape[2], device="cpu")
        compiled = torch.compile(flex_attention, dynamic=False)
        return Variant(lambda: compiled(q, k, v, block_mask=blocks, enable_gqa=grouped), as_stored)

    return collect({"sdpa": sdpa, "gqa": gqa, "expand": expand, "fold": fold, "flex": flex})


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    torch.set_num_threads(int(sys.argv[1]))
    assert torch.get_num_threads() == int(sys.argv[1])
    serve(prepare)
