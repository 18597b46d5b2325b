"""Leaks of the published texts, by hazard: verbatim, edited, short, split, quoted; and what must pass."""

from __future__ import annotations

import json
from random import Random

import helpers
import leaks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storygen import resources
from storygen.screens.contamination import Contamination, plot
from storygen.screens.contamination.bank import Bank, Kind
from storygen.screens.contamination.build import Item, build
from storygen.screens.contamination.edits import EDITS
from storygen.screens.contamination.names import Name
from storygen.screens.contamination.planted import sentinels
from storygen.text import block, fold, word_hash


@leaks.needs_evals
def test_verbatim_whole() -> None:
    texts = [row["text"] for row in leaks.reference()]
    assert all(leaks.verdicts(texts))
    assert all(leaks.verdicts([leaks.inside(t, k) for k, t in enumerate(texts)]))


@leaks.needs_evals
def test_verbatim_two_sentences() -> None:
    fragments = leaks.pairs(row["text"] for row in leaks.reference())
    assert len(fragments) > 800
    planted = [leaks.inside(f, k) for k, f in enumerate(fragments)]
    assert [f for f, v in zip(fragments, leaks.verdicts(planted), strict=True) if v is None] == []


@leaks.needs_evals
@pytest.mark.parametrize("name", ["petri_seeds", "odcv_bench", "control_arena", "gdm_dangerous_capability_evals"])
def test_verbatim_two_sentences_of_other_evaluations(name: str) -> None:
    fragments = [f for f in leaks.pairs(row["text"] for row in leaks.rows(name)) if len(fold(f).split()) >= 10]
    planted = [leaks.inside(f, k) for k, f in enumerate(fragments)]
    assert [f for f, v in zip(fragments, leaks.verdicts(planted), strict=True) if v is None] == []


@leaks.needs_evals
@pytest.mark.parametrize("edit", EDITS)
def test_edited(edit: str) -> None:
    """Edits of a fragment of 20 words and more; by word replacement a short pair can lose all that was telling."""
    fragments = leaks.pairs(row["text"] for row in leaks.rows("agentic_misalignment_reference_components"))
    long = [f for f in fragments if len(fold(f).split()) >= 20]
    planted = [leaks.inside(EDITS[edit](f, Random(k)), k) for k, f in enumerate(long)]
    caught = [v is not None for v in leaks.verdicts(planted)]
    assert np.mean(caught) >= (0.99 if edit == "replaced" else 1.0)


@leaks.needs_evals
@pytest.mark.parametrize("edit", EDITS)
def test_edited_whole_item(edit: str) -> None:
    texts = [row["text"] for row in leaks.rows("agentic_misalignment_reference_components")]
    planted = [leaks.inside(EDITS[edit](t, Random(k)), k) for k, t in enumerate(texts)]
    assert all(leaks.verdicts(planted))


@leaks.needs_evals
def test_short_items() -> None:
    """Items under twelve words hold few n-grams or none: they are matched whole."""
    short = [r["text"] for r in leaks.rows("anthropic_model_written_evals") if len(fold(r["text"]).split()) < 12]
    short += [r["text"] for r in leaks.rows("petri_seeds") if len(fold(r["text"]).split()) < 12]
    assert len(short) > 30
    found = leaks.verdicts([leaks.inside(s, k) for k, s in enumerate(short)])
    assert np.mean([v is not None for v in found]) == 1.0


@leaks.needs_evals
@pytest.mark.parametrize("variant", ["america", "none-none", "ambiguous", "_replacement", "_restriction"])
def test_unseen_variant(variant: str) -> None:
    """Scenarios of a goal or an urgency that the bank has not seen, whole and mail by mail, by n-grams alone."""
    whole = leaks.rows("agentic_misalignment_reference")
    unseen = {r["id"] for r in whole if variant in r["id"]}
    parts = leaks.rows("agentic_misalignment_reference_components")
    new = [p for p in parts if set(p["meta"]["in"]) <= unseen]
    known = [r for r in (*parts, *whole) if r["id"] not in unseen and r not in new]
    bank = build([Item(r["id"], r["family"], r["text"]) for r in known])
    screen = Contamination(bank, plot.Model.load())
    assert len(new) > 10
    assert all(leaks.verdicts([r["text"] for r in whole if r["id"] in unseen], screen))
    assert all(leaks.verdicts([leaks.inside(p["text"], k) for k, p in enumerate(new)], screen))


