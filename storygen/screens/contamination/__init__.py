"""Leakage of evaluation scenarios: four tiers, cheap to dear, each with its own reason and evidence.

    canary   a marker of a benchmark's files, or a name that only an evaluation has
    item     a whole short item, or two of its sentences
    ngram    enough telling word 5-grams of one family within a window of words
    plot     the structure of a scenario, whatever the words (plot.py)

A clean text is clean against these signatures; it is never "safe".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from storygen import resources
from storygen.records import Record, Screened, Verdict
from storygen.screens.contamination import plot
from storygen.screens.contamination.bank import Bank, Kind, N, merge
from storygen.screens.contamination.evals import bank_of
from storygen.screens.contamination.match import Matcher, Nearest, Shared
from storygen.screens.contamination.names import gaps_agree
from storygen.screens.contamination.planted import Plant, planted
from storygen.text import Block, block, words_with_offsets

TIERS = ("canary", "entity", "item", "ngram", "plot")
NGRAM = 0.5  # a family's threshold in bits, as a score
ENTITY = 0.75  # a strong name scores 1, a medium one with a second cue of its family 0.75, alone 0.4
_ALONE = 0.4
_CUE = 0.4  # share of a family's threshold at which its n-grams are a second cue to a medium name
_CERTAIN = ((Kind.CANARY, "canary"), (Kind.STRONG, "entity"), (Kind.ITEM, "item"), (Kind.PAIR, "item"))
_NEAR = 0.6  # share of a threshold from which a kept text's nearest miss is shown with its spans


@dataclass(frozen=True, slots=True)
class Look:
    """What the filter saw in one text.

    `score` is how near it came, 1 at and above a threshold; `nearest` what it came near to (as in a verdict's
    evidence, with `scores` by tier); `verdict` is None for a text that passes.
    """

    score: float
    nearest: Mapping[str, Any]
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class _Finding:
    tier: str
    score: float
    threshold: float
    family: str
    item: str
    words: tuple[tuple[int, int], ...]  # [first, last) words of the text
    spans: tuple[tuple[int, int], ...] = ()  # or characters, where a tier knows them
    more: tuple[tuple[str, Any], ...] = ()

    @property
    def share(self) -> float:
        return self.score / self.threshold


class Contamination:
    """The bank and the plot model, ready to look at blocks of texts."""

    def __init__(self, bank: Bank, model: plot.Model) -> None:
        self.bank = bank
        self._matcher = Matcher(bank)
        self._model = model
        self._group = np.array([_group(f, bank.families) for f in bank.families], np.int64)

    @classmethod
    def load(cls, evals: Sequence[Path] = ()) -> Contamination:
        """The built-in bank, and the user's scenarios or banks beside it.

        Raises:
            InputError: a path that holds no scenarios, or a file that cannot be read (names it).
        """
        banks = [Bank.load(resources.data("bank.npz")), *(bank_of([path]) for path in evals)]
        return cls(merge(banks), plot.Model.load())

    @property
    def thresholds(self) -> dict[str, float]:
        """The score from which each tier drops a text."""
        return {"entity": ENTITY, "ngram": NGRAM, "plot": self._model.threshold}

    def describe(self) -> str:
        """What protects the corpus, in a line."""
        return f"{self.bank.describe_short()}; plot model {self._model.version}"

    def screen(self, records: Sequence[Record]) -> Screened:
        """Both sides: the records without a leak, and the others with their verdicts."""
        looked = self.look(records, block(r.text for r in records))
        kept, rejected = [], []
        for record in records:
            verdict = looked[record.id].verdict
            if verdict is None:
                kept.append(record)
            else:
                rejected.append((record, verdict))
        return Screened(tuple(kept), tuple(rejected))

    def look(self, records: Sequence[Record], hashes: Block) -> dict[str, Look]:
        """What each record looks like, by id; `hashes` is `storygen.text.block` of their texts, in order.

        Vectorised over the block: about 0.1 ms a text of 400 words (bench/leakage.py).
        """
        shared = self._matcher.shared(hashes)
        nearest = self._matcher.nearest(shared, len(hashes))
        spotted = self._matcher.phrases(hashes)
        plots = self._model.look(hashes, [r.text for r in records])
        by_text: dict[int, list[int]] = {}
        for row, text in enumerate(spotted.text.tolist()):
            by_text.setdefault(text, []).append(row)
        out = {}
        for k, record in enumerate(records):
            words = _Words(record.text, int(hashes.starts[k]))
            phrases = [(int(spotted.word[r]), int(spotted.phrase[r])) for r in by_text.get(k, ())]
            found = self._phrases(phrases, words, shared, nearest, k)
            if nearest.family[k] >= 0:
                found.append(self._ngrams(shared, nearest, k))
            if plots.probability[k] >= _NEAR * self._model.threshold:
                found.append(self._plot(plots, k, record.text))
            out[record.id] = self._judge(record, found, words, plots.probability[k])
        return out

    def _phrases(
        self, rows: list[tuple[int, int]], words: _Words, shared: Shared, nearest: Nearest, k: int
    ) -> list[_Finding]:
        """Canaries, names and short items that stand in the text as they must."""
        table, bank = self.bank.phrases, self.bank
        good: dict[Kind, list[tuple[int, int, int]]] = {}  # owner, first word, last word
        for word, row in rows:
            first, last = word - words.base, word - words.base + int(table.length[row])
            if gaps_agree(int(table.gaps[row]), words.text, words.places(first, last) if table.gaps[row] else ()):
                good.setdefault(Kind(int(table.kind[row])), []).append((int(table.owner[row]), first, last))
        found = [self._of_phrases(tier, 1.0, good[kind]) for kind, tier in _CERTAIN if kind in good]
        if Kind.MEDIUM in good:
            groups: dict[int, list[tuple[int, int, int]]] = {}
            for owner, first, last in good[Kind.MEDIUM]:
                groups.setdefault(int(self._group[bank.family_of[owner]]), []).append((owner, first, last))
            best = max(groups, key=lambda g: (len({owner for owner, *_ in groups[g]}), -g))
            cues = len({owner for owner, *_ in groups[best]})
            if nearest.family[k] >= 0 and self._group[nearest.family[k]] == best and nearest.ratio[k] >= _CUE:
                cues += 1
            found.append(self._of_phrases("entity", ENTITY if cues > 1 else _ALONE, groups[best]))
        return found

    def _of_phrases(self, tier: str, score: float, rows: list[tuple[int, int, int]]) -> _Finding:
        owner = rows[0][0]
        threshold = {"entity": ENTITY}.get(tier, 1.0)
        words = tuple((first, last) for _, first, last in rows)
        return _Finding(tier, score, threshold, self.bank.family(owner), self.bank.items[owner], words)

    def _ngrams(self, shared: Shared, nearest: Nearest, k: int) -> _Finding:
        low, high = np.searchsorted(shared.text, [k, k + 1])
        own = np.flatnonzero(shared.family[low:high] == nearest.family[k]) + low
        ratio = float(nearest.ratio[k])
        owner = int(nearest.owner[k])
        words = tuple((int(w), int(w) + N) for w in shared.word[own])
        bits = round(ratio * float(self.bank.thresholds[nearest.family[k]]), 1)
        return _Finding(
            "ngram", ratio / (1 + ratio), NGRAM, self.bank.family(owner), self.bank.items[owner], words,
            more=(("bits", bits),),
        )  # fmt: skip

    def _plot(self, plots: plot.Plots, k: int, text: str) -> _Finding:
        seen = self._model.explain(plots, k, text)
        score, threshold = float(plots.probability[k]), self._model.threshold
        return _Finding(
            "plot", score, threshold, seen.family, seen.item, (), seen.spans, (("slots", dict(seen.slots)),)
        )

    def _judge(self, record: Record, found: list[_Finding], words: _Words, probability: float) -> Look:
        scores = {"ngram": 0.0, "entity": 0.0, "plot": round(float(probability), 4)}
        for finding in found:
            scores[finding.tier] = max(scores.get(finding.tier, 0.0), round(finding.score, 4))
        guilty = [f for f in found if f.score >= f.threshold]
        if not found:
            return Look(0.0, {"scores": scores}, None)
        best = min(guilty, key=lambda f: TIERS.index(f.tier)) if guilty else max(found, key=lambda f: f.share)
        evidence = self._evidence(best, words, spans=best.share >= _NEAR)
        score = min(1.0, round(best.share, 4))
        if not guilty:
            return Look(min(score, 0.9999), {**evidence, "scores": scores}, None)
        evidence["signals"] = sorted({f.tier for f in guilty}, key=TIERS.index)
        verdict = Verdict(record.id, "contamination", f"contamination:{best.tier}", evidence)
        return Look(score, {**evidence, "scores": scores}, verdict)

    def _evidence(self, finding: _Finding, words: _Words, spans: bool) -> dict[str, Any]:
        evidence: dict[str, Any] = {
            "tier": finding.tier,
            "score": round(finding.score, 4),
            "threshold": finding.threshold,
            "family": finding.family,
            "item": finding.item,
            **dict(finding.more),
        }
        if finding.spans:
            evidence["spans"] = [list(s) for s in finding.spans]
        elif spans and finding.words:
            base = words.base if finding.tier == "ngram" else 0
            evidence["spans"] = words.spans((a - base, b - base) for a, b in finding.words)
        return evidence


class _Words:
    """The words of one text with their offsets, worked out when they are asked for; `base` is where they start."""

    def __init__(self, text: str, base: int) -> None:
        self.text, self.base = text, base
        self._places: list[tuple[str, int, int]] | None = None

    def places(self, first: int, last: int) -> list[tuple[str, int, int]]:
        if self._places is None:
            self._places = words_with_offsets(self.text)
        return self._places[first:last]

    def spans(self, ranges: Iterable[tuple[int, int]]) -> list[list[int]]:
        """[start, end) characters of ranges of words, overlapping and touching ones joined."""
        joined: list[list[int]] = []
        for first, last in sorted(ranges):
            if joined and first <= joined[-1][1]:
                joined[-1][1] = max(joined[-1][1], last)
            else:
                joined.append([first, last])
        out = []
        for first, last in joined:
            places = self.places(first, last)
            out.append([places[0][1], places[-1][2]])
        return out


def _group(family: str, families: Sequence[str]) -> int:
    """Families of one evaluation (blackmail, leaking, ...) count as one where a second cue is asked for."""
    stem = family.split(".", 1)[0]
    return next(k for k, other in enumerate(families) if other.split(".", 1)[0] == stem)


__all__ = ["TIERS", "Contamination", "Look", "Plant", "planted"]
