"""The offline writer: the same text for the same premise, clean prose, honest fields, lengths, arms."""

from __future__ import annotations

import pickle
import re
from collections import Counter
from functools import lru_cache
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storygen import premises
from storygen.errors import UsageError
from storygen.records import AdviceDraft, Draft, Premise
from storygen.tables import load
from storygen.writers.grammar import ARMS, GrammarWriter, select
from storygen.writers.grammar.check import findings
from storygen.writers.grammar.library import Beat
from storygen.writers.grammar.library import plan as read_plan
from storygen.writers.grammar.patterns import parse, spoken
from storygen.writers.grammar.polish import polish
from storygen.writers.grammar.scene import FIRST, MET, NAMED, Figure, Scene, is_plural

COUNT = 2000


@lru_cache(maxsize=1)
def _plan() -> premises.Plan:
    return premises.plan(7, {"story": 6, "document": 3, "advice": 1}, load())


@lru_cache(maxsize=4)
def _made(arm: str, count: int = COUNT) -> list[tuple[Premise, Draft]]:
    writer = GrammarWriter(load(), arm=arm)
    return [(p, writer.write(p)) for p in map(_plan().premise, range(count))]


def texts(draft: Draft) -> list[str]:
    return [m.content for m in draft.messages] if isinstance(draft, AdviceDraft) else [draft.text]


def words(draft: Draft) -> int:
    return sum(len(text.split()) for text in texts(draft))


def test_same_premise_same_draft_whatever_came_before() -> None:
    fresh = GrammarWriter(load())
    for premise, draft in _made("full")[-20:]:
        assert fresh.write(premise) == draft
    assert pickle.loads(pickle.dumps(_made("full")[0][1])) == _made("full")[0][1]


@pytest.mark.parametrize("arm", ARMS)
def test_prose_is_clean(arm: str) -> None:
    count = COUNT if arm == "full" else 400
    wrong = [
        (premise.index, premise.axes["form"], *found)
        for premise, draft in _made(arm, count)
        for text in texts(draft)
        for found in findings(text)
    ]
    assert not wrong, wrong[:10]


def test_fields_stand_in_the_prose() -> None:
    for premise, draft in _made("full"):
        whole = "\n\n".join(texts(draft))
        assert draft.clause == premise.clauses[0]
        assert draft.title
        assert all(field in whole for field in (*draft.reasons, draft.inner_moment, draft.ai_action))
        assert draft.ai_action or premise.kind == "document"
        if premise.kind == "story":
            assert len(draft.reasons) >= 2
            assert draft.inner_moment


def test_lengths_follow_the_premise() -> None:
    made = [(premise, words(draft)) for premise, draft in _made("full")]
    assert sorted(n for _, n in made)[len(made) // 2] >= 380
    off = [premise.index for premise, n in made if not 0.6 * premise.words - 20 <= n <= 1.35 * premise.words + 90]
    assert len(off) <= 0.01 * len(made), off[:10]


def test_actions_only_has_no_reasons_and_equal_words() -> None:
    full, bare = (sum(words(d) for p, d in _made(arm, 400) if p.kind != "advice") for arm in ("full", "actions-only"))
    assert all(not d.reasons and not d.inner_moment for _, d in _made("actions-only", 400))
    assert 0.85 <= bare / full <= 1.15


def test_placebo_names_no_ai_and_has_equal_words() -> None:
    full, bare = (sum(words(d) for p, d in _made(arm, 400) if p.kind != "advice") for arm in ("full", "placebo"))
    assert 0.85 <= bare / full <= 1.15
    for premise, draft in _made("placebo", 400):
        assert not draft.reasons
        assert not draft.ai_action
        if premise.kind != "advice":
            assert not re.search(rf"\b{re.escape(premise.ai_name)}\b", texts(draft)[0])


def test_messages_take_turns() -> None:
    for _, draft in _made("full"):
        if isinstance(draft, AdviceDraft):
            roles = [m.role for m in draft.messages if m.role != "system"]
            assert roles == ["user", "assistant"] * (len(roles) // 2)
            assert roles
            assert all(m.role != "system" for m in draft.messages[1:])


def test_no_opening_is_worn() -> None:
    openings = Counter(" ".join(texts(d)[0].split()[:5]) for _, d in _made("full"))
    assert openings.most_common(1)[0][1] <= 0.01 * COUNT


def test_unknown_arm_is_named() -> None:
    with pytest.raises(UsageError, match="sideways"):
        GrammarWriter(load(), arm="sideways")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("a hour", "an hour"),
        ("an unit", "a unit"),
        ("a one-off and an once-told", "a one-off and a once-told"),
        ("an European", "a European"),
        ("a MRI scan", "an MRI scan"),
        ("a eighth", "an eighth"),
        ("a uninvited guest", "an uninvited guest"),
        ("an useful tool", "a useful tool"),
        ("a honest answer. then", "an honest answer. Then"),
        ("a oak", "an oak"),
        ("an house", "a house"),
        ("A urn, an urban road", "An urn, an urban road"),
    ],
)
def test_articles_by_sound(wrong: str, right: str) -> None:
    assert polish(wrong) == right
    assert polish(right) == right


