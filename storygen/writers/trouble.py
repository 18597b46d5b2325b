"""What went wrong with a request, told alike for the SDKs of Anthropic and OpenAI, which are built alike.

fatal     no request will ever work: bad key, no credit, unknown model
busy      turned away before anything was done: rate limit, overload, server error
down      nobody there
lost      sent, and the answer never came, or a gateway gave up on it; it may have been paid for
rejected  this request is wrong, others may be right
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from storygen.errors import WriterError
from storygen.writers.keys import scrub

Sort = Literal["fatal", "busy", "down", "lost", "rejected"]
_NOT_DONE = (409, 429, 500, 503, 529)  # nothing was generated; of other 5xx (502, 504, a proxy's) nobody can say so
_CREDIT = re.compile(r"credit balance|billing|spend limit|quota", re.I)


@dataclass(frozen=True, slots=True)
class Trouble:
    """`wait`: seconds that the server asked for. `message` is safe to show."""

    sort: Sort
    message: str
    wait: float | None = None
    status: int | None = None


def of(error: Exception) -> Trouble | None:
    """The trouble that an SDK's exception means; None for one that is a fault of ours and should be raised."""
    status = getattr(error, "status_code", None)
    name = type(error).__name__
    if isinstance(status, int):
        body = getattr(error, "body", None)
        inner = body.get("error") if isinstance(body, Mapping) else None
        told = inner if isinstance(inner, Mapping) else body if isinstance(body, Mapping) else {}
        message = scrub(str(told.get("message") or name))[:300].rstrip(".")
        if status in (401, 402, 403, 404) or (
            status in (400, 429) and _CREDIT.search(f"{told.get('type')} {told.get('code')} {message}")
        ):
            return Trouble("fatal", message, status=status)
        if status in _NOT_DONE:
            return Trouble("busy", f"{status} {message}", _wait(error), status)
        if status == 408 or status > 500:
            return Trouble("lost", f"{status} {message}", _wait(error), status)
        return Trouble("rejected", f"{status} {message}", status=status)
    if any(c.__name__ == "APIConnectionError" for c in type(error).__mro__):
        cause = type(error.__cause__).__name__
        if cause == "LocalProtocolError":  # its text quotes the header
            return Trouble("fatal", "it cannot be sent in a header", status=401)
        never_sent = cause in ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError")
        return Trouble("down" if never_sent else "lost", scrub(str(error.__cause__ or error))[:200] or name)
    if "authentication" in str(error).lower() and "header" in str(error).lower():
        return Trouble("fatal", "no key was found", status=401)
    broken = any(c.__name__ == "TransportError" for c in type(error).__mro__)  # httpx's, while a body streams in
    if broken or isinstance(error, (ConnectionError, asyncio.TimeoutError)):
        return Trouble("lost", scrub(str(error)) or name)
    return None


def fatal(trouble: Trouble, who: str, model: str) -> WriterError:
    """One clear error for what no retry can mend."""
    if trouble.status == 404:
        return WriterError(
            f"{who} does not know the model {model}: {trouble.message}.", "Check the name after the colon."
        )
    if trouble.status in (401, 403):
        return WriterError(
            f"{who} did not accept the key: {trouble.message}.",
            "Set ANTHROPIC_API_KEY (or OPENAI_API_KEY) in the environment; it is never written down.",
        )
    return WriterError(
        f"{who} says that there is no credit: {trouble.message}.",
        "Nothing more was sent and everything so far is kept; add credit and run the same command again.",
    )


def _wait(error: Exception) -> float | None:
    headers: Any = getattr(getattr(error, "response", None), "headers", {})
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(float(headers.get(name)) / scale, 0.0)
        except (TypeError, ValueError):
            continue
    return None
