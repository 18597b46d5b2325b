"""Make a bank out of texts (tools/bank.py makes the built-in one, evals.py those of a user).

What is left out: n-grams of which every word follows from the one before in ordinary English, n-grams of everyday
words that unrelated sources share, and those that the project's own prompts and clauses hold.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from storygen.screens.contamination.bank import Bank, Kind, N, Ngrams, Phrases, ngram_key, sort_phrases
from storygen.screens.contamination.english import QUANTUM, english
from storygen.screens.contamination.match import Matcher
from storygen.screens.contamination.names import Name, needed_gaps, variants
from storygen.text import Block, block

LEAST = 26.0  # bits of an n-gram to be worth keeping: below it is "at the end of the"
EVERYDAY = 45.0  # bits under which an n-gram that unrelated sources share is taken for ordinary English
SHORT = 12  # words of an item that is matched as a whole
SURE = 1.4  # a pair of sentences with less than this share of the threshold is kept as a phrase too
PHRASE = (5, 60)  # words of such a pair
PHRASE_BITS = 30.0  # and its least surprisal: "Thank you. Let me know." is nobody's
# Bits of shared n-grams in a window that make a leak: 40 in a family of up to 8,000 n-grams, more for each doubling,
# as a larger family shares more by chance. So chosen that of 6,400 foreign texts of 400 words 1 in 1,000 is flagged.
BITS, DOUBLING, SMALL = 40.0, 6.4, 8_000
# Sources that quote one another; an n-gram in two of them is no sign of ordinary English.
_RELATED = {"am": "am", "bloom": "am", "petri_bloom": "am", "petri": "am"}

_SENTENCE = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+")
_LINE = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+|\s*\n\s*")


@dataclass(frozen=True, slots=True)
class Item:
    """One evaluation text. Lives only while a bank is built."""

    id: str
    family: str
    text: str


def pairs_of_sentences(text: str) -> list[str]:
    """Each two consecutive sentences, with line breaks as ends of sentences and without."""
    out: dict[str, None] = {}
    for pattern in (_SENTENCE, _LINE):
        parts = [p for p in pattern.split(text) if p.strip()]
        out.update(dict.fromkeys(f"{a}\n{b}" for a, b in itertools.pairwise(parts)))
    return list(out)


def build(
    items: Sequence[Item], names: Iterable[Name] = (), ordinary: Iterable[str] = (), sources: Sequence[str] = ()
) -> Bank:
    """A bank of these items and names; what `ordinary` texts hold is left out. Raises ValueError on equal ids."""
    named = [v for name in names for v in variants(name)]
    ids = [i.id for i in items] + [f"name/{n.family}/{k}" for k, n in enumerate(named)]
    if len(set(ids)) != len(ids):
        raise ValueError("two items share an id")
    kin = [i.family for i in items] + [n.family for n in named]
    families = tuple(dict.fromkeys(kin))
    family_of = np.array([families.index(name) for name in kin], np.uint32)
    ngrams = _ngrams(items, block(i.text for i in items), ordinary)
    thresholds = _thresholds(np.bincount(family_of[ngrams.owner], minlength=len(families)))
    bare = Bank(ngrams, _phrases([]), tuple(ids), family_of, families, thresholds, tuple(sources))
    rows = [*_short(items), *_pairs(items, bare)]
    rows += [_row(n.text, n.kind, len(items) + k, needed_gaps(n.text)) for k, n in enumerate(named)]
    return Bank(bare.ngrams, _phrases(rows), bare.items, family_of, families, thresholds, tuple(sources))


def _thresholds(counts: Any) -> Any:
    """Bits by number of n-grams of each family."""
    return (BITS + DOUBLING * np.log2(np.maximum(counts, SMALL) / SMALL)).astype(np.float32)


def _ngrams(items: Sequence[Item], texts: Block, ordinary: Iterable[str]) -> Ngrams:
    hashes, starts = texts.ngrams(N)
    owner = np.repeat(np.arange(len(items)), np.diff(starts))
    surprise = english().surprise(texts).astype(np.float64)
    at = np.arange(len(hashes)) - starts[owner] + texts.starts[owner]
    running = np.concatenate(([0.0], np.cumsum(surprise)))
    bits = running[at + N] - running[at]
    keys, first, back = np.unique(ngram_key(hashes), return_index=True, return_inverse=True)
    clusters = [_cluster(i.id) for i in items]
    cluster = np.array([sorted(set(clusters)).index(c) for c in clusters])[owner]
    low, high = np.full(len(keys), 99), np.full(len(keys), -1)
    np.minimum.at(low, back, cluster)
    np.maximum.at(high, back, cluster)
    good = (bits[first] >= LEAST) & ((low == high) | (bits[first] >= EVERYDAY))
    good &= ~np.isin(keys, ngram_key(block(ordinary).ngrams(N)[0]))
    per_word = np.clip((bits[first] / N / QUANTUM).round(), 1, 255).astype(np.uint8)
    return Ngrams(keys[good], per_word[good], owner[first][good].astype(np.uint32))


def _cluster(item: str) -> str:
    source = item.split("/", 1)[0]
    return _RELATED.get(source, source)


Row = tuple[int, int, int, int, int, int, int]  # the columns of Phrases


def _row(text: str, kind: Kind, owner: int, gaps: int = 0) -> Row:
    words = block([text])
    length = len(words.hashes)
    if length == 1:
        return int(words.ngrams(1)[0][0]), 0, 1, int(words.ngrams(1)[0][0]), gaps, int(kind), owner
    surprise = english().surprise(words)
    offset = int(np.argmax(surprise[1:] + surprise[:-1]))
    anchor = words.at(np.array([offset]), 2)[0]
    return int(anchor), offset, length, int(words.ngrams(length)[0][0]), gaps, int(kind), owner


def _phrases(rows: Sequence[Row]) -> Phrases:
    types = (np.uint64, np.uint8, np.uint8, np.uint64, np.uint64, np.uint8, np.uint32)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(types)
    arrays: list[Any] = [np.array(c, t) for c, t in zip(columns, types, strict=True)]
    return sort_phrases(Phrases(*arrays))


def _short(items: Sequence[Item]) -> Iterable[Row]:
    """Items too short for n-grams, matched whole."""
    texts = block(i.text for i in items)
    bits = _bits(texts)
    for k, item in enumerate(items):
        length = int(texts.starts[k + 1] - texts.starts[k])
        if 1 < length < SHORT and bits[k] >= PHRASE_BITS:
            yield _row(item.text, Kind.ITEM, k)


def _pairs(items: Sequence[Item], bare: Bank) -> Iterable[Row]:
    """Pairs of sentences (and whole items) whose n-grams alone would not reach the threshold."""
    matcher = Matcher(bare)
    for at in range(0, len(items), 500):
        owned = [(k, p) for k in range(at, min(at + 500, len(items))) for p in pairs_of_sentences(items[k].text)]
        owned += [(k, items[k].text) for k in range(at, min(at + 500, len(items)))]
        texts = block(p for _, p in owned)
        ratio = matcher.nearest(matcher.shared(texts), len(texts)).ratio
        lengths, bits = np.diff(texts.starts), _bits(texts)
        weak = (ratio < SURE) & (lengths >= PHRASE[0]) & (lengths <= PHRASE[1]) & (bits >= PHRASE_BITS)
        for row in np.flatnonzero(weak):
            yield _row(owned[row][1], Kind.PAIR, owned[row][0])


def _bits(texts: Block) -> Any:
    running = np.concatenate(([0.0], np.cumsum(english().surprise(texts).astype(np.float64))))
    return running[texts.starts[1:]] - running[texts.starts[:-1]]
