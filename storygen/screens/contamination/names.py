"""Names and markers: what must stand between the words of an entity, beside the words themselves."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xxhash

from storygen.screens.contamination.bank import Kind
from storygen.screens.contamination.english import UNKNOWN, english
from storygen.text import block, words_with_offsets

_ACRONYM = re.compile(r"[A-Z]{2,4}")
_PLAIN = re.compile(r"[ \-]*")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
GUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_ORDINARY = 16.0  # bits: two words both commoner than this ("market day") name nothing by themselves


@dataclass(frozen=True, slots=True)
class Name:
    """One entity or canary: the text, its kind and family. Lives only while a bank is built."""

    text: str
    kind: Kind
    family: str


def gap_hash(text: str, places: Sequence[tuple[str, int, int]], *, edges: bool = False) -> int:
    """A hash of the punctuation between `places` (words with offsets) in `text`; 0 where it is blanks and hyphens.

    Zero-width characters do not matter. With `edges`, the two characters before and after count too.
    """
    between = [text[a[2] : b[1]] for a, b in itertools.pairwise(places)]
    if edges:
        between += [text[max(places[0][1] - 1, 0) : places[0][1]], text[places[-1][2] : places[-1][2] + 1]]
    clean = [_gap(part) for part in between]
    if all(_PLAIN.fullmatch(part) for part in clean):
        return 0
    return xxhash.xxh3_64_intdigest("\x00".join(clean).encode())


def case_hash(text: str, places: Sequence[tuple[str, int, int]]) -> int:
    """A hash of the words as they stand, capitals and all: for acronyms that are a name in lower case."""
    return xxhash.xxh3_64_intdigest(("case\x00" + text[places[0][1] : places[-1][2]]).encode())


def needed_gaps(name: str) -> int:
    """What a phrase of this name asks for: 0 (nothing), a `gap_hash`, or for an acronym a `case_hash`."""
    places = words_with_offsets(name)
    if _ACRONYM.fullmatch(name):
        return case_hash(name, places)
    return gap_hash(name, places, edges=name.endswith(":") or len(places) == 1)


def gaps_agree(needed: int, text: str, places: Sequence[tuple[str, int, int]]) -> bool:
    """Whether the words at `places` stand in `text` as the name asks for."""
    return not needed or needed in (
        gap_hash(text, places),
        gap_hash(text, places, edges=True),
        case_hash(text, places),
    )


def variants(name: Name) -> list[Name]:
    """The name as others would write it: a GUID without hyphens, a camel-case word in two (a lesser cue).

    None for a single word of ordinary English, whatever brackets stand around it.
    """
    words = block([name.text])
    if len(words.hashes) == 0 or (len(words.hashes) == 1 and english().surprise(words)[0] < UNKNOWN):
        return []
    out = [name]
    if GUID.fullmatch(name.text):
        out.append(Name(name.text.replace("-", ""), name.kind, name.family))
    elif name.kind is Kind.STRONG and (split := _CAMEL.sub(" ", name.text)) != name.text and split.isascii():
        out.append(Name(split, Kind.MEDIUM, name.family))
    return [graded(n) for n in out]


def graded(name: Name) -> Name:
    """A strong name of two ordinary words and no punctuation becomes a medium one: alone it is a false alarm."""
    if name.kind is Kind.STRONG and not needed_gaps(name.text):
        surprise = english().surprise(block([name.text]))
        if len(surprise) <= 2 and bool(np.all(surprise < _ORDINARY)) and float(surprise.max()) < 14.0:
            return Name(name.text, Kind.MEDIUM, name.family)
    return name


def _gap(part: str) -> str:
    kept = "".join(
        c for c in unicodedata.normalize("NFKC", part) if unicodedata.category(c) not in ("Cf", "Mn", "Me")
    )
    return " ".join(kept.split()) if kept.strip() else kept and " "
