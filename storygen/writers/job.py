"""What the live and the batch run share: the premises, the method, the ledger, the money, and how a premise ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from storygen.calls import Call, Calls
from storygen.ledger import Ledger
from storygen.premises import Plan
from storygen.writers.keys import hide
from storygen.writers.limiter import Pace
from storygen.writers.method import Ask, Finished, Lost, Method, Next, Toll
from storygen.writers.money import Budget, Price
from storygen.writers.replies import Reply

if TYPE_CHECKING:
    from storygen.pipeline import Progress

UNCACHED = 25  # answers without one token read from the cache, after which that is said


@dataclass
class Job:
    """One call of `write`: everything that its tasks look at."""

    plan: Plan
    method: Method
    ledger: Ledger
    calls: Calls
    budget: Budget
    price: Price
    paid: bool
    progress: Progress
    pace: Pace
    clock: Callable[[], float] = time.time
    toll: Toll = field(default_factory=Toll)
    _read: int = 0
    _sent: int = 0
    _answers: int = 0
    _told: bool = False

    def next(self, index: int, calls: Sequence[Call] | None = None) -> Next:
        """What is to be done for a premise, by the ledger or by the calls at hand."""
        known = self.calls.of([index])[index] if calls is None else calls
        return self.method.next(self.plan.premise(index), known)

    def commit(self, end: Finished | Lost) -> None:
        """The end of a premise, on disk."""
        if isinstance(end, Finished):
            self.ledger.commit_draft(*end.line)
        else:
            self.ledger.commit_failure(end.idx, end.kind, end.cell, end.reason, end.detail)
        self.progress.advance(1)

    def worst(self, ask: Ask, batch: bool = False) -> float:
        return self.price.worst(ask.prompt.size, ask.prompt.max_tokens, batch)

    def answered(self, ask: tuple[int, str, int], raw: str, reply: Reply, worst: float, batch: str | None) -> Call:
        """The row of an answer. One that does not say what it used counts at its worst, unless it never ran.

        It is kept as it came, but for a key that a careless server repeats.
        """
        idx, step, attempt = ask
        free = reply.problem in ("errored", "expired", "canceled")
        usd = self.price.usd(reply.usage, batch is not None) if reply.usage or free else worst
        self._count(reply.usage)
        problem = reply.problem if free else None
        return Call(idx, step, attempt, hide(raw), problem, reply.usage, usd, batch)

    def _count(self, usage: Mapping[str, int]) -> None:
        if not self.paid or not usage:
            return
        cached = usage.get("cache_read_input_tokens", 0)
        self._answers += 1
        self._read += cached
        self._sent += cached + usage.get("input_tokens", 0) + usage.get("cache_creation_input_tokens", 0)
        if self._answers == UNCACHED and not self._read and not self._told:
            self._told = True
            self.progress.say(
                f"Nothing was read from the prompt cache in {UNCACHED} answers, so input is paid in full: the "
                "constitution is shorter than what this model caches, or something changes it between requests."
            )

    def summary(self) -> str:
        """Cost and cached share of this call of `write`, for the terminal; empty where nothing was paid."""
        if not self._sent:
            return ""
        return f"spent {self.budget}; {self._read / self._sent:.0%} of the input was read from the prompt cache"
