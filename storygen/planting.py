"""Planted leaks: known ones go through the same filter as the corpus in every run, and never into it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from storygen import stages
from storygen.engines import Engine
from storygen.ledger import Ledger
from storygen.screens.contamination import planted

if TYPE_CHECKING:
    from storygen.pipeline import Stopwatch

CARRIERS = 60  # benign texts of the run's own that leaks are hidden in


@dataclass(frozen=True, slots=True)
class Planted:
    """`rows`: one a tier and family with planted, caught, recall and its Wilson 95 % interval (low, high).

    `missed`: those that got through a tier that should catch them.
    """

    rows: tuple[Mapping[str, Any], ...]
    missed: tuple[Mapping[str, Any], ...]

    @property
    def count(self) -> int:
        return sum(row["planted"] for row in self.rows)

    @property
    def caught(self) -> int:
        return sum(row["caught"] for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        return {"count": self.count, "caught": self.caught, "rows": list(self.rows), "missed": list(self.missed)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Planted:
        return cls(tuple(value["rows"]), tuple(value["missed"]))
