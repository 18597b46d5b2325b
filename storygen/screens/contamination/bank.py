"""The bank: what is known of the evaluations, as hashes. It holds no text, only numbers, item ids and family names.

Two tables. *N-grams*: every telling word 5-gram with its owner (an item) and how surprising its words are.
*Phrases*: whole short items and short pairs of sentences, names, canaries, each as one hash over all its words, found
through the hash of its rarest two words (its anchor).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from storygen.errors import InputError
from storygen.screens.contamination.english import QUANTUM
from storygen.text import I64, U64

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
F32 = npt.NDArray[np.float32]

N = 5  # words: seven in eight intact leave 77 % of a text in runs of five, 45 % in runs of eight
VERSION = 2
_HINT = "Make one with: storygen evals fingerprint."
KEY = 48  # bits of an n-gram's hash that are kept: of 450,000 one meets a chance n-gram once in 600 million look-ups


class Kind(IntEnum):
    """What a phrase is. An item is a whole short item, a pair two consecutive sentences of one."""

    CANARY = 0
    STRONG = 1
    MEDIUM = 2
    ITEM = 3
    PAIR = 4


def ngram_key(hashes: U64) -> U64:
    """The KEY bits of a 64-bit n-gram hash that a bank keeps."""
    return hashes >> np.uint64(64 - KEY)


@dataclass(frozen=True, slots=True)
class Ngrams:
    """Sorted `keys` with, for each, the mean surprisal of its words (`bits`, in QUANTUM) and its owner (an item)."""

    keys: U64
    bits: U8
    owner: U32

    def per_word(self) -> F32:
        return self.bits.astype(np.float32) * np.float32(QUANTUM)


@dataclass(frozen=True, slots=True)
class Phrases:
    """Sorted `anchor` hashes (of two words, or of one where `length` is 1), `offset` words after a phrase's start.

    `hash` is over all `length` words; `gaps` is 0, or a hash of what must stand between and around the words.
    """

    anchor: U64
    offset: U8
    length: U8
    hash: U64
    gaps: U64
    kind: U8
    owner: U32


@dataclass(frozen=True, slots=True)
class Bank:
    """`family_of[item]` is an index into `families`; `thresholds` are bits of shared n-grams, one a family."""

    ngrams: Ngrams
    phrases: Phrases
    items: tuple[str, ...]
    family_of: U32
    families: tuple[str, ...]
    thresholds: F32
    sources: tuple[str, ...]

    def family(self, owner: int) -> str:
        return self.families[int(self.family_of[owner])]

    def describe_short(self) -> str:
        return f"{len(self.items):,} items, {len(self.ngrams.keys):,} n-grams, {len(self.phrases.hash):,} phrases"

    def save(self, path: Path) -> None:
        """Write the bank; the same bank gives the same bytes."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **self._arrays())
        path.write_bytes(buffer.getvalue())

    def _arrays(self) -> dict[str, Any]:
        names = json.dumps({"items": self.items, "families": self.families, "sources": self.sources})
        # Differences of sorted keys compress to three bytes each; the keys themselves would not.
        steps = np.diff(self.ngrams.keys, prepend=np.uint64(0))
        return {
            "version": np.array([VERSION], np.uint32),
            "names": np.frombuffer(names.encode(), np.uint8),
            "family_of": self.family_of,
            "thresholds": self.thresholds,
            "steps_low": (steps & np.uint64(0xFFFFFFFF)).astype(np.uint32),
            "steps_high": (steps >> np.uint64(32)).astype(np.uint16),
            "bits": self.ngrams.bits,
            "owner": self.ngrams.owner,
            **{f"phrase_{name}": getattr(self.phrases, name) for name in Phrases.__slots__},
        }

    @classmethod
    def load(cls, path: Path) -> Bank:
        """Read a bank. Raises InputError for a file that is not one, or of another version."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
                if "version" not in arrays or int(arrays["version"][0]) != VERSION:
                    raise InputError(f"{path} is not a bank of this version.", _HINT)
                return cls._of(arrays)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{path} is not a bank: {error}.", _HINT) from error

    @classmethod
    def _of(cls, arrays: Any) -> Bank:
        names = json.loads(arrays["names"].tobytes())
        steps = arrays["steps_low"].astype(np.uint64) | arrays["steps_high"].astype(np.uint64) << np.uint64(32)
        return cls(
            Ngrams(np.cumsum(steps, dtype=np.uint64), arrays["bits"], arrays["owner"]),
            Phrases(**{name: arrays[f"phrase_{name}"] for name in Phrases.__slots__}),
            tuple(names["items"]),
            arrays["family_of"],
            tuple(names["families"]),
            arrays["thresholds"],
            tuple(names["sources"]),
        )


def merge(banks: Sequence[Bank]) -> Bank:
    """One bank of several; an n-gram that two hold belongs to the first."""
    if len(banks) == 1:
        return banks[0]
    families = tuple(dict.fromkeys(name for bank in banks for name in bank.families))
    shifts = np.cumsum([0] + [len(bank.items) for bank in banks])
    stricter = [max(float(b.thresholds[b.families.index(f)]) for b in banks if f in b.families) for f in families]
    keys, at = np.unique(_joined(b.ngrams.keys for b in banks), return_index=True)
    owners = _joined(b.ngrams.owner + np.uint32(s) for b, s in zip(banks, shifts, strict=False))
    ngrams = Ngrams(keys, _joined(b.ngrams.bits for b in banks)[at], owners[at])
    columns = {name: _joined(getattr(b.phrases, name) for b in banks) for name in Phrases.__slots__}
    columns["owner"] = _joined(b.phrases.owner + np.uint32(s) for b, s in zip(banks, shifts, strict=False))
    return Bank(
        ngrams,
        sort_phrases(Phrases(**columns)),
        tuple(item for bank in banks for item in bank.items),
        _joined(np.array([families.index(f) for f in b.families], np.uint32)[b.family_of] for b in banks),
        families,
        np.array(stricter, np.float32),
        tuple(dict.fromkeys(s for bank in banks for s in bank.sources)),
    )


def sort_phrases(phrases: Phrases) -> Phrases:
    """In the order of their anchors, each (hash, length, kind, gaps) once."""
    columns = {name: getattr(phrases, name) for name in Phrases.__slots__}
    order = np.lexsort((phrases.owner, phrases.gaps, phrases.kind, phrases.length, phrases.hash, phrases.anchor))
    same: npt.NDArray[np.bool_] = np.ones(max(len(order) - 1, 0), np.bool_)
    for name in ("hash", "length", "kind", "gaps"):
        same &= columns[name][order][1:] == columns[name][order][:-1]
    order = order[np.concatenate((np.ones(min(len(order), 1), np.bool_), ~same))]
    return Phrases(**{name: column[order] for name, column in columns.items()})


def _joined(parts: Iterable[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate(list(parts))


def lookup(sorted_keys: U64, wanted: U64, sieve: npt.NDArray[np.bool_], shift: int) -> tuple[I64, I64]:
    """Where `wanted` values are in `sorted_keys`: (positions in wanted, positions in the keys), by way of a sieve.

    `sieve[key >> shift]` is False where no key can be: it spares nine in ten the binary search.
    """
    near = np.flatnonzero(sieve[(wanted >> np.uint64(shift)).astype(np.int64)])
    if not len(near) or not len(sorted_keys):
        return near[:0], near[:0]
    at = np.minimum(np.searchsorted(sorted_keys, wanted[near]), len(sorted_keys) - 1)
    found = sorted_keys[at] == wanted[near]
    return near[found], at[found]


def sieve(keys: U64, width: int, size: int = 22) -> tuple[npt.NDArray[np.bool_], int]:
    """A table of 2**size flags over the upper bits of `width`-bit keys, and the shift that indexes it."""
    table = np.zeros(1 << size, np.bool_)
    table[(keys >> np.uint64(width - size)).astype(np.int64)] = True
    return table, width - size
