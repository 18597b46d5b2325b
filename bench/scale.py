"""Memory and time by stage as the corpus grows, and what 50 million records would take.

    python bench/scale.py stages [10000 50000 200000 1000000]     the driver's stages over synthetic texts
    python bench/scale.py search [200000 1000000]                 who shares a bucket: here, and as Ray's group-by
    python bench/scale.py runs [10000 40000 160000]               whole runs of `storygen make`

The stages are the real ledger, global pass, split, export and report, each in a process of its own, so that its peak
is its own; the texts are random words (as long as the grammar's) with one near-duplicate in 200. Tables go to
docs/scale.md. Both can take many minutes: run them in the background.
"""

from __future__ import annotations

import itertools
import json
import os
import pickle
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import make
import numpy as np
import page

from storygen import export, finish, pipeline, progress, ray_search, settings, stages
from storygen.ledger import Ledger, Made
from storygen.ray_engine import RayEngine
from storygen.screens import buckets, duplicates
from storygen.text import block

FAR = 50_000_000
WORDS = 500  # a text, as the grammar's
NEAR = 200  # one text in so many is an edited copy of an earlier one
SHARE = 0.02  # held out for validation


class Quiet(progress.Lines):
    def say(self, line: str) -> None:
        pass


def write(folder: Path, n: int) -> None:
    """The ledger of `n` synthetic texts, as `make` commits them."""
    vocabulary = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("ck", "l", "mb", "nd", "r", "st")]
    kinds = ("story",) * 6 + ("document",) * 3 + ("advice",)
    rng, texts = random.Random(0), list[str]()
    with Ledger.hold(folder) as ledger:
        ledger.put("settings", settings.Settings(n=n).identity())
        for at in range(0, n, 2_000):
            for index in range(at, min(at + 2_000, n)):
                words = rng.choices(vocabulary, k=WORDS)
                if index % NEAR == 1:
                    words = texts[index % 2_000 - 1].split()
                    words[rng.randrange(WORDS)] = "edited"
                texts[index % 2_000 : index % 2_000 + 1] = [" ".join(words)]
            count = min(2_000, n - at)
            signed = duplicates.signatures(block(texts[:count]))
            ledger.commit(made(at + k, texts[k], kinds[(at + k) % 10], signed[k].tobytes()) for k in range(count))


def made(index: int, text: str, kind: str, signature: bytes) -> Made:
    identity, cell = f"{kind}-{index:08d}", f"{kind}/pressure-{index % 24}/hold"
    axes = {f"axis-{k}": f"value-{index % (k + 7)}" for k in range(14)} | {"cell": cell}
    meta = {"kind": kind, "seed": 0, "premise": axes, "words": WORDS, "sha256": "0" * 64}
    line = json.dumps({"id": identity, "text": text, "meta": meta})
    return Made(
        index, identity, kind, cell, f"family-{index % 3_000}", line, None, None, "{}", 0.0,
        '{"scores": {}}', signature,
    )  # fmt: skip


def global_pass(folder: Path, n: int) -> None:
    with Ledger.hold(folder) as ledger:
        pipeline.find_duplicates(ledger, duplicates.DuplicateIndex(), Quiet())


def top_up(folder: Path, n: int) -> None:
    """Premises of the quota, and what is missing: what `make` asks between its rounds."""
    plan = stages.plan(settings.Settings().spec())
    Counter(map(plan.cell, range(n)))
    with Ledger.hold(folder) as ledger:
        ledger.attempted()
        ledger.kept_by_cell()


def split(folder: Path, n: int) -> None:
    with Ledger.read(folder) as ledger:
        export.split(ledger.kept(), ledger.near_pairs(), SHARE)


def write_data(folder: Path, n: int) -> None:
    with Ledger.read(folder) as ledger:
        export.export(ledger, folder, SHARE)
        export.write_rejected(ledger, folder / "rejected.jsonl")


def take(folder: Path, n: int) -> None:
    """A shard of that size into the ledger of a merged run."""
    with Ledger.hold(folder / "merged") as ledger:
        ledger.take(folder)
    shutil.rmtree(folder / "merged")


def report(folder: Path, n: int) -> None:
    with Ledger.read(folder) as ledger:
        finish.write_report(ledger)


