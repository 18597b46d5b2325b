"""What reviewers decided: the last word of each, how far they agree, and what it says of the thresholds.

A reviewer's last word on a text counts, and "undo" takes it back. Of several reviewers one "drop" drops, else one
"keep" keeps: the rule of the ledger's state view. About a text that a screen dropped, "keep" says false alarm.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storygen.intervals import wilson

CHOICES = ("keep", "drop", "unsure")
STEPS = tuple(k / 20 for k in range(6, 20))  # scores at which the precision of a threshold is shown


@dataclass(frozen=True, slots=True)
class Word:
    """One reviewer's word on one text; `at` is seconds since the epoch."""

    number: int
    idx: int
    reviewer: str
    at: float
    choice: str
    note: str
    queue: str


Words = Mapping[int, Mapping[str, Word]]  # by text and reviewer


def latest(rows: Iterable[tuple[int, int, str, float, str, str, str]]) -> Words:
    """The words that stand, from `Ledger.decisions()` (in the order of their numbers)."""
    out: dict[int, dict[str, Word]] = {}
    for row in rows:
        word = Word(*row)
        if word.choice == "undo":
            out.get(word.idx, {}).pop(word.reviewer, None)
        else:
            out.setdefault(word.idx, {})[word.reviewer] = word
    return {idx: words for idx, words in out.items() if words}


def final(words: Mapping[str, Word]) -> str:
    """What all words on one text come to: drop, keep, or unsure."""
    said = {word.choice for word in words.values()}
    return "drop" if "drop" in said else "keep" if "keep" in said else "unsure"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two reviewers on the `n` texts that both judged; `kappa` is None where chance alone would agree always."""

    first: str
    second: str
    n: int
    agree: int
    kappa: float | None


def agreements(words: Words) -> list[Agreement]:
    """Plain agreement and Cohen's kappa of each pair of reviewers with a text in common (Cohen 1960)."""
    names = sorted({name for said in words.values() for name in said})
    out = []
    for a, b in itertools.combinations(names, 2):
        pairs = [(said[a].choice, said[b].choice) for said in words.values() if a in said and b in said]
        if pairs:
            out.append(Agreement(a, b, len(pairs), sum(x == y for x, y in pairs), kappa(pairs)))
    return out


def kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa: (agreement - chance) / (1 - chance)."""
    n = len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(first[c] * second[c] for c in first) / (n * n)
    if chance >= 1:
        return None
    return (sum(a == b for a, b in pairs) / n - chance) / (1 - chance)


@dataclass(frozen=True, slots=True)
class Judged:
    """One contamination verdict (or near miss) on which reviewers decided: was it a leak?"""

    tier: str
    score: float
    leak: bool


def precision(judged: Iterable[Judged], thresholds: Mapping[str, float]) -> list[dict[str, Any]]:
    """By tier: the share of leaks among judged texts from the threshold up, below it, and from other scores up.

    Each share comes with `n` and its Wilson 95 % interval. A tier without a threshold of its own drops from 1.
    """
    by_tier: dict[str, list[Judged]] = {}
    for one in judged:
        by_tier.setdefault(one.tier, []).append(one)
    out = []
    for tier, ones in sorted(by_tier.items()):
        at = thresholds.get(tier, 1.0)
        steps = [{"from": s, **_share([j for j in ones if j.score >= s])} for s in sorted({*STEPS, at})]
        out.append(
            {
                "tier": tier,
                "threshold": at,
                "above": _share([j for j in ones if j.score >= at]),
                "below": _share([j for j in ones if j.score < at]),
                "steps": [s for s, before in zip(steps, [None, *steps], strict=False) if _tells(s, before)],
            }
        )
    return out


def _tells(step: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
    """Whether a threshold would take other texts than the one before it."""
    return bool(step["n"]) and (before is None or step["n"] != before["n"])


def _share(ones: Sequence[Judged]) -> dict[str, Any]:
    leaks = sum(j.leak for j in ones)
    low, high = wilson(leaks, len(ones))
    return {
        "n": len(ones),
        "leaks": leaks,
        "share": round(leaks / len(ones), 4) if ones else None,
        "low": round(low, 4),
        "high": round(high, 4),
    }
