"""Runs of `make` with a Claude writer against the fake API, at a pace for tests; also as a script that kills itself.

python tests/paid.py FOLDER N MODE POINT K   the K-th time that POINT is reached, the process dies by SIGKILL
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fake_api import MODEL
from helpers import Quiet

from storygen import engines, pipeline
from storygen.calls import Call, Calls
from storygen.settings import Settings
from storygen.writers import run
from storygen.writers.limiter import Pace

# Where a run can be killed: a method of the ledger's calls, and whether its work is done before the kill.
POINTS = {
    "before_create": ("intend", True),
    "after_create": ("sent", False),
    "while_polling": ("sent", True),
    "mid_download": ("arrive", True),
    "before_done": ("done", False),
    "after_done": ("done", True),
    "before_answer": ("write", False),
}


def pace(**more: Any) -> Pace:
    """Milliseconds in the place of seconds."""
    values: dict[str, Any] = {
        "first_pause": 0.005, "longest_pause": 0.02, "poll": 0.02, "longest_poll": 0.05, "settle": 0.1, "pauses": 12,
    }  # fmt: skip
    return Pace(**{**values, **more})


class Heard(Quiet):
    """Keeps what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def make(folder: Path, n: int = 12, mode: str = "anthropic", heard: Heard | None = None, **more: Any) -> Any:
    """One run in this process; `run.Pace` is as the caller left it."""
    settings = replace(Settings(), n=n, out=folder, workers=1, writer=f"{mode}:{MODEL}", **more)
    with engines.open_engine("local", 1) as engine:
        return pipeline.make(settings, engine, heard or Heard())


def die_at(point: str, count: int) -> None:
    """Have this process killed the count-th time that a point is reached."""
    name, after = POINTS[point]
    method: Callable[..., Any] = getattr(Calls, name)
    left = count

    def killer(self: Calls, *arguments: Any) -> Any:
        nonlocal left
        answered = not isinstance(arguments[0], Call) or arguments[0].reply is not None
        left -= answered
        if left <= 0 and answered:
            if after:
                method(self, *arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        return method(self, *arguments)

    setattr(Calls, name, killer)


if __name__ == "__main__":
    folder_, n_, mode_, point_, count_ = sys.argv[1:]
    run.Pace = pace  # type: ignore[misc,assignment]
    from storygen.writers import batches

    batches.CHUNK = 5
    die_at(point_, int(count_))
    make(Path(folder_), int(n_), mode_)
