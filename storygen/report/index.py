"""The page's index of records: a few bytes a text, so that every number on the page opens the records behind it."""

from __future__ import annotations

import base64
import zlib
from array import array
from collections.abc import Mapping
from typing import Any

from storygen.ledger import Row

BINS = 40  # of each tier's score, 0 to 1
RECORDS = 60_000  # in one page: about 1 MB; of a larger run all that was dropped, and the first of what was kept
VALUES = 255  # an axis with more values is left out
COLUMNS = 48  # as are axes beyond this number, in a foreign corpus that has a thousand


class Index:
    """Columns of small numbers, one row a text in the order in which they are seen."""

    def __init__(self) -> None:
        self.total = 0
        self._ids: list[str] = []
        self._numbers = array("I")
        self._plain = True  # every id is kind-0000000, so that the number alone gives it
        self._columns: dict[str, tuple[dict[str, int], array[int]]] = {}
        self._words, self._near = array("H"), array("B")

    def see(self, row: Row, axes: Mapping[str, str], words: int) -> None:
        """Take in one text; those beyond RECORDS are only counted."""
        self.total += 1
        if len(self._ids) == RECORDS:
            return
        at = len(self._ids)
        self._ids.append(row.id)
        self._numbers.append(row.idx)
        self._plain = self._plain and row.id == f"{row.kind}-{row.idx:07d}"
        self._words.append(min(words, 65_535))
        self._near.append(min(round(100 * row.score), 100))
        evidence = row.evidence or row.nearest
        facts = {
            "kind": row.kind,
            "state": row.state,
            "stage": row.stage or "",
            "reason": row.reason or "",
            "tier": evidence.get("tier", ""),
            "family": evidence.get("family", ""),
            **{f"{tier} score": str(_bin(score)) for tier, score in (row.nearest.get("scores") or {}).items()},
        }
        for name, value in {**facts, **{k: v for k, v in axes.items() if k not in facts}}.items():
            if name not in self._columns and len(self._columns) == COLUMNS:
                continue
            codes, column = self._columns.setdefault(name, ({"": 0}, array("H")))
            column.extend([0] * (at - len(column)))
            column.append(min(codes.setdefault(str(value), len(codes)), 65_535))

    def to_json(self) -> dict[str, Any]:
        """`blob`: zlib over numbers (4 bytes a text), words (2), nearness (1) and each column (1), little endian."""
        count = len(self._ids)
        parts, names = [self._numbers.tobytes(), self._words.tobytes(), self._near.tobytes()], {}
        for name, (codes, column) in self._columns.items():
            if len(codes) <= VALUES + 1:
                column.extend([0] * (count - len(column)))
                names[name] = list(codes)
                parts.append(bytes(c & 255 for c in column))
        return {
            "count": count,
            "total": self.total,
            "bins": BINS,
            "ids": None if self._plain else self._ids,
            "columns": names,
            "blob": base64.b64encode(zlib.compress(b"".join(parts), 9)).decode(),
        }


def _bin(score: float) -> int:
    return min(int(score * BINS), BINS - 1)