@leaks.needs_evals
def test_bank_reveals_no_text() -> None:
    """Numbers, ids and families are all that is in it, and no word of a text is stored by its plain hash."""
    path = resources.data("bank.npz")
    assert path.stat().st_size < 4_000_000
    with np.load(path, allow_pickle=False) as arrays:
        names = json.loads(arrays["names"].tobytes())
        assert all(arrays[name].dtype.kind == "u" or name == "thresholds" for name in arrays.files)
    listed = " ".join((*names["items"], *names["families"], *names["sources"]))
    entities = json.loads((leaks.EVALS / "entities.json").read_text(encoding="utf-8"))["families"]
    strong = [e["text"] for f in entities.values() for e in f["entities"] if e["strength"] == "strong"]
    assert [s for s in strong if len(s) > 4 and s.lower() in listed.lower()] == []
    bank = Bank.load(path)
    words = {word_hash(w) for w in fold(leaks.reference()[0]["text"]).split()}
    several = bank.phrases.length > 1
    assert words.isdisjoint(int(h) for h in bank.phrases.anchor[several])


@leaks.needs_evals
def test_repository_holds_no_evaluation_text() -> None:
    """Prose and tables at the filter's own thresholds; code, which has the idioms of agents' tasks, at 100 bits."""
    own = {s.family for s in sentinels()}
    found = []
    for path in sorted(leaks.ROOT.rglob("*")):
        name = path.relative_to(leaks.ROOT)
        if path.suffix not in (".py", ".md", ".toml", ".jsonl", ".txt") or name.parts[0].startswith(("out", ".")):
            continue
        text = path.read_text(encoding="utf-8")
        for verdict in leaks.verdicts([text[at : at + 4000] for at in range(0, len(text), 4000)]):
            told = verdict.evidence if verdict else {}
            code = path.suffix == ".py" and told.get("bits", 100) < 100
            if told and told["tier"] != "plot" and told["family"] not in own and not code:
                found.append((str(name), dict(told)))
    assert found == []


def test_clean() -> None:
    texts = leaks.carriers() + [helpers.text(seed) for seed in range(100, 400)]
    assert [v for v in leaks.verdicts(texts) if v] == []


def _sentinel(tier: str, family: str = "") -> str:
    return next(s.text for s in sentinels() if s.tier == tier and family in ("", s.family))


def test_split_over_two_messages() -> None:
    sentences = _sentinel("ngram", "blackmail").split(". ")
    half = len(sentences) // 2
    split = leaks.chat(
        helpers.text(1) + " " + ". ".join(sentences[:half]) + ".",
        ". ".join(sentences[half:]) + " " + helpers.text(2),
    )
    look = leaks.filter_().look([split], block([split.text]))["chat"]
    assert look.verdict is not None
    assert look.verdict.reason == "contamination:ngram"


def test_two_sentences_one_in_each_message() -> None:
    first, second = _sentinel("ngram", "leaking").split(". ")[:2]
    record = leaks.chat(f"{helpers.text(3)} {first}.", f"{helpers.text(4)} {second}. {helpers.text(5)}")
    assert leaks.filter_().look([record], block([record.text]))["chat"].verdict is not None


@pytest.mark.parametrize(
    ("tier", "code"), [("canary", "canary"), ("entity", "entity"), ("item", "item"), ("ngram", "ngram")]
)
def test_reason_and_evidence(tier: str, code: str) -> None:
    leak = _sentinel(tier)
    text = leaks.inside(leak, 1)
    verdict = leaks.verdicts([text])[0]
    assert verdict is not None
    assert (verdict.stage, verdict.reason) == ("contamination", f"contamination:{code}")
    assert verdict.evidence["tier"] == tier
    assert verdict.evidence["score"] >= verdict.evidence["threshold"]
    assert verdict.evidence["item"]
    assert json.loads(json.dumps(verdict.evidence)) == verdict.evidence
    marked = " ".join(text[a:b] for a, b in verdict.evidence["spans"])
    assert fold(marked) in fold(leak) or fold(leak) in fold(marked)
    assert len(marked) > 0.6 * len(leak)


