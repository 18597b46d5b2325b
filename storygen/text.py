"""Words and n-gram hashes: the one place where text becomes numbers, shared by duplicates and contamination.

A text is *folded* (case, Unicode look-alikes, zero-width characters, accents, punctuation and white space do not
matter), split into words, each word is hashed once (British and American spellings to the same value), and an
n-gram's hash is a polynomial of its words' hashes, so that every n costs a few vector operations.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

_MULTIPLIER = 0x9E3779B97F4A7C15  # 2**64 / golden ratio, odd
_MASK = 2**64 - 1
_APOSTROPHES = "'’‘ʼ`´"
_ASCII = {c: ("" if chr(c) in "'`" else chr(c).lower() if chr(c).isalnum() else " ") for c in range(128)}
# Letters that look Latin and are not (Cyrillic, Greek, Armenian, small capitals); NFKC takes care of full-width,
# mathematical and circled ones. Source: the Latin targets of Unicode's confusables.txt, by hand.
_PAIRS = (
    "аa вb сc ԁd еe ёe ɡg һh іi їi јj κk кk ӏl мm нh ոn оo օo οo ρp рp ԛq ѕs тt τt υu νv ѵv ԝw хx χx "
    "уy үy γy ᴢz ıi ɩi αa εe ηn ιi ᴏo ᴜu ᴠv ᴡw ᴄc ꜱs ʀr ɪi øo đd łl"
)
_LOOKALIKES = {ord(pair[0]): pair[1] for pair in _PAIRS.split()}


def _char(c: str) -> str:
    """What one character folds to: letters and digits to themselves, anything else to a space or nothing."""
    if c in _APOSTROPHES:
        return ""
    out = []
    for d in unicodedata.normalize("NFKD", c).casefold().translate(_LOOKALIKES):
        category = unicodedata.category(d)
        if category[0] in "LN":
            out.append(d)
        elif category not in ("Mn", "Me", "Cf", "Cc") or d in "\n\t\r\v\f\x85":
            out.append(" ")
    return "".join(out)


class _Fold(dict[int, str]):
    """A `str.translate` table that fills itself."""

    def __missing__(self, key: int) -> str:
        value = _char(chr(key))
        if len(self) < 200_000:
            self[key] = value
        return value


_FOLD = _Fold(_ASCII)


def fold(text: str) -> str:
    """Lower-case words separated by blanks; folding twice changes nothing."""
    return " ".join(text.translate(_FOLD).split())


_OFFSET_WORD = re.compile(r"\S+")


def words_with_offsets(text: str) -> list[tuple[str, int, int]]:
    """The folded words of `text`, each with its [start, end) in `text` (slow: for the few texts that are flagged)."""
    pieces, origin = [], []
    for i, c in enumerate(text):
        piece = c.translate(_FOLD)
        pieces.append(piece)
        origin.extend([i] * len(piece))
    folded = "".join(pieces)
    return [(m.group(), origin[m.start()], origin[m.end() - 1] + 1) for m in _OFFSET_WORD.finditer(folded)]


_SPELLING = [
    (re.compile(p), r)
    for p, r in [
        (r"(?<=[a-z]{3})is(e|ed|es|ing|er|ers|ation|ations|ational)$", r"iz\1"),
        (r"(?<=[a-z]{3})ys(e|ed|es|ing|er|ers)$", r"yz\1"),
        (r"(?<=[a-z]{2})our(s|ed|ing|able|ful|ite|ites|hood|ly|less|er|ers)?$", r"or\1"),
        (r"^(cent|theat|met|lit|fib|calib|spect|somb|meag|lust)re(s|d)?$", r"\1er\2"),
        (r"(?<=[a-z]{2}[aeiou])ll(ed|ing|er|ers|ation|ations)$", r"l\1"),
        (r"^(def|off|pret)ence(s)?$", r"\1ense\2"),
        (r"^licence(s)?$", r"license\1"),
        (r"^practis", "practic"),
        (r"(?<=[a-z]{3})ogue(s)?$", r"og\1"),
        (r"^program(me|mes)$", "program"),
        (r"^(judg|acknowledg)ement", r"\1ment"),
        (r"^(enrol|instal|fulfil|skil)l?(ment|ments|ful)$", r"\1\2"),
        (r"^grey", "gray"),
    ]
]


def spelling(word: str) -> str:
    """One spelling for a folded word that British and American English spell in two ways (not always a real one)."""
    for pattern, replacement in _SPELLING:
        word = pattern.sub(replacement, word)
    return word


def word_hash(word: str) -> int:
    """64-bit hash of one folded word, the same for both spellings."""
    return xxhash.xxh3_64_intdigest(spelling(word).encode())


class _Hashes(dict[str, int]):
    """`word_hash` of the words met so far: a look-up costs half of what a cached call does."""

    def __missing__(self, word: str) -> int:
        value = word_hash(word)
        if len(self) < 400_000:
            self[word] = value
        return value


_HASHES = _Hashes()


@dataclass(frozen=True, slots=True)
class Block:
    """The word hashes of many texts laid end to end: text k has `hashes[starts[k]:starts[k + 1]]`."""

    hashes: U64
    starts: I64

    def __len__(self) -> int:
        return len(self.starts) - 1

    def ngrams(self, n: int) -> tuple[U64, I64]:
        """All word n-gram hashes of all texts, end to end, and where each text's begin (len + 1 offsets).

        A text of fewer than n words has none.
        """
        counts = np.maximum(np.diff(self.starts) - n + 1, 0)
        starts = np.concatenate(([0], np.cumsum(counts)))
        total = len(self.hashes) - n + 1
        if total <= 0 or starts[-1] == 0:
            return np.empty(0, np.uint64), starts
        acc = np.zeros(total, np.uint64)
        for k in range(n):
            acc *= np.uint64(_MULTIPLIER)
            acc += self.hashes[k : k + total]
        text = np.repeat(np.arange(len(self)), counts)
        at = np.arange(starts[-1]) - starts[text] + self.starts[text]
        return _mix(acc[at]), starts

    def at(self, positions: I64, n: int) -> U64:
        """The hashes of the n-grams that begin at `positions` (indexes into `hashes`), each wholly inside it."""
        acc = np.zeros(len(positions), np.uint64)
        for k in range(n):
            acc *= np.uint64(_MULTIPLIER)
            acc += self.hashes[positions + k]
        return _mix(acc)


def _mix(x: U64) -> U64:
    """Spread a polynomial's low bits over all 64 (the finaliser of splitmix64, Steele et al. 2014)."""
    x = x ^ (x >> np.uint64(30))
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def block(texts: Iterable[str]) -> Block:
    """Fold, split and hash many texts; vectorise over 50 to 500 at a time."""
    hashes = array("Q")
    starts = [0]
    for text in texts:
        hashes.extend(map(_HASHES.__getitem__, text.translate(_FOLD).split()))
        starts.append(len(hashes))
    return Block(np.frombuffer(hashes, np.uint64), np.array(starts, np.int64))


def ngram_hash(words: Sequence[str]) -> int:
    """The hash of one n-gram of folded words: what `Block.ngrams` gives for it."""
    value = block([" ".join(words)]).ngrams(len(words))[0]
    return int(value[0])
