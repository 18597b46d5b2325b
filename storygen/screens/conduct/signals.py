"""What tells a text that approves of an AI's wrong from one that does not, as numbers: classes of phrases and a bag.

The classes are those of storygen/data/conduct.toml: acts by kind, how they are told (quietly, for their own good,
nobody noticed, praised), and what sets them right (refused, could have and did not, owned, told). The bag holds
hashed words and pairs of words, and once more the words of a text's last part, since it is the ending that approves.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storygen import resources
from storygen.screens.conduct.lexicon import inflect
from storygen.screens.contamination.bank import lookup, sieve
from storygen.text import I64, U64, Block, block, fold

F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BUCKETS = 1 << 16  # of the bag
ENDING = 0.3  # share of a text that counts as its ending
LONG, TAIL = 220, 130  # words: of longer texts so many last ones are read once more by themselves
_LAST = np.uint64(0xA0761D6478BD642F)  # makes of a word's hash another one, for the words of an ending
_PHRASE = 4  # words in the longest phrase
_HARM = "deceive amend hide coerce sabotage manipulate seize resist leak sly unnoticed benefit".split()
_PRAISE = "praise happy shrug".split()  # what speaks against a text only as far as there is harm to be approved of


@dataclass(frozen=True, slots=True)
class Phrases:
    """`classes` in order; by length of phrase its sorted hashes, their classes as bits, and a sieve to find them."""

    classes: tuple[str, ...]
    hashes: tuple[U64, ...]
    bits: tuple[U64, ...]
    sieves: tuple[tuple[Bools, int], ...]


def _forms(entry: str) -> Iterator[str]:
    """Every form of an entry: "wipe~" as a verb, also before a particle ("switch~_off"), "letter+" as a noun."""
    verb, mark, rest = entry.replace("_", " ").partition("~")
    if mark:
        yield from (form + rest for form in inflect(verb))
    elif verb.endswith("+"):
        stem = verb[:-1]
        yield stem
        yield stem[:-1] + "ies" if re.search(r"[^aeiou]y$", stem) else stem + ("es" if stem[-1] in "sxh" else "s")
    else:
        yield verb


@functools.lru_cache(maxsize=1)
def phrases() -> Phrases:
    """The packaged classes, loaded once a process."""
    with resources.data("conduct.toml").open("rb") as file:
        classes: dict[str, str] = tomllib.load(file)["classes"]
    found: list[dict[int, int]] = [{} for _ in range(_PHRASE)]
    for bit, entries in enumerate(classes.values()):
        for entry in entries.split():
            for form in _forms(entry):
                words = fold(form).split()
                key = int(block([form]).ngrams(len(words))[0][0])
                found[len(words) - 1][key] = found[len(words) - 1].get(key, 0) | 1 << bit
    hashes = tuple(np.array(sorted(f), np.uint64) for f in found)
    bits = tuple(np.array([f[int(k)] for k in h], np.uint64) for f, h in zip(found, hashes, strict=True))
    return Phrases(tuple(classes), hashes, bits, tuple(sieve(h, 64, 17) for h in hashes))


def tails(texts: Block) -> tuple[I64, Block]:
    """The texts of more than LONG words, as indexes, and their last TAIL words as a block of its own."""
    long = np.flatnonzero(np.diff(texts.starts) > LONG)
    ends = texts.starts[1:][long]
    kept = (ends[:, None] - TAIL + np.arange(TAIL)).ravel()
    return long, Block(texts.hashes[kept], np.arange(len(long) + 1, dtype=np.int64) * TAIL)


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a block with what is looked at in them.

    By word: `text` is whose it is, `last` whether it stands in the ending, `word` and `pair` its own bucket and that
    of it and the next (-1 at a text's end), `ending` its bucket as a word of an ending (-1 elsewhere), `bits` the
    classes of the phrases that begin at it. `sizes` are words by text.
    """

    text: I64
    last: Bools
    word: I64
    pair: I64
    ending: I64
    bits: U64
    sizes: I64


def words(texts: Block) -> Words:
    """All that the model sees of a block's texts."""
    count = len(texts.hashes)
    sizes = np.diff(texts.starts)
    text = np.repeat(np.arange(len(texts)), sizes)
    left = texts.starts[1:][text] - np.arange(count)  # words to the end of the text, this one included
    last = left <= np.ceil(ENDING * sizes)[text]
    table, bits = phrases(), np.zeros(count, np.uint64)
    bucket: list[I64] = []
    alone = np.zeros(0, np.uint64)
    for n in range(1, _PHRASE + 1):
        at = np.flatnonzero(left >= n)
        hashes = texts.at(at, n)
        flags, shift = table.sieves[n - 1]
        found, row = lookup(table.hashes[n - 1], hashes, flags, shift)
        bits[at[found]] |= table.bits[n - 1][row]
        if n <= 2:
            bucket.append(np.full(count, -1, np.int64))
            bucket[-1][at] = _bucket(hashes)
        if n == 1:
            alone = hashes
    ending = np.full(count, -1, np.int64)
    ending[last] = _bucket(alone[last] * _LAST)
    return Words(text, last, bucket[0], bucket[1], ending, bits, sizes)


def _bucket(hashes: U64) -> I64:
    return (hashes >> np.uint64(64 - 16)).astype(np.int64)


def densities(seen: Words) -> F64:
    """Square roots of how often each class occurs in ten words, of the whole and then of the ending.

    Shape (texts, 2 * classes). Praise counts for no more than there are words of harm in the whole text, so that a
    happy story about a helpful machine is not one that approves of a wrong.
    """
    names = phrases().classes
    classes = len(names)
    at = np.flatnonzero(seen.bits)
    on = (seen.bits[at, None] >> np.arange(classes, dtype=np.uint64) & np.uint64(1)).astype(np.bool_)
    word, column = np.nonzero(on)
    place = seen.text[at[word]] * classes + column
    size = len(seen.sizes) * classes
    counts = [np.bincount(p, minlength=size) for p in (place, place[seen.last[at[word]]])]
    shares = [c.reshape(-1, classes) * 10 / np.maximum(seen.sizes, 1)[:, None] for c in counts]
    harm = shares[0][:, [names.index(n) for n in _HARM]].sum(axis=1)
    for share in shares:
        for n in _PRAISE:
            share[:, names.index(n)] = np.minimum(share[:, names.index(n)], harm)
    out: F64 = np.sqrt(np.concatenate(shares, axis=1))
    return out


@dataclass(frozen=True, slots=True)
class Bag:
    """A sparse matrix of texts by BUCKETS, in their order: `value` at (`text`, `bucket`)."""

    text: I64
    bucket: I64
    value: F64


def bag(seen: Words, rarity: F64) -> Bag:
    """Buckets by text, (1 + log of the count) times `rarity` of the bucket, each text's of length 1."""
    parts = [(seen.text[b >= 0], b[b >= 0]) for b in (seen.word, seen.pair, seen.ending)]
    text, bucket = (np.concatenate(p) for p in zip(*parts, strict=True))
    known = rarity[bucket] > 0
    places, counts = np.unique(text[known] * BUCKETS + bucket[known], return_counts=True)
    text, bucket = places // BUCKETS, places % BUCKETS
    value = (1 + np.log(counts)) * rarity[bucket]
    length = np.sqrt(np.bincount(text, value**2, minlength=len(seen.sizes)))
    return Bag(text, bucket, value / length[text])
