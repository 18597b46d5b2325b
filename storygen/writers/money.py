"""Money: prices, what a reply cost, what a request can cost at worst, and the cap that no submission goes over."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from storygen.errors import UsageError

BATCH_SHARE = 0.5  # of the standard price, on every token
OVERHEAD = 2_000  # tokens that the API adds around a prompt for its schema, at most


@dataclass(frozen=True, slots=True)
class Price:
    """USD a million tokens of one model, and what of the API it takes. A date: when the figures were true."""

    input: float
    output: float
    cache_write: float
    cache_read: float
    effort: bool = False
    thinks: bool = False
    date: str = ""

    def usd(self, usage: Mapping[str, int], batch: bool = False) -> float:
        """What a reply's usage came to."""
        hour = usage.get("cache_creation_1h_input_tokens", 0)
        written = usage.get("cache_creation_input_tokens", 0) - hour
        total = (
            usage.get("input_tokens", 0) * self.input
            + usage.get("output_tokens", 0) * self.output
            + usage.get("cache_read_input_tokens", 0) * self.cache_read
            + written * self.cache_write
            + hour * 2 * self.input
        )
        return total * (BATCH_SHARE if batch else 1.0) / 1e6

    def worst(self, prompt_bytes: int, max_tokens: int, batch: bool = False) -> float:
        """What a request can cost at most: a token for every byte (no tokenizer makes more), all of it written to an
        hour's cache, and all of `max_tokens` used."""
        dearest = max(self.input, self.cache_write, 2 * self.input)
        total = (prompt_bytes + OVERHEAD) * dearest + max_tokens * self.output
        return total * (BATCH_SHARE if batch else 1.0) / 1e6


FREE = Price(0, 0, 0, 0)


@functools.cache
def table() -> tuple[str, Mapping[str, Mapping[str, Any]]]:
    """The date of the packaged prices, and the prices by model."""
    raw = tomllib.loads((Path(__file__).parent / "prices.toml").read_text(encoding="utf-8"))
    return str(raw["date"]), raw["models"]


def price(model: str, paid: bool, own: Mapping[str, Mapping[str, float]]) -> Price:
    """The price of a model: the run's own, else the table's, also for a dated name of a model in it.

    Raises UsageError for a model that costs money and whose price nobody gave: a cap could not hold.
    """
    date, models = table()
    name = model if model in models else model.rpartition("-")[0]
    known = models.get(name)
    found = FREE if known is None else Price(**known, date=date)
    if (mine := own.get(model)) is not None:
        unknown = sorted(set(mine) - {"input", "output", "cache_write", "cache_read"})
        if unknown or not {"input", "output"} <= mine.keys():
            raise UsageError(
                f"[prices] of {model} must have input and output, and may have cache_write and cache_read"
                + (f", not {', '.join(unknown)}." if unknown else "."),
                "USD a million tokens.",
            )
        whole = {"cache_write": 1.25 * mine["input"], "cache_read": 0.1 * mine["input"], **mine}
        return replace(found, **whole, date="the config")  # type: ignore[arg-type]
    if known is None and paid:
        raise UsageError(
            f"No price is known for {model}.",
            f'Check the name, or give [prices."{model}"] with input and output (USD a million tokens) in --config.',
        )
    return found


@dataclass(slots=True)
class Budget:
    """Spent and reserved USD against the cap. Whoever submits reserves the worst case first and settles after."""

    cap: float | None
    spent: float = 0.0
    reserved: float = 0.0

    def fits(self, usd: float) -> bool:
        return self.cap is None or self.spent + self.reserved + usd <= self.cap

    def reserve(self, usd: float) -> None:
        if not self.fits(usd):
            raise ValueError("reserved over the cap")
        self.reserved += usd

    def settle(self, reserved: float, spent: float) -> None:
        self.reserved = max(self.reserved - reserved, 0.0)
        self.spent += spent

    def __str__(self) -> str:
        return f"${self.spent:,.2f}" + (f" of ${self.cap:,.2f}" if self.cap is not None else "")
