"""A side's process, seen from the comparison: serve.py says what is asked and answered."""
import json
import os
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from call import Call

HERE = Path(__file__).resolve().parent
WORKER = HERE.parent.parent / "build" / "release" / "bench" / "attune_peers_worker"


# Seconds for which a side of several threads runs before it is timed. Of threads that were stopped, Linux at times starts
# two on one core, all the more in a virtual machine, and parts them after two of its ticks, 20 ms.
SETTLING = 0.03


class SideError(Exception):
    """What a side answered, or that it ended."""


class Side:
    def __init__(self, name: str, command: list, version: str, threads: int):
        self.name, self.version = name, version
        self._settling = SETTLING if threads > 1 else 0.0
        # Shared memory has small pages. NumPy would ask for huge ones for its own copies, which read half as fast again.
        environment = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, text=True, env=environment)

    def ask(self, **request) -> dict:
        """The process runs only while it is asked: threads that still spin for their next call would slow others."""
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        self._process.send_signal(signal.SIGSTOP if line else signal.SIGCONT)
        if not line:
            raise SideError(f"{self.name} ended with status {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise SideError(answer["error"])
        return answer

    def prepare(self, call: Call) -> tuple[list[str], dict[str, str]]:
        answer = self.ask(do="prepare", call=call.message())
        return answer["variants"], answer["refused"]

    def compute(self, variant: str) -> float:
        """Seconds that it took."""
        return self.ask(do="compute", variant=variant)["seconds"]

    def time(self, variant: str, seconds: float) -> tuple[float, float]:
        """Wall and CPU seconds of one call."""
        answer = self.ask(do="time", variant=variant, after=self._settling, seconds=seconds)
        return answer["seconds"], answer["cpu"]

    def close(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        self._process.communicate()  # closes its input, which ends it


def attune(threads: int) -> Side:
    if not WORKER.exists():
        sys.exit(f"{WORKER} is missing: cmake --preset release && cmake --build --preset release --target "
                 f"{WORKER.name}")
    return Side("attune", [WORKER, str(threads)], "this tree", threads)


def peers(threads: int) -> tuple[list[Side], list[str]]:
    """Those that are installed, and what to say of those that are not."""
    sides, missing = [], []
    for package in ("torch", "onnxruntime", "openvino"):
        try:
            version = metadata.version(package)
            if package == "onnxruntime":
                metadata.version("onnx")  # its models are made with it
            sides.append(Side(package, [sys.executable, HERE / f"{package}_side.py", str(threads)], version, threads))
        except metadata.PackageNotFoundError as error:
            missing.append(f"{package} is skipped: {error.name} is not installed")
    return sides, missing
