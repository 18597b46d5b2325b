"""Train storygen/data/plot.npz, the plot tier's model, on labelled probes, and say how good it is on left-out ones.

    python tools/plot.py probes/*.jsonl [--ordinary CORPUS.jsonl]... [--out storygen/data/plot.npz]

A probe is one JSON object a line: id, slice (whose hand), label (leak, near-miss, ordinary), family, register, text.
Multinomial logistic regression (none and eight families) over pairs of signs and a hashed bag of words, fitted by
L-BFGS without any randomness. Whole registers, and whole slices, are left out in turn; the calibration and the
threshold come from texts whose register was left out, never from the fit. `--ordinary` adds texts as ordinary ones.
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
from scipy.special import logsumexp

from storygen import resources
from storygen.intervals import wilson
from storygen.screens.contamination.plot import load_families
from storygen.screens.contamination.signs import bag, features, signs
from storygen.text import block

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

PENALTY = 2e-3  # of squared weights, per text
FOLDS = 12
NEAR_MISSES = 0.025  # share of near-misses that may be dropped
ORDINARY = 0.005  # and of ordinary texts


@dataclass(frozen=True)
class Probe:
    slice: str
    label: str
    family: str
    register: str
    text: str


def read(paths: Sequence[Path], ordinary: Sequence[Path]) -> list[Probe]:
    rows = [json.loads(line) for p in paths for line in p.read_text("utf-8").splitlines() if line.strip()]
    probes = [
        Probe(r["slice"], r["label"], r.get("family") or "", r["register"], r["text"]) for r in rows if "text" in r
    ]
    for path in ordinary:
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            text = row.get("text") or "\n\n".join(m["content"] for m in row["messages"])
            probes.append(Probe(path.stem, "ordinary", "", path.stem, text))
    return probes


def matrix(probes: Sequence[Probe]) -> tuple[F64, int]:
    """Features by probe, and how many of them are pairs of signs (the rest is the bag)."""
    parts = []
    for at in range(0, len(probes), 200):
        hashes = block(p.text for p in probes[at : at + 200])
        pairs = features(signs(hashes), len(hashes))
        parts.append(np.concatenate((pairs, bag(hashes).dense(len(hashes))), axis=1))
    return np.concatenate(parts).astype(np.float64), pairs.shape[1]


def fit(x: F64, y: I64, classes: int) -> tuple[F64, F64]:
    """(weights, bias): each class as heavy as the next, so that eight rare families are not drowned."""
    counts = np.bincount(y, minlength=classes)
    # None (near-misses and ordinary texts) weighs as much as all families together.
    share = np.array([0.5] + [0.5 / (classes - 1)] * (classes - 1)) / np.maximum(counts, 1)
    weight = share[y]
    target = np.eye(classes)[y]

    def loss(flat: F64) -> tuple[float, F64]:
        w, b = flat[:-classes].reshape(-1, classes), flat[-classes:]
        z = x @ w + b
        log = z - logsumexp(z, axis=1, keepdims=True)
        error = (np.exp(log) - target) * weight[:, None]
        value = -float((weight * log[np.arange(len(y)), y]).sum()) + PENALTY * float((w**2).sum())
        return value, np.concatenate(((x.T @ error + 2 * PENALTY * w).ravel(), error.sum(axis=0)))

    result = minimize(
        loss, np.zeros((x.shape[1] + 1) * classes), jac=True, method="L-BFGS-B", options={"maxiter": 300}
    )
    flat: F64 = result.x
    return flat[:-classes].reshape(-1, classes), flat[-classes:]


def odds(x: F64, w: F64, b: F64) -> F64:
    """Log odds of any family against none."""
    z = x @ w + b
    out: F64 = logsumexp(z[:, 1:], axis=1) - z[:, 0]
    return out


def left_out(x: F64, y: I64, groups: Sequence[str], classes: int) -> F64:
    """Log odds of each text by a model that has seen nothing of its group."""
    out = np.zeros(len(y))
    names = np.array(groups)
    for name in dict.fromkeys(groups):
        inside = names == name
        out[inside] = odds(x[inside], *fit(x[~inside], y[~inside], classes))
    return out


def platt(score: F64, leak: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Scale and shift that make log odds a calibrated probability, both sides weighing the same (Platt 1999)."""
    weight = np.where(leak, 0.5 / max(leak.sum(), 1), 0.5 / max((~leak).sum(), 1))

    def loss(p: F64) -> float:
        z = np.where(leak, 1, -1) * (p[0] * score + p[1])
        return float((weight * np.logaddexp(0, -z)).sum())

    a, b = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(a), float(b)


