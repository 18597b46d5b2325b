"""Look many texts up in a bank at once: the phrases they hold, and how many bits of n-grams they share by family."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storygen.screens.contamination.bank import KEY, Bank, N, lookup, ngram_key, sieve
from storygen.text import I64, U64, Block

Bools = npt.NDArray[np.bool_]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

WINDOW = 60  # words: two sentences, with what an edit may have put between them
LONE = 0.8  # of its bits a single n-gram counts for: five rare words may be somebody's name and title
SCATTERED = 1.25  # the bits of one item over a whole text that weigh as much as 1 in a window


@dataclass(frozen=True, slots=True)
class Shared:
    """N-grams that texts share with the bank, in the order of (text, family, word), each once a text and family.

    `text` and `word` (index into the block's hashes) say where, `bits` what each adds to what the one before covers.
    """

    text: I64
    family: I64
    word: I64
    owner: I64
    bits: F64


@dataclass(frozen=True, slots=True)
class Nearest:
    """The family that each text is nearest to: `ratio` (1 and above is a leak), `family`, `owner`; -1 where none."""

    ratio: F64
    family: I64
    owner: I64


@dataclass(frozen=True, slots=True)
class Spotted:
    """Phrases found: `text`, first `word` (index into the block's hashes) and `phrase` (row of the bank's table)."""

    text: I64
    word: I64
    phrase: I64


class Matcher:
    """A bank made ready for look-ups."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self._ngrams, self._shift = sieve(bank.ngrams.keys, KEY)
        self._per_word = bank.ngrams.per_word().astype(np.float64)
        phrases = bank.phrases
        self._single = np.flatnonzero(phrases.length == 1)
        self._double = np.flatnonzero(phrases.length > 1)
        self._single_sieve = sieve(phrases.anchor[self._single], 64, 16)
        self._double_sieve = sieve(phrases.anchor[self._double], 64, 18)

    def shared(self, texts: Block) -> Shared:
        """The n-grams that each text shares with the bank."""
        hashes, starts = texts.ngrams(N)
        at, row = lookup(self.bank.ngrams.keys, ngram_key(hashes), self._ngrams, self._shift)
        text = np.searchsorted(starts, at, side="right") - 1
        word = at - starts[text] + texts.starts[text]
        owner = self.bank.ngrams.owner[row].astype(np.int64)
        family = self.bank.family_of[owner].astype(np.int64)
        # The same n-gram again, as in a refrain, says nothing new.
        _, first = np.unique(text * np.int64(len(self.bank.ngrams.keys) + 1) + row, return_index=True)
        order = first[np.lexsort((word[first], family[first], text[first]))]
        text, family, word, owner, per_word = (x[order] for x in (text, family, word, owner, self._per_word[row]))
        new = np.full(len(order), N)
        same = (text[1:] == text[:-1]) & (family[1:] == family[:-1])
        new[1:][same] = np.minimum(N, np.diff(word)[same])
        return Shared(text, family, word, owner, new * per_word)

    def nearest(self, shared: Shared, count: int) -> Nearest:
        """For each of `count` texts the family with the most bits, as a share of that family's threshold."""
        ratio, family, owner = np.zeros(count), np.full(count, -1), np.full(count, -1)
        if len(shared.text):
            families = len(self.bank.families)
            group = shared.text * families + shared.family
            total = self._window(shared, group)
            items = len(self.bank.items)
            _, back = np.unique(shared.text * items + shared.owner, return_inverse=True)
            by_item: F64 = np.bincount(back, shared.bits).astype(np.float64)[back]
            total = np.maximum(total, by_item / SCATTERED) / self.bank.thresholds[shared.family]
            total[np.bincount(group)[group] < 2] *= LONE
            best = np.lexsort((-by_item, -total, shared.text))
            best = best[np.unique(shared.text[best], return_index=True)[1]]
            ratio[shared.text[best]], family[shared.text[best]] = total[best], shared.family[best]
            owner[shared.text[best]] = self._owner(shared, group, group[best], by_item)
        return Nearest(ratio, family, owner)

    def _window(self, shared: Shared, group: I64) -> F64:
        """Bits in the WINDOW words that end with each n-gram."""
        place = group * np.int64(1 << 40) + shared.word
        running = np.cumsum(shared.bits)
        first = np.searchsorted(place, place - (WINDOW - N))
        # The window's first n-gram counts whole, though the one before it covers some of its words.
        whole = self._whole(shared)
        out: F64 = running - running[first] + whole[first]
        return out

    def _whole(self, shared: Shared) -> F64:
        new = np.full(len(shared.text), float(N))
        same = (shared.text[1:] == shared.text[:-1]) & (shared.family[1:] == shared.family[:-1])
        new[1:][same] = np.minimum(N, np.diff(shared.word)[same])
        out: F64 = shared.bits / new * N
        return out

    @staticmethod
    def _owner(shared: Shared, group: I64, wanted: I64, by_item: F64) -> I64:
        """In each wanted group the item with the most bits."""
        order = np.lexsort((shared.owner, -by_item, group))
        groups, first = np.unique(group[order], return_index=True)
        return shared.owner[order][first[np.searchsorted(groups, wanted)]]

    def phrases(self, texts: Block) -> Spotted:
        """The phrases (canaries, names, short items, pairs of sentences) that each text holds."""
        table = self.bank.phrases
        found = []
        for rows, anchors, (flags, shift) in (
            (self._single, texts.ngrams(1)[0], self._single_sieve),
            (self._double, _pairs(texts), self._double_sieve),
        ):
            keys = table.anchor[rows]
            if not len(keys) or not len(anchors):
                continue
            at, low = lookup(keys, anchors, flags, shift)
            low = np.searchsorted(keys, keys[low])
            counts = np.searchsorted(keys, keys[low], side="right") - low
            word = np.repeat(at, counts)
            phrase = rows[np.repeat(low, counts) + _ramp(counts)]
            found.append((word - table.offset[phrase], phrase))
        if not found:
            return Spotted(*(np.empty(0, np.int64) for _ in range(3)))
        word, phrase = (np.concatenate(parts).astype(np.int64) for parts in zip(*found, strict=True))
        inside = word >= 0
        word, phrase = word[inside], phrase[inside]
        text = np.searchsorted(texts.starts, word, side="right") - 1
        inside = word + table.length[phrase] <= texts.starts[text + 1]
        text, word, phrase = text[inside], word[inside], phrase[inside]
        good = np.zeros(len(word), np.bool_)
        for length in np.unique(table.length[phrase]):
            those = np.flatnonzero(table.length[phrase] == length)
            good[those] = texts.at(word[those], int(length)) == table.hash[phrase[those]]
        return Spotted(text[good], word[good], phrase[good])


def _pairs(texts: Block) -> U64:
    """The hash of each word with the next; the last has none. A pair across two texts is sorted out by its phrase."""
    return texts.at(np.arange(max(len(texts.hashes) - 1, 0)), 2)


def _ramp(counts: I64) -> I64:
    """0, 1, ... for each count in turn: [2, 3] gives 0 1 0 1 2."""
    ends = np.cumsum(counts)
    out: I64 = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    return out


__all__ = ["Matcher", "Nearest", "Shared", "Spotted"]
