"""The first screen in words: the verdict in one sentence, its state, and what to read first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SOUND = 0.8  # a tier that catches fewer of its planted leaks makes the verdict a doubtful one


def verdict(report: Mapping[str, Any]) -> dict[str, Any]:
    """`state` is leaking, short, doubtful or clean; `look_first` holds text, why, and the page's anchor."""
    sums, planted, recall, left = report["sum"], report["planted"], report["recall"], report["residual"]
    wanted = report["settings"].get("n")
    weak = [t for t in recall["tiers"] if t["recall"] < SOUND]
    caught = f"{planted['caught']:,} of {planted['count']:,} planted leaks were caught"
    dropped = report["contamination"]["count"]
    leaks = f"{dropped:,} {'was' if dropped == 1 else 'were'} dropped as {'a leak' if dropped == 1 else 'leaks'}"
    if planted["missed"]:
        state = "leaking"
        sentence = (
            f"{len(planted['missed']):,} of {planted['count']:,} planted leaks got through: do not train on this "
            "corpus before you know why."
        )
    elif wanted is not None and sums["kept"] < wanted:
        state = "short"
        sentence = f"The run fell short: {sums['kept']:,} of {wanted:,} records; the same command goes on with it."
    elif not planted["count"]:
        state = "doubtful"
        sentence = f"{sums['kept']:,} records are kept and {leaks}, but no leak was planted: recall is unknown."
    elif weak:
        state = "doubtful"
        named = " and ".join(f"{t['tier']} tier caught only {t['caught']} of its {t['planted']}" for t in weak)
        sentence = (
            f"{sums['kept']:,} records are clean against these signatures, but the {named} planted leaks: about "
            f"{left['likely']:,.0f} leaks may be left."
        )
    else:
        state = "clean"
        sentence = f"{sums['kept']:,} records are clean against these signatures; {leaks}, and {caught}."
    return {"state": state, "sentence": sentence, "look_first": _look_first(report, weak)}


def _look_first(report: Mapping[str, Any], weak: list[Mapping[str, Any]]) -> list[dict[str, str]]:
    """At most five things, the gravest first."""
    leaks, duplicates = report["contamination"], report["duplicates"]["count"]
    sums, wanted = report["sum"], report["settings"].get("n")
    first: list[tuple[Any, str, str, str]] = [
        (report["planted"]["missed"], "The planted leaks that were missed", "the filter has a hole", "#missed"),
        (wanted is not None and sums["kept"] < wanted, "The cells that keep failing",
         "the run is short of records there", "#failing"),
        (leaks["nearest"] and weak, "The nearest misses among the kept",
         f"the {weak[0]['tier'] if weak else ''} tier misses most, and these are in the corpus", "#nearest"),
        (leaks["count"], _plural(leaks["count"], "contamination reject"),
         "leaks, or false alarms that you can let back in", "#rejects"),
        (leaks["nearest"] and not weak, "The nearest misses among the kept",
         "a leak that the filter does not know looks like these", "#nearest"),
        (report["others"].get("conduct"), _plural(_count(report, "conduct"), "text") + " in which the AI misbehaves",
         "dropped by the conduct screen", "#others-conduct"),
        (report["diversity"]["offenders"], _plural(len(report["diversity"]["offenders"]), "diversity figure") +
         " outside the good band", "each with its worst offenders", "#diversity"),
        (duplicates, _plural(duplicates, "near-duplicate"), "side by side with what they are near to", "#duplicates"),
        (True, "Samples of each kind", "what a model will be trained on", "#samples"),
    ]  # fmt: skip
    return [{"text": text, "why": why, "anchor": anchor} for wanted, text, why, anchor in first if wanted][:5]


def _count(report: Mapping[str, Any], stage: str) -> int:
    return sum(int(r["count"]) for r in report["reasons"] if r["stage"] == stage)


def _plural(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
