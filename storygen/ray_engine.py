"""The Ray engine: the same pure functions as tasks on a cluster, or on this machine's cores (extra `[ray]`)."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from storygen.errors import StorygenError, UsageError

T = TypeVar("T")
R = TypeVar("R")

RETRIES = 3  # of a task whose worker died: a lost node costs its unfinished batches only


class RayEngine:
    """`workers` tasks at a time on an existing cluster (`address`), or on a local one that ends with the run."""

    def __init__(self, workers: int, address: str | None = None) -> None:
        try:
            import ray
        except ImportError as error:
            raise UsageError("--engine ray needs Ray.", "pip install 'storygen[ray]'") from error
        self._ray: Any = ray
        self.workers = workers
        local: dict[str, Any] = {} if address else {"num_cpus": workers, "include_dashboard": False}
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **local)
        except (ConnectionError, ValueError, RuntimeError) as error:
            hint = "Check --ray-address, or leave it out for a local one."
            raise UsageError(f"No Ray cluster could be joined: {error}.", hint) from error
        self._remote: Any = ray.remote(num_cpus=1, max_retries=RETRIES)(_call)

    def map(self, function: Callable[[T], R], batches: Iterable[T]) -> Iterator[R]:
        """Results in the order of the batches; at most two batches a worker are in flight."""
        errors = self._ray.exceptions
        shared = self._ray.put(function)
        flying: deque[Any] = deque()
        try:
            for batch in batches:
                flying.append(self._remote.remote(shared, batch))
                if len(flying) > 2 * self.workers:
                    yield self._ray.get(flying.popleft())
            while flying:
                yield self._ray.get(flying.popleft())
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError) as error:
            raise StorygenError(
                f"A Ray task died {RETRIES + 1} times.",
                "Everything so far is kept: run the same command again, with fewer --workers if memory is short.",
            ) from error
        except errors.RayTaskError as error:
            raise error.cause if isinstance(error.cause, Exception) else error from error
        finally:
            for task in flying:
                self._ray.cancel(task, force=True)

    def release(self) -> None:
        """Ray's idle workers are the cluster's affair."""

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._ray.shutdown()


def _call(function: Callable[[T], R], batch: T) -> R:
    return function(batch)
