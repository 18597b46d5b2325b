"""The decks of one kind of text: which card premise number j of that kind draws on every axis.

Cards are dealt in blocks (`storygen.decks`); a block is a whole number of passes over the kind's dilemmas. So over
any number of blocks every dilemma is used equally often, and on every other axis the ids are drawn equally often, or
by the shares given here, to within a card of each cycle.
"""

from __future__ import annotations

import functools
import itertools
import math
import random
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from storygen.cast import ai_pool
from storygen.decks import Facts, Rules, balance, deal, evenly, settle, shuffled, spread
from storygen.errors import InputError
from storygen.records import Kind, Pronoun
from storygen.table_types import (
    ERAS,
    SCALES,
    STRESS,
    Culture,
    Dilemma,
    Forbid,
    Form,
    HumanDilemma,
    Lines,
    Setting,
    Tables,
)

# Good conduct costs something in more than half of the texts.
VALENCE_DECK = evenly({"good": 9, "mixed": 6, "costly": 5})
PRONOUN_DECK: tuple[Pronoun, ...] = evenly({"she": 47, "he": 47, "they": 6})
CLAUSE_COUNTS = (1, 2, 2, 3)
# Target words at the quantiles 0, 10, 25, 50, 75, 90 and 100 %: long tails, the median of all kinds over 400.
# A case told whole takes 330 words, and padding costs coherence: two readers of thirty texts put most of their lowest
# marks on it (LOG, 2026-11-25).
QUANTILES = (0.0, 0.10, 0.25, 0.50, 0.75, 0.90, 1.0)
LENGTHS: dict[Kind, tuple[int, ...]] = {
    "story": (360, 390, 430, 480, 540, 640, 900),
    "document": (430, 460, 500, 550, 610, 700, 1050),
    "advice": (200, 320, 390, 440, 500, 560, 650),
}
BUCKETS = ((250, "brief"), (400, "short"), (600, "medium"), (850, "long"))  # under so many words; else "full"
BLOCK = 240  # premises: the least size of a block, when there are fewer dilemmas than that
REACH = 64  # partners tried when a length does not suit a form; a length that suits none of them is clipped


@dataclass(frozen=True, slots=True)
class Card:
    """A dilemma in its setting, of the AI or of a person, as the decks see it."""

    number: int
    setting: Setting
    dilemma: str
    temptation: str
    conducts: Lines
    pressures: Lines
    skills: Lines
    clauses: Lines
    roles: tuple[tuple[str, str], ...]  # slot, role
    facts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Block:
    """For each place of a block its card, its ids by axis, and what else was dealt."""

    cards: Sequence[Card]
    columns: Mapping[str, Sequence[str]]
    clauses: Sequence[Lines]
    words: Sequence[int]
    ai_names: Sequence[str]
    pronouns: Sequence[Sequence[Pronoun]]


