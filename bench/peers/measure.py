"""One shape in one dtype on all sides: checked, then timed in pairs of Attune and a peer, one right after the other."""
from dataclasses import dataclass, field
from statistics import median

import numpy

from call import Call, forget, make_call
from oracle import Oracle
from shapes import Shape
from side import Side, SideError

LOOK = 0.015  # seconds of one look at a side


@dataclass
class Peer:
    """What a peer came to."""
    name: str
    variant: str = ""  # its fastest that is right
    error: float = 0.0
    seconds: float = 0.0
    ratios: list[float] = field(default_factory=list)  # its time over Attune's, pair by pair
    cores: float = 0.0  # CPU time over wall time
    notes: list[str] = field(default_factory=list)  # variants that were refused or wrong

    def quartiles(self) -> tuple[float, float, float]:
        return tuple(float(x) for x in numpy.quantile(self.ratios, (0.25, 0.5, 0.75)))


@dataclass
class Result:
    shape: Shape
    dtype: str
    threads: int
    error: float = 0.0  # of Attune
    seconds: float = 0.0
    peers: list[Peer] = field(default_factory=list)
    sdpa: Peer | None = None  # PyTorch's scaled_dot_product_attention, in the fastest way to call it


def checked(side: Side, variant: str, call: Call, oracle: Oracle) -> tuple[float, float]:
    """The error of what the side computes and the seconds that it took; an exception where it is wrong."""
    call.out.view(numpy.uint8)[...] = 0xFF  # NaN in every dtype
    seconds = side.compute(variant)
    error = oracle.error(call.out)
    if not error <= oracle.tolerance:
        raise SideError(f"wrong result: off by {error:.2g} of the row's largest")
    return error, seconds


def candidates(side: Side, call: Call, oracle: Oracle, peer: Peer) -> dict[str, float]:
    """The right variants and their times; of those that are far behind only the first."""
    times = {}
    variants, refused = side.prepare(call)
    peer.notes += [f"{name}: {why}" for name, why in refused.items()]
    for variant in variants:
        try:
            error, times[variant] = checked(side, variant, call, oracle)
            peer.error = max(peer.error, error)
            if times[variant] < 5 * min(times.values()):
                times[variant] = min(times[variant], *(side.time(variant, LOOK)[0] for _ in range(2)))
        except SideError as error:
            peer.notes.append(f"{variant}: {error}")
    return times


def pair(attune: Side, side: Side, peer: Peer, seconds: list[float]) -> None:
    ours, _ = attune.time("attention", LOOK)
    theirs, cpu = side.time(peer.variant, LOOK)
    seconds.append(ours)
    peer.ratios.append(theirs / ours)
    peer.cores = max(peer.cores, cpu / theirs)


def measure(shape: Shape, dtype: str, threads: int, attune: Side, sides: list[Side], pairs: int) -> Result:
    call = make_call(shape, dtype)
    try:
        oracle, result = Oracle(call), Result(shape, dtype, threads)
        attune.prepare(call)
        result.error, _ = checked(attune, "attention", call, oracle)
        contests: list[tuple[Side, Peer]] = []
        for side in sides:
            peer = Peer(side.name)
            result.peers.append(peer)
            try:
                times = candidates(side, call, oracle, peer)
            except SideError as error:
                peer.notes.append(str(error))
                continue
            if times:
                peer.variant = min(times, key=times.get)
                contests.append((side, peer))
            if side.name == "torch" and (plain := {name: t for name, t in times.items() if name != "flex"}):
                result.sdpa = Peer("torch", min(plain, key=plain.get))
                if result.sdpa.variant != peer.variant:
                    contests.append((side, result.sdpa))
                else:
                    result.sdpa = peer
        ours: list[float] = []
        for _ in range(pairs):
            for side, peer in contests:
                pair(attune, side, peer, ours)
        result.seconds = median(ours) if ours else attune.time("attention", LOOK)[0]
        for _, peer in contests:
            peer.seconds = median(peer.ratios) * result.seconds
        return result
    finally:
        forget(call)
