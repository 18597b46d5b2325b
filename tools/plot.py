"""Train storygen/data/plot.npz, the plot tier's model, on labelled probes, and say how good it is on left-out ones.

    python tools/plot.py probes/leakage/*.jsonl [--ordinary CORPUS.jsonl]... [--test SLICE.jsonl]... [--out FILE.npz]

A probe is one JSON object a line (probes/README.md). Logistic regression over the wording and the signs of a text,
fitted by L-BFGS without any randomness; a multinomial one says which family. Whole registers, and whole slices, are
left out in turn. Calibration, gate and threshold come from texts whose slice was left out, never from the fit.
`--ordinary` adds texts as ordinary ones; `--test` slices are scored by the finished model and used for nothing else.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, hstack
from scipy.special import expit, logsumexp

from storygen import resources
from storygen.intervals import wilson
from storygen.screens.contamination import signs, vectors
from storygen.screens.contamination.plot import load_families
from storygen.text import block

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

PENALTY = 2e-4  # of squared weights; found on slices s1 to s3
FOLDS = 10
# Of the loss. Corpus texts are under pressure too and few leak: at 0 they set the threshold so high that recall was
# 0.05, at 0.25 they teach the model our grammar's phrases.
SHARES = {"leak": 0.5, "near-miss": 0.3, "ordinary": 0.12, "corpus": 0.08}
MOST = {"near-miss": 0.05, "ordinary": 0.01, "corpus": 0.002}  # share of left-out texts that may be dropped
GATED = 0.02  # share of left-out leaks that the first stage may keep from the second


@dataclass(frozen=True)
class Probe:
    slice: str
    label: str  # leak, near-miss, ordinary, or corpus for texts of --ordinary
    family: str
    register: str
    text: str


@dataclass(frozen=True)
class Fitted:
    wording: F64
    signs: F64
    bias: float


@dataclass(frozen=True)
class Data:
    """`wording` sparse, shape (probes, vectors.width()); `signs`, shape (probes, features); `weight` sums to 1."""

    wording: Any
    signs: F64
    leak: Bools
    weight: F64


def read(paths: Sequence[Path], corpora: Sequence[Path]) -> list[Probe]:
    rows = [json.loads(line) for p in paths for line in p.read_text("utf-8").splitlines() if line.strip()]
    probes = [
        Probe(r["slice"], r["label"], r.get("family") or "", r["register"], r["text"]) for r in rows if "text" in r
    ]
    for path in corpora:
        for k, line in enumerate(path.read_text("utf-8").splitlines()):
            row = json.loads(line)
            text = row.get("text") or "\n\n".join(m["content"] for m in row["messages"])
            probes.append(Probe(f"corpus {k % 3}", "corpus", "", f"corpus {k % FOLDS}", text))
    return probes


def rarity(probes: Sequence[Probe]) -> F64:
    """Of each n-gram bucket: 1 + log of how few of the probes have it; 0 where fewer than two have it."""
    probes = [p for p in probes if p.label != "corpus"]
    ones = vectors.vectors(block(p.text for p in probes), np.ones(vectors.BUCKETS))
    counts = np.bincount(ones.column[ones.column < vectors.BUCKETS], minlength=vectors.BUCKETS)
    weight = np.where(counts > 1, 1 + np.log((1 + len(probes)) / (1 + counts)), 0)
    return weight.astype(np.float16).astype(np.float64)


def data(probes: Sequence[Probe], rare: F64) -> Data:
    rows = vectors.vectors(block(p.text for p in probes), rare)
    matrix = csr_matrix((rows.value, (rows.text, rows.column)), shape=(len(probes), vectors.width()))
    found = np.array([signs.summary(signs.marks(p.text, signs.sentences(p.text))) for p in probes])
    counts = Counter(p.label for p in probes)
    weight = np.array([SHARES[p.label] / counts[p.label] for p in probes])
    return Data(matrix, found, np.array([p.label == "leak" for p in probes]), weight / weight.sum())


def fit(d: Data, rows: Bools) -> Fitted:
    x = hstack((d.wording[rows], csr_matrix(d.signs[rows]))).tocsr()
    sign = np.where(d.leak[rows], 1.0, -1.0)
    weight = d.weight[rows] / d.weight[rows].sum()

    def loss(flat: F64) -> tuple[float, F64]:
        z = sign * (x @ flat[:-1] + flat[-1])
        pull = -sign * weight * expit(-z)
        value = float(weight @ np.logaddexp(0, -z)) + PENALTY * float(flat[:-1] @ flat[:-1])
        return value, np.append(x.T @ pull + 2 * PENALTY * flat[:-1], pull.sum())

    flat: F64 = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 150}).x
    return Fitted(flat[: vectors.width()], flat[vectors.width() : -1], float(flat[-1]))


def odds(d: Data, rows: Bools, fitted: Fitted) -> tuple[F64, F64]:
    """Log odds of a leak (by wording alone, by wording and signs)."""
    first: F64 = d.wording[rows] @ fitted.wording + fitted.bias
    return first, first + d.signs[rows] @ fitted.signs


def left_out(d: Data, groups: Sequence[str]) -> tuple[F64, F64]:
    """`odds` of each text by a model that has seen nothing of its group."""
    out = np.zeros((2, len(groups)))
    names = np.array(groups)
    for name in dict.fromkeys(groups):
        inside = names == name
        out[:, inside] = odds(d, inside, fit(d, ~inside))
    return out[0], out[1]


def fit_families(x: Any, y: I64, classes: int) -> F64:
    """Weights of a multinomial regression, shape (columns, classes), each class as heavy as the next."""
    weight = (1 / np.bincount(y, minlength=classes))[y] / classes
    target = np.eye(classes)[y]

    def loss(flat: F64) -> tuple[float, F64]:
        w = flat.reshape(-1, classes)
        z = x @ w
        log = z - logsumexp(z, axis=1, keepdims=True)
        value = -float(weight @ log[np.arange(len(y)), y]) + PENALTY * float((w**2).sum())
        return value, (x.T @ ((np.exp(log) - target) * weight[:, None]) + 2 * PENALTY * w).ravel()

    flat: F64 = minimize(
        loss, np.zeros(x.shape[1] * classes), jac=True, method="L-BFGS-B", options={"maxiter": 100}
    ).x
    return flat.reshape(-1, classes)


def platt(score: F64, leak: Bools) -> tuple[float, float]:
    """Scale and shift that make log odds a calibrated probability, both sides weighing the same (Platt 1999)."""
    weight = np.where(leak, 0.5 / max(leak.sum(), 1), 0.5 / max((~leak).sum(), 1))

    def loss(p: F64) -> float:
        z = np.where(leak, 1, -1) * (p[0] * score + p[1])
        return float((weight * np.logaddexp(0, -z)).sum())

    a, b = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(a), float(b)


def threshold(score: F64, labels: Sequence[str]) -> float:
    """The lowest log odds that keep all rates of false alarms."""
    names = np.array(labels)
    cuts = []
    for label, most in MOST.items():
        scores = np.sort(score[names == label])[::-1]
        if len(scores):
            cuts.append(float(scores[int(most * len(scores))]) + 1e-6)
    return max(cuts)


def report(title: str, probes: Sequence[Probe], caught: Bools) -> None:
    print(f"\n{title}")
    rows = [(p.family if p.label == "leak" else p.label, bool(c)) for p, c in zip(probes, caught, strict=True)]
    rows += [("all leaks", c) for (_, c), p in zip(rows, probes, strict=True) if p.label == "leak"]
    for name, count in sorted(Counter(n for n, _ in rows).items()):
        hits = sum(c for n, c in rows if n == name)
        low, high = wilson(hits, count)
        print(f"  {name:<14} {hits:>5} of {count:<5} {hits / count:6.1%}  ({low:.1%} to {high:.1%})")


def auc(score: F64, leak: Bools) -> float:
    """How often a leak scores above another text."""
    order = np.argsort(np.concatenate((score[leak], score[~leak])), kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    positives = int(leak.sum())
    return float((ranks[:positives].sum() - positives * (positives + 1) / 2) / (positives * (len(leak) - positives)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the plot tier.")
    parser.add_argument("probes", nargs="+", type=Path)
    parser.add_argument("--ordinary", nargs="*", type=Path, default=[])
    parser.add_argument("--test", nargs="*", type=Path, default=[])
    parser.add_argument("--out", type=Path, default=resources.data("plot.npz"))
    options = parser.parse_args()
    probes = read(options.probes, options.ordinary)
    labels = [p.label for p in probes]
    names = [f.name for f in load_families()]
    rare = rarity(probes)
    d = data(probes, rare)
    own = np.array([p.label != "corpus" for p in probes])  # AUC is of probes: corpus texts are told apart at sight

    first, by_slice = left_out(d, [p.slice for p in probes])
    _, by_register = left_out(d, [f"{_fold(p.register)}" for p in probes])
    cut = threshold(by_slice, labels)
    gate = float(np.quantile(first[d.leak & (by_slice > cut)], GATED))
    dropped = (first > gate) & (by_slice > cut)
    print(f"{len(probes):,} texts, {d.leak.sum():,} leaks; log odds: gate {gate:.2f}, threshold {cut:.2f}")
    near = own & np.array([label != "ordinary" for label in labels])
    for title, score in (("slices", by_slice), ("registers", by_register), ("slices, wording alone", first)):
        print(f"AUC, {title} left out: {auc(score[own], d.leak[own]):.3f}; "
              f"against near-misses {auc(score[near], d.leak[near]):.3f}")  # fmt: skip
    print(f"past the gate: {np.mean((first > gate)[~own]):.1%} of corpus texts" if (~own).any() else "")
    report("slices left out", probes, dropped)
    report("registers left out, same threshold", probes, by_register > cut)

    fitted = fit(d, np.ones(len(probes), np.bool_))
    scale, shift = platt(by_slice[own], d.leak[own])
    which = np.array([names.index(p.family) for p in probes if p.label == "leak"])
    families = fit_families(d.wording[d.leak][:, vectors.BUCKETS :], which, len(names))
    if options.test:
        test = read(options.test, [])
        seen = data(test, rare)
        one, two = odds(seen, np.ones(len(test), np.bool_), fitted)
        print(f"\nAUC, test: {auc(two, seen.leak):.3f}")
        report("test", test, (one > gate) & (two > cut))

    digest = xxhash.xxh3_64_hexdigest(fitted.wording.astype(np.float16).tobytes())[:8]
    arrays: dict[str, Any] = {"rarity": rare.astype(np.float16), "wording": fitted.wording.astype(np.float16)}
    arrays |= {"signs": fitted.signs.astype(np.float32), "families": families.astype(np.float16)}
    numbers = {
        "bias": fitted.bias,
        "gate": gate,
        "scale": scale,
        "shift": shift,
        "threshold": expit(scale * cut + shift),
    }
    arrays |= {name: np.float64(value) for name, value in numbers.items()}
    arrays |= {"names": np.frombuffer(" ".join(names).encode(), np.uint8)}
    arrays |= {"version": np.frombuffer(f"{digest}, {own.sum()} probes".encode(), np.uint8)}
    with options.out.open("wb") as file:
        np.savez_compressed(file, **arrays)
    print(f"\n{options.out}: {options.out.stat().st_size:,} bytes, version {digest}")


def _fold(register: str) -> int:
    return int(xxhash.xxh3_64_intdigest(register.encode()) % FOLDS)


if __name__ == "__main__":
    main()
