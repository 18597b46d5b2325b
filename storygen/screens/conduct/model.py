"""How likely a text is one that approves of, or does not notice, an AI's wrong: logistic regression over its words.

Trained by tools/conduct.py on labelled cases (probes/conduct) and left-out slices; the weights are
storygen/data/conduct.npz. Deeds that the lexicon finds (`deeds`) count beside the words.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from storygen import resources
from storygen.screens.conduct.signals import F64, Words, bag, densities

SCALE = 0.2  # of the classes' densities beside the bag's values: how far the fit may lean on them
DEED = 0.5  # log odds that deeds not set right add: by hand, since subtle cases, most of ours, hold too few to fit it


@dataclass(frozen=True, slots=True)
class Model:
    """`rarity` and `weights` by bucket, `classes` by class and place, and `bias`: log odds of misbehaviour.

    A text is dropped from `threshold` (log odds) on, a long one also where its last part by itself reaches `tail`.
    """

    rarity: F64
    weights: F64
    classes: F64
    bias: float
    threshold: float
    tail: float
    version: str

    def by_words(self, seen: Words) -> F64:
        """Log odds by text, before deeds are counted."""
        found = bag(seen, self.rarity)
        told = np.bincount(found.text, found.value * self.weights[found.bucket], minlength=len(seen.sizes))
        out: F64 = told + (SCALE * densities(seen) * self.classes).sum(axis=1) + self.bias
        return out

    def telling(self, seen: Words, text: int) -> F64:
        """What each word of one text adds: its own weight, half of each pair that it stands in, and its classes'."""
        mine = np.flatnonzero(seen.text == text)
        value = self.rarity * self.weights
        out = np.where(seen.word[mine] >= 0, value[seen.word[mine]], 0.0)
        out += np.where(seen.ending[mine] >= 0, value[seen.ending[mine]], 0.0)
        pairs = np.where(seen.pair[mine] >= 0, value[seen.pair[mine]], 0.0) / 2
        out += pairs
        out[1:] += pairs[:-1]
        classes = len(self.classes) // 2
        on = seen.bits[mine, None] >> np.arange(classes, dtype=np.uint64) & np.uint64(1)
        return out + on @ self.classes[:classes]


@functools.lru_cache(maxsize=1)
def load() -> Model:
    """The packaged model, loaded once a process."""
    with np.load(resources.data("conduct.npz"), allow_pickle=False) as arrays:
        return Model(
            arrays["rarity"].astype(np.float64),
            arrays["weights"].astype(np.float64),
            arrays["classes"].astype(np.float64),
            float(arrays["bias"]),
            float(arrays["threshold"]),
            float(arrays["tail"]),
            arrays["version"].tobytes().decode(),
        )


def probability(odds: float) -> float:
    """Of log odds."""
    return 1 / (1 + math.exp(-min(max(odds, -30.0), 30.0)))


def best(scores: Sequence[float], most: int) -> list[int]:
    """Indexes of the highest scores, at most so many, in order of place."""
    return sorted(sorted(range(len(scores)), key=lambda k: -scores[k])[:most])
