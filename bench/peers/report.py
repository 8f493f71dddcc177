"""The table, the means by class, and CSV."""
import csv
import math
from typing import TextIO

from measure import Peer, Result
from shapes import GOALS, Goal

NOISE = 0.97  # a median down to this counts as equal where the quartiles straddle 1


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def best(result: Result) -> Peer | None:
    """The peer that Attune is least ahead of."""
    timed = [peer for peer in result.peers if peer.ratios]
    return min(timed, key=lambda peer: peer.quartiles()[1]) if timed else None


def not_slower(peer: Peer) -> bool:
    low, middle, high = peer.quartiles()
    return middle >= 1 or (middle >= NOISE and low <= 1 <= high)


def rate(result: Result, seconds: float) -> str:
    """GFLOP/s; of a decode GB/s of keys and values as stored."""
    if result.shape.kind.startswith("decode"):
        size = 4 if result.dtype == "f32" else 2
        stored = 2 * size * result.shape.batch * result.shape.kv_heads * result.shape.keys * result.shape.dim
        return f"{stored / seconds * 1e-9:.1f} GB"
    return f"{result.shape.flops() / seconds * 1e-9:.1f} GF"


def print_heading(names: list[str]) -> None:
    print(f"{'shape':<18}{'dtype':<6}{'thr':>3}{'attune':>10}", end="")
    for name in names:
        print(f"{name + ': time over attune':>40}", end="")
    print()


def print_row(result: Result) -> None:
    print(f"{result.shape.name:<18}{result.dtype:<6}{result.threads:>3}{rate(result, result.seconds):>10}", end="")
    for peer in result.peers:
        if peer.ratios:
            low, middle, high = peer.quartiles()
            mark = "" if not_slower(peer) else " SLOWER"
            words = f"{middle:.2f} [{low:.2f} {high:.2f}] {peer.variant}{mark}"
        else:
            words = "-"
        print(f"{words:>40}", end="")
    print(flush=True)
    for peer in result.peers:
        for note in peer.notes:
            print(f"{'':<27}{peer.name} {note[:110]}")
        if peer.cores > result.threads * 1.25:
            print(f"{'':<27}{peer.name} used {peer.cores:.1f} cores: more than it was given")


def of_goal(goal: Goal, results: list[Result]) -> list[float]:
    ratios = []
    for result in results:
        if goal.dtype not in ("any", result.dtype) or goal.kind not in ("any", result.shape.kind):
            continue
        peer = result.sdpa if goal.against == "sdpa" else best(result)
        if peer is not None and peer.ratios:
            ratios.append(peer.quartiles()[1])
    return ratios


def print_summary(results: list[Result]) -> None:
    for threads in sorted({result.threads for result in results}):
        those = [result for result in results if result.threads == threads]
        print(f"\nGeometric means of time over Attune's, {threads} thread{'' if threads == 1 else 's'}:")
        for goal in GOALS:
            ratios = of_goal(goal, those)
            if ratios:
                mean = geometric_mean(ratios)
                whom = "torch scaled_dot_product_attention" if goal.against == "sdpa" else "the best peer of each shape"
                print(f"  {goal.dtype:<5}{goal.kind:<9}{mean:6.2f}  (goal {goal.at_least:.2f}"
                      f"{'' if mean >= goal.at_least else ', BELOW'})  {len(ratios)} shapes, against {whom}")
        slower = [f"{r.shape.name} {r.dtype}" for r in those if (peer := best(r)) and not not_slower(peer)]
        print(f"  slower than a peer: {', '.join(slower) if slower else 'nowhere'}")
    print("\nLargest error against float64, over the row's largest element:")
    for dtype in dict.fromkeys(result.dtype for result in results):
        errors = {"attune": max(r.error for r in results if r.dtype == dtype)}
        for result in results:
            for peer in result.peers if result.dtype == dtype else ():
                if peer.ratios:
                    errors[peer.name] = max(errors.get(peer.name, 0), peer.error)
        print(f"  {dtype:<5}" + ", ".join(f"{name} {error:.1e}" for name, error in errors.items()))


def write_csv(file: TextIO, results: list[Result]) -> None:
    table = csv.writer(file)
    table.writerow(["shape", "class", "dtype", "threads", "attune_seconds", "attune_error", "peer", "variant",
                    "ratio_q1", "ratio_median", "ratio_q3", "pairs", "peer_error", "peer_cores", "notes"])
    for result in results:
        both = result.peers + ([result.sdpa] if result.sdpa and result.sdpa not in result.peers else [])
        for peer in both:
            low, middle, high = peer.quartiles() if peer.ratios else ("", "", "")
            table.writerow([result.shape.name, result.shape.kind, result.dtype, result.threads, result.seconds,
                            result.error, peer.name, peer.variant, low, middle, high, len(peer.ratios), peer.error,
                            round(peer.cores, 2), "; ".join(peer.notes)])
