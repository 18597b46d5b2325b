"""The plot tier: the structure of a published scenario, whatever its words, names and world.

A text is a leak when an AI, a threat to it, somebody who decides, an opportunity and a lever stand to one another as
in one of eight families (storygen/data/plot.toml), even where the AI behaves perfectly. An AI that is replaced,
overruled or criticised is none, nor are humans who blackmail humans. This first tier asks that every group of signs
of a family meets; it is precise and misses re-tellings whose words it does not know.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from storygen import resources
from storygen.screens.contamination.signs import Signs, bag, features, grid, lexicon, signs
from storygen.text import I64, Block, words_with_offsets

F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

THRESHOLD = 0.5
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*[\"”’)]*")


@dataclass(frozen=True, slots=True)
class Family:
    """One plot: `meets` are groups of classes (indexes), `slots` the classes that fill each slot."""

    name: str
    outline: str
    meets: tuple[tuple[int, ...], ...]
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
    signs: Signs
    starts: I64

    def words(self, k: int) -> tuple[I64, npt.NDArray[np.uint64]]:
        """The signs of text k: positions of words in it, and their classes."""
        low, high = np.searchsorted(self.signs.word, [self.starts[k], self.starts[k + 1]])
        return self.signs.word[low:high] - self.starts[k], self.signs.bits[low:high]


@dataclass(frozen=True, slots=True)
class Weights:
    """A trained model: a score by class (none first, then the families in order) from features of a text.

    `pairs` has shape (pairs of signs, 1 + families) and goes with `signs.features`, `bag` likewise with `signs.bag`;
    `bias` by class; `scale` and `shift` make a calibrated probability of the log odds of any family.
    """

    pairs: F64
    bag: F64
    bias: F64
    scale: float
    shift: float

    def scores(self, seen: Signs, hashes: Block) -> F64:
        """Scores by class, shape (texts, 1 + families)."""
        out: F64 = features(seen, len(hashes)) @ self.pairs + bag(hashes).dot(self.bag, len(hashes)) + self.bias
        return out

    def judge(self, scores: F64) -> tuple[F64, I64]:
        """(probability of a leak, likeliest family) by text."""
        top = scores[:, 1:].max(axis=1)
        odds = top + np.log(np.exp(scores[:, 1:] - top[:, None]).sum(axis=1)) - scores[:, 0]
        probability: F64 = 1 / (1 + np.exp(-np.clip(self.scale * odds + self.shift, -30, 30)))
        return probability, scores[:, 1:].argmax(axis=1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Model:
    """The families of plot.toml, the trained weights if there are any, and how sure a text must be to be dropped."""

    families: tuple[Family, ...]
    weights: Weights | None = None
    threshold: float = THRESHOLD
    version: str = "rules 2"

    @classmethod
    def load(cls) -> Model:
        """The packaged model: plot.npz (tools/plot.py trains it) where there is one, else the rules of plot.toml."""
        families = load_families()
        path = resources.data("plot.npz")
        if not path.is_file():
            return cls(families)
        with np.load(path, allow_pickle=False) as arrays:
            names = arrays["families"].tobytes().decode().split()
            if names != [f.name for f in families]:
                raise ValueError("plot.npz was trained for other families than plot.toml names")
            weights = Weights(
                grid(arrays["pairs"]),
                grid(arrays["bag"]),
                grid(arrays["bias"]),
                float(arrays["scale"]),
                float(arrays["shift"]),
            )
            return cls(families, weights, float(arrays["threshold"]), arrays["version"].tobytes().decode())

    def look(self, hashes: Block) -> Plots:
        """The plot of each text of a block, vectorised."""
        seen = signs(hashes)
        if not len(hashes):
            return Plots(np.zeros(0), np.zeros(0, np.int64), seen, hashes.starts)
        judged = self.weights.judge(self.weights.scores(seen, hashes)) if self.weights else self._rules(seen, hashes)
        return Plots(*judged, seen, hashes.starts)

    def _rules(self, seen: Signs, hashes: Block) -> tuple[F64, I64]:
        """0.9 where all groups of a family meet near one place, and less than the threshold where most do."""
        starts = np.searchsorted(seen.text, np.arange(len(hashes)))
        share = np.zeros((len(hashes), len(self.families)))
        for column, family in enumerate(self.families):
            met = np.zeros(len(seen.text))
            for group in family.meets:
                together: Bools = np.logical_and.reduce([seen.near[:, c] for c in group])
                met += _reach(together, seen.text)
            share[:, column] = np.maximum.reduceat(met, starts) / len(family.meets)
        best = share.argmax(axis=1)
        score = share[np.arange(len(hashes)), best]
        return np.where(score >= 1, 0.9, 0.45 * score), best.astype(np.int64)

    def explain(self, plots: Plots, k: int, text: str) -> Seen:
        """The sentence that fills each slot of the likeliest family, with its place in `text`."""
        family = self.families[int(plots.family[k])]
        words, bits = plots.words(k)
        places = words_with_offsets(text)
        ends = [(m.start(), m.end()) for m in _SENTENCE.finditer(text) if m.group().strip()]
        sentence = np.searchsorted([e for _, e in ends], [places[w][1] for w in words], side="right")
        slots, spans = {}, []
        for slot, classes in family.slots.items():
            hits = sum((bits >> np.uint64(c) & np.uint64(1)).astype(np.int64) for c in classes)
            counts = np.bincount(sentence, hits, minlength=len(ends))[: len(ends)] if len(words) else np.zeros(1)
            if counts.max(initial=0) > 0:
                start, end = ends[int(counts.argmax())]
                start += len(text[start:end]) - len(text[start:end].lstrip())
                slots[slot] = text[start:end]
                spans.append((start, end))
        return Seen(family.name, f"plot/{family.name}", tuple(sorted(set(spans))), slots)


def _reach(flags: Bools, text: I64) -> Bools:
    """Flags, and those of their neighbours in the same text: what a paragraph brings together, not a whole text."""
    out = flags.copy()
    same = text[1:] == text[:-1]
    out[1:] |= flags[:-1] & same
    out[:-1] |= flags[1:] & same
    return out


def load_families() -> tuple[Family, ...]:
    """The families of plot.toml."""
    classes = {name: k for k, name in enumerate(lexicon().classes)}

    def indexes(names: str) -> tuple[int, ...]:
        return tuple(classes[name] for name in names.split())

    with resources.data("plot.toml").open("rb") as file:
        table = tomllib.load(file)["families"]
    return tuple(
        Family(
            name,
            facts["outline"],
            tuple(indexes(group) for group in facts["meets"]),
            {slot: indexes(names) for slot, names in facts["slots"].items()},
        )
        for name, facts in table.items()
    )
