"""Texts that share a bucket: locality-sensitive hashing of MinHash signatures, vectorised, by any search.

A signature is cut into BANDS of ROWS values; texts whose values of a band are all equal share a bucket, and those
that share one and agree in enough of the whole signature are candidates. Who meets whom inside a bucket is one pure
function (`codes`), which the search of this process calls for each band and Ray's for each of its groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from storygen.text import I64, U64

U32 = npt.NDArray[np.uint32]
Bools = npt.NDArray[np.bool_]

BANDS, ROWS = 25, 5  # a pair of Jaccard 0.70 shares a band with probability 0.990, one of 0.75 with 0.999
WORTH = 67  # equal signature values (of 128) to be worth verifying: a pair of Jaccard 0.7 has fewer once in 250,000
LATEST = 64  # in a bucket a text meets this many just before it ...
FIRST = 8  # ... and this many of the earliest
EMPTY = 2**32 - 1  # every value of the signature of a text without words
_HELD = 1 << 21  # candidates held before they are compared: 16 MiB
PAIRS = 1 << 14  # pairs compared at a time: two gathers of 8 MiB
_ODD = np.array([0x9E3779B97F4A7C15 * (2 * k + 1) % 2**64 | 1 for k in range(ROWS)], np.uint64)


def band_keys(signed: U32, band: int) -> U64:
    """One 64-bit key a text: texts of equal keys share the bucket of this band."""
    keys: U64 = (signed[:, band * ROWS : (band + 1) * ROWS].astype(np.uint64) * _ODD).sum(axis=1, dtype=np.uint64)
    return keys


# (order by key, where the bucket of each begins, live) → who meets whom: (earlier, later) places in the arrays
Meet = Callable[[I64, I64, Bools], Iterator[tuple[I64, I64]]]
# (signed, live, fresh, meet) → arrays of pairs as codes, earlier row × number of rows + later row, in any order
Search = Callable[[U32, Bools, Bools, Meet], Iterable[I64]]


def by_band(signed: U32, live: Bools, fresh: Bools, meet: Meet) -> Iterator[I64]:
    """The search in this process: a band at a time, its buckets by one sort of what can matter."""
    for band in range(BANDS):
        keys = band_keys(signed, band)
        rows = _touched(keys, fresh)
        yield codes(keys[rows], rows, live[rows], fresh[rows], meet, len(signed))


def _touched(keys: U64, fresh: Bools) -> I64:
    """The rows of buckets that hold a fresh text: to a corpus that is there few are added without sorting it anew."""
    if fresh.all():
        return np.arange(len(keys))
    new = np.unique(keys[fresh])
    return np.flatnonzero(new[np.minimum(np.searchsorted(new, keys), len(new) - 1)] == keys)


def codes(keys: U64, rows: I64, live: Bools, fresh: Bools, meet: Meet, total: int) -> I64:
    """Pairs that share a key, the later one live and one of both fresh, as codes; `rows` ascends."""
    order = np.argsort(keys)  # not the stable one, five times as slow: few are in a bucket with others
    ordered = keys[order]
    same = ordered[1:] == ordered[:-1]
    order = order[np.concatenate((same, [False])) | np.concatenate(([False], same))]
    order = order[np.lexsort((order, keys[order]))]  # these in index order inside each bucket
    new = np.concatenate(([True], np.diff(keys[order]) != 0))[: len(order)]
    begin = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    found = [np.empty(0, np.int64)]
    for early, late in meet(order, begin, live):
        wanted = fresh[early] | fresh[late]
        found.append(rows[early[wanted]] * np.int64(total) + rows[late[wanted]])
    return np.concatenate(found)


def firsts(signed: U32, live: Bools, fresh: Bools, search: Search = by_band) -> I64:
    """Pairs (row of the earliest text of a bucket, row of a later one), shape (pairs, 2), each pair once.

    Rows are in index order. Of `live` later texts only, and where one of the two is `fresh`.
    """
    return _pairs(signed, live, fresh, with_first, search)


def near(signed: U32, live: Bools | None = None, fresh: Bools | None = None, search: Search = by_band) -> I64:
    """Candidate pairs (earlier row, later row) by band buckets, shape (pairs, 2), each pair once.

    A text meets every earlier one of its buckets, but in a bucket of more than LATEST + FIRST only the LATEST before
    it and the FIRST of all, so that work grows with the number of texts whatever they are.
    """
    everything = np.ones(len(signed), np.bool_)
    return _pairs(
        signed,
        everything if live is None else live,
        everything if fresh is None else fresh,
        with_neighbours,
        search,
    )


def _pairs(signed: U32, live: Bools, fresh: Bools, meet: Meet, search: Search) -> I64:
    """The pairs that are alike enough to be worth verifying, whatever the order in which the search finds them."""
    alike: I64 = np.empty(0, np.int64)
    if not fresh.any():
        return alike.reshape(0, 2)
    found: list[I64] = []
    total = np.int64(len(signed))

    def settle() -> I64:
        return np.union1d(alike, _alike(signed, np.setdiff1d(np.concatenate([alike[:0], *found]), alike), total))

    for some in search(signed, live & (signed[:, 0] != EMPTY), fresh, meet):
        found.append(some)
        if sum(map(len, found)) > _HELD:
            alike, found = settle(), []
    alike = settle()
    return np.stack((alike // total, alike % total), axis=1)


def with_first(order: I64, begin: I64, live: Bools) -> Iterator[tuple[I64, I64]]:
    late = np.flatnonzero((begin < np.arange(len(order))) & live[order])
    yield order[begin[late]], order[late]


def with_neighbours(order: I64, begin: I64, live: Bools) -> Iterator[tuple[I64, I64]]:
    at = np.flatnonzero(live[order])
    for distance in range(1, LATEST + 1):
        at = at[at - distance >= begin[at]]
        if not len(at):
            return
        yield order[at - distance], order[at]
    for place in range(FIRST):
        at = at[at - LATEST > begin[at] + place]
        yield order[begin[at] + place], order[at]


def _alike(signed: U32, codes: I64, total: np.int64) -> I64:
    """Those of the pairs whose signatures agree in at least WORTH places."""
    keep = [
        part[agreement(signed, part // total, part % total) >= WORTH]
        for part in (codes[k : k + PAIRS] for k in range(0, len(codes), PAIRS))
    ]
    return np.concatenate(keep) if keep else codes


def agreement(signed: U32, early: I64, late: I64) -> I64:
    """In how many of the 128 places the signatures of each pair are equal."""
    out: I64 = np.count_nonzero(signed[early] == signed[late], axis=1)
    return out
