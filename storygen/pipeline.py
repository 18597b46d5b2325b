"""make() and screen(): the page to read first.

    premises ──> writer ──> screens ──> duplicates ──> top-up ──> export ──> report
                    every draft and verdict is in the ledger the moment it exists

A run is a folder. Its ledger decides what is left to do, so starting, going on after a kill, and finding that all is
done are the same code. Indexes never move: a dropped text is made up for by the next premise of its cell.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from storygen import finish, premises, stages
from storygen.engines import Engine
from storygen.errors import ShortRun
from storygen.ledger import Ledger
from storygen.planting import Planted, plant_and_screen
from storygen.quarantine import survive
from storygen.screens.duplicates import DuplicateIndex
from storygen.settings import Settings
from storygen.stopwatch import Stopwatch

# Rounds of topping up that may gain next to nothing, in a row, before a run gives up. Each round replaces what the
# one before lost: the grammar needs two or three, and a model that loses half of all it tries still reaches n.
ROUNDS = 12
HOPELESS = 10  # premises, and two rounds, after which a run that keeps next to nothing gives up
POOR = 0.1  # of what was tried: less is next to nothing there
GAIN = 0.02  # of what a round asked for: less is next to nothing
SLICE = 4_000  # drafts of a model read from the ledger at a time


class Progress(Protocol):
    """Where a stage says how far it is (`storygen.progress`)."""

    def stage(self, name: str, total: int) -> Any: ...

    def advance(self, count: int) -> None: ...

    def say(self, line: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to; `folder/report.html` is the page to open."""

    folder: Path
    kept: int
    rejected: int
    failed: int
    attempted: int
    planted: Planted
    files: tuple[str, ...] = ("data",)
    already_done: bool = False


