"""`storygen diff`: what changed between two runs, from their ledgers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from storygen.ledger import Ledger
from storygen.report import collect

LISTED = 20  # rejects named on each side
MOVED = 0.005  # total variation from which a distribution is named


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between a first and a second run.

    `settings` and `figures` map a name to (first, second) where they differ; `moved` a distribution to its total
    variation distance (0: the same, 1: nothing in common). Rejects are (id, reason) pairs of ids that are in both.
    """

    settings: Mapping[str, tuple[Any, Any]]
    figures: Mapping[str, tuple[Any, Any]]
    moved: Mapping[str, float]
    gained: tuple[tuple[str, str], ...]  # dropped in the second run, not in the first
    lost: tuple[tuple[str, str], ...]
    renamed: tuple[tuple[str, str], ...]  # dropped in both, for another reason
    shared: int  # ids in both runs
    rewritten: int  # of those, with another text
    only: tuple[int, int]  # ids in one run alone


def diff(first: Path, second: Path) -> Difference:
    """Compare two run folders. Raises UsageError when one is not a run."""
    with Ledger.read(first) as a, Ledger.read(second) as b:
        reports = collect(a), collect(b)
        (lines_a, out_a), (lines_b, out_b) = _texts(a), _texts(b)
    shared = lines_a.keys() & lines_b.keys()
    both = shared & out_a.keys() & out_b.keys()
    return Difference(
        settings=_changed(reports[0]["settings"], reports[1]["settings"]),
        figures=_changed(_figures(reports[0]), _figures(reports[1])),
        moved=_moved(_distributions(reports[0]), _distributions(reports[1])),
        gained=tuple(sorted((i, r) for i, r in out_b.items() if i in shared and i not in out_a)),
        lost=tuple(sorted((i, r) for i, r in out_a.items() if i in shared and i not in out_b)),
        renamed=tuple(sorted((i, f"{out_a[i]} → {out_b[i]}") for i in both if out_a[i] != out_b[i])),
        shared=len(shared),
        rewritten=sum(lines_a[i] != lines_b[i] for i in shared),
        only=(len(lines_a.keys() - shared), len(lines_b.keys() - shared)),
    )


def _texts(ledger: Ledger) -> tuple[dict[str, int], dict[str, str]]:
    """A hash of each text's line by id, and why texts were dropped."""
    lines, dropped = {}, {}
    for row in ledger.rows("state != 'pending'"):
        lines[row.id] = xxhash.xxh3_64_intdigest(row.line.encode("utf-8", "surrogatepass"))
        if row.state != "kept":
            dropped[row.id] = row.reason or "review:dropped"
    return lines, dropped


def _figures(report: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = dict(report["sum"])
    out.update({f"rejected {r['reason']}": r["count"] for r in report["reasons"]})
    out["came near"] = sum(r["near"] for r in report["contamination"]["by_family"])
    out["may be left"] = report["residual"]["likely"]
    out.update({f"recall {r['tier']} {r['family']}": round(r["recall"], 4) for r in report["planted"]["rows"]})
    out.update({f["name"]: round(f["value"], 5) for f in report["diversity"]["figures"]})
    out.update({f"words {kind}": t["words"] for kind, t in report["tokens"].items()})
    return out


def _distributions(report: Mapping[str, Any]) -> dict[str, Mapping[Any, int]]:
    """Counts by value: scores of each tier, kinds, and every axis of the premises."""
    out: dict[str, Mapping[Any, int]] = {
        f"axis {name}": counts for name, counts in report["coverage"]["axes"].items()
    }
    for tier, h in report["contamination"]["scores"].items():
        out[f"scores {tier}"] = dict(enumerate(a + b for a, b in zip(h["kept"], h["rejected"], strict=True)))
    out["kinds"] = {kind: t["records"] for kind, t in report["tokens"].items()}
    return out


def _moved(a: Mapping[str, Mapping[Any, int]], b: Mapping[str, Mapping[Any, int]]) -> dict[str, float]:
    found = {name: distance(a[name], b[name]) for name in a if name in b}
    return {k: round(v, 4) for k, v in sorted(found.items(), key=lambda p: (-p[1], p[0])) if v >= MOVED}


def distance(a: Mapping[Any, int], b: Mapping[Any, int]) -> float:
    """Total variation distance of two distributions given as counts: half the sum of the differences in share."""
    all_a, all_b = sum(a.values()) or 1, sum(b.values()) or 1
    return sum(abs(a.get(k, 0) / all_a - b.get(k, 0) / all_b) for k in {*a, *b}) / 2


def _changed(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    keys = [*a, *(k for k in b if k not in a)]
    return {k: (a.get(k), b.get(k)) for k in keys if a.get(k) != b.get(k)}


def table(d: Difference) -> str:
    """For a terminal."""
    lines = [
        f"{d.shared:,} ids in both runs, {d.rewritten:,} of them with another text; "
        f"{d.only[0]:,} only in the first, {d.only[1]:,} only in the second"
    ]
    for title, changed in (("settings", d.settings), ("figures", d.figures)):
        rows = [
            f"  {k:<44} {_shown(a):>16} → {_shown(b):<16} {_delta(a, b)}".rstrip() for k, (a, b) in changed.items()
        ]
        lines += ["", title, *rows] if rows else []
    if d.moved:
        lines += [
            "",
            "distributions that moved (total variation)",
            *(f"  {k:<44} {v:.2%}" for k, v in d.moved.items()),
        ]
    for title, pairs in (("gained", d.gained), ("lost", d.lost), ("for another reason", d.renamed)):
        lines += _listed(title, pairs)
    return "\n".join(lines)


def _listed(title: str, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """How many by reason, then some by id."""
    if not pairs:
        return ["", f"rejects {title}: none"]
    counts = ", ".join(f"{r} {n:,}" for r, n in Counter(r for _, r in pairs).most_common())
    more = [f"  and {len(pairs) - LISTED:,} more"] if len(pairs) > LISTED else []
    return ["", f"rejects {title}: {len(pairs):,} ({counts})", *(f"  {i}  {r}" for i, r in pairs[:LISTED]), *more]


def _shown(value: Any) -> str:
    return "none" if value is None else f"{value:,}" if isinstance(value, int | float) else str(value)


def _delta(a: Any, b: Any) -> str:
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (a, b))
    return f"{b - a:+,.5g}" if numbers else ""
