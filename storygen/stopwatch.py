"""Seconds by stage. A plain stopwatch: no result depends on it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stopwatch:
    """`wall`: seconds of what this process does, by stage; `work`: those of the workers' watches, summed."""

    wall: dict[str, float] = field(default_factory=dict)
    work: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.wall[name] = self.wall.get(name, 0.0) + time.perf_counter() - begin
