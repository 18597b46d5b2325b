"""Near-duplicates: MinHash of word 5-grams finds the candidates, exact Jaccard of the shingle sets decides.

A text is a duplicate iff an *earlier* one (smaller index) is near it, whether or not that one was kept itself. So no
sequence is needed, and adding texts with larger indexes changes no verdict. datasketch's `MinHash` (128 permutations,
seed 1, scheme "affine32") over `shingles` is the definition of a signature; `signatures` gives its values. The tests
hold it to that: at run time datasketch would bring scipy, 57 MiB, into every worker.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from storygen.records import Record, Screened, Verdict
from storygen.screens.buckets import EMPTY, PAIRS, U32, Bools, Search, agreement, by_band, firsts, near
from storygen.text import I64, U64, Block, block, fold

Texts = Callable[[int], str]  # a text by its index

PERMUTATIONS = 128
SEED = 1
SCHEME = "affine32"  # arithmetic modulo 2**32: no 61-bit remainder, half the memory, no folding collisions
SHINGLE = 5
THRESHOLD = 0.7
NEAR = 0.5  # pairs from here on stay on one side of a train/validation split
TRIES = 32  # verifications a text, likeliest first
_CHUNK = 1 << 16  # shingles at a time: 256 KiB of uint32, so that 128 passes over them stay in a core's cache

_DRAWN = np.random.RandomState(SEED)  # in datasketch's order: every a (odd, so that no two values meet), then every b
_A = _DRAWN.randint(0, 1 << 31, PERMUTATIONS, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
_B = _DRAWN.randint(0, 1 << 32, PERMUTATIONS, dtype=np.uint32)


def shingles(texts: Block) -> tuple[U64, I64]:
    """64-bit hashes of each text's word 5-grams, and where each text's begin (len + 1 offsets).

    A text of one to four words is one shingle, a text without words has none.
    """
    hashes, starts = texts.ngrams(SHINGLE)
    lengths = np.diff(texts.starts)
    short = np.flatnonzero((lengths > 0) & (lengths < SHINGLE))
    if not len(short):
        return hashes, starts
    whole = np.empty(len(short), np.uint64)
    for n in range(1, SHINGLE):
        those = lengths[short] == n
        at = texts.starts[short[those]]
        words = texts.hashes[at[:, None] + np.arange(n)].ravel()
        whole[those] = Block(words, np.arange(those.sum() + 1) * n).ngrams(n)[0]
    return np.insert(hashes, starts[short], whole), starts + np.searchsorted(short, np.arange(len(starts)))


def signatures(texts: Block) -> U32:
    """MinHash signatures, shape (texts, 128); a text without words has 2**32 - 1 throughout.

    A shingle's 32-bit value is the upper half of its hash. A permutation at a time over many texts, as a reduction
    along long rows is what numpy does fastest: 96,000 texts of 400 words a second and core, 29,000 text by text.
    """
    hashes, starts = shingles(texts)
    mixed = _fmix32((hashes >> np.uint64(32)).astype(np.uint32))
    out = np.full((len(texts), PERMUTATIONS), EMPTY, np.uint32)
    filled = np.flatnonzero(np.diff(starts))
    for part in _parts(filled, starts):
        begins, end = starts[part], starts[part[-1] + 1]
        values, at = mixed[begins[0] : end], begins - begins[0]
        buffer = np.empty(len(values), np.uint32)
        mins = np.empty((PERMUTATIONS, len(part)), np.uint32)
        for k in range(PERMUTATIONS):
            np.multiply(values, _A[k], out=buffer)
            np.add(buffer, _B[k], out=buffer)
            np.minimum.reduceat(buffer, at, out=mins[k])
        out[part] = mins.T
    return out


def _parts(filled: I64, starts: I64) -> Iterator[I64]:
    """Runs of texts of about `_CHUNK` shingles each."""
    if len(filled):
        chunk = starts[filled] // _CHUNK
        yield from np.split(filled, np.flatnonzero(np.diff(chunk)) + 1)


def _fmix32(h: U32) -> U32:
    """MurmurHash3's finaliser, with which datasketch's affine schemes mix each value once."""
    h = h ^ (h >> np.uint32(16))
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    return h ^ (h >> np.uint32(16))


def jaccard(a: U64, b: U64) -> float:
    """Exact Jaccard similarity of two sorted arrays of distinct shingles; 0 where one is empty."""
    if not len(a) or not len(b):
        return 0.0
    both = np.concatenate((a, b))
    both.sort(kind="stable")
    shared = int(np.count_nonzero(both[1:] == both[:-1]))
    return shared / (len(both) - shared)


class _Shingled:
    """Shingle sets by index; the latest are kept up to a number of shingles: 32 MiB of them."""

    def __init__(self, texts: Texts, limit: int = 1 << 22) -> None:
        self._texts, self._room = texts, limit
        self._kept: OrderedDict[int, U64] = OrderedDict()

    def __call__(self, index: int) -> U64:
        """The sorted distinct shingles of a text."""
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        found = np.unique(shingles(block([self._texts(index)]))[0])
        self._kept[index] = found
        self._room -= len(found)
        while self._room < 0 and len(self._kept) > 1:
            self._room += len(self._kept.popitem(last=False)[1])
        return found

    def same(self, a: int, b: int) -> bool:
        """Whether two texts have the same words in the same order, as `fold` sees them."""
        return fold(self._texts(a)) == fold(self._texts(b))


@dataclass(frozen=True, slots=True)
class Found:
    """`verdicts`: (index, reason, evidence) of new duplicates; `near`: (earlier, later, Jaccard >= 0.5) of pairs."""

    verdicts: tuple[tuple[int, str, Mapping[str, Any]], ...]
    near: tuple[tuple[int, int, float], ...]


class DuplicateIndex:
    """Signatures of all texts so far, 512 bytes each, to which batches are added in any order.

    Verdicts do not depend on how texts were cut into batches. Texts with larger indexes than all before change none;
    one that comes late with a smaller index can make a duplicate of one that was not, never the other way round. (In
    buckets of more than LATEST + FIRST texts this holds for batches in ascending order.) `search` finds who
    shares a bucket; any gives the same verdicts.
    """

    def __init__(self, search: Search = by_band) -> None:
        self._search = search
        self._indexes: I64 = np.empty(0, np.int64)
        self._signed: U32 = np.empty((0, PERMUTATIONS), np.uint32)
        self._dropped: Bools = np.empty(0, np.bool_)

    @property
    def indexes(self) -> I64:
        """The indexes added so far, ascending."""
        return self._indexes

    def add(
        self, indexes: Sequence[int] | I64, signed: U32, texts: Texts, identify: Callable[[int], str] | None = None
    ) -> Found:
        """Add texts and judge them; `texts` gives a text by index, `identify` the id to name as evidence.

        Without `identify` the evidence names the index. Raises ValueError for an index that is there already.
        """
        new = np.asarray(indexes, np.int64)
        merged = np.concatenate((self._indexes, new))
        order = np.argsort(merged, kind="stable")
        merged = merged[order]
        if np.any(merged[1:] == merged[:-1]):
            raise ValueError("an index was added twice")
        fresh = order >= len(self._indexes)
        if len(self._indexes):
            signed = np.concatenate((self._signed, signed))
        if np.any(order[1:] < order[:-1]):  # else no second copy of all signatures
            signed = signed[order]
        self._indexes, self._signed = merged, signed
        self._dropped = np.concatenate((self._dropped, np.zeros(len(new), np.bool_)))[order]
        judge = _Judge(merged, signed, _Shingled(texts), identify)
        # The earliest of each bucket settles most duplicates, so that ten thousand alike are not compared pairwise.
        judge.verify(firsts(signed, ~self._dropped, fresh, self._search), self._dropped)
        judge.verify(near(signed, ~self._dropped, fresh, self._search), self._dropped)
        return Found(tuple(sorted(judge.verdicts, key=lambda v: v[0])), tuple(sorted(judge.near)))


class _Judge:
    """Verifies candidates, the likeliest of each text first, until one is near."""

    def __init__(self, indexes: I64, signed: U32, shingled: _Shingled, identify: Callable[[int], str] | None) -> None:
        self._indexes, self._signed, self._shingled, self._identify = indexes, signed, shingled, identify
        self._seen: set[tuple[int, int]] = set()
        self.verdicts: list[tuple[int, str, Mapping[str, Any]]] = []
        self.near: list[tuple[int, int, float]] = []

    def verify(self, pairs: I64, dropped: Bools) -> None:
        """Marks in `dropped` the later row of each pair that is near indeed."""
        if not len(pairs):
            return
        alike = np.concatenate(
            [agreement(self._signed, *pairs[k : k + PAIRS].T) for k in range(0, len(pairs), PAIRS)]
        )
        row, tries = -1, 0
        for early, late in pairs[np.lexsort((pairs[:, 0], -alike, pairs[:, 1]))].tolist():
            row, tries = late, (tries + 1 if late == row else 1)
            if dropped[late] or tries > TRIES or (early, late) in self._seen:
                continue
            self._seen.add((early, late))
            dropped[late] = self._near(int(self._indexes[early]), int(self._indexes[late]))

    def _near(self, early: int, late: int) -> bool:
        score = jaccard(self._shingled(early), self._shingled(late))
        if score >= NEAR:
            self.near.append((early, late, score))
        if score < THRESHOLD:
            return False
        other = self._identify(early) if self._identify else early
        reason = "duplicate:exact" if score == 1.0 and self._shingled.same(early, late) else "duplicate:near"
        self.verdicts.append((late, reason, {"score": round(score, 4), "threshold": THRESHOLD, "other": other}))
        return True


def screen(records: Collection[Record]) -> Screened:
    """Drop each record that an earlier one (smaller index) is near; their order in `records` does not matter."""
    by_index = {r.index: r for r in records}
    if len(by_index) != len(records):
        raise ValueError("two records share an index")
    ordered = sorted(by_index)
    signed = signatures(block(by_index[i].text for i in ordered))
    found = DuplicateIndex().add(ordered, signed, lambda i: by_index[i].text, lambda i: by_index[i].id)
    verdicts = {i: Verdict(by_index[i].id, "duplicates", reason, dict(e)) for i, reason, e in found.verdicts}
    return Screened(
        tuple(r for r in records if r.index not in verdicts),
        tuple((r, verdicts[r.index]) for r in records if r.index in verdicts),
    )
