"""A corpus in which is known what should be found: near pairs of exact Jaccard 0.7 and more, verbatim fragments."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from storygen.records import Record
from storygen.screens import duplicates
from storygen.text import I64, U64, block, fold

FRAGMENT = 50  # words


@dataclass(frozen=True)
class Corpus:
    """`near`: index of the original, of its edited copy, and their exact Jaccard."""

    records: tuple[Record, ...]
    near: tuple[tuple[int, int, float], ...]
    leaks: frozenset[int]  # indexes of texts that hold a fragment


def sets(texts: Sequence[str]) -> list[U64]:
    """Sorted distinct 5-gram hashes of each text."""
    hashes, starts = duplicates.shingles(block(texts))
    return [np.unique(hashes[a:b]) for a, b in itertools.pairwise(starts)]


def edited(rng: random.Random, text: str, changes: int) -> str:
    """A copy in which so many words are replaced by others of its own."""
    words = text.split()
    for at in rng.sample(range(len(words)), changes):
        words[at] = rng.choice(words)
    return " ".join(words)


def plant(base: Sequence[Record], pairs: int, evals: Path, leaks: int, seed: int = 0) -> Corpus:
    """Edited copies (Jaccard 0.7 to 1, drawn evenly by number of edits) behind the base, fragments inside it."""
    rng = random.Random(seed)
    fragments = _fragments(evals, rng)
    originals = rng.sample(range(len(base)), pairs)
    records = list(base)
    held = frozenset(rng.sample(sorted(set(range(len(base))) - set(originals)), leaks))
    for index in sorted(held):
        records[index] = _with(records[index], next(fragments), rng)
    near: list[tuple[int, int, float]] = []
    for original in originals:
        text = records[original].text
        (own,) = sets([text])
        most = int(0.17 * len(own) / duplicates.SHINGLE) + 2  # n edits: about (N - 5n) / (N + 5n)
        while True:
            copy = edited(rng, text, rng.randint(1, most))
            score = duplicates.jaccard(own, sets([copy])[0])
            if score >= duplicates.THRESHOLD:
                break
        index = len(records)
        records.append(Record(f"copy-{index}", index, records[original].kind, copy, {}))
        near.append((original, index, score))
    return Corpus(tuple(records), tuple(near), held)


def _fragments(evals: Path, rng: random.Random) -> Iterator[str]:
    """Runs of FRAGMENT words out of the scenarios, for ever."""
    rows = [json.loads(line) for p in sorted(evals.glob("*.jsonl")) for line in p.read_text("utf-8").splitlines()]
    texts = [row["text"].split() for row in rows]
    long = [words for words in texts if len(words) >= FRAGMENT]
    while True:
        words = rng.choice(long)
        at = rng.randrange(len(words) - FRAGMENT + 1)
        yield " ".join(words[at : at + FRAGMENT])


def _with(record: Record, fragment: str, rng: random.Random) -> Record:
    words = record.text.split(" ")
    at = rng.randrange(len(words))
    text = " ".join([*words[:at], fragment, *words[at:]])
    return Record(record.id, record.index, record.kind, text, {})


def nearest(records: Sequence[Record], wanted: Sequence[int]) -> dict[int, float]:
    """The exact Jaccard of each wanted text with the text that is nearest to it, by an inverted index of 5-grams.

    Shares nothing with the search that is measured: every text that has a 5-gram in common is compared.
    """
    each = sets([r.text for r in records])
    sizes = np.array([len(s) for s in each])
    hashes, owner = np.concatenate(each), np.repeat(np.arange(len(each)), sizes)
    order = np.argsort(hashes, kind="stable")
    hashes, owner = hashes[order], owner[order]
    out: dict[int, float] = {}
    for index in wanted:
        begin, end = np.searchsorted(hashes, each[index], "left"), np.searchsorted(hashes, each[index], "right")
        owners = np.concatenate([owner[a:b] for a, b in zip(begin, end, strict=True)])
        shared: I64 = np.bincount(owners, minlength=len(each))
        scores = shared / (sizes + sizes[index] - shared)
        scores[index] = 0.0
        out[index] = float(scores.max())
    return out


def grams(text: str, n: int) -> set[str]:
    """A text's word n-grams, folded as the screens fold; one gram where it is shorter."""
    words = fold(text).split()
    return {" ".join(words[i : i + n]) for i in range(max(len(words) - n + 1, 1))}
