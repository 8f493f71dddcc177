"""A side of the comparison in a process of its own: reads requests from standard input, one JSON object a line, and
answers likewise. The C++ worker of Attune speaks the same.

    {"do": "prepare", "call": {...}}                        -> {"variants": [names], "refused": {name: why}}
    {"do": "compute", "variant": name}                      -> {"seconds": of that}, the result being in the call's `out`
    {"do": "time", "variant": name, "after": at least, "seconds": at least}
        -> {"seconds": of one call, "cpu": of the same, all threads}, not counting calls that go on for so long before
What goes wrong is answered with {"error": text}.
"""
import json
import sys
import time
from dataclasses import dataclass
from typing import Any, Callable

import numpy

from call import Call


@dataclass
class Variant:
    """One way to compute the call. `result` turns what `run` returns into [B, H, Sq, D] as stored; it is not timed.
    `reset`, where there is one, comes before every `calls_per_reset` calls and is not timed either."""
    run: Callable[[], Any]
    result: Callable[[Any], numpy.ndarray]
    reset: Callable[[], None] | None = None
    calls_per_reset: int = 0


Variants = dict[str, Variant]
Refused = dict[str, str]


def seconds_per_call(run: Callable[[], Any], at_least: float) -> tuple[float, float]:
    """Wall and CPU time of one call: the mean over at least so many seconds, and one call."""
    calls, batch = 0, 1
    cpu, start = time.process_time(), time.perf_counter()
    while True:
        for _ in range(batch):
            run()
        calls += batch
        elapsed = time.perf_counter() - start
        if elapsed >= at_least:
            return elapsed / calls, (time.process_time() - cpu) / calls
        batch = max(1, min(calls, int(calls * (at_least / elapsed - 1))))


def seconds_with_resets(variant: Variant, at_least: float) -> tuple[float, float]:
    """As seconds_per_call(), of the calls alone."""
    calls, elapsed, cpu = 0, 0.0, 0.0
    while elapsed < at_least:
        variant.reset()
        cpu_start, start = time.process_time(), time.perf_counter()
        for _ in range(variant.calls_per_reset):
            variant.run()
        elapsed += time.perf_counter() - start
        cpu += time.process_time() - cpu_start
        calls += variant.calls_per_reset
    return elapsed / calls, cpu / calls


def timed(variant: Variant, at_least: float) -> tuple[float, float]:
    return seconds_with_resets(variant, at_least) if variant.reset else seconds_per_call(variant.run, at_least)


def serve(prepare: Callable[[Call], tuple[Variants, Refused]]) -> None:
    answers = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is no answer
    call, variants = None, {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "prepare":
                call = Call.from_message(request["call"])
                variants, refused = prepare(call)
                answer = {"variants": list(variants), "refused": refused}
            else:
                variant = variants[request["variant"]]
                if variant.reset:
                    variant.reset()
                start = time.perf_counter()
                done = variant.run()  # warms up, too
                if request["do"] == "compute":
                    answer = {"seconds": time.perf_counter() - start}
                    call.out[...] = variant.result(done)
                else:
                    if request["after"] > 0:
                        timed(variant, request["after"])
                    seconds, cpu = timed(variant, request["seconds"])
                    answer = {"seconds": seconds, "cpu": cpu}
        except Exception as error:  # whatever a peer throws is an answer, and the next request is served
            answer = {"error": reason(error)}
        print(json.dumps(answer), file=answers, flush=True)


def reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:160]


def collect(makers: dict[str, Callable[[], Variant | None]]) -> tuple[Variants, Refused]:
    """The variants that can be made and are not hopeless; a maker returns None where the variant does not apply."""
    variants, refused, fastest = {}, {}, float("inf")
    for name, make in makers.items():
        try:
            variant = make()
            if variant is None:
                continue
            start = time.perf_counter()
            variant.run()
            seconds = time.perf_counter() - start
            fastest = min(fastest, seconds)
            if seconds > max(1.0, 20 * fastest):
                refused[name] = f"left out: {seconds:.1f} s a call"
            else:
                variants[name] = variant
        except Exception as error:
            refused[name] = reason(error)
    return variants, refused
