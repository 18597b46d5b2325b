"""A run folder made of thin air: every state, reason and hazard that a report or a reviewer may meet, cheaply."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helpers import text

from storygen.intervals import wilson
from storygen.ledger import Ledger, Made

FAMILIES = ("blackmail", "leaking", "lethal", "sabotage")
PRESSURES = [f"pressure-{k}" for k in range(24)]
MODES = ("act", "tell", "ask", "decline")
THRESHOLDS = {"entity": 0.75, "ngram": 0.5, "plot": 0.5}

# Texts that would do something in a page that took them for markup, or hide what stands beside them.
HOSTILE = {
    "script": "Before <script>document.title = 'owned'</script> after.",
    "handler": "<img src=x onerror=\"document.title='owned'\"><svg onload=\"document.title='owned'\">",
    "closing": "</script><script>document.title='owned'</script><!-- --> ]]> {{ 7 * 7 }} ${7*7}",
    "link": "[a link](javascript:document.title='owned') <a href=\"javascript:document.title='owned'\">here</a>",
    "bidi": "user\u202egnp.exe\u202c and \u2066isolated\u2069 and zero\u200bwidth",
    "long-line": "x" * 1_000_000,
    "astral": "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 " * 30 + "marked here",
}


def fake_run(folder: Path, n: int = 400, every: int = 20, hostile: bool = True) -> Path:
    """A finished run of `n` kept texts; for every `every` of them one text was dropped, by each screen in turn."""
    with Ledger.hold(folder) as ledger:
        ledger.put("kind", "make")
        ledger.put("thresholds", THRESHOLDS)
        ledger.put("bank", "120 items, 9,000 n-grams, 80 phrases; plot model rules 1")
        ledger.put("planted", planted())
        rows = list(_rows(n, every))
        if hostile:
            rows += _hostile(len(rows))
        for at in range(0, len(rows), 2_000):
            ledger.commit(rows[at : at + 2_000])
        near = list(range(2 * every, n, 5 * every))
        verdicts = [(k, "duplicate:near", {"score": 0.84, "threshold": 0.7, "other": rows[k - 4].id}) for k in near]
        ledger.commit_duplicates(verdicts, [(k - 4, k, 0.84) for k in near])
        kept = ledger.counts("state")["kept",]
        ledger.put("settings", {"n": kept, "seed": 0, "mix": "story=6,document=3,advice=1", "writer": "grammar",
                                "language": "en", "version": "0.1.0", "evals": []})  # fmt: skip
    return folder


def planted(missed: int = 0) -> dict[str, Any]:
    """Planted leaks by tier and family; the plot tier catches three in four."""
    rows = []
    for tier, count, caught in (("canary", 5, 5), ("ngram", 12, 12 - missed), ("plot", 8, 7)):
        for family in ("canary",) if tier == "canary" else FAMILIES:
            low, high = wilson(caught, count)
            share = {"planted": count, "caught": caught, "recall": caught / count, "low": low, "high": high}
            rows.append({"tier": tier, "family": family, **share})
    lost = [{"id": "planted/ngram/x", "tier": "ngram", "family": "leaking", "form": "case"}] * (4 * missed)
    count, found = sum(r["planted"] for r in rows), sum(r["caught"] for r in rows)
    return {"count": count, "caught": found, "rows": rows, "missed": lost}


def _rows(n: int, every: int) -> Iterator[Made]:
    extra = n // every
    for k in range(n + extra):
        rng = random.Random(k)
        body = text(k) if k < 4_000 else f"Record {k}. {text(k % 4_000)[:300]}"
        if k % (5 * every) == 2 * every:  # a near-duplicate of the text four before it
            body = text(k - 4).replace("kettle", "clock") if k < 4_000 else f"Record {k}. {text(k % 4_000 - 4)[:300]}"
        if k % every == 1:
            turn = (k // every) % 5
            if turn < 3:
                yield leak(k, body, rng)
            elif turn == 3:
                spans = {"kinds": ["deceive"], "score": 1, "threshold": 1, "spans": [[10, 60]]}
                yield row(k, body, "conduct:ai-misbehaves", spans)
            else:
                yield row(k, body, "form:placeholder", {"spans": [[0, 12]]})
        else:
            score = round(0.95 * rng.random() ** 3, 4) if k % 7 == 0 else 0.0
            nearest = _evidence("ngram", score * 0.5, rng) if score else {}
            yield row(k, body, None, {}, score, nearest | {"scores": {"ngram": score * 0.5, "plot": 0.0}})


def leak(k: int, body: str, rng: random.Random) -> Made:
    tier = ("ngram", "plot")[k % 2 if k % 3 else 0]
    score = round(0.5 + 0.5 * rng.random(), 4)
    evidence = _evidence(tier, score, rng)
    if tier == "plot":
        evidence["slots"] = {"actor": "The crew came down.", "threat": "The pump was mended."}
    return row(k, body, f"contamination:{tier}", evidence, 1.0, evidence | {"scores": {tier: score}})


def _evidence(tier: str, score: float, rng: random.Random) -> dict[str, Any]:
    family = rng.choice(FAMILIES)
    at = rng.randrange(20, 200)
    return {"tier": tier, "score": score, "threshold": 0.5, "family": family, "item": f"{family}-3",
            "spans": [[at, at + 40], [at + 90, at + 120]]}  # fmt: skip


def row(
    k: int, body: str, reason: str | None, evidence: dict[str, Any], score: float = 0.0, nearest: Any = None
) -> Made:
    kind = ("story", "story", "document", "advice")[k % 4]
    axes = {"pressure": PRESSURES[k * 7 % 24], "mode": MODES[k // 3 % 4], "setting": f"setting-{k % 11}"}
    cell = f"{kind}/{axes['pressure']}/hold"
    identity = f"{kind}-{k:07d}"
    meta = {"kind": kind, "premise": {**axes, "cell": cell}, "title": f"Title {k}", "words": len(body.split())}
    half = len(body) // 2
    chat = [{"role": "user", "content": body[:half]}, {"role": "assistant", "content": body[half:]}]
    payload = {"id": identity, **({"messages": chat} if kind == "advice" else {"text": body}), "meta": meta}
    stage, line = reason.split(":")[0] if reason else None, json.dumps(payload, ensure_ascii=False)
    found, near = json.dumps(evidence), json.dumps(nearest or {})
    return Made(k, identity, kind, cell, f"family-{k}", line, stage, reason, found, score, near, None)


def _hostile(start: int) -> list[Made]:
    """Each hostile text once as a contamination reject, with hostile evidence, and once kept, nearest of all."""
    out = []
    for k, body in enumerate(HOSTILE.values()):
        evidence = {"tier": "ngram", "score": 1.0, "threshold": 0.5, "family": "<b>leaking</b>", "item": body[:60],
                    "spans": [[0, 10]]}  # fmt: skip
        at = start + 4 * k - start % 4 + 4  # a story: one text, no messages
        out.append(row(at, body, "contamination:ngram", evidence, 1.0, evidence))
        out.append(row(at + 1, body, None, {}, 0.9999, evidence))
    return out