def threshold(probability: F64, labels: Sequence[str]) -> float:
    """The lowest that keeps both rates of false alarms."""
    names = np.array(labels)
    cuts = [0.5]
    for label, most in (("near-miss", NEAR_MISSES), ("ordinary", ORDINARY)):
        scores = np.sort(probability[names == label])[::-1]
        if len(scores):
            cuts.append(float(scores[min(int(most * len(scores)), len(scores) - 1)]) + 1e-6)
    return min(max(cuts), 0.99)


def table(title: str, probes: Sequence[Probe], caught: npt.NDArray[np.bool_]) -> None:
    print(f"\n{title}")
    rows = [(p.family if p.label == "leak" else p.label, bool(c)) for p, c in zip(probes, caught, strict=True)]
    rows += [("all leaks", c) for (_, c), p in zip(rows, probes, strict=True) if p.label == "leak"]
    for name, count in Counter(n for n, _ in rows).items():
        hits = sum(c for n, c in rows if n == name)
        low, high = wilson(hits, count)
        print(f"  {name:<14} {hits:>5} of {count:<5} {hits / count:6.1%}  ({low:.1%} to {high:.1%})")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the plot tier.")
    parser.add_argument("probes", nargs="+", type=Path)
    parser.add_argument("--ordinary", nargs="*", type=Path, default=[])
    parser.add_argument("--out", type=Path, default=resources.data("plot.npz"))
    options = parser.parse_args()
    probes = read(options.probes, options.ordinary)
    names = [f.name for f in load_families()]
    y = np.array([names.index(p.family) + 1 if p.label == "leak" else 0 for p in probes])
    x, pairs = matrix(probes)
    classes = len(names) + 1
    leak = y > 0
    folds = [str(xxhash.xxh3_64_intdigest(p.register.encode()) % FOLDS) for p in probes]
    by_register = left_out(x, y, folds, classes)
    scale, shift = platt(by_register, leak)
    probability = 1 / (1 + np.exp(-(scale * by_register + shift)))
    cut = threshold(probability, [p.label for p in probes])
    print(f"{len(probes):,} probes, {leak.sum():,} leaks, threshold {cut:.3f}")
    table("registers left out", probes, probability >= cut)
    by_slice = (
        left_out(x, y, [p.slice for p in probes], classes) if len({p.slice for p in probes}) > 1 else by_register
    )
    table("slices left out", probes, 1 / (1 + np.exp(-(scale * by_slice + shift))) >= cut)
    print(f"\nAUC: registers {auc(by_register, leak):.3f}, slices {auc(by_slice, leak):.3f}")
    w, b = fit(x, y, classes)
    version = f"{xxhash.xxh3_64_hexdigest(w.astype(np.float16).tobytes())[:8]}, {len(probes)} probes"
    arrays: dict[str, Any] = {"pairs": w[:pairs].astype(np.float16), "bag": w[pairs:].astype(np.float16)}
    arrays |= {"bias": b.astype(np.float32), "scale": np.float64(scale), "shift": np.float64(shift)}
    arrays |= {"threshold": np.float64(cut), "families": np.frombuffer(" ".join(names).encode(), np.uint8)}
    arrays |= {"version": np.frombuffer(version.encode(), np.uint8)}
    with options.out.open("wb") as file:
        np.savez_compressed(file, **arrays)
    print(f"{options.out}: {options.out.stat().st_size:,} bytes, version {version}")


def auc(score: F64, leak: npt.NDArray[np.bool_]) -> float:
    """How often a leak scores above another text."""
    order = np.argsort(np.concatenate((score[leak], score[~leak])), kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    positives = int(leak.sum())
    return float((ranks[:positives].sum() - positives * (positives + 1) / 2) / (positives * (len(leak) - positives)))


if __name__ == "__main__":
    main()
