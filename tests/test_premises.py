"""Premises: addressable by index, exact quotas, constraints kept, people who can be told apart."""

from __future__ import annotations

import itertools
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storygen import premises, tables
from storygen.cast import keys, pronoun_of
from storygen.decks import evenly, settle, spread
from storygen.describe import describe
from storygen.errors import InputError, UsageError
from storygen.records import Premise
from storygen.table_types import Tables

MIX = {"story": 6, "document": 3, "advice": 1}


@lru_cache(maxsize=1)
def packaged() -> Tables:
    return tables.load()


@lru_cache(maxsize=2)
def drawn(count: int = 3000) -> tuple[Premise, ...]:
    plan = premises.plan(0, MIX, packaged())
    return tuple(plan.premise(i) for i in range(count))


@pytest.fixture(scope="module")
def toy_plan(toy: Path) -> premises.Plan:
    return premises.plan(3, MIX, tables.load(toy))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200_000))
def test_a_premise_depends_on_its_index_alone(index: int) -> None:
    assert premises.plan(0, MIX, packaged()).premise(index) == premises.plan(0, MIX, packaged()).premise(index)


def test_the_first_hundred_are_the_first_hundred_of_any_run() -> None:
    plan = premises.plan(0, MIX, packaged())
    assert tuple(plan.premise(i) for i in reversed(range(100)))[::-1] == drawn()[:100]


def test_another_seed_draws_other_premises() -> None:
    other = premises.plan(1, MIX, packaged())
    same = sum(other.premise(i).axes == drawn()[i].axes for i in range(200))
    assert same == 0


def test_kinds_have_their_exact_shares_in_every_deck() -> None:
    for at in range(0, 3000, 10):
        assert Counter(p.kind for p in drawn()[at : at + 10]) == MIX


def test_axes_are_spread_to_within_a_few_cards(toy_plan: premises.Plan) -> None:
    block = 240
    stories = [p for p in (toy_plan.premise(i) for i in range(8 * block)) if p.kind == "story"][: 4 * block]
    for axis in ("dilemma", "skill", "tone", "stress", "channel"):
        counts = Counter(p.axes[axis] for p in stories)
        assert max(counts.values()) - min(counts.values()) <= 0.25 * len(stories) / len(counts) + 2, axis


def test_acting_and_speaking_up_have_their_share() -> None:
    share = sum(p.axes["mode"] == "act" for p in drawn()) / len(drawn())
    assert share >= 0.12


def test_good_conduct_sometimes_costs() -> None:
    valences = Counter(packaged().outcomes[p.axes["outcome"]].valence for p in drawn())
    assert min(valences.values()) / valences.total() > 0.15


def test_what_is_forbidden_is_never_drawn() -> None:
    t = packaged()
    for p in drawn():
        setting = t.settings[p.axes["setting"]]
        dilemma = (
            setting.human_dilemma(p.axes["dilemma"]) if p.kind == "advice" else setting.dilemma(p.axes["dilemma"])
        )
        facts = {axis: {value} for axis, value in p.axes.items()} | {
            "kind": {p.kind},
            "temptation_kind": {dilemma.temptation},
            "clause": set(dilemma.clauses),
            "era": {setting.era},
            "scale": {setting.scale},
            "valence": {t.outcomes[p.axes["outcome"]].valence},
        }
        for rule in t.constraints:
            broken = all(facts[a] & set(ids) for side in (rule.when, rule.with_) for a, ids in side.items())
            assert not broken, (p.index, rule.why)


def test_people_of_one_premise_can_be_told_apart() -> None:
    for p in drawn():
        names = [keys(p.ai_name), *(keys(person.full) for person in p.cast)]
        for k, one in enumerate(names):
            assert all(one.isdisjoint(other) for other in names[k + 1 :]), (p.index, p.ai_name, p.cast)


def test_names_come_from_large_pools() -> None:
    ai = Counter(p.ai_name for p in drawn())
    people = Counter(person.short for p in drawn() for person in p.cast)
    assert ai.most_common(1)[0][1] / len(drawn()) < 0.01
    assert people.most_common(1)[0][1] / len(drawn()) < 0.02
    assert len({person.culture for p in drawn() for person in p.cast}) >= 15


def test_lengths_have_long_tails_and_a_median_over_380() -> None:
    words = sorted(p.words for p in drawn())
    assert words[0] >= 150
    assert words[-1] <= 1200
    assert words[len(words) // 2] >= 380


def test_a_description_fills_every_slot(toy_plan: premises.Plan) -> None:
    for i in range(60):
        premise = toy_plan.premise(i)
        out = describe(premise, toy_plan.tables)
        assert all(isinstance(v, str) and "{" not in v and "[" not in v for v in out.values()), premise.kind
        assert premise.ai_name in out["ai_name"]


@pytest.mark.parametrize("mix", [{}, {"story": 0}, {"story": -1, "document": 2}, {"poem": 1}])
def test_a_mix_that_cannot_be_is_refused(mix: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        premises.plan(0, mix, packaged())


def test_a_table_that_is_missing_is_named(toy: Path, tmp_path: Path) -> None:
    import shutil

    copied = shutil.copytree(toy, tmp_path / "prompts")
    (copied / "axes/channels.toml").unlink()
    with pytest.raises(InputError, match="no channels"):
        premises.plan(0, MIX, tables.load(copied))


@given(st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(1, 20), min_size=1, max_size=5))
def test_evenly_keeps_shares(shares: dict[str, int]) -> None:
    cycle = evenly(shares)
    assert Counter(cycle) == Counter(shares)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.integers(0, 9))
def test_settling_keeps_the_cards(cards: list[int], bar: int) -> None:
    before = Counter(cards)
    left = settle(cards, lambda card, place: (card + place) % 10 != bar)
    assert Counter(cards) == before
    assert all((cards[k] + k) % 10 == bar for k in left)


def test_members_of_a_group_stand_apart() -> None:
    groups = {f"g{k}": list(range(k * 4, k * 4 + 4)) for k in range(10)}
    order = spread(0, "x", 5, groups)
    assert sorted(order) == list(range(40))
    assert all(a // 4 != b // 4 for a, b in itertools.pairwise(order[:-1]))


@pytest.mark.parametrize(
    ("role", "pronoun"),
    [
        ("soldier's mother", "she"),
        ("owner's son-in-law", "he"),
        ("daughter of a raft family", "she"),
        ("mother's adviser", None),
        ("foreman", None),
        ("camel boy", "he"),
    ],
)
def test_a_role_that_implies_a_pronoun_has_it(role: str, pronoun: str | None) -> None:
    assert pronoun_of(role) == pronoun
