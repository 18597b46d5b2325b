"""`storygen diff`: what changed between two runs, from their report.json and ledgers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storygen.ledger import Ledger
from storygen.report import collect


@dataclass(frozen=True, slots=True)
class Difference:
    """`settings` and `counts` map a name to (first, second) where they differ; rejects are (id, reason) pairs."""

    settings: Mapping[str, tuple[Any, Any]]
    counts: Mapping[str, tuple[float, float]]
    gained: tuple[tuple[str, str], ...]  # rejected in the second run, not in the first, same id
    lost: tuple[tuple[str, str], ...]
    rewritten: int  # ids in both runs whose text differs
    shared: int


def diff(first: Path, second: Path) -> Difference:
    """Compare two run folders. Raises UsageError when one is not a run."""
    with Ledger.read(first) as a, Ledger.read(second) as b:
        reports = collect(a), collect(b)
        rejects = [{r.id: str(r.reason) for r in x.rows("state = 'rejected'", lines=False)} for x in (a, b)]
        lines = [{r.id: hash(r.line) for r in x.rows("state != 'pending'")} for x in (a, b)]
    shared = lines[0].keys() & lines[1].keys()
    return Difference(
        _changed(reports[0]["settings"], reports[1]["settings"]),
        _changed(_figures(reports[0]), _figures(reports[1])),
        tuple(sorted((i, r) for i, r in rejects[1].items() if i in shared and i not in rejects[0])),
        tuple(sorted((i, r) for i, r in rejects[0].items() if i in shared and i not in rejects[1])),
        sum(lines[0][i] != lines[1][i] for i in shared),
        len(shared),
    )


def _figures(report: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = dict(report["sum"])
    out.update({f"rejected {r['reason']}": r["count"] for r in report["reasons"]})
    out.update({f"planted {r['tier']} {r['family']}": round(r["recall"], 4) for r in report["planted"]["rows"]})
    out.update({f["name"]: round(f["value"], 5) for f in report["diversity"]["figures"]})
    out.update({f"words {kind}": t["words"] for kind, t in report["tokens"].items()})
    for tier, h in report["contamination"]["scores"].items():
        out.update({f"mean score {tier}": round(_mean(h), 5)})
    return out


def _mean(histogram: Mapping[str, Any]) -> float:
    counts = [a + b for a, b in zip(histogram["kept"], histogram["rejected"], strict=True)]
    return float(sum((k + 0.5) * n for k, n in enumerate(counts)) / max(sum(counts), 1) / histogram["bins"])


def _changed(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    keys = [*a, *(k for k in b if k not in a)]
    return {k: (a.get(k), b.get(k)) for k in keys if a.get(k) != b.get(k)}


def table(d: Difference) -> str:
    """For a terminal."""
    lines = [f"{d.shared:,} ids in both runs, {d.rewritten:,} with another text"]
    for title, changed in (("settings", d.settings), ("figures", d.counts)):
        lines += ["", title, *(f"  {k:<44} {a!s:>16} → {b!s}" for k, (a, b) in changed.items())] if changed else []
    for title, pairs in (("rejects gained", d.gained), ("rejects lost", d.lost)):
        lines += ["", f"{title}: {len(pairs):,}", *(f"  {i}  {r}" for i, r in pairs[:20])]
    return "\n".join(lines)