def make(settings: Settings, engine: Engine, progress: Progress) -> Outcome:
    """Make a corpus of exactly `settings.n` exported records, or go on with it.

    Raises:
        UsageError: the folder holds a run with other settings (names what differs).
        FolderError: the folder is held by another process, read-only or full.
        ShortRun: some cell kept failing, or a planted leak got through; everything made is kept.
    """
    folder = settings.out
    if (done := finish.finished(folder)) is not None:
        settings.refuse_unless_equal(done["settings"])
        return finish.outcome(folder, done)
    with Ledger.hold(folder) as ledger:
        if ledger.begun():  # a start that failed before any work leaves nothing to disagree with
            settings.refuse_unless_equal(ledger.get("settings") or settings.identity())
        ledger.put("settings", settings.identity())
        ledger.put("kind", "make")
        watch, spec = Stopwatch(), settings.spec()
        plan = stages.plan(spec)
        index = DuplicateIndex(engine.search)
        quota = Counter(map(plan.cell, range(settings.n)))
        ledger.put("quota", quota)
        ledger.put_spare(())
        wanted: Sequence[int] = range(settings.n)
        source, idle, missing = TopUp(plan, settings.n), 0, quota
        while True:
            stopped = write_and_screen(wanted, settings, ledger, plan, engine, progress, watch)
            with watch.stage("duplicates"):
                find_duplicates(ledger, index, progress)
            before, missing = missing.total(), quota - ledger.kept_by_cell()
            idle = idle + 1 if before - missing.total() <= GAIN * len(wanted) else 0
            poor = settings.n - missing.total() < POOR * len(ledger.attempted())
            hopeless = poor and idle >= max(2, -(-HOPELESS // settings.n))
            if not missing or stopped or hopeless or idle >= ROUNDS:
                break
            wanted = source.take(missing, ledger)
        planted = plant_and_screen(ledger, spec, engine, watch)
        engine.release()
        result = finish.finish(ledger, settings, planted, watch, progress)
    short = settings.n - result.kept
    if short > 0:
        why = f", for {stopped}" if stopped else f", most in {most(missing)}"
        raise ShortRun(
            f"{result.kept:,} of {settings.n:,} records were made; {short:,} are missing{why}.",
            f"See the cells that keep failing in {folder / 'report.html'}, then run the same command again"
            + (" with a higher --max-usd." if stopped else "."),
        )
    finish.refuse_leaks(planted, folder)
    return result


class TopUp:
    """Further premises for cells that lost records: from index n on, each cell in its own order."""

    def __init__(self, plan: premises.Plan, start: int) -> None:
        self._plan = plan
        self._next = start
        self._found: dict[str, deque[int]] = {}

    def take(self, missing: Counter[str], ledger: Ledger) -> list[int]:
        """As many new indexes of each cell as are missing, ascending; never one that was attempted."""
        attempted = ledger.attempted()
        out: list[int] = []
        for cell, count in sorted(missing.items()):
            queue = self._found.setdefault(cell, deque())
            limit = self._next + 400_000  # a cell that rare is reported as short, not searched for ever
            while count and self._next < limit:
                while queue and count:
                    candidate = queue.popleft()
                    if candidate not in attempted:
                        out.append(candidate)
                        count -= 1
                if count:
                    self._scan()
        return sorted(out)

    def _scan(self) -> None:
        for i in range(self._next, self._next + 500):
            self._found.setdefault(self._plan.cell(i), deque()).append(i)
        self._next += 500


def write_and_screen(
    wanted: Iterable[int],
    settings: Settings,
    ledger: Ledger,
    plan: premises.Plan,
    engine: Engine,
    progress: Progress,
    watch: Stopwatch,
) -> str:
    """Write what is not in the ledger yet, and run the per-record screens over whatever has not been through them.

    Returns why the writer stopped before the end (a cap on what it may spend), else an empty string.
    """
    spec, attempted, stopped = settings.spec(), ledger.attempted(), ""
    todo = [i for i in wanted if i not in attempted]
    if settings.writer == "grammar":
        batches = survive(engine, partial(stages.produce, spec), chunks(todo), partial(stages.unwritten, spec))
        commit_batches(batches, len(todo), "write", ledger, progress, watch)
    else:
        from storygen.writers.run import write  # the SDKs take a second to import

        with watch.stage("write"):
            stopped = write(todo, settings, ledger, plan, progress)
    while left := list(itertools.islice(ledger.unscreened(), SLICE)):
        batches = survive(engine, partial(stages.rescreen, spec), chunks(left), partial(stages.unscreened, False))
        commit_batches(batches, len(left), "screen", ledger, progress, watch)
    return stopped


def most(missing: Counter[str]) -> str:
    """The cells that miss most, for a sentence."""
    named = [f"{cell} ({count:,})" for cell, count in missing.most_common(3)]
    return ", ".join(named) + (f" and {len(missing) - 3:,} more" if len(missing) > 3 else "")


def commit_batches(
    batches: Iterator[stages.Batch], total: int, name: str, ledger: Ledger, progress: Progress, watch: Stopwatch
) -> None:
    """Put each batch on disk as it arrives."""
    if not total:
        return
    with watch.stage(name), progress.stage(name, total):
        for batch in batches:
            with watch.stage("commit"):
                ledger.commit(batch.rows, batch.failures)
            watch.work.update(batch.seconds)
            progress.advance(len(batch.rows) + len(batch.failures))


def find_duplicates(ledger: Ledger, index: DuplicateIndex, progress: Progress, text_field: str = "") -> None:
    """Add what is new to the index; a text is a near-duplicate if an earlier one (smaller index) is near it."""
    indexes, signatures = ledger.signatures(after=index.indexes)
    if not len(indexes):
        return
    with progress.stage("duplicates", len(indexes)):
        found = index.add(indexes, signatures, lambda i: text_of(ledger, i, text_field), ledger.identity)
        ledger.commit_duplicates(found.verdicts, found.near)
        progress.advance(len(indexes))


def text_of(ledger: Ledger, idx: int, text_field: str = "") -> str:
    """The text that screens read, of one row of the ledger."""
    return stages.parse(ledger.line(idx), idx, "", "", text_field).text


def chunks(todo: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    for at in range(0, len(todo), stages.BATCH):
        yield tuple(todo[at : at + stages.BATCH])
