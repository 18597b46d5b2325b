"""The Ray engine beside the local one: whole runs in turn on the same cores, Ray's start-up included.

    python bench/engines.py [20000] [--turns 2] [--write]

Prints seconds and peak memory of each, the ratio of the best of each engine, and whether the bytes are the same. With
--write the table goes to docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import page
import psutil
from make import memory


@dataclass(frozen=True)
class Run:
    seconds: float  # by the clock
    cpu: float  # seconds of cores, Ray's own processes included, as of the last look each second
    pss: int  # bytes, summed over the process tree
    data: str  # a hash of data/


def run(engine: str, n: int) -> Run:
    """One run in a folder of its own, thrown away afterwards."""
    cores = str(os.cpu_count() or 1)
    with tempfile.TemporaryDirectory(prefix="storygen-bench-") as scratch:
        folder = Path(scratch) / "run"
        command = [sys.executable, "-m", "storygen", "make", "--n", str(n), "--out", str(folder)]
        environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
        begin, most, spent = time.perf_counter(), 0, dict[int, float]()
        process = subprocess.Popen(
            [*command, "--engine", engine, "--workers", cores],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        while process.poll() is None:
            most = max(most, memory(process.pid, full=True)[1])
            spent |= taken(process.pid)
            time.sleep(1.0)
        seconds = time.perf_counter() - begin
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}: exit {process.returncode}")
        digest = hashlib.sha256()
        for path in sorted((folder / "data").rglob("*.jsonl")):
            digest.update(path.name.encode() + path.read_bytes())
        return Run(seconds, sum(spent.values()), most, digest.hexdigest())


def taken(pid: int) -> dict[int, float]:
    """Seconds of cores that each process of a tree has taken so far."""
    out: dict[int, float] = {}
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                used = process.cpu_times()
                out[process.pid] = used.user + used.system
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("n", type=int, nargs="?", default=20_000)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    best: dict[str, Run] = {}
    for _ in range(asked.turns):
        for engine in ("local", "ray"):
            found = run(engine, asked.n)
            print(
                f"{engine}: {found.seconds:.1f} s, {found.cpu:.1f} s of cores, {found.pss / 2**20:,.0f} MiB PSS",
                flush=True,
            )
            if engine not in best or found.seconds < best[engine].seconds:
                best[engine] = found
    local, ray = best["local"], best["ray"]
    same = "the same bytes" if local.data == ray.data else "OTHER BYTES"
    by_clock, by_cores = ray.seconds / local.seconds, ray.cpu / local.cpu
    told = f"n = {asked.n:,}: Ray takes {by_clock:.2f} times as long, {by_cores:.2f} times the time of cores; {same}."
    head = [f"engine, best of {asked.turns}", "seconds", "seconds of cores", "MiB PSS"]
    rows = [[name, f"{r.seconds:.1f}", f"{r.cpu:.1f}", f"{r.pss / 2**20:,.0f}"] for name, r in best.items()]
    body = f"{told}\n\n{page.table(head, rows)}"
    if asked.write:
        page.write("benchmarks.md", "ray", "Ray beside the local engine", body)
    else:
        print(body)


if __name__ == "__main__":
    main()
