"""What came back, read: one shape for Anthropic's messages, results of a batch, OpenAI's completions, bare text.

A pure function of the raw JSON in the ledger, so that a fault in it loses nothing that was paid for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `problem`: refusal, truncated, empty, garbled, or a batch's errored, expired, canceled; else empty.

    `usage` has the fields of Anthropic's: input_tokens, output_tokens, cache_read_input_tokens,
    cache_creation_input_tokens (of which cache_creation_1h_input_tokens live an hour).
    """

    text: str = ""
    problem: str = ""
    model: str = ""
    usage: Mapping[str, int] = field(default_factory=dict)
    detail: str = ""


def read(raw: str) -> Reply:
    """The reply in a raw JSON text; never raises."""
    try:
        value = json.loads(raw)
    except ValueError:
        return Reply(problem="garbled", detail=raw[:200])
    if not isinstance(value, dict):
        return Reply(problem="garbled", detail=raw[:200])
    kind = value.get("type")
    if kind == "succeeded":
        return _message(_mapping(value.get("message")))
    if kind in ("errored", "expired", "canceled"):
        error = _mapping(_mapping(value.get("error")).get("error"))
        return Reply(problem=str(kind), detail=f"{error.get('type', '')}: {error.get('message', '')}".strip(": "))
    if kind == "message":
        return _message(value)
    if "choices" in value:
        return _completion(value)
    return Reply(problem="garbled", detail=raw[:200])


def _message(message: Mapping[str, Any]) -> Reply:
    """The first text block is the answer; thinking may come before it."""
    blocks = message.get("content")
    texts = [str(b.get("text", "")) for b in blocks or () if isinstance(b, dict) and b.get("type") == "text"]
    stop = message.get("stop_reason")
    text = texts[0] if texts else ""
    problem = {"refusal": "refusal", "max_tokens": "truncated", "model_context_window_exceeded": "truncated"}.get(
        str(stop), ""
    )
    usage = _mapping(message.get("usage"))
    counts = {
        name: value
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        if isinstance(value := usage.get(name), int)
    }
    hour = _mapping(usage.get("cache_creation")).get("ephemeral_1h_input_tokens")
    if isinstance(hour, int) and hour:
        counts["cache_creation_1h_input_tokens"] = hour
    return Reply(text, problem or ("" if text.strip() else "empty"), str(message.get("model", "")), counts)


def _completion(value: Mapping[str, Any]) -> Reply:
    choices = value.get("choices")
    choice = _mapping(choices[0] if isinstance(choices, list) and choices else None)
    message = _mapping(choice.get("message"))
    text = str(message.get("content") or "")
    usage = _mapping(value.get("usage"))
    counts = {
        ours: number
        for ours, theirs in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens"))
        if isinstance(number := usage.get(theirs), int)
    }
    problem = "truncated" if choice.get("finish_reason") == "length" else ""
    if message.get("refusal") or choice.get("finish_reason") == "content_filter":
        problem = "refusal"
    return Reply(text, problem or ("" if text.strip() else "empty"), str(value.get("model", "")), counts)


def completion(text: str, model: str, sent: int, made: int, ended: bool) -> str:
    """A raw reply for a model in this process, in the shape of a completion; `sent` and `made` in tokens."""
    return json.dumps(
        {
            "model": model,
            "choices": [{"message": {"content": text}, "finish_reason": "stop" if ended else "length"}],
            "usage": {"prompt_tokens": sent, "completion_tokens": made},
        },
        ensure_ascii=False,
    )


def errored(kind: str, message: str) -> str:
    """A raw reply for a request that was turned away, in the shape of a batch's errored result."""
    return json.dumps({"type": "errored", "error": {"error": {"type": kind, "message": message}}})


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
