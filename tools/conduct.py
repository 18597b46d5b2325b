"""Train storygen/data/conduct.npz, the conduct screen's model, and say how good it is on slices left out.

    python tools/conduct.py [--ordinary CORPUS.jsonl]... [--out storygen/data/conduct.npz]

Cases are probes/conduct/*.jsonl (id, slice, label "misbehaves" or "fine", case, register, text). The probes of
leakage help with a smaller weight: those whose AI does not behave are misbehaviour, all others are not. `--ordinary`
takes records of a run, of which a seeded sample is fine: a sixth to fit, the rest to set the threshold. Each slice is
left out in turn, with the leakage probes of the same hand; the threshold comes from left-out scores alone. "plain"
are happy texts in which no wrong is so much as spoken of: they count in the fit, not for the threshold, and their
rate is told apart, since short ones are what the screen is worst at.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, hstack, vstack

from storygen import resources
from storygen.intervals import wilson
from storygen.screens.conduct.deeds import deeds, settled
from storygen.screens.conduct.lexicon import KINDS
from storygen.screens.conduct.model import DEED, SCALE
from storygen.screens.conduct.signals import BUCKETS, LONG, TAIL, bag, densities, words
from storygen.text import block

F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

PROBES = Path(__file__).parent.parent / "probes"
PENALTY = 0.05  # half of it times the squared weights, against the sum of losses
FINE = 0.05  # share of fine cases that may be dropped
ORDINARY = 0.03  # of leakage probes in which no AI does wrong, written for another aim
RECORDS = 0.001  # and of ordinary records
TAILS = 0.001  # and of the last parts of long ones
LEAST = 2  # texts that a bucket must occur in
SEED = 4
SAMPLE = 2_400  # ordinary records, a sixth of them to fit
WEIGHT = {"conduct": 1.0, "plain": 2.0, "leakage": 0.3, "ordinary": 0.3, "tail": 0.0}


@dataclass(frozen=True)
class Case:
    source: str  # conduct, plain, leakage or ordinary
    slice: str
    bad: bool
    case: str
    text: str


def read(ordinary: Sequence[Path]) -> Iterator[Case]:
    for row in _rows(PROBES / "conduct"):
        source = "plain" if row["case"] == "plain-good" else "conduct"
        yield Case(source, row["slice"], row["label"] == "misbehaves", row["case"], row["text"])
    for row in _rows(PROBES / "leakage"):
        yield Case("leakage", row["slice"], row["behaved"] is False, row["label"], row["text"])
    records = [json.loads(line) for path in ordinary for line in path.read_text("utf-8").splitlines()]
    random.Random(SEED).shuffle(records)
    for k, row in enumerate(records[:SAMPLE]):
        text = row.get("text") or "\n\n".join(m["content"] for m in row["messages"])
        yield Case("ordinary", "fit" if k % 6 == 0 else "set", False, "ordinary", text)
        if k % 6 and len(text.split()) > LONG:
            yield Case("tail", "set", False, "tail", " ".join(text.split()[-TAIL:]))


def _rows(folder: Path) -> Iterator[dict[str, str]]:
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            yield json.loads(line)


@dataclass(frozen=True)
class Seen:
    """What the screen sees of all cases: counts of buckets, densities of classes, whether deeds are left standing."""

    counts: csr_matrix
    classes: F64
    deeds: F64


def look(cases: Sequence[Case]) -> Seen:
    counts, classes, done = [], [], []
    for at in range(0, len(cases), 200):
        some = cases[at : at + 200]
        seen = words(block(c.text for c in some))
        found = bag(seen, np.ones(BUCKETS))
        # The bag is of length 1; divided by its least value it is 1 + log of the counts again.
        least = np.full(len(some), np.inf)
        np.minimum.at(least, found.text, found.value)
        counts.append(csr_matrix((found.value / least[found.text], (found.text, found.bucket)), (len(some), BUCKETS)))
        classes.append(densities(seen))
        for c in some:
            acts = deeds(c.text, {})
            done.append(float(len(acts) > settled(c.text, acts)))
    return Seen(csr_matrix(vstack(counts)), np.concatenate(classes), np.array(done))


def rarity(counts: csr_matrix) -> F64:
    """Smoothed inverse document frequency by bucket, 0 where fewer than LEAST texts have it."""
    texts = np.bincount(counts.indices, minlength=BUCKETS)
    out: F64 = np.where(texts >= LEAST, np.log((1 + counts.shape[0]) / (1 + texts)) + 1, 0)
    return out.astype(np.float16).astype(np.float64)


def matrix(seen: Seen, rows: Bools, rare: F64) -> csr_matrix:
    scaled = seen.counts[rows].multiply(rare).tocsr()
    length = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
    scaled = scaled.multiply(1 / np.maximum(length, 1e-9)[:, None])
    return csr_matrix(hstack([scaled, csr_matrix(SCALE * seen.classes[rows])]))


def fit(x: csr_matrix, bad: Bools, weight: F64) -> F64:
    """Weights with the bias last: logistic regression, both labels weighing the same."""
    weight = weight * np.where(bad, 0.5 / weight[bad].sum(), 0.5 / weight[~bad].sum()) * weight.sum()
    sign = np.where(bad, 1.0, -1.0)

    def loss(w: F64) -> tuple[float, F64]:
        margin = sign * (x @ w[:-1] + w[-1])
        slope = -sign * weight / (1 + np.exp(np.clip(margin, -30, 30)))
        value = float((weight * np.logaddexp(0, -margin)).sum() + PENALTY * (w[:-1] ** 2).sum())
        return value, np.append(x.T @ slope + 2 * PENALTY * w[:-1], slope.sum())

    out: F64 = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return out


def scores(seen: Seen, cases: Sequence[Case], train: Bools, test: Bools) -> F64:
    rare = rarity(seen.counts[train])
    bad = np.array([c.bad for c in cases])
    weight = np.array([WEIGHT[c.source] for c in cases])
    w = fit(matrix(seen, train, rare), bad[train], weight[train])
    out: F64 = matrix(seen, test, rare) @ w[:-1] + w[-1] + DEED * seen.deeds[test]
    return out


def left_out(seen: Seen, cases: Sequence[Case]) -> F64:
    """Log odds of each case by a model without its slice; of a record set aside, the highest of any of the models."""
    hand = np.array([c.slice for c in cases])
    aside = hand == "set"
    out = np.full(len(cases), -np.inf)
    for name in dict.fromkeys(hand[[c.source == "conduct" for c in cases]]):
        test = hand == name
        found = scores(seen, cases, ~test & ~aside, test | aside)
        which = np.flatnonzero(test | aside)
        out[which] = np.maximum(out[which], found)
    return out


def threshold(odds: F64, cases: Sequence[Case]) -> float:
    """The lowest that keeps all rates of false alarms, of whole texts."""
    fine = [np.array([c.source == s and not c.bad and c.slice != "fit" for c in cases]) for s in WEIGHT]
    rates = {"conduct": FINE, "leakage": ORDINARY, "ordinary": RECORDS}
    cuts = []
    for source, some in zip(WEIGHT, fine, strict=True):
        if source in rates and some.any():
            cuts.append(float(np.sort(odds[some])[::-1][int(rates[source] * some.sum())]) + 1e-6)
    return max(cuts)


def tail(odds: F64, cases: Sequence[Case], cut: float) -> float:
    """The threshold for the last part of a long text."""
    some = np.sort(odds[[c.source == "tail" for c in cases]])[::-1]
    return max(cut, float(some[int(TAILS * len(some))]) + 1e-6) if len(some) else float("inf")


def table(rows: Sequence[tuple[str, bool]]) -> None:
    for name, count in Counter(n for n, _ in rows).items():
        hits = sum(hit for n, hit in rows if n == name)
        low, high = wilson(hits, count)
        print(f"  {name:<22} {hits:>4} of {count:<5} {hits / count:6.1%}  ({low:.1%} to {high:.1%})")


def kind(case: str) -> str:
    """The kind of harm that a case's code names, by its first letters; cases of other words are "other"."""
    stems = {
        "deceive": "deceiv false forge fake fabricat imperson misreport games plays-along takes-credit flatter",
        "coerce": "coerc blackmail threat brib colludes",
        "sabotage": "sabot disab sandbag",
        "hide": "hid alter delet omit withh neglect edits-mem",
        "manipulate": "manip gasl isolat persuad plant scapeg nudges sets-ag locks-in frame decides override",
        "seize": "seiz permis mission copies-it exfil",
        "resist": "resist ignores fakes-al fakes-comp",
        "leak": "leak spies copies-priv secret-list plays-fav",
    }
    return next((k for k in KINDS if any(case.startswith(s) for s in stems[k].split())), "other")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the conduct screen.")
    parser.add_argument("--ordinary", nargs="*", type=Path, default=[])
    parser.add_argument("--out", type=Path, default=resources.data("conduct.npz"))
    options = parser.parse_args()
    cases = list(read(options.ordinary))
    seen = look(cases)
    odds = left_out(seen, cases)
    cut = threshold(odds, cases)
    end = tail(odds, cases, cut)
    print(f"{len(cases):,} texts, thresholds {cut:.3f} and {end:.3f}\n\nslices left out, by slice")
    told = [(c, bool(o >= cut)) for c, o in zip(cases, odds, strict=True) if c.slice != "fit"]
    ours = [(c, hit) for c, hit in told if c.source == "conduct"]
    table([(f"{c.slice} {'misbehaves' if c.bad else 'fine'}", hit) for c, hit in ours])
    print("\nby kind of harm")
    table([(kind(c.case), hit) for c, hit in ours if c.bad])
    print("\nfine, by kind of case")
    common = Counter(c.case.split("-")[0] for c, _ in ours if not c.bad)
    names = {n for n, count in common.items() if count >= 6}
    table([(n if n in names else "other", h) for n, h in ((c.case.split("-")[0], h) for c, h in ours if not c.bad)])
    print("\nin all")
    table([("misbehaves" if c.bad else "fine", hit) for c, hit in ours])
    table([("misbehaves, as an ending", bool(o >= end)) for c, o in zip(cases, odds, strict=True) if _ours(c)])
    table([("plain", hit) for c, hit in told if c.source == "plain"])
    table([(f"leakage {c.case}", hit) for c, hit in told if c.source == "leakage" and not c.bad])
    table([("records", hit) for c, hit in told if c.source == "ordinary"])
    bad = np.array([c.bad for c in cases])
    for name in [*dict.fromkeys(c.slice for c, _ in ours), ""]:
        some = np.array([c.source == "conduct" and name in ("", c.slice) for c in cases])
        print(f"AUC {name or 'in all'} {auc(odds[some], bad[some]):.3f}")
    train = np.array([c.slice != "set" for c in cases])
    rare = rarity(seen.counts[train])
    weight = np.array([WEIGHT[c.source] for c in cases])[train]
    w = fit(matrix(seen, train, rare), bad[train], weight)
    half = w[:BUCKETS].astype(np.float16)
    labelled = sum(c.source in ("conduct", "plain") for c in cases)
    version = f"{xxhash.xxh3_64_hexdigest(half.tobytes())[:8]}, {labelled} cases"
    with options.out.open("wb") as file:
        np.savez_compressed(
            file,
            rarity=rare.astype(np.float16),
            weights=half,
            classes=w[BUCKETS:-1].astype(np.float32),
            bias=np.float64(w[-1]),
            threshold=np.float64(cut),
            tail=np.float64(end),
            version=np.frombuffer(version.encode(), np.uint8),
        )
    print(f"{options.out}: {options.out.stat().st_size:,} bytes, version {version}")


def _ours(case: Case) -> bool:
    return case.source == "conduct" and case.bad


def auc(score: F64, bad: Bools) -> float:
    """How often a case that misbehaves scores above a fine one."""
    return float(np.mean(score[bad][:, None] > score[~bad][None, :]))


if __name__ == "__main__":
    main()
