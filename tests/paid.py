"""Runs of `make` with a Claude writer against the fake API, at a pace for tests; also as a script that kills itself.

Holds the fixture `api`, which `conftest.py` gives to all tests.

python tests/paid.py FOLDER N MODE POINT K   the K-th time that POINT is reached, the process dies by SIGKILL
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_api import MODEL, FakeApi
from helpers import Quiet

from storygen import engines, pipeline
from storygen.calls import UNANSWERED, Call, Calls
from storygen.ledger import Ledger
from storygen.settings import Settings
from storygen.writers import run
from storygen.writers.batches import Batches
from storygen.writers.limiter import Pace

# Where a run can be killed: a method, and whether its work is done before the kill. Calls are written twice, so a
# word of the point's says which of the two is meant: the intent, or the answer in its place.
POINTS: dict[str, tuple[type, str, bool]] = {
    "before_intent": (Calls, "intend", False),
    "before_create": (Calls, "intend", True),
    "after_create": (Calls, "sent", False),
    "after_sent": (Calls, "sent", True),
    "while_polling": (Batches, "_say", True),
    "before_arrival": (Calls, "arrive", False),
    "mid_download": (Calls, "arrive", True),
    "before_done": (Calls, "done", False),
    "after_done": (Calls, "done", True),
    "before_commit": (Ledger, "commit_draft", False),
    "after_commit": (Ledger, "commit_draft", True),
    "before_asking": (Calls, "write", False),
    "after_asking": (Calls, "write", True),
    "before_answer": (Calls, "write", False),
    "after_answer": (Calls, "write", True),
}


def pace(**more: Any) -> Pace:
    """Milliseconds in the place of seconds."""
    values: dict[str, Any] = {
        "first_pause": 0.005, "longest_pause": 0.02, "poll": 0.02, "longest_poll": 0.05, "settle": 0.1, "pauses": 12,
    }  # fmt: skip
    return Pace(**{**values, **more})


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """The fake API, which this process and its children take for the real one."""
    with FakeApi() as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(run, "Pace", pace)
        yield fake


def rows(folder: Path) -> list[tuple[int, str, int, str | None, str | None, float]]:
    """(idx, step, attempt, reply, problem, usd) of every call of a run."""
    with Ledger.read(folder) as ledger:
        return ledger.query("SELECT idx, step, attempt, reply, problem, usd FROM calls ORDER BY idx, at")  # type: ignore[return-value]


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
    owner, name, after = POINTS[point]
    method: Callable[..., Any] = getattr(owner, name)
    left = count

    def killer(self: Any, *arguments: Any) -> Any:
        nonlocal left
        call = next((a for a in arguments if isinstance(a, Call)), None)
        meant = call is None or (call.problem == UNANSWERED) == point.endswith("asking")
        left -= meant
        if left <= 0 and meant:
            if after:
                method(self, *arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        return method(self, *arguments)

    setattr(owner, name, killer)


def kill(folder: Path, n: int, mode: str, point: str, count: int) -> None:
    """A run in a process of its own, killed as `die_at` has it."""
    command = [sys.executable, __file__, str(folder), str(n), mode, point, str(count)]
    killed = subprocess.run(command, env=environment(), capture_output=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]


def environment(**more: str) -> dict[str, str]:
    """What a child needs to import what stands here."""
    return {**os.environ, "PYTHONPATH": f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}", **more}


if __name__ == "__main__":
    folder_, n_, mode_, point_, count_ = sys.argv[1:]
    run.Pace = pace  # type: ignore[misc,assignment]
    from storygen.writers import batches

    batches.CHUNK = 5
    die_at(point_, int(count_))
    make(Path(folder_), int(n_), mode_)
