"""Readable signs of a plot: marks of its parts, sentence by sentence, and how they add up over a text.

A sign is a regular expression over one folded sentence (storygen/data/plot.toml): an AI that is to be ended, a word
that is final, something nobody would know, a colleague's name on the error. Signs are slow beside hashes, so only
texts whose wording comes near a plot (vectors.py) are looked at, and they say which sentence fills which slot.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from storygen import resources
from storygen.text import fold

F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*[\"”’)]*")
WINDOW = 30  # sentences in which the parts of a plot must meet
_MOST = 3  # a group counts up to this: the fourth sign of a threat says no more than the third


@dataclass(frozen=True, slots=True)
class Table:
    """The signs in order, and the groups that add some of them up, as indexes of signs."""

    names: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]
    groups: tuple[tuple[int, ...], ...]

    def rows(self, names: str) -> tuple[int, ...]:
        """Indexes of signs named in one string. Raises ValueError for a name that is none."""
        return tuple(self.names.index(name) for name in names.split())


@functools.lru_cache(maxsize=1)
def table() -> Table:
    """The packaged signs, compiled once a process."""
    with resources.data("plot.toml").open("rb") as file:
        facts = tomllib.load(file)
    names = tuple(facts["signs"])
    patterns = tuple(re.compile(p.format(**facts["parts"])) for p in facts["signs"].values())
    bare = Table(names, patterns, ())
    return Table(names, patterns, tuple(bare.rows(group) for group in facts["groups"].values()))


def sentences(text: str) -> list[tuple[int, int]]:
    """[start, end) of each sentence or line with a word in it, without the white space before it."""
    out = []
    for found in _SENTENCE.finditer(text):
        inside = found.group()
        if inside.strip():
            out.append((found.start() + len(inside) - len(inside.lstrip()), found.end()))
    return out


def marks(text: str, spans: Iterable[tuple[int, int]]) -> Bools:
    """Which signs each sentence shows, shape (sentences, signs)."""
    patterns = table().patterns
    rows = [[p.search(folded) is not None for p in patterns] for folded in (fold(text[a:b]) for a, b in spans)]
    return np.array(rows, np.bool_).reshape(-1, len(patterns))


def summary(found: Bools) -> F64:
    """A text's signs as features: which there are, how many of each group, and what meets (products of two groups).

    Of a long text the mean over overlapping windows: in 800 words of any story every sign turns up somewhere.
    """
    starts = range(0, max(len(found) - WINDOW // 2, 1), WINDOW // 2)
    out: F64 = np.mean([_window(found[at : at + WINDOW]) for at in starts], axis=0)
    return out


def _window(found: Bools) -> F64:
    there: Bools = np.any(found, axis=0)
    counts = [min(int(there[list(group)].sum()), _MOST) for group in table().groups]
    products = [a * b for a, b in combinations(counts, 2)]
    return np.concatenate((there * 2.0, counts, products)) * 0.15  # beside a wording of length 1; found on s1 to s3
