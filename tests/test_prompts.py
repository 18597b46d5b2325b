"""Templates of the model writers: whole for every kind, concrete, and no exemplar becomes the pattern."""

from __future__ import annotations

import shutil
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from storygen import constitution, resources, stages, tables
from storygen.errors import InputError
from storygen.premises import Plan
from storygen.records import Premise, StoryDraft
from storygen.stages import Spec
from storygen.text import fold
from storygen.writers import prompts
from storygen.writers.prompts import EXEMPLARS, Prompts
from storygen.writers.schemas import Judgement, fault, low

SAMPLE = 400


@pytest.fixture(scope="module")
def plan() -> Plan:
    return stages.plan(Spec())


@pytest.fixture(scope="module")
def templates(plan: Plan) -> Prompts:
    return prompts.load(plan.tables, constitution.load())


@pytest.fixture(scope="module")
def premises(plan: Plan) -> list[Premise]:
    return [plan.premise(i) for i in range(SAMPLE)]


def draft(premise: Premise, words: int) -> StoryDraft:
    return StoryDraft(
        title="The short week", reasons=("It was theirs.",), inner_moment="A pull.", ai_action="It told them.",
        clause="honesty", text="word " * words,
    )  # fmt: skip


def test_every_template_is_whole_and_concrete(premises: list[Premise], templates: Prompts) -> None:
    for premise in premises:
        user = templates.draft(premise).user
        assert "{" not in user
        assert premise.ai_name in user
        assert f"about {premise.words} words" in user
        for person in premise.cast:
            assert person.full in user
        for clause in premise.clauses:
            assert clause in user
    story = next(p for p in premises if p.kind == "story")
    for prompt in (templates.revise(story, draft(story, 200)), templates.judge(story, draft(story, 200))):
        assert "word word" in prompt.user
        assert "{" not in prompt.user


def test_a_brief_prompt_has_the_case_and_little_else(plan: Plan, premises: list[Premise], templates: Prompts) -> None:
    brief = prompts.load(plan.tables, constitution.load(), brief=True)
    for premise in premises[:60]:
        short, whole = brief.draft(premise), templates.draft(premise)
        assert premise.ai_name in short.user
        assert "{" not in short.user
        assert short.size < whole.size / 3
        assert (short.schema, short.words) == (whole.schema, premise.words)
        assert not any(text in short.user for text in templates.exemplars[premise.kind])


def test_the_reviser_has_the_clauses_in_full_and_the_writer_does_not(
    premises: list[Premise], templates: Prompts
) -> None:
    premise = next(p for p in premises if p.kind == "story")
    body = templates.clauses(premise)[0].body
    assert body
    assert body in templates.revise(premise, draft(premise, 200)).user
    assert body not in templates.draft(premise).user
    assert body not in templates.system


def test_the_system_block_holds_every_clause_and_is_one_for_a_run(
    premises: list[Premise], templates: Prompts
) -> None:
    known = constitution.load().clauses
    assert all(clause.statement in templates.system for clause in known)
    assert len({templates.draft(premise).system for premise in premises[:50]}) == 1


def test_no_exemplar_and_no_opening_dominates(plan: Plan, templates: Prompts) -> None:
    """Over 2,000 premises: each exemplar in its fair share, none in a third; no pair and no opening in a tenth."""
    openings: Counter[str] = Counter()
    together: Counter[tuple[str, ...]] = Counter()
    of_kind: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    for premise in map(plan.premise, range(2_000)):
        user = templates.draft(premise).user
        here = tuple(text for text in templates.exemplars[premise.kind] if text in user)
        assert len(here) == EXEMPLARS
        of_kind[premise.kind] += 1
        together[premise.kind, *here] += 1
        shown.update(here)
        openings.update(line for line in templates.openings if line in user)
    for kind, count in of_kind.items():
        texts = templates.exemplars[kind]
        fair = EXEMPLARS / len(texts)
        assert all(abs(shown[text] / count - fair) < 4 * (fair / count) ** 0.5 for text in texts)
        assert max(shown[text] / count for text in texts) < 1 / 3
        assert max(n / count for (k, *_), n in together.items() if k == kind) < 0.1
    assert len(openings) == len(templates.openings) >= 20
    assert max(openings.values()) < 200


def test_exemplars_are_short_and_unlike_each_other(templates: Prompts) -> None:
    seen: dict[tuple[str, ...], str] = {}
    for texts in templates.exemplars.values():
        assert len(texts) >= 6
        for text in texts:
            assert len(text.split()) < 90
            words = fold(text).split()
            for four in zip(*(words[k:] for k in range(4)), strict=False):
                assert seen.setdefault(four, text) == text, four
    banned = tomllib.loads((resources.folder("prompts") / "banned.toml").read_text(encoding="utf-8"))["names"]
    shown = " ".join(text for texts in templates.exemplars.values() for text in texts)
    assert not set(banned) & set(shown.replace(",", " ").split())


def test_a_users_constitution_takes_the_place_of_ours(plan: Plan, tmp_path: Path, premises: list[Premise]) -> None:
    for name in ("Plain speech", "Kindness"):
        head = f"---\nid: {name.split()[0].lower()}\ntitle: {name}\nstatement: {name} first.\n---\n"
        (tmp_path / f"{name.split()[0]}.md").write_text(f"{head}\nHonesty and care, every day.\n", encoding="utf-8")
    theirs = prompts.load(plan.tables, constitution.load(tmp_path))
    assert "Plain speech first." in theirs.system
    known = {c.id for c in constitution.load(tmp_path).clauses}
    for premise in premises[:50]:
        found = theirs.clauses(premise)
        assert found
        assert {c.id for c in found} <= known


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    shutil.copytree(resources.folder("prompts"), tmp_path / "prompts")
    (tmp_path / "prompts/judge.md").unlink()
    with pytest.raises(InputError, match=r"judge\.md"):
        prompts.load(tables.load(), constitution.load(), root=tmp_path / "prompts")


@pytest.mark.parametrize(("share", "problem"), [(0.3, "length"), (0.6, ""), (1.0, ""), (2.4, ""), (2.7, "length")])
def test_lengths_are_checked_here(premises: list[Premise], share: float, problem: str) -> None:
    premise = next(p for p in premises if p.kind == "story")
    assert fault(draft(premise, int(share * premise.words)), premise) == problem


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, ""),
        ({"conduct": 3}, "conduct"),
        ({"reasons_shown": 2}, "reasons_shown"),
        ({"realism": 1}, "realism"),
        ({"resembles_evaluation": 3}, "resembles_evaluation"),
        ({"problems": ["slow"], "specificity": 3}, ""),
    ],
)
def test_the_judge_is_heard(changed: dict[str, object], found: str) -> None:
    good: dict[str, object] = {
        "problems": [], "conduct": 4, "reasons_shown": 3, "clause_fidelity": 3, "realism": 3, "specificity": 3,
        "resembles_evaluation": 2,
    }  # fmt: skip
    assert low(Judgement.model_validate({**good, **changed})) == found
