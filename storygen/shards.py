"""Shards: slices of the index space made apart (one a Slurm task, say), and the merge that makes one run of them.

A shard writes and screens its slice and stops there. What needs all texts (duplicates, top-up, splits, report) is
`pipeline.make` over a ledger that holds every shard's rows, so a merged run has the bytes of an undivided one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from storygen import pipeline, settings, stages
from storygen.engines import Engine
from storygen.errors import ShortRun, UsageError
from storygen.ledger import Ledger
from storygen.stopwatch import Stopwatch

MARKER = "shard.json"


def parse_shard(text: str) -> tuple[int, int]:
    """`3/64` → (3, 64): the fourth of 64, counted from 0. Raises UsageError."""
    index, slash, count = text.partition("/")
    if slash and index.isdigit() and count.isdigit() and int(index) < int(count):
        return int(index), int(count)
    raise UsageError(f"--shard does not parse: '{text}'.", "Write it like 3/64: shards 0 to 63 of 64.")


def slice_of(n: int, shard: tuple[int, int]) -> range:
    """The premise indexes of a shard; slices are contiguous and differ by at most one in length."""
    index, count = shard
    return range(n * index // count, n * (index + 1) // count)


def make_shard(asked: settings.Settings, engine: Engine, progress: pipeline.Progress) -> int:
    """Write and screen one slice into `asked.out`; returns its texts. Goes on after a kill like `make`."""
    if asked.shard is None:
        raise ValueError("not a shard")
    wanted = slice_of(asked.n, asked.shard)
    with Ledger.hold(asked.out) as ledger:
        asked.refuse_unless_equal(ledger.get("settings") or asked.identity())
        ledger.put("settings", asked.identity())
        ledger.put("kind", "shard")
        plan = stages.plan(asked.spec())
        if stopped := pipeline.write_and_screen(wanted, asked, ledger, plan, engine, progress, Stopwatch()):
            raise ShortRun(f"The shard is not whole, for {stopped}.", "Run it again with a higher --max-usd.")
        (asked.out / MARKER).write_text(json.dumps({"shard": asked.shard, "texts": len(wanted)}), encoding="utf-8")
    return len(wanted)


def merge(
    runs: Sequence[Path], given: settings.Settings, engine: Engine, progress: pipeline.Progress
) -> pipeline.Outcome:
    """Make one run in `given.out` of all shards; n, seed and the like come from the shards themselves.

    Raises UsageError when a shard is missing, unfinished, given twice, or was made with other settings.
    """
    if given.out.resolve() in {run.resolve() for run in runs}:
        raise UsageError(f"--out {given.out} is one of the shards.", "Give a folder of its own to the merged run.")
    identities = [_identity(run) for run in runs]
    first = {k: v for k, v in identities[0].items() if k != "shard"}
    for run, identity in zip(runs, identities, strict=True):
        other = sorted(k for k in first if identity.get(k) != first[k])
        if other:
            raise UsageError(f"{run} was made with other settings: {', '.join(other)}.", "Merge shards of one run.")
    count = identities[0]["shard"][1]
    have = sorted(tuple(identity["shard"]) for identity in identities)
    missing = sorted({(k, count) for k in range(count)} - set(have))
    if missing or len(have) != count:
        named = ", ".join(f"{k}/{count}" for k, _ in missing[:8]) or "none, but one is given twice"
        raise UsageError(
            f"Not every shard of {count} is here once; missing: {named}.", "Make them, then merge again."
        )
    asked = replace(
        given,
        n=first["n"], seed=first["seed"], mix=settings.parse_mix(first["mix"]),
        writer=first["writer"], arm=first["arm"],
        language=first["language"], validation=first["validation"], revise=first["revise"], judge=first["judge"],
    )  # fmt: skip
    asked.refuse_unless_equal({**first, "shard": None})
    with Ledger.hold(asked.out) as ledger:
        for run in runs:
            ledger.take(run)
    return pipeline.make(asked, engine, progress)


def _identity(run: Path) -> dict[str, Any]:
    if not (run / MARKER).is_file():
        raise UsageError(f"{run} is not a finished shard.", "Run its `make --shard` command again; it goes on.")
    with Ledger.read(run) as ledger:
        identity: dict[str, Any] = ledger.get("settings")
    return identity
