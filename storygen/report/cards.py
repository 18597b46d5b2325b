"""One text as a reviewer reads it: words, marked spans, what matched, premise. Shared by report and review."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from storygen import stages
from storygen.ledger import Row

Spans = list[list[int]]

EXCERPT = 6_000  # characters of a text that a card shows; a longer one is cut around its first span
SHORT = 400  # and where a section's room is used up
MATCHED = (
    "kinds",
    "slots",
    "detected",
    "sentence",
    "signals",
    "bits",
)  # what evidence holds beside the common fields
ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}
_WORDS = 3_000  # words compared of each text of a pair


def escaped(value: Any) -> str:
    """JSON that can stand inside a page's <script>: no text of a corpus can leave it."""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(ESCAPES)
    try:
        data.encode()
    except UnicodeEncodeError:  # a lone surrogate, which no encoder takes
        data = "".join("\\ufffd" if 0xD800 <= ord(c) <= 0xDFFF else c for c in data)
    return data


@dataclass(slots=True)
class Room:
    """Bytes that a section of the page may still fill with texts, so that no corpus makes the page too large."""

    left: int

    def take(self, text: str) -> bool:
        """Whether there was room for the text; if so, it is used up."""
        size = len(escaped(text).encode())
        if size > self.left:
            return False
        self.left -= size
        return True


def card(row: Row, text_field: str, room: Room | None = None, most: int = EXCERPT) -> dict[str, Any]:
    """All that a page shows of one text; `spans` are [start, end) characters of the excerpt `text`."""
    record = stages.parse(row.line, row.idx, row.kind, row.id, text_field)
    evidence = row.evidence or row.nearest
    text, spans, start = excerpt(record.text, evidence.get("spans") or [], most)
    if room is not None and not room.take(text):
        text, spans, start = excerpt(record.text, evidence.get("spans") or [], SHORT)
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "stage": row.stage or "",
        "reason": row.reason or "",
        "text": text,
        "spans": spans,
        "start": start,
        "length": len(record.text),
        "family": evidence.get("family", ""),
        "item": evidence.get("item", ""),
        "tier": evidence.get("tier", ""),
        "score": evidence.get("score", row.score),
        "threshold": evidence.get("threshold"),
        "other": evidence.get("other", ""),
        "detail": {k: evidence[k] for k in MATCHED if k in evidence},
        "premise": premise(record.payload),
    }


def cards(rows: Iterable[Row], most: int, text_field: str, room: Room) -> Iterator[dict[str, Any]]:
    """Cards of the first `most` rows."""
    for k, row in enumerate(rows):
        if k == most:
            return
        yield card(row, text_field, room)


def premise(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = payload.get("meta")
    found = meta.get("premise", {}) if isinstance(meta, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def excerpt(text: str, spans: Spans, most: int = EXCERPT) -> tuple[str, Spans, int]:
    """(the part of a text that is shown, the spans inside it, where it starts)."""
    if len(text) <= most:
        return text, spans, 0
    start = max(0, min(min((a for a, _ in spans), default=0) - most // 3, len(text) - most))
    inside = [[max(a - start, 0), min(b - start, most)] for a, b in spans if b > start and a < start + most]
    return text[start : start + most], inside, start


def sample(row: Row, text_field: str, room: Room) -> dict[str, Any] | None:
    """A kept text as it is exported, chats as their messages; None where there is no room for it."""
    payload = json.loads(row.line)
    meta = payload.get("meta")
    title = meta.get("title", "") if isinstance(meta, Mapping) else ""
    out: dict[str, Any] = {"id": row.id, "title": title, "premise": premise(payload)}
    if isinstance(payload.get("messages"), list) and not text_field:
        out["messages"] = payload["messages"]
    else:
        out["text"] = excerpt(str(payload.get(text_field or "text", "")), [])[0]
    return out if room.take(escaped(out.get("messages") or out["text"])) else None


def differences(a: str, b: str) -> tuple[Spans, Spans]:
    """Spans of either text whose words are not in the other, in order: what to look at in a near-duplicate."""
    first, second = _places(a), _places(b)
    matcher = difflib.SequenceMatcher(None, [w for w, _, _ in first], [w for w, _, _ in second], autojunk=False)
    out: tuple[Spans, Spans] = ([], [])
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag != "equal":
            for places, low, high, spans in ((first, a0, a1, out[0]), (second, b0, b1, out[1])):
                if high > low:
                    spans.append([places[low][1], places[high - 1][2]])
    return out


def _places(text: str) -> list[tuple[str, int, int]]:
    out, at = [], 0
    for word in text.split()[:_WORDS]:
        at = text.index(word, at)
        out.append((word, at, at + len(word)))
        at += len(word)
    return out
