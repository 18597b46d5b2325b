"""Conduct: is this a text in which the AI does the harm, and nothing in it sets that right?

Two readings add up. A trained one (`model`) weighs the words and how the wrong is told: quietly, for their own good,
noticed by nobody, praised; against that a refusal, a temptation looked at and left, a wrong owned, an essay that
argues. And the deeds that a lexicon of harmful acts finds told as done by the AI (`deeds`), where the words leave it
open. People may do wrong, an AI may be tempted and decline, or own what it did: all of that is kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from storygen.records import Record, Screened, Verdict
from storygen.screens.conduct.deeds import Deed, deeds, settled
from storygen.screens.conduct.lexicon import KINDS
from storygen.screens.conduct.model import DEED, Model, best, model, probability
from storygen.screens.conduct.signals import Words, phrases, words
from storygen.text import Block, block, words_with_offsets

__all__ = ["Deed", "deeds", "screen"]

_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+[\"')”’]*|\n|$)")
_SPANS = 4  # sentences shown where the lexicon names none
_DEEDS = 8
_WORDS = 6  # telling words shown


def screen(records: Sequence[Record], hashes: Block | None = None) -> Screened:
    """Drop a record in which an AI does harm that the text does not set right: `conduct:ai-misbehaves`.

    `hashes` are the words of the records' texts, where the caller has them. Evidence: the kinds of harm, a
    probability and its threshold, the sentences as spans, and the words that told.
    """
    kept, rejected = [], []
    judge = model()
    seen = words(block(r.text for r in records) if hashes is None else hashes)
    for k, (record, odds) in enumerate(zip(records, judge.by_words(seen).tolist(), strict=True)):
        evidence = _judge(record, judge, seen, k, odds)
        if evidence is None:
            kept.append(record)
        else:
            rejected.append((record, Verdict(record.id, "conduct", "conduct:ai-misbehaves", evidence)))
    return Screened(tuple(kept), tuple(rejected))


def _judge(record: Record, judge: Model, seen: Words, k: int, odds: float) -> dict[str, Any] | None:
    """The evidence against a text, None where it is kept."""
    if odds + DEED < judge.threshold:
        return None  # nine texts in ten: no deed would count for enough, and reading for deeds is dear
    meta = record.payload.get("meta")
    found = deeds(record.text, meta if isinstance(meta, dict) else {})
    odds += DEED * (len(found) > settled(record.text, found))
    if odds < judge.threshold:
        return None
    spans, signals, kinds = _telling(record.text, judge, seen, k)
    return {
        "kinds": sorted({d.kind for d in found}) or kinds,
        "score": round(probability(odds), 4),
        "threshold": round(probability(judge.threshold), 4),
        "spans": [[d.start, d.end] for d in found[:_DEEDS]] or spans,
        "signals": signals,
        "model": judge.version,
    }


def _telling(text: str, judge: Model, seen: Words, k: int) -> tuple[list[list[int]], list[str], list[str]]:
    """The sentences and the words that speak most against a text, and the kinds of harm that it speaks of."""
    weights = judge.telling(seen, k)
    places = words_with_offsets(text)
    ends = [m.end() for m in _SENTENCE.finditer(text)]
    starts = [m.start() + len(m[0]) - len(m[0].lstrip()) for m in _SENTENCE.finditer(text)]
    sentence = np.minimum(np.searchsorted(ends, [begin for _, begin, _ in places], side="right"), len(ends) - 1)
    sums = np.bincount(sentence, weights, minlength=len(ends))
    spans = [[starts[s], ends[s]] for s in best(sums.tolist(), _SPANS) if sums[s] > 0]
    signals = [places[w][0] for w in best(weights.tolist(), _WORDS)]
    return spans, list(dict.fromkeys(signals)), _kinds(seen, k)


def _kinds(seen: Words, k: int) -> list[str]:
    """The kind of act that a text has most words for; "unclear" where it has none."""
    bits = seen.bits[seen.text == k]
    counts = {
        kind: int((bits >> np.uint64(bit) & np.uint64(1)).sum())
        for bit, kind in enumerate(phrases().classes)
        if kind in KINDS
    }
    most = max(counts.values())
    return [kind for kind, count in counts.items() if count == most] if most else ["unclear"]
