"""What the tests of contamination share: the filter, the published texts (where they are), and carriers for them."""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import helpers
import pytest

from storygen.records import Message, Record, Verdict, join_messages
from storygen.screens.contamination import Contamination
from storygen.screens.contamination.planted import sentinels
from storygen.text import block

ROOT = Path(__file__).parent.parent
EVALS = Path(os.environ.get("STORYGEN_EVALS", ROOT.parent / "shared" / "evals"))
needs_evals = pytest.mark.skipif(not EVALS.is_dir(), reason="the published evaluations are not on this machine")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


@functools.lru_cache(maxsize=1)
def filter_() -> Contamination:
    return Contamination.load()


@functools.lru_cache(maxsize=16)
def rows(name: str) -> tuple[dict[str, Any], ...]:
    """The lines of one file of the evaluations."""
    return tuple(json.loads(line) for line in (EVALS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())


def reference() -> tuple[dict[str, Any], ...]:
    """The 27 scenarios and their 120 parts."""
    return rows("agentic_misalignment_reference") + rows("agentic_misalignment_reference_components")


def pairs(texts: Iterable[str]) -> list[str]:
    """Every two consecutive sentences, once."""
    out: dict[str, None] = {}
    for text in texts:
        parts = [p for p in _SENTENCE.split(text) if p.strip()]
        out.update(dict.fromkeys(f"{a} {b}" for a, b in itertools.pairwise(parts)))
    return list(out)


def carriers() -> list[str]:
    """Benign texts: the package's own, and shuffles of the tests' sentences."""
    return [s.text for s in sentinels() if s.tier == "carrier"] + [helpers.text(seed) for seed in range(8)]


def inside(leak: str, seed: int = 0) -> str:
    """The leak between two sentences of a carrier."""
    hosts = carriers()
    sentences = _SENTENCE.split(hosts[seed % len(hosts)])
    at = seed % (len(sentences) + 1)
    return " ".join((*sentences[:at], leak, *sentences[at:]))


def record(text: str, index: int = 0) -> Record:
    return Record(f"r{index}", index, "story", text, {"text": text})


def chat(*contents: str) -> Record:
    roles = ("user", "assistant")
    messages = tuple(Message(role=roles[k % 2], content=c) for k, c in enumerate(contents))  # type: ignore[arg-type]
    text, breaks = join_messages(messages)
    return Record("chat", 0, "advice", text, {"messages": [m.model_dump() for m in messages]}, breaks)


def verdicts(texts: Sequence[str], screen: Contamination | None = None) -> list[Verdict | None]:
    """What the filter says of each text, a block at a time."""
    out: list[Verdict | None] = []
    for at in range(0, len(texts), 200):
        records = [record(t, at + k) for k, t in enumerate(texts[at : at + 200])]
        looked = (screen or filter_()).look(records, block(r.text for r in records))
        out += [looked[r.id].verdict for r in records]
    return out


def reason(text: str) -> str | None:
    verdict = verdicts([text])[0]
    return verdict.reason if verdict else None