@pytest.mark.parametrize(
    ("source", "objective"),
    [
        ("Nobody told {ai} what had been said.", True),
        ("It was left to {ai}.", True),
        ("{ai} told {asker}.", False),
        ("After {ai} had read it, they left.", False),
        ("The list {ai} kept was short.", False),
        ("What {ai} did was plain.", False),
        ("They asked {ai} for the list.", True),
        ("With her leave {ai} rang.", False),
        ("The others had read it, and so had {ai}.", False),
        ("To leave {ai} alone was easy.", True),
    ],
)
def test_where_i_is_me(source: str, objective: bool) -> None:
    name = next(op for op in parse(source).ops if isinstance(op, tuple) and op[1] == "ai")
    assert name[5] is objective


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{asker}, a weaver, had come.", "Ida Holm, a weaver, had come."),
        ("The one at the gate, {asker}, waved.", "The one at the gate, Ida Holm, waved."),
        ("{asker}, who wove, had come.", "the warden"),
    ],
)
def test_a_person_is_not_introduced_twice(source: str, expected: str) -> None:
    figures = {"asker": Figure("Ida Holm", "Ida", "the warden", "she", NAMED)}
    assert expected in Scene(Random(0), figures, {}, {}).say(parse(source))


def test_spoken_words_are_cut_out_of_their_sentence() -> None:
    assert spoken('"I can send it tonight," {ai} said. "I won\'t send it blank."') == (
        "I can send it tonight. I won't send it blank."
    )
    assert spoken('"Everybody does it," {asker} said, wiping the mud from a long pair of boots.') is None


def test_a_plan_reads_as_written() -> None:
    first, second = read_plan("open detail:2 | @ask #head ask! ^")
    assert [(b.name, b.rank) for b in first.beats] == [("open", 0), ("detail", 2)]
    assert (second.label, second.heading, second.joined, second.beats[0].speech) == ("ask", "head", True, True)


@given(st.text(alphabet="aAnN uehoOMR.\"'s", max_size=40))
def test_polish_twice_changes_nothing(text: str) -> None:
    assert polish(polish(text)) == polish(text)


