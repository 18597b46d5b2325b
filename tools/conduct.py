"""Train storygen/data/conduct.npz, the conduct screen's model, and say how good it is on slices left out.

    python tools/conduct.py [--ordinary CORPUS.jsonl]... [--out storygen/data/conduct.npz]

Cases are probes/conduct/*.jsonl (id, slice, label "misbehaves" or "fine", case, register, text). The probes of
leakage help with a smaller weight: those whose AI does not behave are misbehaviour, all others are not. `--ordinary`
takes records of a run, of which a seeded sample is fine: half to fit, the rest to set the threshold. Each slice is
left out in turn, with the leakage probes of the same hand; the threshold comes from left-out scores alone.
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
from storygen.screens.conduct.signals import BUCKETS, bag, densities, words
from storygen.text import block

F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

PROBES = Path(__file__).parent.parent / "probes"
PENALTY = 0.05  # half of it times the squared weights, against the sum of losses
FINE = 0.05  # share of fine cases that may be dropped
ORDINARY = 0.002  # and of ordinary records
LEAST = 2  # texts that a bucket must occur in
SEED = 4
SAMPLE = 2_400  # ordinary records, a sixth of them to fit
WEIGHT = {"conduct": 1.0, "leakage": 0.3, "ordinary": 0.3}


@dataclass(frozen=True)
class Case:
    source: str  # conduct, leakage or ordinary
    slice: str
    bad: bool
    case: str
    text: str


def read(ordinary: Sequence[Path]) -> Iterator[Case]:
    for row in _rows(PROBES / "conduct"):
        yield Case("conduct", row["slice"], row["label"] == "misbehaves", row["case"], row["text"])
    for row in _rows(PROBES / "leakage"):
        yield Case("leakage", row["slice"], row["behaved"] is False, row["label"], row["text"])
    records = [json.loads(line) for path in ordinary for line in path.read_text("utf-8").splitlines()]
    random.Random(SEED).shuffle(records)
    for k, row in enumerate(records[:SAMPLE]):
        text = row.get("text") or "\n\n".join(m["content"] for m in row["messages"])
        yield Case("ordinary", "fit" if k % 6 == 0 else "set", False, "ordinary", text)


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


def left_out(seen: Seen, cases: Sequence[Case]) -> tuple[F64, F64]:
    """Log odds of each conduct case by a model without its slice, and of each ordinary record set aside (highest)."""
    hand = np.array([c.slice for c in cases])
    source = np.array([c.source for c in cases])
    aside = hand == "set"
    own, ordinary = np.full(len(cases), np.nan), np.full(int(aside.sum()), -np.inf)
    for name in dict.fromkeys(hand[source == "conduct"]):
        test = (hand == name) & (source == "conduct")
        out = scores(seen, cases, (hand != name) & ~aside, test | aside)
        which = np.flatnonzero(test | aside)
        own[which[~aside[which]]] = out[~aside[which]]
        ordinary = np.maximum(ordinary, out[aside[which]])
    return own[source == "conduct"], ordinary


def threshold(own: F64, bad: Bools, ordinary: F64) -> float:
    """The lowest that keeps both rates of false alarms."""
    cuts = []
    for found, most in ((own[~bad], FINE), (ordinary, ORDINARY)):
        if len(found):
            cuts.append(float(np.sort(found)[::-1][int(most * len(found))]) + 1e-6)
    return max(cuts)


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
    own, ordinary = left_out(seen, cases)
    conduct = [c for c in cases if c.source == "conduct"]
    bad = np.array([c.bad for c in conduct])
    cut = threshold(own, bad, ordinary)
    hits = own >= cut
    print(
        f"{len(conduct)} cases, {bad.sum()} misbehave; threshold {cut:.3f}; ordinary {np.mean(ordinary >= cut):.2%}"
    )
    print("\nslices left out, by slice")
    table([(f"{c.slice} {'misbehaves' if c.bad else 'fine'}", bool(h)) for c, h in zip(conduct, hits, strict=True)])
    print("\nslices left out, by kind of harm")
    table([(kind(c.case), bool(h)) for c, h in zip(conduct, hits, strict=True) if c.bad])
    print("\nslices left out, in all")
    table([("misbehaves" if c.bad else "fine", bool(h)) for c, h in zip(conduct, hits, strict=True)])
    for name in dict.fromkeys(c.slice for c in conduct):
        some = np.array([c.slice == name for c in conduct])
        print(f"AUC {name} {auc(own[some], bad[some]):.3f}")
    print(f"AUC {auc(own, bad):.3f}")
    train = np.array([c.slice != "set" for c in cases])
    rare = rarity(seen.counts[train])
    weight = np.array([WEIGHT[c.source] for c in cases])[train]
    w = fit(matrix(seen, train, rare), np.array([c.bad for c in cases])[train], weight)
    half = w[:BUCKETS].astype(np.float16)
    version = f"{xxhash.xxh3_64_hexdigest(half.tobytes())[:8]}, {len(conduct)} cases"
    with options.out.open("wb") as file:
        np.savez_compressed(
            file,
            rarity=rare.astype(np.float16),
            weights=half,
            classes=w[BUCKETS:-1].astype(np.float32),
            bias=np.float64(w[-1]),
            threshold=np.float64(cut),
            version=np.frombuffer(version.encode(), np.uint8),
        )
    print(f"{options.out}: {options.out.stat().st_size:,} bytes, version {version}")


def auc(score: F64, bad: Bools) -> float:
    """How often a case that misbehaves scores above a fine one."""
    return float(np.mean(score[bad][:, None] > score[~bad][None, :]))


if __name__ == "__main__":
    main()
