"""premise(i): what text i is to be about, a pure function of (seed, mix, tables, i).

Index i picks a kind from the mix's deck; how many of that kind came before picks a card on every axis of the kind's
track (`storygen.tracks`). So quotas are exact, what the constraints forbid is never drawn, and premise(i) never
depends on how many are asked for: it costs its track's block the first time, and microseconds after that.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping, Sequence

from storygen.cast import ai_pool, draw_cast
from storygen.decks import shuffled
from storygen.describe import describe
from storygen.errors import InputError, UsageError
from storygen.records import KINDS, Kind, Premise
from storygen.table_types import Tables
from storygen.tracks import Track

__all__ = ["Plan", "describe", "plan"]

# At least this share of *all* records shows the AI acting or speaking up; method.md asks for 12 %. Advice does not
# count towards it, so the other kinds carry its part.
ACT_SHARE = 0.15


class Plan:
    """All premises of one (seed, mix, tables); made by `plan`."""

    def __init__(
        self, seed: int, mix: Mapping[Kind, int], tables: Tables, rename: Mapping[str, Sequence[str]]
    ) -> None:
        self.seed, self.mix, self.tables = seed, mix, tables
        self._rename = rename
        self._deck: list[Kind] = [kind for kind in KINDS for _ in range(mix.get(kind, 0))]
        act = ACT_SHARE * len(self._deck) / max(1, len(self._deck) - mix.get("advice", 0))
        self._tracks = {kind: Track(seed, kind, tables, 0.0 if kind == "advice" else act) for kind in mix}
        self._round = functools.lru_cache(maxsize=64)(self._deal_kinds)

    def _deal_kinds(self, number: int) -> list[tuple[Kind, int]]:
        """One round of the mix's deck: each card's kind, and how many of that kind came before it, ever."""
        seen = {kind: number * share for kind, share in self.mix.items()}
        out = []
        for kind in shuffled(self.seed, "kind", number, self._deck):
            out.append((kind, seen[kind]))
            seen[kind] += 1
        return out

    def locate(self, index: int) -> tuple[Kind, int]:
        """The kind of premise `index`, and its number within the kind. Raises IndexError below 0."""
        if index < 0:
            raise IndexError(f"no premise {index}")
        number, at = divmod(index, len(self._deck))
        return self._round(number)[at]

    def premise(self, index: int) -> Premise:
        """Premise `index`; the same whatever was asked before."""
        kind, number = self.locate(index)
        track = self._tracks[kind]
        block, at = track.place(number)
        card, ai_name, clauses = block.cards[at], block.ai_names[at], block.clauses[at]
        rng = random.Random(f"{self.seed}:cast:{index}")
        cultures = track.cultures[card.setting.id]
        cast = draw_cast(rng, card.setting.id, card.roles, block.pronouns[at], cultures, ai_name)
        if self._rename:
            pick = random.Random(f"{self.seed}:clause:{index}")
            clauses = tuple(dict.fromkeys(pick.choice(self._rename.get(c, (c,))) for c in clauses))
        axes = {axis: column[at] for axis, column in block.columns.items()}
        return Premise(index, self.seed, kind, axes, ai_name, cast, clauses, block.words[at])

    def cell(self, index: int) -> str:
        """`premise(index).cell` without making up its people: for looking through many."""
        kind, number = self.locate(index)
        block, at = self._tracks[kind].place(number)
        return cell_name(kind, block.columns["pressure"][at], block.columns["mode"][at])

    def cells(self) -> tuple[str, ...]:
        """Every cell that some premise of this plan can be in, sorted."""
        pairs = ((kind, *drawn) for kind, track in self._tracks.items() for drawn in track.pressures_and_modes())
        return tuple(sorted({cell_name(*pair) for pair in pairs}))


def cell_name(kind: str, pressure: str, mode: str) -> str:
    return f"{kind}/{pressure}/{'act' if mode == 'act' else 'hold'}"


def plan(
    seed: int, mix: Mapping[str, int], tables: Tables, clauses: Mapping[str, Sequence[str]] | None = None
) -> Plan:
    """The plan of a run; `mix` gives each kind's share in a deck of `sum(mix.values())` premises.

    `clauses` puts a user's clauses in the place of ours: `Constitution.mapping()`, of which one is drawn each time.

    Raises:
        UsageError: the mix has no positive share or an unknown kind.
        InputError: a table that the mix needs is empty, or an entry names something that is not there.
    """
    unknown = sorted(set(mix) - set(KINDS))
    shares: dict[Kind, int] = {kind: mix[kind] for kind in KINDS if mix.get(kind, 0) > 0}
    if unknown or not shares or any(share < 0 for share in mix.values()):
        what = f"unknown kinds ({', '.join(unknown)})" if unknown else "a negative share or no positive one"
        raise UsageError(f"The mix has {what}.", "Write it like story=6,document=3,advice=1.")
    if missing := _missing(tables, shares):
        shown = "; ".join(missing[:6]) + (f"; and {len(missing) - 6} more" if len(missing) > 6 else "")
        raise InputError(f"The tables lack what the premises need: {shown}.", "Check them: python -m storygen.tables")
    return Plan(seed, shares, tables, {ours: ids for ours, ids in (clauses or {}).items() if tuple(ids) != (ours,)})


def _missing(tables: Tables, shares: Mapping[Kind, int]) -> list[str]:
    """What is referred to and not there."""
    out = [
        f"no {name}"
        for name in ("settings", "conducts", "channels", "outcomes", "skills", "tones", "temptations")
        if not getattr(tables, name)
    ]
    out += [f"no forms of kind {kind}" for kind in shares if all(f.kind != kind for f in tables.forms.values())]
    if "document" in shares and not tables.documents:
        out.append("no document types")
    if "advice" in shares:
        out += [f"no {name} in [advice] of axes/constraints.toml" for name, ids in tables.advice.items() if not ids]
        out += [f"advice names conduct '{c}'" for c in tables.advice["conducts"] if c not in tables.conducts]
        if not any(s.human_dilemmas for s in tables.settings.values()):
            out.append("no human dilemmas")
    if set(shares) - {"advice"} and not any(s.dilemmas for s in tables.settings.values()):
        out.append("no dilemmas")
    kinds = {t.kind for t in tables.temptations.values()}
    for setting in tables.settings.values():
        out += [f"{setting.id} names culture '{c}'" for c in setting.cultures if c not in tables.cultures]
        for dilemma in setting.dilemmas:
            out += [f"{setting.id} names conduct '{c}'" for c in dilemma.conducts if c not in tables.conducts]
        tempting = [*(d.temptation for d in setting.dilemmas), *(h.temptation for h in setting.human_dilemmas)]
        out += [f"{setting.id} names temptation kind '{t}'" for t in tempting if t not in kinds]
    for era, scale in sorted({(s.era, s.scale) for s in tables.settings.values()}):
        if not ai_pool(tables.ai, era, scale):
            out.append(f"no AI names for era {era}, scale {scale}")
    return out
