"""Thousands of premises through the fake API with a share of every fault: exact n, nothing twice, the cap, memory.

    python bench/paid.py [--n 5000] [--share 0.03] [--mode anthropic-batch] [--out out/bench-paid]

First under a cap that is hit in mid-flight, then with a higher one to the end. The server (`tests/fake_api.py`) is a
process of its own, so the memory is that of `storygen` alone. Prints what was kept, what the server was asked, how
often it generated any request twice, the highest spend against the cap, and resident memory every few seconds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import fake_api
import psutil
from paid import pace

from storygen import engines, pipeline, progress
from storygen.calls import Calls
from storygen.errors import ShortRun
from storygen.ledger import Ledger
from storygen.settings import Settings
from storygen.writers import run


def serve(share: float, pipe: Connection) -> None:
    """The fake API with its faults, until told to stop; then sends back what it counted."""
    names = [*fake_api.MODEL_FAULTS, *fake_api.SERVER_FAULTS, *fake_api.RESULT_FAULTS]
    with fake_api.FakeApi(dict.fromkeys(names, share), batch_seconds=0.2) as api:
        api.lose_creates, api.cut_results = 2, 2
        pipe.send(api.environment())
        pipe.recv()
        asked = {name: count for name, count in api.asked.items() if not name.startswith("turn:")}
        pipe.send((asked, dict(Counter(api.generated.values())), len(api.batches), api.most_at_once))


def make(settings: Settings) -> str:
    """One run; what it came to."""
    try:
        with engines.open_engine("local", settings.workers) as engine:
            done = pipeline.make(settings, engine, progress.Lines())
    except ShortRun as short:
        return short.message
    return f"{done.kept} kept + {done.rejected} rejected + {done.failed} failed = {done.attempted} attempted"


def watch(sizes: list[int], stop: threading.Event) -> None:
    process = psutil.Process()
    while not stop.wait(2):
        sizes.append(process.memory_info().rss >> 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=5_000)
    parser.add_argument("--share", type=float, default=0.03)
    parser.add_argument("--mode", default="anthropic-batch", choices=["anthropic", "anthropic-batch"])
    parser.add_argument("--cap", type=float, default=3.0)
    parser.add_argument("--out", type=Path, default=Path("out/bench-paid"))
    asked = parser.parse_args()
    shutil.rmtree(asked.out, ignore_errors=True)
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(asked.share, theirs), daemon=True)
    server.start()
    os.environ.update(ours.recv())
    run.Pace = pace  # type: ignore[misc,assignment]
    settings = replace(
        Settings(), n=asked.n, out=asked.out, workers=1, writer=f"{asked.mode}:{fake_api.MODEL}", max_usd=asked.cap
    )
    sizes: list[int] = []
    stop = threading.Event()
    thread = threading.Thread(target=watch, args=(sizes, stop))
    thread.start()
    begin = time.perf_counter()
    print(f"cap ${asked.cap:.2f}: {make(settings)}")
    with Ledger.read(asked.out) as ledger:
        print(f"spent under it: ${Calls(ledger).spent():.4f}")
    print(f"no cap: {make(replace(settings, max_usd=None))}")
    took = time.perf_counter() - begin
    stop.set()
    thread.join()
    ours.send("stop")
    requests, times, batches, most = ours.recv()
    server.join()
    print(f"{took:.0f} s; {batches} batches; {most} requests at once at most")
    print("asked:", json.dumps(requests))
    print("how often a request was generated, and how many requests that is:", times)
    print(f"resident MiB every {max(len(sizes) // 15, 1) * 2} s:", sizes[:: max(len(sizes) // 15, 1)])
    print(f"most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")


if __name__ == "__main__":
    main()