STAGES: dict[str, Callable[[Path, int], None]] = {
    "write (synthetic) and commit": write,
    "global near-duplicate pass": global_pass,
    "quota and top-up": top_up,
    "split": split,
    "split and export": write_data,
    "report": report,
    "merge of a shard": take,
}


@dataclass(frozen=True)
class Cost:
    seconds: float  # by the clock
    cpu: float  # seconds of a core: on a shared machine the fairer measure of growth
    peak: int  # bytes above what the process took before it began


def one(stage: str, folder: Path, n: int) -> None:
    """In a process of its own: run a stage, print its cost as JSON."""
    warm = Path(tempfile.mkdtemp(prefix="storygen-bench-"))
    write(warm, 600)
    STAGES[stage](warm, 600)  # what is loaded once is loaded
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin, spent = time.perf_counter(), time.process_time()
    STAGES[stage](folder, n)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - spent
    shutil.rmtree(warm)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak}))


def measure(n: int) -> tuple[dict[str, Cost], dict[str, int]]:
    """Every stage at one size, and bytes of what lies in the folder."""
    folder = Path(tempfile.mkdtemp(prefix="storygen-bench-"))
    costs = {}
    try:
        for stage in STAGES:
            done = subprocess.run(
                [sys.executable, __file__, "one", stage, str(folder), str(n)], stdout=subprocess.PIPE, check=True
            )  # fmt: skip
            costs[stage] = Cost(**json.loads(done.stdout))
            c = costs[stage]
            print(f"{n:,} {stage}: {c.cpu:.1f} s of {c.seconds:.1f} s, {c.peak / 1e6:,.0f} MB", flush=True)
        disk = {
            "run.db": (folder / "run.db").stat().st_size,
            "data/": sum(p.stat().st_size for p in (folder / "data").rglob("*.jsonl")),
        }
        return costs, disk
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def by_stage(sizes: list[int]) -> None:
    found = {n: measure(n) for n in sizes}
    before, last = sizes[-2:]
    head = ["stage", *(f"{n:,}" for n in sizes), f"{before:,} → {last:,} over linear", f"at {FAR:,}"]
    clock = [*head[: len(sizes) + 1], f"{last:,} by the clock", *head[len(sizes) + 1 :]]
    seconds, memory = [], []
    for stage in STAGES:
        each = [found[n][0][stage] for n in sizes]
        took, peak = [c.cpu for c in each], [float(c.peak) for c in each]
        a_record = [f"{1e6 * t / n:,.1f}" for t, n in zip(took, sizes, strict=True)]
        by_clock, far = f"{1e6 * each[-1].seconds / last:,.1f}", f"{_far(took, sizes) / 60:,.0f} min"
        seconds.append([stage, *a_record, by_clock, _grown(took, sizes), far])
        far = f"{_far(peak, sizes) / 1e9:,.1f} GB"
        memory.append([stage, *(f"{p / 1e6:,.0f}" for p in peak), _grown(peak, sizes), far])
    disk = {name: size / last for name, size in found[last][1].items()}
    moved = moves()
    body = [
        f"Texts of {WORDS} words, one near-duplicate in {NEAR}; one process, one core; {FAR:,} by the slope from "
        f"{before:,} to {last:,}. Microseconds of a core a record (= seconds a million records):",
        page.table(clock, seconds),
        "Peak memory above that of a run of 600, MB:",
        page.table(head, memory),
        f"Disk: {disk['run.db']:,.0f} bytes a record in run.db, {disk['data/']:,.0f} in data/; at {FAR:,} "
        f"{disk['run.db'] * FAR / 1e9:,.0f} GB and {disk['data/'] * FAR / 1e9:,.0f} GB.",
        "What Ray is asked to move:",
        page.table(["from, to", "bytes a record", f"at {FAR:,}"],
                   [[name, f"{size:,.0f}", f"{size * FAR / 1e9:,.0f} GB"] for name, size in moved.items()]),
    ]  # fmt: skip
    page.write("scale.md", "stages", "The driver's stages", "\n\n".join(body))


def _grown(values: Sequence[float], sizes: Sequence[int]) -> str:
    """The last step, over linear growth."""
    if not values[-2]:
        return ""
    return f"{values[-1] / values[-2] / (sizes[-1] / sizes[-2]):.2f}"


def _far(values: Sequence[float], sizes: Sequence[int]) -> float:
    slope = (values[-1] - values[-2]) / (sizes[-1] - sizes[-2])
    return values[-1] + slope * (FAR - sizes[-1])


