"""API keys: they come from the environment alone, are checked before they are used, and are never repeated."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from urllib.parse import quote

from storygen.errors import WriterError

NAMES = (
    "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN",
)  # fmt: skip
_LOOKS_LIKE_KEY = re.compile(r"\b(?:sk|pk|key)-[A-Za-z0-9_-]{8,}|\b[Bb]earer\s+\S+")


def hide(text: str) -> str:
    """Without the keys of this process, in whatever spelling; nothing else is changed, so prose stays as it came."""
    for secret in _secrets():
        text = text.replace(secret, "[key]")
    return text


def scrub(text: str) -> str:
    """Without anything that is or looks like a key: for messages to people."""
    return _LOOKS_LIKE_KEY.sub("[key]", hide(text))


def holds_key(url: str) -> bool:
    """Whether a URL would give a key away: this process's, or what looks like one and has a digit in it."""
    return hide(url) != url or any(re.search(r"\d", found) for found in _LOOKS_LIKE_KEY.findall(url))


def check(*names: str) -> None:
    """Raise WriterError for a key that cannot stand in a header; the SDKs would show it in what they raise."""
    for name in names:
        value = os.environ.get(name, "")
        if value and not (value.isascii() and value.isprintable() and " " not in value):
            raise WriterError(
                f"{name} holds a character that no key has: a line end, a space or a letter with an accent.",
                "Set it again; it is never written down.",
            )


def _secrets() -> Iterator[str]:
    """Each key as it is and as repr, JSON and URLs would have it; the longest first. Short ones would hit words."""
    found = {os.environ.get(name, "").strip() for name in NAMES}
    spelled = {
        form for key in found if len(key) >= 6 for form in (key, repr(key)[1:-1], json.dumps(key)[1:-1], quote(key))
    }
    yield from sorted(spelled, key=len, reverse=True)
