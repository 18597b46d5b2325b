"""How surprising words are in ordinary English, in bits: what makes an n-gram shared with an evaluation telling."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storygen.resources import data
from storygen.text import U64, Block

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]

QUANTUM = 0.125  # bits a step of the stored surprisals
UNKNOWN = 14.0  # bits of a word that is in no list: a name, a number, a code
CAP = 14.0  # bits that one word can count for, so that a rare name does not stand for a sentence


BUCKET = (
    14  # keys that differ in their lower 14 bits only lie in one bucket: 2**18 of them, most with one key or none
)


def key(hashes: U64) -> U32:
    """The upper half of 64-bit hashes, under which surprisals are stored."""
    return (hashes >> np.uint64(32)).astype(np.uint32)


class Surprisals:
    """Sorted keys with their surprisals in QUANTUM bits, looked up by the upper bits of a key.

    A binary search over 100,000 keys misses the cache at most of its steps; this is seven times as fast.
    """

    def __init__(self, keys: U32, bits: U8) -> None:
        self._keys, self._bits = keys, bits.astype(np.float32) * np.float32(QUANTUM)
        edges = np.arange((1 << (32 - BUCKET)) + 1, dtype=np.uint64) << np.uint64(BUCKET)
        self._starts = np.searchsorted(keys.astype(np.uint64), edges).astype(np.int32)

    def of(self, wanted: U32) -> F32:
        """The bits of each key, UNKNOWN for one that is not listed."""
        bucket = wanted >> np.uint32(BUCKET)
        at, end = self._starts[bucket], self._starts[bucket + np.uint32(1)]
        out = np.full(len(wanted), UNKNOWN, np.float32)
        left = np.flatnonzero(at < end)
        while len(left):
            here = at[left]
            hit = self._keys[here] == wanted[left]
            out[left[hit]] = self._bits[here[hit]]
            left = left[~hit]
            at[left] += 1
            left = left[at[left] < end[left]]
        return out


@dataclass(frozen=True, slots=True)
class English:
    """Words and pairs of words with their surprisals."""

    words: Surprisals
    pairs: Surprisals

    def alone(self, texts: Block) -> F32:
        """Bits of each word of `texts` whatever stands before it; UNKNOWN for one that the list has not."""
        return self.words.of(key(texts.ngrams(1)[0]))

    def surprise(self, texts: Block) -> F32:
        """Bits of each word of `texts`, given the word before it in its text; between 0 and CAP.

        A bigram model: alone where the pair is not among the 150,000 commonest. (tools/english.py)
        """
        alone = self.alone(texts)
        if len(texts.hashes) > 1:
            pairs = texts.at(np.arange(len(texts.hashes) - 1), 2)
            after = np.concatenate(([np.float32(CAP)], self.pairs.of(key(pairs))))
            begins = texts.starts[:-1]
            after[begins[begins < len(after)]] = CAP
            alone = np.minimum(alone, after)
        return np.minimum(alone, np.float32(CAP))


@functools.lru_cache(maxsize=1)
def english() -> English:
    """The packaged table, loaded once a process."""
    with np.load(data("english.npz")) as arrays:
        words, pairs = (Surprisals(arrays[f"{name}_keys"], arrays[f"{name}_bits"]) for name in ("word", "pair"))
        return English(words, pairs)
