"""Run a pure function over batches: in this process, in local processes, or on Ray (`storygen.ray_engine`).

The function and its arguments are all a worker gets, so every engine gives the same results.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, TypeVar

from storygen.errors import StorygenError
from storygen.screens.buckets import Search, by_band

T = TypeVar("T")
R = TypeVar("R")

TRIES = 2  # of a batch alone, once a worker has died beside it: to die of chance so often is unheard of


@dataclass(frozen=True, slots=True)
class Lost:
    """What an engine gives in place of a result: this batch killed its worker again and again."""

    batch: Any


def too_many_deaths() -> StorygenError:
    """The error of workers that die whatever they are given."""
    return StorygenError(
        "Worker processes keep dying (killed, or out of memory).",
        "Everything so far is kept: run the same command again, with fewer --workers if memory is short.",
    )


def whole(results: Iterable[R | Lost]) -> Iterator[R]:
    """The results where none may be missing; raises StorygenError for a batch that was lost."""
    for result in results:
        if isinstance(result, Lost):
            raise too_many_deaths()
        yield result


class Engine(Protocol):
    @property
    def search(self) -> Search:
        """Finds the texts that share a bucket, for the global near-duplicate pass."""

    def map(self, function: Callable[[T], R], batches: Iterable[T]) -> Iterator[R | Lost]:
        """Results in the order of the batches; at most a few batches are in flight."""

    def release(self) -> None:
        """Let the workers go, with the memory they hold; the next `map` starts new ones."""

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None: ...


class Serial:
    """Everything in this process."""

    search: Search = staticmethod(by_band)

    def map(self, function: Callable[[T], R], batches: Iterable[T]) -> Iterator[R | Lost]:
        return map(function, batches)

    def release(self) -> None:
        pass

    def __enter__(self) -> Serial:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        pass


def _end_with_parent() -> None:
    """In a worker: a parent killed outright leaves nobody to send it home, and it would hold the pipes for ever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Local:
    """`workers` processes of this machine, started fresh (spawn), so that none inherits locks or open files."""

    search: Search = staticmethod(by_band)

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[T], R], batches: Iterable[T]) -> Iterator[R | Lost]:
        flying: deque[tuple[T, Future[R | Lost]]] = deque()
        try:
            for batch in batches:
                try:
                    future = self._submit(function, batch)
                except BrokenProcessPool:
                    self._recover(function, flying)
                    future = self._submit(function, batch)
                flying.append((batch, future))
                if len(flying) > 2 * self.workers:
                    yield self._first(function, flying)
            while flying:
                yield self._first(function, flying)
        finally:
            for _, future in flying:
                future.cancel()

    def _submit(self, function: Callable[[T], R], batch: T) -> Future[R | Lost]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.workers, multiprocessing.get_context("spawn"), _end_with_parent)
        return self._pool.submit(function, batch)

    def _first(self, function: Callable[[T], R], flying: deque[tuple[T, Future[R | Lost]]]) -> R | Lost:
        if isinstance(flying[0][1].exception(), BrokenProcessPool):
            self._recover(function, flying)
        return flying.popleft()[1].result()

    def _recover(self, function: Callable[[T], R], flying: deque[tuple[T, Future[R | Lost]]]) -> None:
        """A worker died and took the pool along. Whose fault it was nobody can tell, so each batch runs alone."""
        self._pool = None
        for k, (batch, future) in enumerate(flying):
            if isinstance(future.exception(), BrokenProcessPool):
                flying[k] = batch, self._alone(function, batch)

    def _alone(self, function: Callable[[T], R], batch: T) -> Future[R | Lost]:
        for _ in range(TRIES):
            future = self._submit(function, batch)
            if not isinstance(future.exception(), BrokenProcessPool):
                return future
            self._pool = None
        future = Future()
        future.set_result(Lost(batch))
        return future

    def release(self, wait: bool = True) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=wait, cancel_futures=True)
            self._pool = None

    def __enter__(self) -> Local:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.release(wait=kind is None)


def open_engine(name: str, workers: int, ray_address: str | None = None) -> Engine:
    """One local worker needs no second process."""
    if name == "ray":
        from storygen.ray_engine import RayEngine

        return RayEngine(workers, ray_address)
    return Serial() if workers <= 1 else Local(workers)
