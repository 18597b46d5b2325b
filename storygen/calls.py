"""The other half of the SQL: what was asked of a model, what came back, and the batches under way.

A call is on disk before it is sent (problem `unanswered`, counted at its worst case) and again the moment its answer
is there; a batch likewise, as an intent, before the API is told of it. So what a run has to do next, and what it may
still spend, are functions of these two tables, whatever was killed and when. A call that a kill left unanswered may
have been billed: it is not sent again, and its premise is a failure, `writer:lost`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storygen.ledger import Ledger

UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a model and its fate. `reply` is the raw JSON that came back, `problem` why none did."""

    idx: int
    step: str
    attempt: int
    reply: str | None
    problem: str | None
    usage: Mapping[str, int]
    usd: float
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: `intent` is its name in the custom_ids, `requests` its (idx, step, attempt), `at` seconds UTC."""

    number: int
    intent: str
    remote: str | None
    state: str
    requests: tuple[tuple[int, str, int], ...]
    reserved_usd: float
    at: float


_COLUMNS = "idx, step, attempt, reply, problem, usage, usd, batch"


class Calls:
    """The tables `calls` and `batches` of one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def of(self, indexes: Sequence[int]) -> dict[int, list[Call]]:
        """The calls of some premises, in the order in which they were made."""
        out: dict[int, list[Call]] = {index: [] for index in indexes}
        rows = self._ledger.query(
            f"SELECT {_COLUMNS} FROM calls WHERE idx IN (SELECT value FROM json_each(?)) ORDER BY idx, at, attempt",
            (json.dumps(list(indexes)),),
        )
        for idx, step, attempt, reply, problem, usage, usd, batch in rows:
            out[idx].append(Call(idx, step, attempt, reply, problem, json.loads(usage), usd, batch))
        return out

    def write(self, call: Call, at: float) -> None:
        """A call about to be sent, or its answer in the place of that; an answer is never overwritten."""
        with self._ledger.transaction() as db:
            db.execute(
                "INSERT INTO calls (at, " + _COLUMNS + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (idx, step, attempt) DO UPDATE SET at = excluded.at, reply = excluded.reply, "
                "problem = excluded.problem, usage = excluded.usage, usd = excluded.usd "
                f"WHERE calls.problem = '{UNANSWERED}'",
                _row(call, at),
            )

    def forget(self, call: Call) -> None:
        """A call that the API turned away before it did anything (rate limit, overload): as if it was never sent."""
        with self._ledger.transaction() as db:
            db.execute(
                f"DELETE FROM calls WHERE idx = ? AND step = ? AND attempt = ? AND problem = '{UNANSWERED}'",
                (call.idx, call.step, call.attempt),
            )

    def arrive(self, calls: Iterable[Call], at: float) -> None:
        """Results of a batch; one that is here already stays as it is."""
        with self._ledger.transaction() as db:
            self._insert(db, calls, at)

    def spent(self) -> float:
        """USD of all calls, those that were never answered at their worst case."""
        return float(self._ledger.query("SELECT COALESCE(SUM(usd), 0) FROM calls")[0][0])

    def shares(self) -> dict[str, Any]:
        """For the report: calls and USD by step, calls in batches, and USD counted for answers that never came."""
        steps = self._ledger.query("SELECT step, COUNT(*), SUM(usd) FROM calls GROUP BY step ORDER BY MIN(at)")
        batch, lost = self._ledger.query(
            f"SELECT COUNT(batch), COALESCE(SUM(usd * (problem IN ('{UNANSWERED}', 'lost'))), 0) FROM calls"
        )[0]
        by_step = {step: {"calls": count, "usd": round(usd, 6)} for step, count, usd in steps}
        return {"by_step": by_step, "in_batches": batch, "usd_unconfirmed": round(lost, 6)}

    # batches

    def intend(
        self, prefix: str, step: str, requests: Sequence[tuple[int, str, int]], usd: float, at: float
    ) -> Batch:
        """A batch that is about to be sent, named and on disk."""
        with self._ledger.transaction() as db:
            number = int(db.execute("SELECT COALESCE(MAX(number), 0) + 1 FROM batches").fetchone()[0])
            intent = f"{prefix}-{number}"
            db.execute(
                "INSERT INTO batches (number, step, intent, remote, state, requests, reserved_usd, at) "
                "VALUES (?, ?, ?, NULL, 'intent', ?, ?, ?)",
                (number, step, intent, json.dumps(list(requests)), usd, at),
            )
        return Batch(number, intent, None, "intent", tuple(requests), usd, at)

    def sent(self, batch: Batch, remote: str) -> None:
        with self._ledger.transaction() as db:
            db.execute("UPDATE batches SET remote = ?, state = 'sent' WHERE number = ?", (remote, batch.number))

    def void(self, batch: Batch) -> None:
        """The API never had it."""
        with self._ledger.transaction() as db:
            db.execute("UPDATE batches SET state = 'void', reserved_usd = 0 WHERE number = ?", (batch.number,))

    def done(self, batch: Batch, last: Iterable[Call], at: float) -> None:
        """The last results of a batch, and that they were the last."""
        with self._ledger.transaction() as db:
            self._insert(db, last, at)
            db.execute("UPDATE batches SET state = 'done' WHERE number = ?", (batch.number,))

    def open_batches(self) -> list[Batch]:
        """Those whose results are not all here."""
        return self.batches("state IN ('intent', 'sent')")

    def remotes(self) -> set[str]:
        """The API's ids of all batches known to be ours."""
        return {r for (r,) in self._ledger.query("SELECT remote FROM batches WHERE remote IS NOT NULL")}

    def count(self, state: str) -> int:
        """Batches in a state: intent, sent, done, void."""
        return int(self._ledger.query("SELECT COUNT(*) FROM batches WHERE state = ?", (state,))[0][0])

    def batches(self, where: str = "1") -> list[Batch]:
        """Batches by number, with their requests."""
        rows = self._ledger.query(
            "SELECT number, intent, remote, state, requests, reserved_usd, at FROM batches "
            f"WHERE {where} ORDER BY number"
        )
        return [
            Batch(number, intent, remote, state, tuple((i, s, a) for i, s, a in json.loads(requests)), usd, at)
            for number, intent, remote, state, requests, usd, at in rows
        ]

    @staticmethod
    def _insert(db: sqlite3.Connection, calls: Iterable[Call], at: float) -> None:
        db.executemany(
            "INSERT OR IGNORE INTO calls (at, " + _COLUMNS + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [_row(call, at) for call in calls],
        )


def _row(call: Call, at: float) -> tuple[Any, ...]:
    usage = json.dumps(dict(call.usage))
    return (at, call.idx, call.step, call.attempt, call.reply, call.problem, usage, call.usd, call.batch)
