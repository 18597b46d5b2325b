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


def key(hashes: U64) -> U32:
    """The upper half of 64-bit hashes, under which surprisals are stored."""
    return (hashes >> np.uint64(32)).astype(np.uint32)


@dataclass(frozen=True, slots=True)
class English:
    """Hashed words and pairs of words, sorted, with their surprisals in QUANTUM bits."""

    word_keys: U32
    word_bits: U8
    pair_keys: U32
    pair_bits: U8

    def alone(self, texts: Block) -> F32:
        """Bits of each word of `texts` whatever stands before it; UNKNOWN for one that the list has not."""
        return _look(self.word_keys, self.word_bits, key(texts.ngrams(1)[0]))

    def surprise(self, texts: Block) -> F32:
        """Bits of each word of `texts`, given the word before it in its text; between 0 and CAP.

        A bigram model: alone where the pair is not among the 150,000 commonest. (tools/english.py)
        """
        alone = self.alone(texts)
        if len(texts.hashes) > 1:
            pairs = texts.at(np.arange(len(texts.hashes) - 1), 2)
            after = np.concatenate(([np.float32(CAP)], _look(self.pair_keys, self.pair_bits, key(pairs))))
            begins = texts.starts[:-1]
            after[begins[begins < len(after)]] = CAP
            alone = np.minimum(alone, after)
        return np.minimum(alone, np.float32(CAP))


def _look(keys: U32, bits: U8, wanted: U32) -> F32:
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    out: F32 = np.where(keys[at] == wanted, bits[at] * np.float32(QUANTUM), np.float32(UNKNOWN)).astype(np.float32)
    return out


@functools.lru_cache(maxsize=1)
def english() -> English:
    """The packaged table, loaded once a process."""
    with np.load(data("english.npz")) as arrays:
        return English(**{name: arrays[name] for name in ("word_keys", "word_bits", "pair_keys", "pair_bits")})
