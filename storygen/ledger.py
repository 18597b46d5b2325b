"""The only SQL (with `ledger_schema.py` and `calls.py`): `run.db`, in which all is committed the moment it exists.

One row of `drafts` a text (its export line as made), one row of `screened` once the per-record screens have looked at
it, one row of `duplicates` where an earlier text is near. A text is kept iff it is screened, has no reason in either,
and no reviewer dropped it; nothing is ever deleted or overwritten. (`spare` alone is worked out anew each time: texts
that are more than the run is to export since a reviewer let others back in.)
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from storygen.errors import FolderError, UsageError
from storygen.ledger_schema import STATE, TABLES

try:
    import fcntl
except ImportError:  # Windows: no advisory locks, SQLite's own still hold
    fcntl = None  # type: ignore[assignment]

_SLICE = 10_000  # rows of another ledger taken at a time


@dataclass(frozen=True, slots=True)
class Row:
    """One text as it stands in the ledger.

    `state` is pending, kept, rejected (by a screen, also where a reviewer agrees) or dropped (by a reviewer alone).
    """

    idx: int
    id: str
    kind: str
    cell: str
    family: str
    state: str
    stage: str | None
    reason: str | None
    evidence: Mapping[str, Any]
    score: float  # nearness to the evaluations, 0 to 1, the threshold is in the evidence and in report.json
    nearest: Mapping[str, Any]
    choice: str | None
    line: str


@dataclass(frozen=True, slots=True)
class Made:
    """What one draft is after the per-record screens: ready to be committed.

    `signature` is 128 MinHash values (uint32) as bytes, None for a text dropped before the duplicates stage.
    """

    idx: int
    id: str
    kind: str
    cell: str
    family: str
    line: str | None  # None: the draft is in the ledger already
    stage: str | None
    reason: str | None
    evidence: str
    score: float
    nearest: str
    signature: bytes | None


Failure = tuple[int, str, str, str, str]  # idx, kind, cell, reason, detail of a premise without a usable draft


class Ledger:
    """One run folder's `run.db`, held by one process at a time."""

    def __init__(self, folder: Path, lock: IO[str] | None, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._lock = lock
        self._db = connection

    @classmethod
    def hold(cls, folder: Path) -> Ledger:
        """Open or create the ledger for writing; raises FolderError if another process holds the folder."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / "run.lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise FolderError(f"{folder} cannot be written: {error.strerror}.", "Give another --out.") from error
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.seek(0)
                holder = lock.read().strip() or "another process"
                lock.close()
                raise FolderError(
                    f"{folder} is being worked on by {holder}.", "Wait for it, stop it, or give another --out."
                ) from None
        lock.seek(0)
        lock.truncate()
        started = time.strftime("%Y-%m-%d %H:%M:%S")
        lock.write(f"process {os.getpid()} on {socket.gethostname()} since {started}")
        lock.flush()
        try:
            return cls(folder, lock, _connect(folder / "run.db"))
        except BaseException:
            lock.close()
            raise

    @classmethod
    def read(cls, folder: Path) -> Ledger:
        """Open an existing ledger without holding it (report, review, export, diff)."""
        if not (folder / "run.db").is_file():
            raise UsageError(
                f"{folder} is not a run: it has no run.db.", "Give a folder that `make` or `screen` wrote."
            )
        return cls(folder, None, _connect(folder / "run.db"))

    def close(self) -> None:
        self._db.close()
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, on disk when it returns."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a SELECT, for `storygen.calls`."""
        return self._db.execute(sql, tuple(parameters)).fetchall()

    # settings and figures of the run

    def get(self, key: str) -> Any:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, key: str, value: Any) -> None:
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value, ensure_ascii=False)))

    # drafts and verdicts

    def commit(self, batch: Iterable[Made], failures: Iterable[Failure] = ()) -> None:
        """Drafts with what the per-record screens said of them. A draft already there is not written again."""
        rows = list(batch)
        with self.transaction() as db:
            db.executemany(
                "INSERT OR IGNORE INTO drafts VALUES (?, ?, ?, ?, ?, ?)",
                [(m.idx, m.id, m.kind, m.cell, m.family, m.line) for m in rows if m.line is not None],
            )
            db.executemany(
                "INSERT OR IGNORE INTO screened VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(m.idx, m.stage, m.reason, m.evidence, m.score, m.nearest, m.signature) for m in rows],
            )
            db.executemany("INSERT OR IGNORE INTO failures VALUES (?, ?, ?, ?, ?)", list(failures))

    def commit_draft(self, idx: int, identity: str, kind: str, cell: str, family: str, line: str) -> None:
        """A paid draft, before any screen has seen it."""
        with self.transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO drafts VALUES (?, ?, ?, ?, ?, ?)", (idx, identity, kind, cell, family, line)
            )

    def commit_failure(self, idx: int, kind: str, cell: str, reason: str, detail: str) -> None:
        """A premise for which the writer gave no usable draft (refusal, truncation, schema …)."""
        with self.transaction() as db:
            db.execute("INSERT OR IGNORE INTO failures VALUES (?, ?, ?, ?, ?)", (idx, kind, cell, reason, detail))

    def commit_duplicates(
        self, verdicts: Iterable[tuple[int, str, Mapping[str, Any]]], near: Iterable[tuple[int, int, float]]
    ) -> None:
        with self.transaction() as db:
            db.executemany(
                "INSERT OR IGNORE INTO duplicates VALUES (?, ?, ?)",
                [(idx, reason, json.dumps(evidence, ensure_ascii=False)) for idx, reason, evidence in verdicts],
            )
            db.executemany("INSERT OR IGNORE INTO near VALUES (?, ?, ?)", list(near))

    def put_spare(self, indexes: Iterable[int]) -> None:
        """The texts that are left out since their cells are full, in place of those named before."""
        with self.transaction() as db:
            db.execute("DELETE FROM spare")
            db.executemany("INSERT INTO spare VALUES (?)", [(idx,) for idx in indexes])

    def take(self, other: Path) -> None:
        """Every draft, verdict, failure and call of another run's ledger; what is here already stays.

        A slice at a time: one transaction over millions of rows would grow a log as large as the ledger. A merge
        that is killed on the way is run again.
        """
        self._db.execute("ATTACH ? AS other", (str(other / "run.db"),))
        try:
            for name in ("drafts", "screened", "failures", "calls"):
                low, high = self._db.execute(f"SELECT MIN(idx), MAX(idx) FROM other.{name}").fetchone()
                for at in range(low, high + 1, _SLICE) if low is not None else ():
                    some = f"SELECT * FROM other.{name} WHERE idx BETWEEN ? AND ?"
                    with self.transaction() as db:
                        db.execute(f"INSERT OR IGNORE INTO main.{name} {some}", (at, at + _SLICE - 1))
        finally:
            self._db.execute("DETACH other")

    def attempted(self) -> set[int]:
        """Indexes with a draft or a failure."""
        return {i for (i,) in self._db.execute("SELECT idx FROM drafts UNION SELECT idx FROM failures")}

    def begun(self) -> bool:
        """Whether a text, a failure, a call or a batch stands in it."""
        tables = ("drafts", "failures", "calls", "batches")
        return any(self._db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in tables)

    def unscreened(self) -> Iterator[tuple[int, str, str, str, str, str]]:
        """(idx, id, kind, cell, family, line) of drafts that no screen has seen."""
        yield from self._db.execute(
            "SELECT d.idx, d.id, d.kind, d.cell, d.family, d.line FROM drafts d LEFT JOIN screened s USING (idx) "
            "WHERE s.idx IS NULL ORDER BY d.idx"
        )

    def signatures(
        self, after: npt.NDArray[np.int64] | None = None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
        """Indexes (ascending) and MinHash signatures, shape (len, 128), of texts that reached the duplicates stage.

        Those in `after` are left out.
        """
        rows = self._db.execute("SELECT idx FROM screened WHERE signature IS NOT NULL ORDER BY idx")
        ids = np.fromiter((i for (i,) in rows), np.int64)
        fresh = np.ones(len(ids), np.bool_) if after is None else ~np.isin(ids, after)
        indexes = ids[fresh]
        out = np.empty((len(indexes), 128), np.uint32)
        rows = self._db.execute("SELECT signature FROM screened WHERE signature IS NOT NULL ORDER BY idx")
        for k, (blob,) in enumerate(itertools.compress(rows, fresh)):
            out[k] = np.frombuffer(blob, np.uint32)
        return indexes, out

    def near_pairs(self) -> list[tuple[int, int, float]]:
        return list(self._db.execute("SELECT a, b, jaccard FROM near ORDER BY a, b"))

    def line(self, idx: int) -> str:
        """The line of one text (KeyError if there is none)."""
        row = self._db.execute("SELECT line FROM drafts WHERE idx = ?", (idx,)).fetchone()
        if row is None:
            raise KeyError(idx)
        return str(row[0])

    def identity(self, idx: int) -> str:
        """The id of one text (KeyError if there is none)."""
        row = self._db.execute("SELECT id FROM drafts WHERE idx = ?", (idx,)).fetchone()
        if row is None:
            raise KeyError(idx)
        return str(row[0])

    def rows(self, where: str = "1", parameters: Sequence[Any] = (), lines: bool = True) -> Iterator[Row]:
        """Rows in index order; `where` is a condition over idx, kind, cell, family, state, stage, reason, score."""
        column = "d.line" if lines else "''"
        join = "JOIN drafts d USING (idx)" if lines else ""
        for r in self._db.execute(
            "SELECT idx, s.id, s.kind, s.cell, s.family, state, stage, reason, evidence, score, nearest, choice, "
            f"{column} FROM (SELECT * FROM state WHERE {where}) s {join} ORDER BY idx",
            tuple(parameters),
        ):
            found = [*r[:8], json.loads(r[8] or "{}"), r[9] or 0.0, json.loads(r[10] or "{}"), *r[11:]]
            yield Row(*found)

    def kept(self) -> Iterator[tuple[int, str, str]]:
        """(idx, kind, family) of what is kept, in index order."""
        yield from self._db.execute("SELECT idx, kind, family FROM state WHERE state = 'kept' ORDER BY idx")

    def counts(self, *columns: str) -> dict[tuple[Any, ...], int]:
        """Texts by the given columns of the state view, e.g. counts("kind", "state", "stage", "reason")."""
        names = ", ".join(columns)
        rows = self._db.execute(f"SELECT {names}, COUNT(*) FROM state GROUP BY {names} ORDER BY {names}")
        return {tuple(r[:-1]): int(r[-1]) for r in rows}

    def kept_by_cell(self) -> Counter[str]:
        """How many texts of each cell are kept."""
        return Counter({cell: n for (cell, state), n in self.counts("cell", "state").items() if state == "kept"})

    def failures(self) -> list[tuple[int, str, str, str, str]]:
        return list(self._db.execute("SELECT idx, kind, cell, reason, detail FROM failures ORDER BY idx"))

    def spent(self) -> dict[str, Any]:
        """Usage and cost of all model calls: calls, usd, and token sums by field of usage."""
        calls, usd = self._db.execute("SELECT COUNT(*), COALESCE(SUM(usd), 0) FROM calls").fetchone()
        tokens: dict[str, int] = {}
        for (usage,) in self._db.execute("SELECT usage FROM calls"):
            for key, value in json.loads(usage).items():
                if isinstance(value, int):
                    tokens[key] = tokens.get(key, 0) + value
        return {"calls": calls, "usd": round(usd, 6), "tokens": tokens}

    # review

    def decide(self, idx: int, reviewer: str, choice: str, note: str, queue: str, at: float) -> int:
        """One decision (keep, drop, unsure, undo); returns its number. The latest of a reviewer counts."""
        with self.transaction() as db:
            cursor = db.execute(
                "INSERT INTO decisions (idx, reviewer, at, choice, note, queue) VALUES (?, ?, ?, ?, ?, ?)",
                (idx, reviewer, at, choice, note, queue),
            )
            return int(cursor.lastrowid or 0)

    def decisions(self) -> list[tuple[int, int, str, float, str, str, str]]:
        return list(
            self._db.execute("SELECT number, idx, reviewer, at, choice, note, queue FROM decisions ORDER BY number")
        )


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")  # WAL + NORMAL survives kill -9; only power loss can lose the tail
        db.executescript(TABLES)
        db.executescript(STATE)
    except sqlite3.DatabaseError as error:
        db.close()
        hint = "Free some space, or move what is there aside and start again."
        raise FolderError(f"{path} cannot be used as a ledger: {error}.", hint) from error
    return db
