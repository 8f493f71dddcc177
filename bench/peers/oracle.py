"""The definition, in float64, on rows from all over the result."""
import numpy

from call import Call, to_double

# What a right result may be off by, over the largest element of its row: see tolerance() in bench/workload.cpp. Twice
# as much in f16, for who keeps scores in it: 2**-12 of a score of some units is as much of its weight.
TOLERANCE = {"f32": 1e-4, "f16": 2.0**-9, "bf16": 2.0**-7}
ROWS = 64


def expected_row(call: Call, batch: int, head: int, query: int) -> numpy.ndarray:
    kv_head = head // call.group
    k = to_double(call.key[batch, kv_head], call.dtype)
    v = to_double(call.value[batch, kv_head], call.dtype)
    scores = k @ to_double(call.query[batch, head, query], call.dtype) / numpy.sqrt(call.query.shape[-1])
    mask = call.mask_or_none
    if mask is not None:
        batch_axis, head_axis, row_axis, _ = mask.shape
        row = mask[batch % batch_axis, head % head_axis, query % row_axis]
        scores = numpy.where(row, scores, -numpy.inf) if mask.dtype == bool else scores + to_double(row, call.dtype)
    if call.causal:
        scores[query + 1:] = -numpy.inf
    weights = numpy.exp(scores - scores.max())
    return weights @ v / weights.sum()


class Oracle:
    """Expected rows of one call, computed once."""

    def __init__(self, call: Call):
        batch, heads, queries, _ = call.query.shape
        rows = batch * heads * queries
        picked = numpy.unique(numpy.linspace(0, rows - 1, min(rows, ROWS)).astype(int))
        places = [(int(r // queries // heads), int(r // queries % heads), int(r % queries)) for r in picked]
        self._rows = {place: expected_row(call, *place) for place in places}
        self._dtype = call.dtype

    def error(self, out: numpy.ndarray) -> float:
        """The largest difference, over the largest element of its row; NaN counts as infinite."""
        worst = 0.0
        for place, right in self._rows.items():
            off = numpy.abs(to_double(out[place], self._dtype) - right).max() / numpy.abs(right).max()
            worst = max(worst, float(off) if numpy.isfinite(off) else float("inf"))
        return worst

    @property
    def tolerance(self) -> float:
        return TOLERANCE[self._dtype]