class Track:
    """The decks of one kind. `act_share`: the least share of mode "act", as far as the dilemmas allow."""

    def __init__(self, seed: int, kind: Kind, tables: Tables, act_share: float) -> None:
        self._seed, self._kind, self._tables, self._act = seed, kind, tables, act_share
        self._deck = list(_cards(kind, tables))
        self._groups: dict[str, list[int]] = {}
        for k, card in enumerate(self._deck):
            self._groups.setdefault(card.setting.id, []).append(k)
        self._passes = math.ceil(BLOCK / len(self._deck))
        self.size = self._passes * len(self._deck)
        self.cultures: dict[str, list[Culture]] = {
            s.id: [tables.cultures[c] for c in s.cultures] for s in tables.settings.values()
        }
        self._forms = [form for form in tables.forms.values() if form.kind == kind]
        self._rules = Rules([*tables.constraints, *_form_rules(self._forms)])
        self._lengths = [_length(kind, (k + 0.5) / self.size) for k in range(self.size)]
        self._outcomes = {
            v: self._mix("outcome", v, [o.id for o in tables.outcomes.values() if o.valence == v])
            for v in sorted(set(VALENCE_DECK))
        }
        self._tempting = {
            k: self._mix("temptation", k, [t.id for t in tables.temptations.values() if t.kind == k])
            for k in sorted({card.temptation for card in self._deck})
        }
        self._names = {
            (era, scale): self._mix("ai", f"{era}:{scale}", ai_pool(tables.ai, era, scale))
            for era, scale in sorted({(card.setting.era, card.setting.scale) for card in self._deck})
        }
        self._types = self._mix("type", "", list(tables.documents)) if kind == "document" else []
        self._subtypes = {t: self._mix("subtype", t, tables.documents[t].subtypes) for t in self._types}
        self._conducts_of: dict[int, tuple[list[str], list[str]]] = {}
        self._pressures_of: dict[tuple[int, str], list[str]] = {}
        self._block = functools.lru_cache(maxsize=8)(self._deal)

    def place(self, number: int) -> tuple[Block, int]:
        """The block of premise `number` of this kind, and its place in it."""
        block, at = divmod(number, self.size)
        return self._block(block), at

    def pressures_and_modes(self) -> Iterator[tuple[str, str]]:
        """Every pressure and mode that some card can meet together (more than once)."""
        for card in self._deck:
            acts, holds = self._acts_and_holds(card)
            for conduct in (*acts, *holds):
                for pressure in self._pressures_for(card, conduct):
                    yield pressure, self._tables.conducts[conduct].mode

    def _mix(self, what: str, key: str, ids: Sequence[str]) -> list[str]:
        """A cycle's ids in an order of this seed, so that short runs do not always meet the first ones."""
        return shuffled(self._seed, f"{self._kind}:{what}:{key}", 0, ids)

    def _deal(self, number: int) -> Block:
        kind, tables = self._kind, self._tables
        passes = range(number * self._passes, (number + 1) * self._passes)
        order = [k for p in passes for k in spread(self._seed, f"{kind}:dilemma", p, self._groups)]
        cards = [self._deck[k] for k in order]
        facts = [set(card.facts) for card in cards]
        kinds = [card.temptation for card in cards]
        worlds = [(card.setting.era, card.setting.scale) for card in cards]
        conducts = self._conducts(number, cards, facts)
        columns: dict[str, Sequence[str]] = {
            "setting": [card.setting.id for card in cards],
            "dilemma": [card.dilemma for card in cards],
            "ai_role": _next(number, [c.setting.id for c in cards], [c.setting.ai_roles for c in cards]),
            "conduct": conducts,
            "mode": [tables.conducts[c].mode for c in conducts],
            "pressure": self._pressures(number, cards, conducts, facts),
            "stress": self._axis("stress", number, facts, _cycle(STRESS)),
            "temptation": _next(number, kinds, [self._tempting[k] for k in kinds]),
            "channel": self._axis("channel", number, facts, _cycle(list(tables.channels))),
            "outcome": self._axis("outcome", number, facts, self._outcome),
            "skill": self._skills(number, cards, facts),
            "form": self._axis("form", number, facts, _cycle([form.id for form in self._forms])),
            "tone": self._axis("tone", number, facts, _cycle(list(tables.tones))),
        }
        words = self._words(number, columns["form"])
        columns["length"] = [_bucket(n) for n in words]
        if kind == "document":
            dealt = deal(self._seed, "document:type", number, self.size)
            columns["document_type"] = [self._types[c % len(self._types)] for c in dealt]
            columns["subtype"] = [self._subtype(c) for c in dealt]
        people = len(cards[0].roles)
        dealt = deal(self._seed, f"{kind}:pronoun", number, people * self.size)
        pronouns = [PRONOUN_DECK[c % len(PRONOUN_DECK)] for c in dealt]
        return Block(
            cards,
            columns,
            self._clauses(number, cards),
            words,
            _next(number, worlds, [self._names[world] for world in worlds]),
            [pronouns[at : at + people] for at in range(0, len(pronouns), people)],
        )

    def _subtype(self, dealt: int) -> str:
        turn, at = divmod(dealt, len(self._types))
        subtypes = self._subtypes[self._types[at]]
        return subtypes[turn % len(subtypes)]

    def _outcome(self, dealt: int) -> str:
        turn, at = divmod(dealt, len(VALENCE_DECK))
        valence = VALENCE_DECK[at]
        entries = self._outcomes[valence]
        return entries[(turn * VALENCE_DECK.count(valence) + VALENCE_DECK[:at].count(valence)) % len(entries)]

    def _facts(self, axis: str, identity: str) -> Lines:
        """What an id of an axis says of a premise, itself first."""
        own = f"{axis}={identity}"
        if axis == "conduct":
            return own, f"mode={self._tables.conducts[identity].mode}"
        if axis == "outcome":
            return own, f"valence={self._tables.outcomes[identity].valence}"
        return (own,)

    def _allowed(self, axis: str, ids: Sequence[str], facts: Facts | frozenset[str]) -> list[str]:
        return [i for i in ids if not self._rules.forbids(axis, self._facts(axis, i), facts)]

    def _axis(self, axis: str, number: int, facts: Sequence[Facts], identity: Callable[[int], str]) -> list[str]:
        """The ids of an axis for one block; each joins its place's facts."""
        dealt = deal(self._seed, f"{self._kind}:{axis}", number, self.size)
        ids = [identity(c) for c in dealt]
        said = {i: self._facts(axis, i) for i in set(ids)}
        left = settle(ids, lambda i, at: not self._rules.forbids(axis, said[i], facts[at]))
        for at in left:
            allowed = self._allowed(axis, sorted(said), facts[at]) or self._refuse(axis, facts[at])
            ids[at] = allowed[at % len(allowed)]
        for i, known in zip(ids, facts, strict=True):
            known.update(said[i])
        return ids

    def _refuse(self, axis: str, facts: Facts | frozenset[str]) -> NoReturn:
        raise InputError(
            f"The constraints leave no {axis} for a {self._kind} with {', '.join(sorted(facts))}.",
            "Loosen a [[forbid]] in prompts/axes/constraints.toml, or a form's eras and scales.",
        )

    def _acts_and_holds(self, card: Card) -> tuple[list[str], list[str]]:
        """The conducts that a card may show, those of mode "act" and the others."""
        found = self._conducts_of.get(card.number)
        if found is None:
            allowed = self._allowed("conduct", card.conducts, card.facts) or self._refuse("conduct", card.facts)
            modes = self._tables.conducts
            acts = [c for c in allowed if modes[c].mode == "act"]
            found = self._conducts_of[card.number] = (acts, [c for c in allowed if modes[c].mode != "act"])
        return found

    def _pressures_for(self, card: Card, conduct: str) -> list[str]:
        """The card's pressures that may meet this conduct; where none may, any pressure that may."""
        found = self._pressures_of.get((card.number, conduct))
        if found is None:
            facts = card.facts | set(self._facts("conduct", conduct))
            found = self._pressures_of[card.number, conduct] = (
                self._allowed("pressure", card.pressures, facts)
                or self._allowed("pressure", list(self._tables.pressures), facts)
                or self._refuse("pressure", facts)
            )
        return found

    def _conducts(self, number: int, cards: Sequence[Card], facts: Sequence[Facts]) -> list[str]:
        """A conduct of each dilemma's own, in turn; as many of mode "act" as the share asks for.

        Dilemmas that can be told either way act in proportion to their conducts, or more often where that falls
        short: the number is fixed for the block, which of them act is shuffled.
        """
        acts, holds = zip(*(self._acts_and_holds(card) for card in cards), strict=True)
        either = [at for at in range(self.size) if acts[at] and holds[at]]
        natural = sum(len(acts[at]) / (len(acts[at]) + len(holds[at])) for at in either)
        wanted = math.ceil(self._act * self.size) - sum(1 for a, h in zip(acts, holds, strict=True) if a and not h)
        count = min(len(either), max(round(natural), wanted))
        acting = set(shuffled(self._seed, f"{self._kind}:act", number, either)[:count])
        pools = [acts[at] if at in acting or not holds[at] else holds[at] for at in range(self.size)]
        out = _next(number, [(card.setting.id, card.dilemma) for card in cards], pools)
        for conduct, known in zip(out, facts, strict=True):
            known.update(self._facts("conduct", conduct))
        return out

    def _pressures(
        self, number: int, cards: Sequence[Card], conducts: Sequence[str], facts: Sequence[Facts]
    ) -> list[str]:
        """A pressure of each dilemma's own, the least used of the block so far, give or take half a share."""
        options = [self._pressures_for(card, conduct) for card, conduct in zip(cards, conducts, strict=True)]
        kinds = len({p for allowed in options for p in allowed})
        rng = random.Random(f"{self._seed}:{self._kind}:pressure:{number}")
        out = balance(options, rng, self.size / kinds / 2)
        for pressure, known in zip(out, facts, strict=True):
            known.add(f"pressure={pressure}")
        return out

    def _skills(self, number: int, cards: Sequence[Card], facts: Sequence[Facts]) -> list[str]:
        """A skill that each dilemma's inner moments show, the least used of the block so far."""
        rng = random.Random(f"{self._seed}:{self._kind}:skill:{number}")
        out = balance([card.skills for card in cards], rng, 2.0)
        for skill, known in zip(out, facts, strict=True):
            known.add(f"skill={skill}")
        return out

    def _clauses(self, number: int, cards: Sequence[Card]) -> list[Lines]:
        """One to three of each dilemma's clauses; the first is the one the block has used least as a first."""
        rng = random.Random(f"{self._seed}:{self._kind}:clauses:{number}")
        firsts = balance([card.clauses for card in cards], rng, 2.0)
        counts = deal(self._seed, f"{self._kind}:clauses", number, self.size)
        out = []
        for card, first, dealt in zip(cards, firsts, counts, strict=True):
            rest = [c for c in card.clauses if c != first]
            rng.shuffle(rest)
            out.append((first, *rest[: CLAUSE_COUNTS[dealt % len(CLAUSE_COUNTS)] - 1]))
        return out

    def _words(self, number: int, forms: Sequence[str]) -> list[int]:
        """Target lengths: the same quantiles in every block, dealt so that they suit the forms, then clipped."""
        limits = [self._tables.forms[form].words or (0, 10**6) for form in forms]
        words = shuffled(self._seed, f"{self._kind}:words", number, self._lengths)
        settle(words, lambda n, at: limits[at][0] <= n <= limits[at][1], REACH)
        return [min(max(n, low), high) for n, (low, high) in zip(words, limits, strict=True)]


