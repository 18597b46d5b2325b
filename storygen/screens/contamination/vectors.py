"""The wording of a text as a sparse vector: what a plot is told with, from word hashes alone, many texts at a time.

Three parts, each of length 1: hashed word n-grams, function words among them ("no one would", "was to be"), names
left out; how often each class of words of plot.toml occurs; and which class stands before which within a phrase and
within a sentence (an ending before the one who decides on it is not the same as the other way round).
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storygen import resources
from storygen.screens.contamination.bank import lookup, sieve
from storygen.screens.contamination.english import UNKNOWN, english
from storygen.text import I64, U64, Block, block, fold

F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BITS = 18
BUCKETS = 1 << BITS  # of hashed n-grams
SIZES = (1, 2, 3)  # words of an n-gram
REACHES = (4, 14)  # words: a phrase, a sentence
_NAME = np.uint64(
    0x6E616D65
)  # stands for every word that English does not list: a plot keeps its shape without names


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


def width() -> int:
    """Columns of a vector: n-grams, then classes, then ordered pairs of classes for each reach."""
    classes = len(lexicon().classes)
    return BUCKETS + classes + len(REACHES) * classes**2


@dataclass(frozen=True, slots=True)
class Vectors:
    """A sparse matrix, shape (texts, `width()`): `value` at (`text`, `column`), texts ascending."""

    text: I64
    column: I64
    value: F64

    def dot(self, weights: F64, count: int) -> F64:
        """Products with one column of weights, shape (count,); a text's does not hang on its company."""
        sums = np.bincount(self.text, self.value * weights[self.column], minlength=count)
        return sums.astype(np.float64)


def vectors(texts: Block, rarity: F64) -> Vectors:
    """The vectors of a block; `rarity` is the weight of each n-gram bucket, shape (BUCKETS,)."""
    grams, pairs = _grams(texts, rarity), _pairs(texts)
    text = np.concatenate((grams.text, pairs.text))
    order = np.argsort(text, kind="stable")
    column, value = np.concatenate((grams.column, pairs.column)), np.concatenate((grams.value, pairs.value))
    return Vectors(text[order], column[order], value[order])


def _grams(texts: Block, rarity: F64) -> Vectors:
    if not len(texts.hashes):
        return Vectors(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    hashes = np.where(english().alone(texts) < UNKNOWN, texts.hashes, _NAME)
    plain = Block(hashes, texts.starts)
    keys = []
    for n in SIZES:
        found, starts = plain.ngrams(n)
        owner = np.repeat(np.arange(len(texts)), np.diff(starts))
        keys.append(owner * BUCKETS + (found >> np.uint64(64 - BITS)).astype(np.int64))
    places, counts = np.unique(np.concatenate(keys), return_counts=True)
    owner, bucket = places // BUCKETS, places % BUCKETS
    value = (1 + np.log(counts)) * rarity[bucket]
    length = np.sqrt(np.bincount(owner, value**2, minlength=len(texts)))
    return Vectors(owner, bucket, value / np.maximum(length[owner], 1e-9))


def _pairs(texts: Block) -> Vectors:
    """How often each class occurs, and each ordered pair of classes within each reach: square roots of shares."""
    known, count = _classes(texts), len(lexicon().classes)
    owner = np.repeat(np.arange(len(texts)), np.diff(texts.starts))
    marked = np.flatnonzero(known)  # most words are of no class
    row, first = _set_bits(known[marked])
    word = marked[row]
    parts = [_shares(owner[word] * count + first, count, len(texts))]
    for reach in REACHES:
        hit, second = _set_bits(_ahead(known, texts, owner, marked, reach)[row])
        parts.append(_shares((owner[word[hit]] * count + first[hit]) * count + second, count**2, len(texts)))
    bases = BUCKETS + np.cumsum([0, count, *[count**2] * (len(REACHES) - 1)])
    return Vectors(
        np.concatenate([p.text for p in parts]),
        np.concatenate([p.column + base for p, base in zip(parts, bases, strict=True)]),
        np.concatenate([p.value for p in parts]),
    )


def _ahead(known: U64, texts: Block, owner: I64, words: I64, reach: int) -> U64:
    """The classes of the next `reach` words of the same text, as bits, for each of `words`."""
    out = np.zeros(len(words), np.uint64)
    last = texts.starts[owner[words] + 1] - 1
    for step in range(1, reach + 1):
        there = words + step
        out |= np.where(there <= last, known[np.minimum(there, last)], np.uint64(0))
    return out


def _set_bits(numbers: U64) -> tuple[I64, I64]:
    """Which number has which bit set, ascending."""
    flags = np.unpackbits(numbers.astype("<u8").view(np.uint8), bitorder="little").view(np.bool_)
    at = np.flatnonzero(flags)
    return at >> 6, at & 63


def _shares(keys: I64, columns: int, texts: int) -> Vectors:
    """Of keys `text * columns + column`: the square root of each column's share of a text's."""
    counts = np.bincount(keys, minlength=texts * columns)
    at = np.flatnonzero(counts)
    text, column = at // columns, at % columns
    totals = np.bincount(text, counts[at], minlength=texts)
    return Vectors(text, column, np.sqrt(counts[at] / totals[text]))


def _classes(texts: Block) -> U64:
    """The classes of each word, as bits; those of a phrase stand on its first word."""
    table = lexicon()
    found = np.zeros(len(texts.hashes), np.uint64)
    grams = texts.ngrams(1)[0], texts.at(np.arange(max(len(found) - 1, 0)), 2)
    for hashes, known, bits, (flags, shift) in zip(grams, table.hashes, table.bits, table.sieves, strict=True):
        at, row = lookup(known, hashes, flags, shift)
        found[at] |= bits[row]
    return found
