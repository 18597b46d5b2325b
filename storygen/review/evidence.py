"""What a reviewer needs to see of one text: its words in pieces, what matched, the scenario, the near-duplicate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storygen import stages
from storygen.ledger import Ledger, Row
from storygen.report.cards import Spans, card, differences, excerpt
from storygen.screens.contamination.evals import is_bank, items_of
from storygen.text import words_with_offsets

LONG = 40_000  # characters shown at once, around the first marked span; the whole text is a click away
SHARED = 5  # words in a row that a text and a scenario have in common
# Control characters that would hide or turn what stands beside them (as in report/dom.js).
_HIDDEN = re.compile(
    "([\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb])"
)

Piece = tuple[str, str]  # what it is ("", mark, hidden), its characters


@dataclass(frozen=True, slots=True)
class Part:
    """A text or one message of a chat, in pieces."""

    title: str
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class View:
    """One record as it is shown. `card` holds the facts, `parts` the text, `other` the text it is near."""

    row: Row
    card: Mapping[str, Any]
    parts: list[Part]
    cut: bool
    other: Part | None = None
    scenario: Part | None = None
    facts: list[tuple[str, str]] = field(default_factory=list)
    slots: list[tuple[str, str]] = field(default_factory=list)  # of a plot, with the sentence that fills each


def scenarios(paths: Sequence[Path]) -> dict[tuple[str, str], str]:
    """The user's own scenarios by family and id; a bank holds hashes, so there is no text to show of it."""
    texts = [path for path in paths if not is_bank(path)]
    return {(item.family, item.id): item.text for item in items_of(texts)[0]} if texts else {}


def view(
    ledger: Ledger, row: Row, text_field: str, known: Mapping[tuple[str, str], str], whole: bool = False
) -> View:
    """All of one record; `known` are the scenarios whose text may be shown."""
    most = 10**9 if whole else LONG
    shown = card(row, text_field, most=most)
    text, spans = shown["text"], shown["spans"]
    other = None
    if row.stage == "duplicates" and (found := next(iter(ledger.rows("id = ?", (shown["other"],))), None)):
        near = card(found, text_field, most=most)
        theirs, spans = differences(near["text"], text)
        other = Part(found.id, pieces(near["text"], theirs))
    record = stages.parse(row.line, row.idx, row.kind, row.id, text_field)
    cut = len(record.text) > len(text)
    if record.breaks and not cut:
        parts = _messages(record.payload["messages"], record.breaks, text, spans)
    else:
        parts = [Part("", pieces(text, spans))]
    scenario = None
    if (leak := known.get((shown["family"], shown["item"]))) is not None:
        held, at, _ = excerpt(leak, shared(leak, record.text), most)
        scenario = Part(shown["item"], pieces(held, at))
    slots = list((shown["detail"].get("slots") or {}).items())
    return View(row, shown, parts, cut, other, scenario, _facts(shown), slots)


def _messages(messages: Sequence[Mapping[str, Any]], breaks: Sequence[int], text: str, spans: Spans) -> list[Part]:
    out = []
    for k, (message, start) in enumerate(zip(messages, breaks, strict=True)):
        end = breaks[k + 1] - 2 if k + 1 < len(breaks) else len(text)
        inside = [[max(a - start, 0), min(b, end) - start] for a, b in spans if b > start and a < end]
        out.append(Part(str(message.get("role", "")), pieces(text[start:end], inside)))
    return out


def pieces(text: str, spans: Iterable[Sequence[int]]) -> list[Piece]:
    """A text cut where marks begin and end; characters that cannot be seen stand as their numbers."""
    out: list[Piece] = []
    at = 0
    for start, end in sorted((int(a), int(b)) for a, b in spans):
        if end > at:
            out += _seen("", text[at : max(start, at)]) + _seen("mark", text[max(start, at) : end])
            at = end
    return out + _seen("", text[at:])


def _seen(name: str, text: str) -> list[Piece]:
    parts = _HIDDEN.split(text)
    return [("hidden", f"U+{ord(p):04X}") if k % 2 else (name, p) for k, p in enumerate(parts) if p]


def shared(leak: str, text: str) -> Spans:
    """Spans of `leak` whose words stand in `text` too, five in a row at least."""
    words, theirs = words_with_offsets(leak), [w for w, _, _ in words_with_offsets(text)]
    runs = {tuple(theirs[k : k + SHARED]) for k in range(len(theirs) - SHARED + 1)}
    out: Spans = []
    for k in range(len(words) - SHARED + 1):
        if tuple(w for w, _, _ in words[k : k + SHARED]) in runs:
            start, end = words[k][1], words[k + SHARED - 1][2]
            if out and start <= out[-1][1]:
                out[-1][1] = end
            else:
                out.append([start, end])
    return out


def _facts(shown: Mapping[str, Any]) -> list[tuple[str, str]]:
    detail = shown["detail"]
    pairs = [
        ("reason", shown["reason"]),
        ("tier", shown["tier"]),
        ("family", shown["family"]),
        ("matched", shown["item"]),
        ("near", shown["other"]),
        *((k, ", ".join(v) if isinstance(v, list) else str(v)) for k, v in detail.items() if k != "slots"),
    ]
    return [(name, str(value)) for name, value in pairs if value]
