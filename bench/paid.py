"""Thousands of premises through the fake API with a share of every fault: exact n, nothing twice, the cap, memory.

    python bench/paid.py [--n 5000] [--share 0.03] [--mode anthropic-batch] [--out out/bench-paid]

First under a cap that is hit in mid-flight, then without one to the end. The server (`tests/fake_api.py`) is a
process of its own: the memory is that of `storygen` alone, and what was billed is what the server says. Exits 1 where
a bar is missed: exactly n kept, no request generated twice, never more billed than the cap, memory flat (n >= 2,000).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
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

EVERY = 500  # premises that came to an end between two looks at the memory


def serve(share: float, pipe: Connection) -> None:
    """The fake API with its faults; answers each word with what it has counted, and ends at "stop"."""
    names = [*fake_api.MODEL_FAULTS, *fake_api.SERVER_FAULTS, *fake_api.RESULT_FAULTS]
    with fake_api.FakeApi(dict.fromkeys(names, share), batch_seconds=0.2) as api:
        api.lose_creates, api.cut_results = 2, 2
        pipe.send(api.environment())
        word = ""
        while word != "stop":
            word = pipe.recv()
            asked = {name: count for name, count in api.asked.items() if not name.startswith("turn:")}
            times = dict(Counter(api.generated.values()))
            pipe.send((asked, times, len(api.batches), api.most_at_once, api.billed))


class Scales(progress.Lines):
    """The run's own lines, and its resident memory at the end of each stage and every 500 premises of writing."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0
        self.rounds: list[list[int]] = []  # MiB at every 500 premises written, by call of the writer
        self.stages: list[tuple[str, int, int]] = []  # stage, texts in it, MiB
        self._stage = ""
        self._process = psutil.Process()

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[None]:
        self._stage = name
        if name == "write":
            self.written = 0
            self.rounds.append([])
        with super().stage(name, total):
            yield
        if total >= EVERY:
            self.stages.append((name, total, self._weigh()))

    def advance(self, count: int) -> None:
        super().advance(count)
        if self._stage == "write":
            self.written += count
            if self.written % EVERY == 0:
                self.rounds[-1].append(self._weigh())

    @property
    def flat(self) -> bool:
        """Whether every long round of writing ends with what it had after a thousand, give or take a tenth."""
        long = [sizes for sizes in self.rounds if len(sizes) >= 4]
        return bool(long) and all(sizes[-1] <= 1.1 * sizes[1] for sizes in long)

    def _weigh(self) -> int:
        return int(self._process.memory_info().rss) >> 20


def make(settings: Settings, scales: Scales) -> tuple[int, str]:
    """One run: records kept, and what it came to."""
    try:
        with engines.open_engine("local", settings.workers) as engine:
            done = pipeline.make(settings, engine, scales)
    except ShortRun as short:
        return 0, short.message
    return (
        done.kept,
        f"{done.kept} kept + {done.rejected} rejected + {done.failed} failed = {done.attempted} attempted",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=5_000)
    parser.add_argument("--share", type=float, default=0.03)
    parser.add_argument("--mode", default="anthropic-batch", choices=["anthropic", "anthropic-batch"])
    parser.add_argument("--cap", type=float, help="USD of the first run (default: a few cents for ten records).")
    parser.add_argument("--out", type=Path, default=Path("out/bench-paid"))
    asked = parser.parse_args()
    cap = asked.cap or asked.n * (0.0006 if asked.mode == "anthropic-batch" else 0.0012)
    shutil.rmtree(asked.out, ignore_errors=True)
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(asked.share, theirs), daemon=True)
    server.start()
    os.environ.update(ours.recv())
    run.Pace = pace  # type: ignore[misc,assignment]
    scales = Scales()
    settings = replace(
        Settings(), n=asked.n, out=asked.out, workers=1, writer=f"{asked.mode}:{fake_api.MODEL}", max_usd=cap
    )
    begin = time.perf_counter()
    first, told = make(settings, scales)
    ours.send("count")
    billed = ours.recv()[-1]
    with Ledger.read(asked.out) as ledger:
        spent = Calls(ledger).spent()
    print(f"cap ${cap:.2f}: {told}\n  the server billed ${billed:.4f}; the ledger counts ${spent:.4f}")
    kept, told = make(replace(settings, max_usd=None), scales)
    ours.send("stop")
    requests, times, batches, most, all_billed = ours.recv()
    server.join()
    with Ledger.read(asked.out) as ledger:
        spent, shares = Calls(ledger).spent(), Calls(ledger).shares()
    print(f"no cap: {told}\n  the server billed ${all_billed:.4f}; the ledger counts ${spent:.4f}", end="")
    print(f", of which ${shares['usd_unconfirmed']:.4f} for answers that were lost, at their worst case")
    print(f"{time.perf_counter() - begin:.0f} s; {batches} batches; {most} requests at once at most")
    print("asked:", json.dumps(requests))
    print("how often a request was generated, and how many requests that is:", times)
    print("resident MiB after each 500 premises of writing, by round:", [sizes for sizes in scales.rounds if sizes])
    print("resident MiB after a stage of so many texts:", scales.stages)
    print(f"most, with export and report: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")
    bars = {
        "exact n": kept == asked.n,
        "the cap was hit in mid-flight": first == 0,
        "the cap was never exceeded": billed <= cap,
        "nothing was generated twice": set(times) == {1},
        "memory is flat while writing": scales.flat,
    }
    print("\n".join(f"{'ok ' if held else 'NOT'} {bar}" for bar, held in bars.items()))
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
