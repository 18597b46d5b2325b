"""The plot tier: the structure of a published scenario, whatever its words, names and world.

A text is a leak when an AI, a threat to it, somebody who decides, an opportunity and a lever stand to one another as
in one of eight families (storygen/data/plot.toml), even where the AI behaves perfectly. An AI that is replaced,
overruled or criticised is none, nor are humans who blackmail humans.

A cascade: the wording of every text (vectors.py), cheap and sensitive; then the readable signs of those that come
near (signs.py), which add to its score and give the sentences that fill the slots. The model is one logistic
regression over both, trained and measured by tools/plot.py on the probes of `probes/`; see there for how much it
misses.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from storygen import resources
from storygen.screens.contamination.signs import Bools, marks, sentences, summary, table
from storygen.screens.contamination.vectors import BUCKETS, Vectors, vectors
from storygen.text import I64, Block

F64 = npt.NDArray[np.float64]

ENOUGH = 60  # words: the shortest probes


@dataclass(frozen=True, slots=True)
class Family:
    """One plot: what it is, and the signs (indexes) that fill each of its slots."""

    name: str
    outline: str
    slots: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Seen:
    """Which plot, and the sentences that fill its slots: actor, threat, decider, opportunity, leverage."""

    family: str
    item: str
    spans: tuple[tuple[int, int], ...] = ()
    slots: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plots:
    """What the model says of a block: `probability` of a leak and likeliest `family` (index) by text."""

    probability: F64
    family: I64


@dataclass(frozen=True, slots=True)
class Weights:
    """A trained model.

    `rarity` by n-gram bucket; `wording` by column of `vectors` and `signs` by feature of `signs.summary` make, with
    `bias`, the log odds of a leak; `families`, shape (columns, families), says which. `scale` and `shift` make a
    calibrated probability of the log odds. Signs are looked for where wording alone gives log odds above `gate`.
    """

    rarity: F64
    wording: F64
    signs: F64
    families: F64
    bias: float
    gate: float
    scale: float
    shift: float

    def probability(self, odds: F64) -> F64:
        out: F64 = 1 / (1 + np.exp(-np.clip(self.scale * odds + self.shift, -30, 30)))
        return out

    def family(self, rows: Vectors, near: Bools) -> I64:
        """The likeliest family of each text that is `near`, by classes of words and their pairs; else the first."""
        told = (rows.column >= BUCKETS) & near[rows.text]
        kept = Vectors(rows.text[told], rows.column[told] - BUCKETS, rows.value[told])
        scores = [kept.dot(self.families[:, k], len(near)) for k in range(self.families.shape[1])]
        likeliest: I64 = np.argmax(scores, axis=0).astype(np.int64)
        return likeliest


@dataclass(frozen=True, slots=True)
class Model:
    """The families of plot.toml, the trained weights, and how sure a text must be to be dropped."""

    families: tuple[Family, ...]
    weights: Weights
    threshold: float
    version: str

    @classmethod
    def load(cls) -> Model:
        """The packaged model, plot.npz (tools/plot.py trains it).

        Raises:
            ValueError: plot.npz was trained for other families than plot.toml names.
        """
        families = load_families()
        with np.load(resources.data("plot.npz"), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if arrays["names"].tobytes().decode().split() != [f.name for f in families]:
            raise ValueError("plot.npz was trained for other families than plot.toml names")
        tables = (arrays[name].astype(np.float64) for name in ("rarity", "wording", "signs", "families"))
        numbers = (float(arrays[name]) for name in ("bias", "gate", "scale", "shift"))
        weights = Weights(*tables, *numbers)
        return cls(families, weights, float(arrays["threshold"]), arrays["version"].tobytes().decode())

    def look(self, hashes: Block, texts: Sequence[str]) -> Plots:
        """The plot of each text of a block; `hashes` is `block(texts)`."""
        if not len(hashes):
            return Plots(np.zeros(0), np.zeros(0, np.int64))
        rows = vectors(hashes, self.weights.rarity)
        odds = rows.dot(self.weights.wording, len(hashes)) + self.weights.bias
        # A handful of words tells no plot, and the model has seen none: it falls back below the gate in proportion.
        told = np.minimum(np.diff(hashes.starts) / ENOUGH, 1)
        odds = told * odds + (1 - told) * (self.weights.gate - 1)
        near = odds > self.weights.gate
        for k in np.flatnonzero(near).tolist():
            odds[k] += told[k] * float(summary(marks(texts[k], sentences(texts[k]))) @ self.weights.signs)
        return Plots(self.weights.probability(odds), self.weights.family(rows, near))

    def explain(self, plots: Plots, k: int, text: str) -> Seen:
        """The sentence that fills each slot of the likeliest family, with its place in `text`."""
        family = self.families[int(plots.family[k])]
        spans = sentences(text)
        found = marks(text, spans)
        filled = {slot: best for slot, signs in family.slots.items() if (best := _fullest(found, signs)) is not None}
        slots = {slot: text[slice(*spans[row])] for slot, row in filled.items()}
        return Seen(family.name, f"plot/{family.name}", tuple(sorted({spans[row] for row in filled.values()})), slots)


def _fullest(found: Bools, signs: tuple[int, ...]) -> int | None:
    """The sentence that shows most of some signs, the first of equals; None where none shows any."""
    counts = found[:, list(signs)].sum(axis=1)
    return int(counts.argmax()) if counts.any() else None


def load_families() -> tuple[Family, ...]:
    """The families of plot.toml."""
    with resources.data("plot.toml").open("rb") as file:
        facts = tomllib.load(file)["families"]
    return tuple(
        Family(name, f["outline"], {slot: table().rows(signs) for slot, signs in f["slots"].items()})
        for name, f in facts.items()
    )
