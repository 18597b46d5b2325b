"""How many requests are in flight: as many as the API lets through, and none while it says wait.

Additive increase, multiplicative decrease, as TCP does it: a slot more for each that succeeded (double, until the
first trouble), half after a 429 or 529, a pause as long as the API asks for. After too many pauses in a row with
nothing between them the circuit opens, and the run stops with one error.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from storygen.errors import WriterError

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds and counts; the defaults wait about five minutes in all before they give up."""

    most: int = 64
    start: int = 1  # the first request goes alone: it fills the prompt cache, and bad keys show at once
    first_pause: float = 1.0
    longest_pause: float = 60.0
    pauses: int = 10
    poll: float = 10.0  # between two looks at the batches under way
    longest_poll: float = 60.0
    settle: float = 30.0  # before a batch that is not listed counts as never sent


class Limiter:
    """Slots for requests; shared by all tasks of one run."""

    def __init__(self, pace: Pace, who: str, sleep: Sleep = asyncio.sleep) -> None:
        self._pace, self._who, self._sleep = pace, who, sleep
        self.limit = float(pace.start)
        self._steady = False
        self.flying = 0
        self._strikes = 0
        self._round = 0  # of pauses; trouble of requests sent before the last pause is no news
        self._pause: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[int]:
        """Wait for a slot; yields the round, to be given to `busy` if the request meets trouble."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._pause is None and self.flying < int(self.limit))
            self.flying += 1
        try:
            yield self._round
        finally:
            async with self._changed:
                self.flying -= 1
                self._changed.notify_all()

    def succeeded(self, remaining: int | None = None) -> None:
        """A request was answered; `remaining` is what the rate-limit headers leave until their reset."""
        self._strikes = 0
        self.limit = min(self.limit + (1 / self.limit if self._steady else 1), float(self._pace.most))
        if remaining is not None and remaining < self.limit:
            self.limit, self._steady = max(1.0, float(remaining)), True

    async def busy(self, sent_in: int, wait: float | None, what: str) -> None:
        """The API turned a request away: halve, and pause everybody for `wait` seconds, or twice as long as before.

        Raises WriterError when nothing has got through for so many pauses that it is no use.
        """
        if sent_in != self._round:
            return
        self._round += 1
        self._strikes += 1
        if self._strikes > self._pace.pauses:
            raise WriterError(
                f"{self._who} turned every request away for {self._strikes} pauses in a row: {what}.",
                "Everything so far is kept; run the same command again later.",
            )
        self.limit, self._steady = max(1.0, self.limit / 2), True
        doubled = min(self._pace.first_pause * 2 ** (self._strikes - 1), self._pace.longest_pause)
        self._pause = asyncio.create_task(self._wait(doubled if wait is None else max(wait, doubled)))

    async def _wait(self, seconds: float) -> None:
        try:
            await self._sleep(seconds)
        finally:
            async with self._changed:
                self._pause = None
                self._changed.notify_all()

    async def close(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            await asyncio.gather(self._pause, return_exceptions=True)