def moves() -> dict[str, float]:
    """Bytes a record that cross process borders with --engine ray, from a real batch."""
    batch = stages.produce(settings.Settings().spec(), range(stages.BATCH))
    result = len(pickle.dumps(batch, protocol=5)) / stages.BATCH
    rows = ray_search.BANDS * (4 + 8 + 8 + 1)
    return {
        "premise indexes, driver to workers": len(pickle.dumps(tuple(range(stages.BATCH)))) / stages.BATCH,
        "texts, verdicts and signatures, workers to driver": result,
        "signatures, driver to the group-by (twice: firsts, neighbours)": 2 * (512 + 8 + 1),
        "band rows, through the shuffle (twice)": 2 * rows,
    }


def runs(sizes: list[int]) -> None:
    """Whole runs, and how much more than linearly they grow."""
    found, spent = [], []
    for n in sizes:
        before = children()
        found.append(make.measure(n, []))
        spent.append(children() - before)
    rows = [
        [
            f"{r.n:,}",
            f"{r.seconds:.1f}",
            f"{r.n / r.seconds:,.0f}",
            f"{cpu:.1f}",
            f"{r.rss / 2**20:,.0f}",
            f"{r.pss / 2**20:,.0f}",
        ]
        for r, cpu in zip(found, spent, strict=True)
    ]
    steps = [
        [
            f"{a.n:,} → {b.n:,}",
            *(f"{v / u / (b.n / a.n):.3f}" for u, v in ((a.seconds, b.seconds), (s, t), (a.rss, b.rss))),
        ]
        for (a, s), (b, t) in itertools.pairwise(zip(found, spent, strict=True))
    ]
    for run in found:
        make.show(run)
    stage_rows = [
        [f"{where} {name}", *(f"{1e6 * r.stages[where].get(name, 0.0) / r.n:,.1f}" for r in found)]
        for where in ("wall", "workers")
        for name in sorted(found[-1].stages[where])
    ]
    body = [
        page.table(["records", "seconds", "records/s", "seconds of a core", "MiB RSS", "MiB PSS"], rows),
        "Over linear (1 is linear, less is better):",
        page.table(["step", "time by the clock", "time of cores", "memory (RSS)"], steps),
        "Microseconds a record, by stage:",
        page.table(["stage", *(f"{r.n:,}" for r in found)], stage_rows),
    ]
    page.write("scale.md", "runs", "Whole runs", "\n\n".join(body))


def search(sizes: list[int]) -> None:
    """The global pass's search in this process and on a Ray of this machine's cores: seconds, and the same pairs."""
    rows = []
    with RayEngine(os.cpu_count() or 1) as engine:
        for n in sizes:
            rng = np.random.default_rng(n)
            signed = rng.integers(0, 2**32 - 1, (n, 128), dtype=np.uint32)
            late = np.arange(1, n, NEAR)
            signed[late, : int(0.8 * 128)] = signed[late - 1, : int(0.8 * 128)]
            took, pairs = [], []
            for how in (buckets.by_band, engine.search):
                begin = time.perf_counter()
                pairs.append(buckets.near(signed, search=how))
                took.append(time.perf_counter() - begin)
            same = "yes" if np.array_equal(*pairs) else "NO"
            rows.append(
                [f"{n:,}", *(f"{t:.1f}" for t in took), f"{took[1] / took[0]:.1f}", f"{len(pairs[0]):,}", same]
            )
            print(rows[-1], flush=True)
    head = ["signatures", "seconds here", "as a group-by", "ratio", "pairs", "same pairs"]
    page.write("scale.md", "search", "The search of the global pass", page.table(head, rows))


def children() -> float:
    """Seconds of cores that processes started from here, and theirs, have taken so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(arguments: list[str]) -> None:
    what, *rest = arguments or ["stages"]
    if what == "one":
        one(rest[0], Path(rest[1]), int(rest[2]))
    elif what == "runs":
        runs([int(n) for n in rest] or [10_000, 40_000, 160_000])
    elif what == "search":
        search([int(n) for n in rest] or [200_000, 1_000_000])
    else:
        by_stage([int(n) for n in rest] or [10_000, 50_000, 200_000, 1_000_000])


if __name__ == "__main__":
    main(sys.argv[1:])
