"""Attune and its peers in one run, on equal numbers of threads. `peers` makes the environment for this and starts it."""
import argparse
import os
import platform
import sys

import report
from measure import measure
from shapes import QUICK, SHAPES
from side import SideError, attune, peers


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="peers", description="Times attention in Attune, PyTorch, ONNX Runtime and OpenVINO, in turn.",
        epilog="A ratio is a peer's time over Attune's, the median of pairs timed one right after the other, with "
               "quartiles. Every result is checked against float64 first. Exit status: 0 compared, 1 a result of "
               "Attune was wrong, 2 the command line was wrong.")
    parser.add_argument("--only", action="append", metavar="SHAPE", help="this shape (may be given again)")
    parser.add_argument("--dtype", action="append", choices=("f32", "bf16", "f16"), help="this dtype (likewise)")
    parser.add_argument("--threads", type=int, action="append", metavar="N",
                        help="this many threads (likewise; default: 1, and all cores)")
    parser.add_argument("--pairs", type=int, default=15, help="pairs of each peer (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a few small shapes, 5 pairs")
    parser.add_argument("--csv", metavar="FILE", help="write what was measured there, too")
    parser.add_argument("--list", action="store_true", help="list the shapes and measure nothing")
    chosen = parser.parse_args()
    known = {shape.name for shape in SHAPES}
    for name in chosen.only or ():
        if name not in known:
            parser.error(f"--only is {name}; there are {', '.join(shape.name for shape in SHAPES)}")
    if any(threads < 1 for threads in chosen.threads or ()) or chosen.pairs < 1:
        parser.error("--threads and --pairs are 1 or more")
    if chosen.quick:
        chosen.only, chosen.pairs = chosen.only or list(QUICK), 5
    return chosen


def main() -> int:
    chosen = arguments()
    shapes = [shape for shape in SHAPES if not chosen.only or shape.name in chosen.only]
    if chosen.list:
        for shape in shapes:
            print(f"{shape.name:<18}{shape.kind:<12}{' '.join(shape.dtypes)}")
        return 0
    cores = len(os.sched_getaffinity(0))
    results, wrong = [], False
    for threads in chosen.threads or sorted({1, cores}):
        ours, (others, missing) = attune(threads), peers(threads)
        print(f"{platform.processor() or platform.machine()}, {threads} of {cores} cores; attune against "
              + ", ".join(f"{side.name} {side.version}" for side in others))
        for line in missing:
            print(line)
        report.print_heading([side.name for side in others])
        for shape in shapes:
            for dtype in shape.dtypes:
                if chosen.dtype and dtype not in chosen.dtype:
                    continue
                try:
                    results.append(measure(shape, dtype, threads, ours, others, chosen.pairs))
                    report.print_row(results[-1])
                except SideError as error:
                    print(f"{shape.name:<18}{dtype:<6} attune: {error}")
                    wrong = True
        for side in [ours, *others]:
            side.close()
    if results:
        report.print_summary(results)
    if chosen.csv:
        with open(chosen.csv, "w", newline="") as file:
            report.write_csv(file, results)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
