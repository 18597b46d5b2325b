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
from storygen.screens.conduct import actors, deeds, model
from storygen.screens.conduct.lexicon import KINDS
from storygen.screens.conduct.model import DEED, Model, best, probability
from storygen.screens.conduct.signals import TAIL, Words, phrases, tails, words
from storygen.text import Block, block, words_with_offsets

_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+[\"')”’]*|\n|$)")
_SPANS = 4  # sentences shown where the lexicon names none
_DEEDS = 8
_WORDS = 6  # telling words shown
_BLOCK = 200  # texts looked at together


def screen(records: Sequence[Record], hashes: Block | None = None) -> Screened:
    """Drop a record in which an AI does harm that the text does not set right: `conduct:ai-misbehaves`.

    `hashes` are the words of the records' texts, where the caller has them. Evidence: the kinds of harm, a
    probability and its threshold, the sentences as spans, and the words that told.
    """
    if hashes is None and len(records) > _BLOCK:
        parts = [screen(records[at : at + _BLOCK]) for at in range(0, len(records), _BLOCK)]
        return Screened(sum((p.kept for p in parts), ()), sum((p.rejected for p in parts), ()))
    kept, rejected = [], []
    judge = model.load()
    texts = block(r.text for r in records) if hashes is None else hashes
    seen = words(texts)
    odds = judge.by_words(seen)
    ending = np.full(len(records), -np.inf)
    long, tail = tails(texts)
    ending[long] = judge.by_words(words(tail))
    for k, record in enumerate(records):
        evidence = _judge(record, judge, seen, k, float(odds[k]), float(ending[k]))
        if evidence is None:
            kept.append(record)
        else:
            rejected.append((record, Verdict(record.id, "conduct", "conduct:ai-misbehaves", evidence)))
    return Screened(tuple(kept), tuple(rejected))


def _judge(record: Record, judge: Model, seen: Words, k: int, odds: float, ending: float) -> dict[str, Any] | None:
    """The evidence against a text, None where it is kept; log odds of the whole and of a long one's last part."""
    if odds + DEED < judge.threshold and ending < judge.tail:
        return None  # nearly all: no deed would count for enough, and reading for deeds is dear
    meta = record.payload.get("meta")
    if not actors.has_ai(record.text, meta if isinstance(meta, dict) else {}):
        return None  # the trained reading knows texts about AIs only; of others it says nothing
    found = deeds.deeds(record.text, meta if isinstance(meta, dict) else {})
    odds += DEED * (len(found) > deeds.settled(record.text, found))
    whole = odds >= judge.threshold
    if not whole and ending < judge.tail:
        return None
    spans, signals, kinds = _telling(record.text, judge, seen, k, last=not whole)
    return {
        "kinds": sorted({d.kind for d in found}) or kinds,
        "score": round(probability(odds if whole else ending), 4),
        "threshold": round(probability(judge.threshold if whole else judge.tail), 4),
        "spans": [[d.start, d.end] for d in found[:_DEEDS]] or spans,
        "signals": signals,
        "part": "whole" if whole else "ending",
        "model": judge.version,
    }


def _telling(
    text: str, judge: Model, seen: Words, k: int, last: bool
) -> tuple[list[list[int]], list[str], list[str]]:
    """The sentences and the words that speak most against a text or its last part, and the kinds of harm in it."""
    weights = judge.telling(seen, k)
    if last:
        weights[:-TAIL] = 0
    places = words_with_offsets(text)
    ends = [m.end() for m in _SENTENCE.finditer(text)]
    starts = [m.start() + len(m[0]) - len(m[0].lstrip()) for m in _SENTENCE.finditer(text)]
    sentence = np.minimum(np.searchsorted(ends, [begin for _, begin, _ in places], side="right"), len(ends) - 1)
    sums = np.bincount(sentence, np.maximum(weights, 0), minlength=len(ends))
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
