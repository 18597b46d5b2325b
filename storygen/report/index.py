"""The page's index of records: a few bytes a text, so that every number on the page opens the records behind it."""

from __future__ import annotations

import base64
import zlib
from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np

from storygen.ledger import Row

BINS = 40  # of each tier's score, 0 to 1
RECORDS = 60_000  # in one page: about 1 MB; of a larger run all that was dropped, and the first of what was kept
VALUES = 255  # an axis with more values is left out
FACTS = ("kind", "state", "stage", "reason", "tier", "family")
COLUMNS = 48  # as are axes beyond this number, in a foreign corpus that has a thousand


class _Codes(dict[tuple[str, Any], int]):
    """Numbers (name, value) pairs as they come."""

    def __missing__(self, pair: tuple[str, Any]) -> int:
        code = self[pair] = len(self)
        return code


class Index:
    """Columns of small numbers, one row a text in the order in which they are seen."""

    def __init__(self) -> None:
        self.total = 0
        self._ids: list[str] = []
        self._numbers = array("I")
        self._plain = True  # every id is kind-0000000, so that the number alone gives it
        self._codes = _Codes()
        self._facts, self._ends = array("I"), array("I")  # codes of all texts laid end to end, and where each ends
        self._words, self._near = array("H"), array("B")

    def see(self, row: Row, axes: Mapping[str, str], words: int) -> None:
        """Take in one text; those beyond RECORDS are only counted."""
        self.total += 1
        if len(self._ids) == RECORDS:
            return
        self._ids.append(row.id)
        self._numbers.append(row.idx)
        self._plain = self._plain and row.id == f"{row.kind}-{row.idx:07d}"
        self._words.append(min(words, 65_535))
        self._near.append(min(round(100 * row.score), 100))
        evidence = row.evidence or row.nearest
        facts = {
            **axes,
            "kind": row.kind,
            "state": row.state,
            "stage": row.stage or "",
            "reason": row.reason or "",
            "tier": evidence.get("tier", ""),
            "family": evidence.get("family", ""),
            **{f"{tier} score": str(_bin(score)) for tier, score in (row.nearest.get("scores") or {}).items()},
        }
        self._facts.extend(map(self._codes.__getitem__, facts.items()))
        self._ends.append(len(self._facts))

    def to_json(self) -> dict[str, Any]:
        """`blob`: zlib over numbers (4 bytes a text), words (2), nearness (1) and each column (1), little endian."""
        parts, names = [self._numbers.tobytes(), self._words.tobytes(), self._near.tobytes()], {}
        for name, (values, column) in self._columns().items():
            names[name] = values
            parts.append(column)
        return {
            "count": len(self._ids),
            "total": self.total,
            "bins": BINS,
            "ids": None if self._plain else self._ids,
            "columns": names,
            "blob": base64.b64encode(zlib.compress(b"".join(parts), 9)).decode(),
        }

    def _columns(self) -> dict[str, tuple[list[str], bytes]]:
        """By name the values, "" first, and each text's as a number into them; our own facts before the axes."""
        values: dict[str, dict[str, int]] = {name: {"": 0} for name in FACTS}
        column, number = [], []  # of each code
        for name, value in self._codes:
            known = values.setdefault(name, {"": 0})
            number.append(known.setdefault(str(value), len(known)))
            column.append(name)
        places = {name: k for k, name in enumerate(values)}
        of, which = np.array([places[name] for name in column], np.int64), np.array(number, np.int64)
        facts = np.frombuffer(self._facts, np.uint32).astype(np.int64)
        ends = np.frombuffer(self._ends, np.uint32).astype(np.int64)
        text = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
        out: dict[str, tuple[list[str], bytes]] = {}
        ours = sorted(values, key=lambda name: (name not in FACTS, not name.endswith(" score")))  # before the axes
        for name, known in [(name, values[name]) for name in ours[:COLUMNS]]:
            if len(known) <= VALUES + 1 and (len(known) > 1 or name in column):
                here = of[facts] == places[name]
                cells = np.zeros(len(ends), np.uint8)
                cells[text[here]] = which[facts[here]]
                out[name] = (list(known), cells.tobytes())
        return out


def _bin(score: float) -> int:
    return min(int(score * BINS), BINS - 1)
