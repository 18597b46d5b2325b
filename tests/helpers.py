"""What several tests share: benign prose, records, and whole runs of `make`."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import synchronize
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from storygen import engines, pipeline, progress, stages
from storygen.ledger import Ledger, Made
from storygen.records import Record
from storygen.settings import Settings

SENTENCES = [
    "The crew came down from the upper dam before the rain had properly begun.",
    "Nobody had told the night clerk that the ferry would be early, and she had no coffee ready.",
    "What the register said and what the shelf held were two different numbers.",
    "It read the figures twice, then asked the foreman to lower a tape into the well by hand.",
    "He took the answer badly, and after supper he took it rather better.",
    '"I can send it tonight with the gap marked," the scheduler said, "or tomorrow without one."',
    "Two crates of seed potatoes stood in the passage, waiting for someone to own up to them.",
    "Her brother, who had never liked the place, offered to carry the boxes.",
    "By the end of the month the pump was mended and the quarrel was not.",
    "They agreed to ask the ecologist, since it was her signature on the plan.",
    "The bus was full of people going home with bread under their coats.",
    "For a while the only sound was the kettle and the counting.",
]


def text(seed: int = 0) -> str:
    """All sentences once, about 170 words, in an order of its own."""
    return " ".join(random.Random(seed).sample(SENTENCES, len(SENTENCES)))


def story(body: str, **payload: Any) -> Record:
    identity = "story-0000007"
    return Record(identity, 7, "story", body, payload or {"id": identity, "text": body, "meta": {}})


class Quiet(progress.Lines):
    def say(self, line: str) -> None:
        pass


def make(folder: Path, n: int = 400, workers: int = 1, **more: Any) -> pipeline.Outcome:
    settings = replace(Settings(), n=n, out=folder, workers=workers, **more)
    with engines.open_engine("local", workers) as engine:
        return pipeline.make(settings, engine, Quiet())


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of `data/`."""
    root = folder / "data"
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(root.rglob("*.jsonl"))
    }


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def made(idx: int, reason: str | None = None, line: str | None = "{}", signature: bytes | None = None) -> Made:
    stage = reason.split(":")[0] if reason else None
    return Made(
        idx, f"story-{idx}", "story", "cell", f"family-{idx % 3}", line, stage, reason, "{}", 0.1, "{}", signature
    )


def write_for_ever(folder: Path, ready: synchronize.Event) -> None:
    with Ledger.hold(folder) as ledger:
        for idx in range(10**6):
            ledger.commit([made(idx)])
            if idx == 50:
                ready.set()


def deadly(deaths: Sequence[int], spec: stages.Spec, indexes: Sequence[int]) -> stages.Batch:
    """`produce`, but that these indexes take the process with them."""
    if not set(deaths).isdisjoint(indexes):
        os._exit(1)
    return stages.produce(spec, indexes)


def once(marker: Path, spec: stages.Spec, indexes: Sequence[int]) -> stages.Batch:
    """`produce`, in a process that is killed the first time."""
    if not marker.exists():
        marker.touch()
        os._exit(1)
    return stages.produce(spec, indexes)


class FakeFilesystem:
    """What `publish` asks of a filesystem, kept in memory under the given type's name."""

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name
        self.files: dict[str, bytes] = {}
        self.written: list[str] = []
        self.moved: list[str] = []

    def create_dir(self, path: str, recursive: bool = True) -> None:
        pass

    def get_file_info(self, path: Any) -> Any:
        if not isinstance(path, str):
            return []
        found = path in self.files
        return SimpleNamespace(path=path, is_file=found, size=len(self.files[path]) if found else None)

    @contextmanager
    def open_output_stream(self, path: str) -> Iterator[io.BytesIO]:
        file = io.BytesIO()
        yield file
        self.files[path] = file.getvalue()
        self.written.append(path)

    def move(self, path: str, to: str) -> None:
        self.files[to] = self.files.pop(path)
        self.moved.append(path)