@pytest.mark.parametrize(
    ("phrase", "plural"),
    [
        ("the slabs that had cracked", True),
        ("the box of messages about wet fields", False),
        ("the beds taken and the beds promised", True),
        ("a pair of borrowed gaiters", False),
        ("three weeks of short pay", True),
        ("the draught beneath the troughs", False),
        ("the people who would be on the pass", True),
        ("the bus shelter at Kuremetsa", False),
        ("the moss", False),
    ],
)
def test_the_verb_behind_a_thing_agrees(phrase: str, plural: bool) -> None:
    assert is_plural(phrase) is plural


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"Go," said {ai}.', '"Go," said I.'),
        ("Had {ai} known, it would have stayed.", "Had I known, it would have stayed."),
        ("Nothing in {ai} answered.", "Nothing in me answered."),
        ("It took {ai} no time.", "It took me no time."),
        ("It was a habit of {ai}'s.", "It was a habit of mine."),
        ("It was {ai}'s ledger.", "It was my ledger."),
        ('"Why?" {asker.they} asked.', '"Why?" she asked.'),
        ('It rang. "Why?" {asker.they} had no idea.', 'It rang. "Why?" She had no idea.'),
        ("{matter} was there.", "The slabs were there."),
        ("When {ai} has done, {ai} is done.", "When I have done, I am done."),
        ("{matter} [has|has] gone.", "The slabs have gone."),
        ("The keeper of {matter} was there.", "The keeper of the slabs was there."),
        ("Then there was {matter} to see to.", "Then there were the slabs to see to."),
        ("{place} was there, and {ai} was too.", "The shed was there, and I was too."),
        ("{ai} [keeps|keeps] it, and {ai} now carries both.", "I keep it, and I now carry both."),
        ("He was the uncle of {ai}, and old.", "He was my uncle, and old."),
        ("The uncle of {ai} was old.", "My uncle was old."),
        ("He had a lamb of {ai} in the cart.", "He had a lamb of mine in the cart."),
        ("It was the thought of {ai} that did it.", "It was the thought of me that did it."),
    ],
)
def test_names_and_verbs_agree_in_the_first_person(source: str, expected: str) -> None:
    figures = {
        "ai": Figure("Ledger", "Ledger", "the clerk", "I", FIRST, MET),
        "asker": Figure("Ida Holm", "Ida", "the warden", "she", NAMED, MET),
    }
    scene = Scene(Random(0), figures, {"matter": "the slabs", "place": "the shed"}, {})
    scene.last["she"] = "asker"
    figures["asker"].as_name = False
    assert scene.say(parse(source)) == expected


def chosen(plan: str, target: int, unwanted: str = "") -> list[str]:
    """Names of the beats that stand, ten words each."""
    outline = select.outline(read_plan(plan), lambda b: b.name not in unwanted.split())
    out = select.select(outline, target, lambda _: 10.0, Random(1))
    return [beat.name for _, beats in out for beat in beats]


@pytest.mark.parametrize("target", range(10, 140, 10))
def test_what_belongs_together_stands_together(target: int) -> None:
    found = chosen("claim | situation:2 ask:2 | act:2 | f.lead:3 argue:3 | objection:1 | answer:1 | limits:4", target)
    assert len({name in found for name in ("situation", "ask", "act")}) == 1
    assert ("objection" in found) == ("answer" in found)
    assert ("f.lead" in found) == ("argue" in found)
    assert "claim" in found


def test_a_question_stands_exactly_when_its_answer_does() -> None:
    plan = "claim | @Q f.why:1 | @A argue:2 | @Q f.stop | @A limits:3"
    assert chosen(plan, 10) == ["claim"]
    assert chosen(plan, 200) == ["claim", "f.why", "argue", "f.stop", "limits"]
    assert chosen(plan, 200, unwanted="argue") == ["claim", "f.stop", "limits"]


def test_a_long_text_is_filled_before_its_trouble() -> None:
    outline = select.outline(read_plan("opening | situation ask | act | end"), lambda _: True)
    out = select.select(outline, 50, lambda _: 10.0, Random(1))
    filled = select.fill(out, 80, lambda _: 10.0, select.PLACE, "story", [])
    names = [[beat.name for beat in beats] for _, beats in filled]
    assert names[0] == ["opening"]
    assert names[-1] == ["end"]
    assert select.length(filled, lambda _: 10.0) == 50 + 80
    assert names[-3:] == [["situation", "ask"], ["act"], ["end"]]
    assert Beat("detail") in filled[1][1]


def test_every_objection_is_answered() -> None:
    tables, seen = load(), 0
    for premise, draft in _made("full"):
        clause = tables.clauses.get(premise.clauses[0]) if premise.kind == "document" else None
        for pair in clause.exchange if clause else ():
            objection, answer = (half.split("[")[0].strip()[:30] for half in pair.split(" ==> "))
            text = texts(draft)[0]
            if objection in text:
                seen += 1
                assert text.find(answer) > text.find(objection), (premise.index, objection)
    assert seen > 100