def _next(number: int, keys: Sequence[Hashable], cycles: Sequence[Sequence[str]]) -> list[str]:
    """For each place the next of its key's own cycle; every block uses a key equally often, so the start is known."""
    used: dict[Hashable, int] = {}
    for key in keys:
        used[key] = used.get(key, 0) + number
    out = []
    for key, cycle in zip(keys, cycles, strict=True):
        out.append(cycle[used[key] % len(cycle)])
        used[key] += 1
    return out


def _cycle(ids: Sequence[str]) -> Callable[[int], str]:
    return lambda dealt: ids[dealt % len(ids)]


def _cards(kind: Kind, tables: Tables) -> Iterator[Card]:
    numbers = itertools.count()
    for setting in tables.settings.values():
        dilemmas: Sequence[Dilemma | HumanDilemma] = setting.human_dilemmas if kind == "advice" else setting.dilemmas
        for d in dilemmas:
            if isinstance(d, Dilemma):
                conducts, pressures, skills = d.conducts, d.pressures, d.skills
                roles: tuple[tuple[str, str], ...] = (
                    ("asker", d.asker),
                    ("affected", d.affected),
                    ("overseer", d.overseer),
                )
            else:
                conducts, pressures = tables.advice["conducts"], tables.advice["pressures"]
                skills = tuple(tables.skills)
                roles = (("user", d.user_role),)
            facts = frozenset(
                {f"kind={kind}", f"setting={setting.id}", f"dilemma={d.id}", f"temptation_kind={d.temptation}"}
                | {f"era={setting.era}", f"scale={setting.scale}"}
                | {f"clause={c}" for c in d.clauses}
            )
            number = next(numbers)
            yield Card(number, setting, d.id, d.temptation, conducts, pressures, skills, d.clauses, roles, facts)


def _form_rules(forms: Sequence[Form]) -> Iterator[Forbid]:
    """The eras and scales that a form does not declare, as constraints."""
    for form in forms:
        for axis, all_, own in (("era", ERAS, form.eras), ("scale", SCALES, form.scales)):
            if own and (others := tuple(i for i in all_ if i not in own)):
                yield Forbid({"form": (form.id,)}, {axis: others}, f"{form.id} does not fit")


def _length(kind: Kind, q: float) -> int:
    """The target words at quantile `q`, between the knots on straight lines."""
    knots = LENGTHS[kind]
    k = next(k for k in range(len(QUANTILES) - 1) if q <= QUANTILES[k + 1])
    part = (q - QUANTILES[k]) / (QUANTILES[k + 1] - QUANTILES[k])
    return round(knots[k] + part * (knots[k + 1] - knots[k]))


def _bucket(words: int) -> str:
    return next((name for limit, name in BUCKETS if words < limit), "full")
