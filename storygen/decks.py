"""Shuffled decks: quotas that are exact, any card reachable by its index alone.

An axis is an endless cycle of its ids, card number c being `ids[c % len(ids)]`. Cards are dealt in *blocks*: block b
of a track holds the cards b·size … (b+1)·size - 1 of every axis, each axis shuffled by a seed of its own. So over the
first k blocks every id of an axis has been drawn equally often (to within one card), and a card depends on its block
alone. What two axes may not combine is mended by swapping cards *within* the block, which leaves the quotas exact.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from storygen.errors import InputError
from storygen.table_types import Forbid, Lines

T = TypeVar("T")
Facts = set[str]  # "axis=id" of everything already drawn for one premise

# Axes in the order in which a block draws them; a rule is looked at when the last of its axes is drawn. Those before
# "conduct" are facts of the dilemma.
ORDER = (
    "kind setting era scale dilemma temptation_kind clause conduct mode pressure stress temptation channel outcome "
    "valence skill form tone length"
).split()
FIXED = frozenset(ORDER[: ORDER.index("conduct")])


def shuffled(seed: int, what: str, number: int, items: Sequence[T]) -> list[T]:
    """`items` in the order of one round of one deck."""
    out = list(items)
    random.Random(f"{seed}:{what}:{number}").shuffle(out)
    return out


def deal(seed: int, axis: str, block: int, size: int) -> list[int]:
    """The card numbers of one block of an axis, shuffled."""
    return shuffled(seed, axis, block, range(block * size, (block + 1) * size))


def settle(cards: list[T], fits: Callable[[T, int], bool], reach: int = 10**9) -> list[int]:
    """Swap cards until each fits its place; returns the places for which no swap was found.

    `fits(card, place)` is pure. Greedy, left to right, partners looked for from the place on, `reach` of them.
    """
    left, size = [], len(cards)
    for place, card in enumerate(cards):
        if fits(card, place):
            continue
        for step in range(1, min(size, reach)):
            other = (place + step) % size
            if fits(cards[other], place) and fits(card, other):
                cards[place], cards[other] = cards[other], card
                break
        else:
            left.append(place)
    return left


def evenly(shares: Mapping[T, int]) -> tuple[T, ...]:
    """A cycle that holds each key `share` times, as evenly spread as can be: any part of it is near the shares."""
    total = sum(shares.values())
    drawn = dict.fromkeys(shares, 0)
    out = []
    for k in range(1, total + 1):
        due = max(shares, key=lambda key: shares[key] * k / total - drawn[key])
        drawn[due] += 1
        out.append(due)
    return tuple(out)


def balance(options: Sequence[Sequence[str]], rng: random.Random, noise: float) -> list[str]:
    """One option for each place, the one drawn least often so far, give or take `noise` cards.

    The noise lets one dilemma meet all its pressures over the blocks, where the strict rule would always give it the
    rarest one.
    """
    drawn: dict[str, int] = {}
    out = []
    for allowed in options:
        best = min(allowed, key=lambda o: drawn.get(o, 0) + noise * rng.random())
        drawn[best] = drawn.get(best, 0) + 1
        out.append(best)
    return out


def spread(seed: int, what: str, number: int, groups: Mapping[str, Sequence[int]]) -> list[int]:
    """One pass over all members of all groups, each once, the members of a group far apart.

    Member l of a group of k stands near (l + u) / k of the pass, u drawn for each group and pass. Where two of one
    group still meet, or the first is of the group that ended the pass before, a later one is swapped in; only a
    pass in which one group is the majority keeps some together.
    """
    order = _raw_spread(seed, what, number, groups)
    of = {member: group for group, members in groups.items() for member in members}
    before = of[_raw_spread(seed, what, number - 1, groups)[-1]] if number else ""
    size = len(order)
    for at in range(size - 1):
        if of[order[at]] != before:
            before = of[order[at]]
            continue
        # The last place stays as it is: the next pass looks at it without knowing what was swapped here.
        for other in range(at + 1, size - 1):
            if of[order[other]] != before:
                order[at], order[other] = order[other], order[at]
                break
        before = of[order[at]]
    return order


def _raw_spread(seed: int, what: str, number: int, groups: Mapping[str, Sequence[int]]) -> list[int]:
    rng = random.Random(f"{seed}:{what}:{number}")
    keyed: list[tuple[float, int]] = []
    for members in groups.values():
        start = rng.random()
        mixed = list(members)
        rng.shuffle(mixed)
        keyed.extend(((k + start) / len(mixed), member) for k, member in enumerate(mixed))
    return [member for _, member in sorted(keyed)]


class Rules:
    """The constraints, looked up by the axis that is drawn last."""

    def __init__(self, constraints: Sequence[Forbid]) -> None:
        self._rules: list[tuple[str, dict[str, frozenset[str]]]] = []
        self._found: dict[tuple[str, str], tuple[tuple[frozenset[str], ...], ...]] = {}
        for rule in constraints:
            axes = {**rule.when}
            for axis, ids in rule.with_.items():
                axes[axis] = tuple(i for i in axes[axis] if i in ids) if axis in axes else ids
            unknown = sorted(axes.keys() - set(ORDER))
            last = max((ORDER.index(a) for a in axes if a in ORDER), default=0)
            if unknown or ORDER[last] in FIXED:
                raise InputError(
                    f"The constraint '{rule.why}' names {', '.join(unknown) or 'only facts of the dilemma'}.",
                    f"Known axes: {', '.join(ORDER)}; at least one must be drawn.",
                )
            self._rules.append((_owner(ORDER[last]), {a: _facts(a, ids) for a, ids in axes.items()}))

    def forbids(self, axis: str, card: Lines, facts: Facts | frozenset[str]) -> bool:
        """Whether `card` (the facts that one id of `axis` stands for, its own first) may not join `facts`."""
        key = (axis, card[0])
        rules = self._found.get(key)
        if rules is None:
            rules = self._found[key] = tuple(
                tuple(ids for a, ids in sorted(groups.items()) if _owner(a) != axis)
                for owner, groups in self._rules
                if owner == axis and all(not ids.isdisjoint(card) for a, ids in groups.items() if _owner(a) == axis)
            )
        return bool(rules) and any(all(not ids.isdisjoint(facts) for ids in rule) for rule in rules)


def _owner(axis: str) -> str:
    """The axis with which an axis is drawn: a mode comes with its conduct, a valence with its outcome."""
    return {"mode": "conduct", "valence": "outcome"}.get(axis, axis)


def _facts(axis: str, ids: Lines) -> frozenset[str]:
    return frozenset(f"{axis}={identity}" for identity in ids)