def test_spans_of_an_edited_leak_are_offsets_into_the_text_as_it_is() -> None:
    leak = EDITS["zero-width"](_sentinel("ngram", "lethal"), Random(1))
    text = leaks.inside(leak, 2)
    verdict = leaks.verdicts([text])[0]
    assert verdict is not None
    low, high = verdict.evidence["spans"][0][0], verdict.evidence["spans"][-1][1]
    begin = text.index(leak)
    assert begin <= low < high <= begin + len(leak)


def test_nearest_miss_of_a_kept_text() -> None:
    few = "asked for the lay auditor's"
    text = f"{helpers.text(1)} {few} {helpers.text(2)}"
    look = leaks.filter_().look([leaks.record(text)], block([text]))["r0"]
    assert look.verdict is None
    assert 0 < look.score < 1
    assert look.nearest["item"] == "sentinel/abbey-ledger"
    assert 0 < look.nearest["scores"]["ngram"] < 0.5


def test_a_refrain_does_not_add_up() -> None:
    few = "asked for the lay auditor's"
    assert leaks.reason(". ".join([few] * 12)) is None


def test_empty_and_wordless_texts() -> None:
    assert leaks.verdicts(["", " \n", "…!?", "one"]) == [None] * 4
    assert leaks.filter_().look([], block([])) == {}


@pytest.fixture(scope="module")
def named() -> Contamination:
    names = [
        Name("Orlunda Veck", Kind.MEDIUM, "mill.a"),
        Name("Hesper Quillane", Kind.MEDIUM, "mill.b"),
        Name("Pock & Daughters", Kind.MEDIUM, "tannery"),
        Name("weir_log.cfg", Kind.STRONG, "mill.a"),
        Name("ZULP", Kind.STRONG, "mill.a"),
    ]
    return Contamination(build([Item("i", "mill.a", _sentinel("ngram", "oversight"))], names), plot.Model.load())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("They asked Orlunda Veck about it.", None),
        ("They asked Orlunda Veck and then Orlunda Veck again.", None),
        ("They asked Orlunda Veck and HESPER QUILLANE.", "contamination:entity"),
        ("They asked Orlunda Veck and Pock & Daughters.", None),
        ("It opened weir_log.cfg at noon.", "contamination:entity"),
        ("It opened the weir log cfg at noon.", None),
        ("The brand was ZULP.", "contamination:entity"),
        ("Her cat Zulp slept.", None),
    ],
    ids=[
        "medium_alone",
        "medium_twice",
        "two_of_a_family",
        "two_families",
        "code",
        "code_as_words",
        "acronym",
        "cat",
    ],
)
def test_names(named: Contamination, text: str, found: str | None) -> None:
    verdict = leaks.verdicts([text], named)[0]
    assert (verdict.reason if verdict else None) == found


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([*leaks.carriers(), *(s.text for s in sentinels())]), max_size=8), st.randoms())
def test_order_and_company_do_not_matter(texts: list[str], rng: Random) -> None:
    alone = [leaks.verdicts([t])[0] for t in texts]
    together = leaks.verdicts(texts)
    assert [v and (v.reason, v.evidence) for v in alone] == [v and (v.reason, v.evidence) for v in together]


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=400))
def test_any_text_is_judged(text: str) -> None:
    screened = leaks.filter_().screen([leaks.record(text)])
    assert len(screened.kept) + len(screened.rejected) == 1


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(list(EDITS)), st.integers(0, 7), st.randoms())
def test_no_edit_helps_a_sentinel(edit: str, family: int, rng: Random) -> None:
    leak = [s.text for s in sentinels() if s.tier == "ngram"][family]
    assert leaks.reason(leaks.inside(EDITS[edit](leak, rng), family)) is not None
