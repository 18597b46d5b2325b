"""Writers turn premises into drafts: the offline grammar, Claude (live and in batches), open models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from storygen.errors import UsageError
from storygen.writers.keys import holds_key, scrub

Source = Literal["grammar", "anthropic", "anthropic-batch", "openai", "gguf", "transformers"]


@dataclass(frozen=True, slots=True)
class Writer:
    """What `--writer` names: a source, and its model, file or folder; `url` for an OpenAI-protocol server."""

    source: Source
    model: str = ""
    url: str = ""

    @property
    def paid(self) -> bool:
        return self.source in ("anthropic", "anthropic-batch")

    @property
    def packaged(self) -> bool:
        """The small model that comes as a wheel: it shows that the path works, not what a model can write."""
        return self.source == "gguf" and not self.model


def parse_writer(text: str) -> Writer:
    """The writer that a `--writer` value names. Raises UsageError, naming what is known."""
    source, _, rest = text.partition(":")
    if text == "grammar":
        return Writer("grammar")
    if source in ("anthropic", "anthropic-batch") and rest:
        return Writer("anthropic" if source == "anthropic" else "anthropic-batch", rest)
    if source == "openai" and "#" in rest:
        url, _, model = rest.rpartition("#")
        if "@" in url or "?" in url or "#" in url or holds_key(url):
            raise UsageError(
                "The URL of --writer holds a password, key or query, which would be written down with the settings.",
                "Put the key into OPENAI_API_KEY.",
            )
        if url.startswith(("http://", "https://")) and model:
            return Writer("openai", model, url)
    if source == "gguf":
        return Writer("gguf", rest)
    if source == "transformers" and rest:
        return Writer("transformers", rest)
    raise UsageError(
        f"There is no writer '{scrub(text)}'.",
        "Known: grammar, anthropic:MODEL, anthropic-batch:MODEL, openai:BASE_URL#MODEL, gguf, gguf:PATH, "
        "transformers:PATH_OR_NAME.",
    )
