"""The Ray engine: the same pure functions as tasks on a cluster, or on this machine's cores (extra `[ray]`).

A task is a shard of the index space, small enough that a worker's memory is bounded and a lost node costs little: Ray
starts a lost shard again elsewhere, and what has arrived is in the ledger. The global pass is `storygen.ray_search`.
"""

from __future__ import annotations

import functools
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from storygen import __version__
from storygen.engines import Lost
from storygen.errors import UsageError
from storygen.ray_search import by_shuffle
from storygen.screens.buckets import Search
from storygen.settings import content_hash

T = TypeVar("T")
R = TypeVar("R")

RETRIES = 3  # of a shard whose worker died or ran out of memory
CALLS = 1_000  # shards, after which a worker is replaced, so that nothing can pile up in it
MEMORY = 400 << 20  # bytes that a cluster sets aside for a worker: tables, bank and one shard take 250 MiB
STORE = 512 << 20  # bytes of a local cluster's object store, which spills to disk: shards in flight take 20 MiB


class RayEngine:
    """A whole cluster (`address`), or a local one of `workers` cores that ends with the run."""

    search: Search = staticmethod(by_shuffle)

    def __init__(self, workers: int, address: str | None = None) -> None:
        try:
            import ray
        except ImportError as error:
            raise UsageError("--engine ray needs Ray.", "pip install 'storygen[ray]'") from error
        self._ray: Any = ray
        local: dict[str, Any] = {
            "num_cpus": workers,
            "include_dashboard": False,
            "object_store_memory": STORE,
            "_system_config": {"worker_niceness": 0},  # Ray's own is 15: beside other work it would stand still
        }
        try:
            ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **({} if address else local),
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            hint = "Check --ray-address, or leave it out for a local one."
            raise UsageError(f"No Ray cluster could be joined: {error}.", hint) from error
        self.workers = int(self._ray.cluster_resources().get("CPU", workers))
        self._remote: Any = ray.remote(num_cpus=1, memory=MEMORY, max_retries=RETRIES, max_calls=CALLS)(_call)

    def map(self, function: Callable[[T], R], batches: Iterable[T]) -> Iterator[R | Lost]:
        """Results in the order of the batches; at most two batches a core are in flight."""
        shared = self._ray.put(function)
        flying: deque[tuple[T, Any]] = deque()
        try:
            for batch in batches:
                flying.append((batch, self._remote.remote(version(), shared, batch)))
                if len(flying) > 2 * self.workers:
                    yield self._get(*flying.popleft())
            while flying:
                yield self._get(*flying.popleft())
        finally:
            for _, task in flying:
                self._ray.cancel(task, force=True)

    def _get(self, batch: T, task: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(task)
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError, errors.ObjectLostError):
            return Lost(batch)
        except errors.RayTaskError as error:
            raise error.cause if isinstance(error.cause, Exception) else error from error

    def release(self) -> None:
        """Ray's idle workers are the cluster's affair."""

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._ray.shutdown()


@functools.cache
def version() -> str:
    """What decides the bytes beside the settings: the package and what travels with it."""
    return f"{__version__}, tables {content_hash()}"


def _call(driver: str, function: Callable[[T], R], batch: T) -> R:
    """On a worker, whose node may have another storygen than the driver; raises UsageError then."""
    if driver != version():
        raise UsageError(
            f"A node of the cluster has storygen {version()}; this is {driver}.", "Install the same on all nodes."
        )
    return function(batch)
