"""Planted leaks: known ones go through the same filter as the corpus in every run, and never into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from storygen import stages
from storygen.engines import Engine, whole
from storygen.intervals import wilson
from storygen.ledger import Ledger
from storygen.screens.contamination import TIERS, Plant, planted
from storygen.stopwatch import Stopwatch
from storygen.text import block

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


def plant_and_screen(ledger: Ledger, spec: stages.Spec, engine: Engine, watch: Stopwatch) -> Planted:
    """Hide known leaks in texts of the run that passed, put them through its filter, and count what was caught.

    The plants are never written to the ledger's drafts, so no export can hold one. Says in the ledger which bank and
    thresholds the run had.
    """
    with watch.stage("planted"):
        filter_ = stages.contamination(spec.evals)
        ledger.put("bank", filter_.describe())
        ledger.put("thresholds", filter_.thresholds)
        plants = planted(_carriers(ledger, spec.field), [Path(p) for p in spec.evals], spec.seed)
        batches = [plants[at : at + stages.BATCH] for at in range(0, len(plants), stages.BATCH)]
        reasons = [r for found in whole(engine.map(partial(_look, spec), batches)) for r in found]
    return tally(plants, reasons)


def tally(plants: Sequence[Plant], reasons: Sequence[str | None]) -> Planted:
    """Recall by tier and family; `reasons` has the code under which each plant was dropped, None where it passed."""
    counts: dict[tuple[str, str], list[int]] = {}
    missed = []
    for plant, reason in zip(plants, reasons, strict=True):
        row = counts.setdefault((plant.tier, plant.family), [0, 0])
        row[0] += 1
        row[1] += reason is not None
        if reason is None and plant.must:
            missed.append({"id": plant.record.id, "tier": plant.tier, "family": plant.family, "form": plant.form})
    rows = []
    for (tier, family), (count, caught) in sorted(counts.items(), key=lambda c: (TIERS.index(c[0][0]), c[0][1])):
        low, high = wilson(caught, count)
        row_ = {"tier": tier, "family": family, "planted": count, "caught": caught, "recall": caught / count}
        rows.append({**row_, "low": round(low, 4), "high": round(high, 4)})
    return Planted(tuple(rows), tuple(missed))


def _look(spec: stages.Spec, plants: Sequence[Plant]) -> list[str | None]:
    """The reason for which each plant is dropped."""
    records = [plant.record for plant in plants]
    looked = stages.contamination(spec.evals).look(records, block(r.text for r in records))
    verdicts = [looked[r.id].verdict for r in records]
    return [v.reason if v else None for v in verdicts]


def _carriers(ledger: Ledger, field: str) -> list[str]:
    """The first texts that the run kept, long enough to hide something in."""
    texts: list[str] = []
    first = "state = 'kept' AND idx IN (SELECT idx FROM state WHERE state = 'kept' ORDER BY idx LIMIT ?)"
    for row in ledger.rows(first, (CARRIERS,)):
        text = stages.parse(row.line, row.idx, row.kind, row.id, field).text
        if len(text.split()) >= 40:
            texts.append(text)
    return texts
