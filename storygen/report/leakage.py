"""The report's figures of leakage: recall of the planted leaks, what may be left, scores, precision by decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from storygen import decisions
from storygen.intervals import wilson
from storygen.ledger import Ledger, Row
from storygen.report.index import BINS

NEAR = 0.6  # share of a threshold from which a kept text counts as having come near


def recall(planted: Mapping[str, Any]) -> dict[str, Any]:
    """Share of the planted leaks that were caught with its 95 % interval, in all and by tier, and the weakest."""
    tiers: dict[str, list[int]] = {}
    for row in planted["rows"]:
        tier = tiers.setdefault(row["tier"], [0, 0])
        tier[0] += row["caught"]
        tier[1] += row["planted"]
    # The least caught; of equals the one that was tried most, since it is the surest to be weak.
    weakest = min(planted["rows"], key=lambda r: (r["recall"], r["high"], r["tier"], r["family"]), default=None)
    return {
        **share(planted["caught"], planted["count"]),
        "tiers": [{"tier": tier, **share(*counts)} for tier, counts in tiers.items()],
        "weakest": dict(weakest) if weakest else None,
    }


def share(caught: int, count: int) -> dict[str, Any]:
    low, high = wilson(caught, count)
    return {"caught": caught, "planted": count, "recall": caught / max(count, 1), "low": low, "high": high}


def residual(ledger: Ledger, planted: Mapping[str, Any], kept: int) -> dict[str, Any]:
    """How many leaks may be left in the export, by tier: caught × (1 - recall) / recall, and at its low end.

    It takes the planted leaks to be like real ones, and every contamination reject to be a real leak, but those that
    reviewers kept; both are stated beside the figure. (The capture argument of Lincoln and Petersen: what one net
    misses of known fish.)
    """
    by_tier = Counter(str(row.evidence.get("tier", "?")) for row in _rejected(ledger))
    likely = upper = 0.0
    tiers = {}
    for found in recall(planted)["tiers"]:
        rejected = by_tier[found["tier"]]
        likely += rejected * (1 - found["recall"]) / max(found["recall"], 1e-3)
        upper += (rejected + 1) * (1 - found["low"]) / max(found["low"], 1e-3)
        tiers[found["tier"]] = {**found, "rejected": rejected}
    return {"tiers": tiers, "likely": round(min(likely, kept), 2), "upper": round(min(upper, kept), 2), "of": kept}


def scores(ledger: Ledger) -> dict[str, Any]:
    """Histograms of each tier's score (0 to 1), kept and rejected; the threshold is the same for a whole run."""
    counts: dict[str, dict[str, list[int]]] = {}
    thresholds = ledger.get("thresholds") or {}
    for row in ledger.rows("state != 'pending' AND (state = 'kept' OR stage = 'contamination')", lines=False):
        side = "kept" if row.state == "kept" else "rejected"
        for tier, score in (row.nearest.get("scores") or {}).items():
            bins = counts.setdefault(tier, {"kept": [0] * BINS, "rejected": [0] * BINS})
            bins[side][min(int(score * BINS), BINS - 1)] += 1
    return {tier: {"threshold": thresholds.get(tier), "bins": BINS, **bins} for tier, bins in sorted(counts.items())}


def by_family(ledger: Ledger, planted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a tier and family: planted and caught, and texts of the corpus that were dropped or came near."""
    rejected = Counter(_match(row.evidence) for row in _rejected(ledger))
    near = Counter(_match(row.nearest) for row in ledger.rows("state = 'kept' AND score >= ?", (NEAR,), lines=False))
    plants = {(r["tier"], r["family"]): r for r in planted["rows"]}
    names = [*plants, *sorted(k for k in {*rejected, *near} if k not in plants)]
    none = {"planted": 0, "caught": 0, "recall": None, "low": None, "high": None}
    return [
        {
            **none,
            **plants.get(key, {}),
            "tier": key[0],
            "family": key[1],
            "rejected": rejected[key],
            "near": near[key],
        }
        for key in names
    ]


def _match(evidence: Mapping[str, Any]) -> tuple[str, str]:
    return str(evidence.get("tier", "?")), str(evidence.get("family", "?"))


def _rejected(ledger: Ledger) -> list[Row]:
    return list(ledger.rows("stage = 'contamination' AND state IN ('rejected', 'dropped')", lines=False))


def review(ledger: Ledger) -> dict[str, Any]:
    """What reviewers decided: counts, agreement by pair, precision of the thresholds, and what was overridden."""
    words = decisions.latest(ledger.decisions())
    reviewers: dict[str, Counter[str]] = {}
    for said in words.values():
        for word in said.values():
            reviewers.setdefault(word.reviewer, Counter())[word.choice] += 1
    shared = [said for said in words.values() if len(said) > 1]
    judged, overrides = [], []
    for row in ledger.rows("idx IN (SELECT idx FROM decisions)", lines=False):
        if row.idx not in words:
            continue
        last = decisions.final(words[row.idx])
        evidence = row.evidence if row.stage == "contamination" else row.nearest
        if last != "unsure" and row.stage in (None, "contamination") and evidence.get("tier"):
            score = float(evidence.get("score", 0.0))
            judged.append(decisions.Judged(str(evidence["tier"]), score, last == "drop"))
        if row.choice and (row.state == "kept") == bool(row.reason):
            overrides.append(_override(row, words[row.idx]))
    return {
        "decided": len(words),
        "choices": dict(sorted(sum(reviewers.values(), Counter[str]()).items())),
        "reviewers": {name: dict(sorted(c.items())) for name, c in sorted(reviewers.items())},
        "shared": len(shared),
        "agree": sum(len({w.choice for w in said.values()}) == 1 for said in shared),
        "pairs": [
            {"first": a.first, "second": a.second, "n": a.n, "agree": a.agree, "kappa": a.kappa}
            for a in decisions.agreements(words)
        ],
        "precision": decisions.precision(judged, ledger.get("thresholds") or {}),
        "overrides": overrides[:500],
    }


def _override(row: Row, said: Mapping[str, decisions.Word]) -> dict[str, Any]:
    by = sorted(said.values(), key=lambda w: w.number)
    return {
        "id": row.id,
        "state": row.state,
        "was": row.reason or "kept",
        "reviewers": ", ".join(w.reviewer for w in by if w.choice == row.choice),
        "note": " · ".join(w.note for w in by if w.note),
    }
