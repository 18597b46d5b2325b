"""Run a pure function over batches: in this process, in local processes, or on Ray (`storygen.ray_engine`).

The function and its arguments are all a worker gets, so every engine gives the same results.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Protocol, TypeVar

from storygen.errors import StorygenError

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    def map(self, function: Callable[[T], R], batches: Iterable[T]) -> Iterator[R]:
        """Results in the order of the batches; at most a few batches are in flight."""

    def release(self) -> None:
        """Let the workers go, with the memory they hold; the next `map` starts new ones."""

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None: ...


class Serial:
    """Everything in this process."""

    def map(self, function: Callable[[T], R], batches: Iterable[T]) -> Iterator[R]:
        return map(function, batches)

    def release(self) -> None:
        pass

    def __enter__(self) -> Serial:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        pass


class Local:
    """`workers` processes of this machine, started fresh (spawn), so that none inherits locks or open files."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[T], R], batches: Iterable[T]) -> Iterator[R]:
        flying: deque[Future[R]] = deque()
        try:
            for batch in batches:
                if self._pool is None:
                    self._pool = ProcessPoolExecutor(self.workers, multiprocessing.get_context("spawn"))
                flying.append(self._pool.submit(function, batch))
                if len(flying) > 2 * self.workers:
                    yield flying.popleft().result()
            while flying:
                yield flying.popleft().result()
        except BrokenProcessPool as error:
            raise StorygenError(
                "A worker process died (killed, or out of memory).",
                "Everything so far is kept: run the same command again, with fewer --workers if memory is short.",
            ) from error
        finally:
            for future in flying:
                future.cancel()

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
