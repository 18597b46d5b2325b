"""The main job, measured: seconds, peak memory of the process tree, and the time that each stage took.

    python bench/make.py                     n = 50,000
    python bench/make.py 10000 40000         and the ratio of the two
    python bench/make.py 50000 -- --workers 1

Memory is summed over the tree every 50 ms: RSS counts a page once for every process that maps it, PSS shares it out.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

EVERY = 0.05  # seconds between two looks at the process tree


@dataclass(frozen=True)
class Run:
    n: int
    seconds: float
    rss: int  # bytes, the largest sum seen
    pss: int
    stages: dict[str, dict[str, float]]
    sums: dict[str, int]


def measure(n: int, extra: list[str]) -> Run:
    """One run in a folder of its own, thrown away afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="storygen-bench-"))
    try:
        command = [sys.executable, "-m", "storygen", "make", "--n", str(n), "--out", str(folder / "run"), *extra]
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        rss = pss = 0
        looks = 0
        while process.poll() is None:
            now_rss, now_pss = memory(process.pid, full=looks % 10 == 0)
            rss, pss = max(rss, now_rss), max(pss, now_pss)
            looks += 1
            time.sleep(EVERY)
        seconds = time.perf_counter() - begin
        if process.returncode:
            raise SystemExit(process.stderr.read() if process.stderr else f"exit {process.returncode}")
        report = json.loads((folder / "run/report.json").read_text(encoding="utf-8"))
        return Run(n, seconds, rss, pss, report["seconds"], report["sum"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def memory(pid: int, full: bool) -> tuple[int, int]:
    """(RSS, PSS) in bytes, summed over a process and its children; PSS (dearer to ask for) only where `full`."""
    rss = pss = 0
    try:
        tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0, 0
    for process in tree:
        try:
            rss += process.memory_info().rss
            pss += process.memory_full_info().pss if full else 0
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return rss, pss


def show(run: Run) -> None:
    print(
        f"n = {run.n:,}: {run.seconds:.1f} s, {run.n / run.seconds:,.0f} records/s; peak of the tree "
        f"{run.rss / 2**20:,.0f} MiB RSS, {run.pss / 2**20:,.0f} MiB PSS; {run.sums}"
    )
    for where, stages in run.stages.items():
        each = ", ".join(f"{name} {seconds:.1f}" for name, seconds in sorted(stages.items(), key=lambda s: -s[1]))
        print(f"  {where} seconds: {each}")


def main(arguments: list[str]) -> None:
    own, extra = arguments, list[str]()
    if "--" in arguments:
        cut = arguments.index("--")
        own, extra = arguments[:cut], arguments[cut + 1 :]
    runs = [measure(int(n), extra) for n in own or ["50000"]]
    for run in runs:
        show(run)
    for a, b in itertools.pairwise(runs):
        times = f"{b.seconds / a.seconds:.2f} times as long, {b.rss / a.rss:.2f} times RSS"
        print(f"{b.n / a.n:.2f} times the records: {times}")


if __name__ == "__main__":
    main(sys.argv[1:])
