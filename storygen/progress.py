"""Progress for people: tqdm bars at a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from tqdm import tqdm

EVERY = 10.0  # seconds between plain lines


class Bars:
    """One bar a stage, with rate and time left."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._bar: Any = None

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[None]:
        with tqdm(total=total, desc=f"{name:>10}", unit="", unit_scale=False, file=self._stream) as self._bar:
            yield
        self._bar = None

    def advance(self, count: int) -> None:
        if self._bar is not None:
            self._bar.update(count)

    def say(self, line: str) -> None:
        tqdm.write(line, file=self._stream)


class Lines:
    """The same as plain lines, for logs."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._name, self._total, self._done = "", 0, 0
        self._begin = self._last = 0.0

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[None]:
        self._name, self._total, self._done = name, total, 0
        self._begin = self._last = time.monotonic()
        yield
        self._print("done")

    def advance(self, count: int) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._last >= EVERY:
            self._last = now
            rate = self._done / max(now - self._begin, 1e-9)
            left = (self._total - self._done) / max(rate, 1e-9)
            self._print(f"{rate:,.0f}/s, {left:,.0f} s left")

    def say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)

    def _print(self, rest: str) -> None:
        took = time.monotonic() - self._begin
        self.say(f"{self._name}: {self._done:,} of {self._total:,} in {took:,.0f} s, {rest}")


def for_stream(stream: TextIO = sys.stderr) -> Bars | Lines:
    return Bars(stream) if stream.isatty() else Lines(stream)
