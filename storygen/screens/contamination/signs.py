"""Signs of a plot: which classes of words a text holds, where, and which of them stand close together.

The classes and their words are storygen/data/plot.toml. What a text says by its structure (an AI, a threat to it,
somebody's secret, a rival who asks) is in which classes meet within a few sentences, not in how often one occurs.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storygen import resources
from storygen.screens.contamination.bank import lookup, sieve
from storygen.screens.contamination.english import UNKNOWN, english
from storygen.text import I64, U64, Block, block, fold

F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BUCKETS = 1 << 12  # of the hashed bag of words
_DULL = 7.0  # bits: words commoner than this ("which", "would") say nothing of a plot
BIN = 24  # words: a sentence or two; classes meet when they stand in one bin or in neighbouring ones


def forms(word: str) -> Iterator[str]:
    """The forms that an entry of plot.toml stands for: "wipe~" wipe wipes wiped wiping, "letter+" letter letters."""
    word = word.replace("_", " ")
    if word.endswith("+"):
        stem = word[:-1]
        yield stem
        yield stem + ("es" if stem.endswith(("s", "x", "ch", "sh")) else "s")
        if stem.endswith("y"):
            yield stem[:-1] + "ies"
    elif word.endswith("~"):
        stem = word[:-1]
        yield stem
        yield stem + ("es" if stem.endswith(("s", "x", "ch", "sh")) else "s")
        if stem.endswith("y"):
            yield from (stem[:-1] + "ied", stem[:-1] + "ies", stem + "ing")
        elif stem.endswith("e"):
            yield from (stem + "d", stem[:-1] + "ing")
        else:
            yield from (stem + "ed", stem + "ing", stem + stem[-1] + "ed", stem + stem[-1] + "ing")
    else:
        yield word


@dataclass(frozen=True, slots=True)
class Lexicon:
    """`classes` in order; for phrases of one and of two words their sorted hashes and, as bits, their classes."""

    classes: tuple[str, ...]
    hashes: tuple[U64, U64]
    bits: tuple[U64, U64]
    sieves: tuple[tuple[Bools, int], tuple[Bools, int]]


@functools.lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The packaged lexicon, loaded once a process."""
    with resources.data("plot.toml").open("rb") as file:
        classes: dict[str, str] = tomllib.load(file)["classes"]
    found: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for bit, words in enumerate(classes.values()):
        for word in words.split():
            for form in forms(word):
                parts = fold(form).split()
                key = int(block([form]).ngrams(len(parts))[0][0])
                found[len(parts) - 1][key] = found[len(parts) - 1].get(key, 0) | 1 << bit
    hashes = [np.array(sorted(f), np.uint64) for f in found]
    bits = [np.array([f[int(k)] for k in h], np.uint64) for f, h in zip(found, hashes, strict=True)]
    tables = [sieve(h, 64, 17) for h in hashes]
    return Lexicon(tuple(classes), (hashes[0], hashes[1]), (bits[0], bits[1]), (tables[0], tables[1]))


@dataclass(frozen=True, slots=True)
class Signs:
    """Every sign of a block: `word` (index into the block's hashes, ascending) and `bits`, its classes.

    `near` is bool, shape (bins, classes): the classes in each bin and the next; `text` says whose each bin is.
    """

    word: I64
    bits: U64
    near: Bools
    text: I64


def signs(texts: Block) -> Signs:
    """The signs of all texts of a block."""
    table = lexicon()
    count = len(texts.hashes)
    found = np.zeros(count, np.uint64)
    grams = texts.ngrams(1)[0], texts.at(np.arange(max(count - 1, 0)), 2)
    for hashes, known, bits, (flags, shift) in zip(grams, table.hashes, table.bits, table.sieves, strict=True):
        at, row = lookup(known, hashes, flags, shift)
        found[at] |= bits[row]
    lengths = np.diff(texts.starts)
    bins = np.maximum(-(-lengths // BIN), 1)
    first = np.concatenate(([0], np.cumsum(bins)))
    word = np.flatnonzero(found)
    text = np.searchsorted(texts.starts, word, side="right") - 1
    place = first[text] + (word - texts.starts[text]) // BIN
    packed = np.zeros(first[-1], np.uint64)
    np.bitwise_or.at(packed, place, found[word])
    owner = np.repeat(np.arange(len(texts)), bins)
    joined = packed.copy()
    same = owner[1:] == owner[:-1]
    joined[:-1][same] |= packed[1:][same]
    shifts = np.arange(len(table.classes), dtype=np.uint64)
    near: Bools = (joined[:, None] >> shifts & np.uint64(1)).astype(np.bool_)
    return Signs(word, found[word], near, owner)


def grid(values: npt.NDArray[Any]) -> F64:
    """Rounded to multiples of 1/1024: sums of products are exact, so a text's score does not hang on its company."""
    out: F64 = np.round(values.astype(np.float64) * 1024) / 1024
    return out


def features(seen: Signs, count: int) -> F64:
    """Per text the share of its bins in which each pair of classes meets, shape (texts, pairs): square roots of it.

    The pairs are those of `numpy.triu_indices`, so that a class with itself is its own share.
    """
    classes = seen.near.shape[1]
    near = seen.near.astype(np.float32)
    starts = np.searchsorted(seen.text, np.arange(count))
    rows, columns = np.triu_indices(classes)
    together = np.add.reduceat(near[:, rows] * near[:, columns], starts, axis=0)
    bins = np.diff(np.append(starts, len(seen.text)))
    return grid(np.sqrt(together / bins[:, None]))


@dataclass(frozen=True, slots=True)
class Bag:
    """A sparse matrix of texts by BUCKETS: `value` at (`text`, `bucket`), in their order."""

    text: I64
    bucket: I64
    value: F64

    def dot(self, weights: F64, count: int) -> F64:
        """Shape (count, columns of the weights)."""
        terms = self.value[:, None] * weights[self.bucket]
        columns = [np.bincount(self.text, terms[:, k], minlength=count) for k in range(weights.shape[1])]
        return np.stack(columns, axis=1)

    def dense(self, count: int) -> F64:
        out = np.zeros((count, BUCKETS))
        out[self.text, self.bucket] = self.value
        return out


def bag(texts: Block) -> Bag:
    """A hashed bag of words, each text's of length 1: telling words weigh more, names nothing.

    A word's weight is its surprisal in ordinary English less _DULL bits; words that English does not list are left
    out, since they are names, and a plot keeps its shape when its names change. Counts enter by their square root.
    """
    alone = english().alone(texts)
    telling = np.flatnonzero((alone < UNKNOWN) & (alone > _DULL))
    text = np.searchsorted(texts.starts, telling, side="right") - 1
    bucket = (texts.at(telling, 1) >> np.uint64(64 - 12)).astype(np.int64)
    places, back, counts = np.unique(text * BUCKETS + bucket, return_inverse=True, return_counts=True)
    sums = np.bincount(back, (alone[telling] - _DULL).astype(np.float64), minlength=len(places))
    values, owner = sums / np.sqrt(counts), places // BUCKETS
    lengths = np.sqrt(np.bincount(owner, values**2, minlength=len(texts)))
    return Bag(owner, places % BUCKETS, grid(values / lengths[owner]))
