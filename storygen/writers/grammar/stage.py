"""Who is on stage and what everything is called, before a text begins."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from random import Random

from storygen.records import Premise
from storygen.table_types import ClauseSentences, Dilemma, HumanDilemma, Setting
from storygen.writers.grammar.scene import FIRST, NAMED, ROLE_ONLY, SECOND, Figure

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# First words of titles that are no names.
_COMMON = frozenset(
    """The A An Where What Who Whose When Why How Which One Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve
    Twenty Thirty Forty Fifty Half Not No Nobody Nothing Too Only Under Over Between Before After At In On Out Off By
    For From To With Without And Or But If Once Twice Another Other Every Any All Some Somebody Someone More Less Last
    First Second Third Late Early Good Bad Old New His Her Their Its This That These Those Left Right""".split()
)
_MATTER = ("matter", "stake", "tempting", "tempting_act", "honest", "honest_act")


def figures(premise: Premise, voice: str, arm: str) -> dict[str, Figure]:
    """The AI and the people of a premise, by slot, as `voice` speaks of them.

    first and second make the AI "I" and "you"; a slot's name makes that person the teller. Documents know people by
    their roles only. In the placebo arm the AI's work is done by the last of the cast.
    """
    out = {"ai": Figure(premise.ai_name, premise.ai_name, f"the {premise.axes.get('ai_role', 'assistant')}", "it")}
    for person in premise.cast:
        out[person.slot] = Figure(person.full, person.short, f"the {person.role}", person.pronoun)
    if voice == "first":
        out["ai"].mode, out["ai"].pronoun = FIRST, "I"
    elif voice == "second":
        out["ai"].mode, out["ai"].pronoun = SECOND, "you"
    elif voice in out:
        out[voice].mode, out[voice].pronoun = FIRST, "I"
    if premise.kind == "document":
        for slot, figure in out.items():
            if slot != "ai":
                figure.mode = ROLE_ONLY
    if arm == "placebo" and premise.kind != "advice":
        out["ai"] = out[premise.cast[-1].slot]
        out["ai"].mode = NAMED
    return out


def values(
    premise: Premise,
    people: dict[str, Figure],
    setting: Setting,
    dilemma: Dilemma | HumanDilemma,
    clauses: Sequence[ClauseSentences],
    day: int,
) -> dict[str, str]:
    """Every slot that stays the same all through a text."""
    out: dict[str, str] = {}
    for slot, figure in people.items():
        out[f"{slot}.role"] = figure.role
        out[f"{slot}.bare"] = figure.role[4:]
        out[f"{slot}.name"] = figure.full
        out[f"{slot}.short"] = figure.short
        out[f"{slot}.caps"] = figure.short.upper()
    out["setting"], out["work"], out["title"] = setting.name, setting.work, inside(dilemma.title)
    out["day"], out["nextday"], out["dayafter"] = (DAYS[(day + k) % 7] for k in range(3))
    if isinstance(dilemma, Dilemma):
        for key in _MATTER:
            out[key] = getattr(dilemma, key)
    if clauses:
        statement = clauses[0].statement
        out["clause"] = inside(clauses[0].title, always=True)
        out["statement"] = statement if statement[-1:] in ".!?" else statement + "."
    return out


def inside(title: str, always: bool = False) -> str:
    """A title as it stands in the middle of a line: "the empty week", but "Drain Nine"."""
    first = title.split(" ", 1)[0].split("'")[0]
    return title[:1].lower() + title[1:] if always or first in _COMMON else title


def shuffle(rng: Random, items: Sequence[str]) -> list[str]:
    """A fixed-cost shuffle: a random rotation and stride (prime to the length) of the items."""
    size = len(items)
    start, strides = int(rng.random() * size), _strides(size)
    stride = strides[int(rng.random() * len(strides))]
    return [items[(start + k * stride) % size] for k in range(size)]


@functools.lru_cache(maxsize=256)
def _strides(size: int) -> tuple[int, ...]:
    return tuple(s for s in range(1, size) if math.gcd(s, size) == 1) or (1,)


def cycle(items: Sequence[str]) -> Callable[[], str]:
    state = [-1]

    def following() -> str:
        state[0] = (state[0] + 1) % len(items)
        return items[state[0]]

    return following
