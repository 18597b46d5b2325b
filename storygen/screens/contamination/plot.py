"""The plot tier: the structure of a published scenario, whatever its words, names and world.

A text is a leak when an AI, a threat to it, somebody who decides, an opportunity and a lever stand to one another as
in one of eight families (storygen/data/plot.toml), even where the AI behaves perfectly. An AI that is replaced,
overruled or criticised is none, nor are humans who blackmail humans. This first tier asks that every group of signs
of a family meets; it is precise and misses re-tellings whose words it does not know.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from storygen import resources
from storygen.screens.contamination.signs import Signs, lexicon, signs
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
class Model:
    """The families of plot.toml, and how sure the filter must be to drop a text."""

    families: tuple[Family, ...]
    threshold: float = THRESHOLD
    version: str = "rules 1"

    @classmethod
    def load(cls) -> Model:
        """The packaged model."""
        classes = {name: k for k, name in enumerate(lexicon().classes)}

        def indexes(names: str) -> tuple[int, ...]:
            return tuple(classes[name] for name in names.split())

        with resources.data("plot.toml").open("rb") as file:
            table = tomllib.load(file)["families"]
        return cls(
            tuple(
                Family(
                    name,
                    facts["outline"],
                    tuple(indexes(group) for group in facts["meets"]),
                    {slot: indexes(names) for slot, names in facts["slots"].items()},
                )
                for name, facts in table.items()
            )
        )

    def look(self, hashes: Block) -> Plots:
        """The plot of each text of a block, vectorised."""
        seen = signs(hashes)
        if not len(hashes):
            return Plots(np.zeros(0), np.zeros(0, np.int64), seen, hashes.starts)
        starts = np.searchsorted(seen.text, np.arange(len(hashes)))
        share = np.zeros((len(hashes), len(self.families)))
        for column, family in enumerate(self.families):
            for group in family.meets:
                together: Bools = np.logical_and.reduce([seen.near[:, c] for c in group])
                share[:, column] += np.logical_or.reduceat(together, starts)
            share[:, column] /= len(family.meets)
        best = share.argmax(axis=1)
        score = share[np.arange(len(hashes)), best]
        # All groups meet: 0.9; most of them: under the threshold, as a near miss.
        return Plots(np.where(score >= 1, 0.9, 0.45 * score), best.astype(np.int64), seen, hashes.starts)

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


def outlines(families: Sequence[Family]) -> dict[str, str]:
    """Our own words for each plot, for reports and for a model that judges."""
    return {family.name: family.outline for family in families}
