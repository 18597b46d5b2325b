"""Finished paragraphs as the parts of a draft."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storygen.records import Message


def messages(blocks: Sequence[tuple[str, str, bool]]) -> tuple[Message, ...]:
    """Paragraphs as chat messages: a label begins a message, paragraphs without one go on with it."""
    out: list[tuple[Any, list[str]]] = []
    for label, text, _ in blocks:
        if label in ("system", "user", "assistant") and not (out and out[-1][0] == label):
            out.append((label, [text]))
        elif out:
            out[-1][1].append(text)
    return tuple(Message(role=role, content="\n\n".join(parts)) for role, parts in out)


def first_sentence(text: str) -> str:
    """Up to the first full stop outside quotation marks."""
    quoted = False
    for k, c in enumerate(text):
        if c == '"':
            quoted = not quoted
            if not quoted and text[k - 1] in ".?!" and text[k + 1 : k + 3].strip()[:1].isupper():
                return text[: k + 1]
        elif c in ".?!" and not quoted and text[k + 1 : k + 2] in ("", " "):
            return text[: k + 1]
    return text
