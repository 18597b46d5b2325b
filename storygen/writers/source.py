"""What a run needs of a model: to be asked, and to be closed. Each writer is an outlines model behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from outlines.inputs import Chat

from storygen.writers.prompts import Prompt


@dataclass(frozen=True, slots=True)
class Answer:
    """A raw JSON answer, and how many requests the rate limit leaves until its reset (None where it does not say)."""

    raw: str
    remaining: int | None = None


class Source(Protocol):
    """`who` names the other side in errors; `name` is the model."""

    who: str
    name: str

    async def ask(self, prompt: Prompt) -> Answer:
        """The answer, whatever it says. Raises what `storygen.writers.trouble` can tell apart."""

    async def close(self) -> None: ...


def chat(prompt: Prompt) -> Chat:
    """A prompt in outlines' own form."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": prompt.system},
        {"role": "user", "content": prompt.user},
    ]
    return Chat(messages)
