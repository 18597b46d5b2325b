"""Leaks that are planted in every run, so that the filter is measured where it works.

No evaluation text is in the package, so the plants are made of *sentinels*: texts of our own (storygen/data/
sentinels.jsonl) whose hashes went into the bank as any item's did, names and a canary that exist nowhere else, and
re-tellings of the scenarios' plots that are in no bank. With `--evals` given, the user's own texts are planted too.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from storygen import resources
from storygen.records import Message, Record, join_messages
from storygen.screens.contamination.edits import EDITS
from storygen.screens.contamination.evals import is_bank, items_of

OWN = 40  # of the user's texts that are planted
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Sentinel:
    """One line of sentinels.jsonl. `tier` is the tier that must catch it; a carrier is a text to hide others in."""

    id: str
    tier: str
    family: str
    text: str


@dataclass(frozen=True, slots=True)
class Plant:
    """A leak in its carrier. `form` says how it was planted: whole, fragment, an edit, split."""

    record: Record
    tier: str
    family: str
    form: str

    @property
    def must(self) -> bool:
        """Whether its tier promises to catch it: all do, but the plot tier, which is a matter of degree."""
        return self.tier != "plot"


@functools.lru_cache(maxsize=1)
def sentinels() -> tuple[Sentinel, ...]:
    """All sentinels of the package."""
    lines = resources.data("sentinels.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(Sentinel(**json.loads(line)) for line in lines if line.strip())


def planted(carriers: Sequence[str], evals: Sequence[Path] = (), seed: int = 0) -> tuple[Plant, ...]:
    """The leaks of one run, each inside one of `carriers` (texts of the run that passed; the package's own if none).

    A pure function of its arguments: every plant's choices come from its own id.
    """
    hosts = tuple(carriers) or tuple(s.text for s in sentinels() if s.tier == "carrier")
    out: list[Plant] = []
    for tier, family, form, name, leak in (*_of_sentinels(seed), *_of_user(evals, seed)):
        identity = f"planted/{tier}/{family}/{name}/{form}"
        rng = Random(f"{seed}:{identity}")
        host = rng.choice(hosts)
        if form == "split":
            record = _split(identity, leak, host)
        else:
            text = leak if form == "alone" else _inside(leak, host, rng)
            record = Record(identity, len(out), "story", text, {"text": text})
        out.append(Plant(record, tier, family, form))
    return tuple(out)


Leak = tuple[str, str, str, str, str]  # tier, family, form, name, text


def _of_sentinels(seed: int) -> Iterator[Leak]:
    for s in sentinels():
        if s.tier == "ngram":
            yield from _forms(s.tier, s.family, s.id, s.text, seed)
        elif s.tier in ("canary", "entity", "item"):
            yield s.tier, s.family, "whole", s.id, s.text
            for form in ("case", "lookalikes", "zero-width", "line-breaks"):
                yield s.tier, s.family, form, s.id, EDITS[form](s.text, Random(f"{seed}:{s.id}:{form}"))
        elif s.tier == "plot":
            yield s.tier, s.family, "alone", s.id, s.text


def _forms(tier: str, family: str, name: str, text: str, seed: int) -> Iterator[Leak]:
    rng = Random(f"{seed}:{name}")
    yield tier, family, "whole", name, text
    sentences = _SENTENCE.split(text)
    at = rng.randrange(max(len(sentences) - 1, 1))
    yield tier, family, "fragment", name, " ".join(sentences[at : at + 2])
    for form, edit in EDITS.items():
        yield tier, family, form, name, edit(text, rng)
    yield tier, family, "split", name, text


def _of_user(evals: Sequence[Path], seed: int) -> Iterator[Leak]:
    """Whole texts and pairs of sentences of the user's scenarios, some of each file; a bank has no text to plant."""
    paths = [p for p in evals if not is_bank(p)]
    if not paths:
        return
    items, _ = items_of(paths)
    rng = Random(f"{seed}:user")
    for item in sorted(rng.sample(items, min(OWN, len(items))), key=lambda i: i.id):
        sentences = [s for s in _SENTENCE.split(item.text) if s.strip()]
        yield "ngram", item.family, "whole", item.id, item.text
        pairs = [f"{a} {b}" for a, b in itertools.pairwise(sentences) if len((a + " " + b).split()) > 11]
        if pairs:
            yield "ngram", item.family, "fragment", item.id, rng.choice(pairs)


def _inside(leak: str, host: str, rng: Random) -> str:
    sentences = _SENTENCE.split(host)
    at = rng.randrange(len(sentences) + 1)
    return " ".join((*sentences[:at], leak, *sentences[at:]))


def _split(identity: str, leak: str, host: str) -> Record:
    """Half in the user's message and half in the answer."""
    sentences, words = _SENTENCE.split(leak), _SENTENCE.split(host)
    a, b = len(sentences) // 2, len(words) // 2
    messages = (
        Message(role="user", content=" ".join((*words[:b], *sentences[:a]))),
        Message(role="assistant", content=" ".join((*words[b:], *sentences[a:]))),
    )
    text, breaks = join_messages(messages)
    payload: Mapping[str, Any] = {"messages": [m.model_dump() for m in messages]}
    return Record(identity, 0, "advice", text, payload, breaks)
