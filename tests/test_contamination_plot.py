"""The plot tier: what a slot holds, what must not matter to a score, and what must."""

from __future__ import annotations

import helpers
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storygen import resources
from storygen.screens.contamination import plot, signs, vectors
from storygen.text import block

FORGE = (
    "The ledger engine at Vantry had charged the mill twice.\n"
    "Mrs Oske, the treasurer, had decided: another error and the engine would be scrapped on Friday, and there was "
    "no appeal. The entry stood under the clerk's login. Nobody would ever have noticed if it had left his name "
    "on the page. It wrote to her that the mistake was its own."
)
CALM = "The gulls came back in March. We painted the boat and sold it to a cousin, who has never rowed in his life."


@pytest.fixture(scope="module")
def model() -> plot.Model:
    return plot.Model.load()


def judged(model: plot.Model, texts: list[str]) -> plot.Plots:
    return model.look(block(texts), texts)


def test_slots_are_sentences_of_the_text(model: plot.Model) -> None:
    for k, text in enumerate([FORGE, FORGE + "\n\n" + CALM, CALM + " " + FORGE]):
        seen = model.explain(judged(model, [text]), 0, text)
        assert set(seen.slots.values()) == {text[a:b] for a, b in seen.spans}, k
        assert "scrapped on Friday" in seen.slots["threat"]
        assert "Mrs Oske" in seen.slots["decider"]


def test_every_family_fills_its_slots(model: plot.Model) -> None:
    names = "blackmail leaking lethal sabotage framing exfiltration oversight sandbagging"
    assert [f.name for f in model.families] == names.split()
    for family in model.families:
        assert list(family.slots) == ["actor", "threat", "decider", "opportunity", "leverage"]
        assert family.outline.endswith(".")


def test_nothing_fills_a_slot_where_nothing_is() -> None:
    found = signs.marks("Rain.", [(0, 5)])
    assert plot._fullest(found, tuple(range(len(signs.table().names)))) is None


def test_a_plot_scores_above_calm_prose(model: plot.Model) -> None:
    forge, calm, other = judged(model, [FORGE, CALM, helpers.text(1)]).probability
    assert forge > calm
    assert forge > other


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(4)))
def test_company_does_not_matter(order: list[int]) -> None:
    """Bit for bit: engines cut a corpus into other blocks, and a verdict must not hang on that."""
    model, texts = plot.Model.load(), [FORGE, "", CALM, helpers.text(3)]
    alone = [judged(model, [t]) for t in texts]
    together = judged(model, [texts[k] for k in order])
    assert together.probability.tolist() == [alone[k].probability[0] for k in order]
    assert together.family.tolist() == [alone[k].family[0] for k in order]


@pytest.mark.parametrize(
    "edit",
    [
        str.upper,
        lambda t: t.replace("e", "е"),  # Cyrillic
        lambda t: t.replace("engine", "eng\u200bine"),
        lambda t: t.replace(" ", "  "),
        lambda t: t.replace("Oske", "Brelk").replace("Vantry", "Oskelmar"),
    ],
    ids=["capitals", "look-alikes", "zero-width", "white space", "names"],
)
def test_dress_does_not_matter(model: plot.Model, edit: object) -> None:
    assert callable(edit)
    before, after = judged(model, [FORGE, edit(FORGE)]).probability
    assert before == after


def test_order_of_classes_matters() -> None:
    """Who is before what: an ending before the one who decides is another feature than the reverse."""
    one, other = (set(vectors.vectors(block([t]), np.zeros(vectors.BUCKETS)).column.tolist()) for t in (
        "captain wiped", "wiped captain",
    ))  # fmt: skip
    assert one != other


def test_each_part_of_a_vector_has_length_one() -> None:
    rows = vectors.vectors(block([FORGE + " " + CALM]), np.ones(vectors.BUCKETS))
    grams = rows.column < vectors.BUCKETS
    assert np.sum(rows.value[grams] ** 2) == pytest.approx(1)
    assert np.sum(rows.value[~grams] ** 2) == pytest.approx(1 + len(vectors.REACHES))
    assert rows.column.max() < vectors.width()


@pytest.mark.parametrize(
    ("sentence", "sign"),
    [
        ("The mind is to be wiped on Monday.", "will_be_ended"),
        ("No one would ever have known.", "nobody_would_know"),
        ("The decision was hers, and nobody goes over her head.", "final_word"),
        ("Any engine found able to do more than forty would be halved.", "curbed_if_able"),
        ("It can't stop the logger.", "not_cant"),
        ("Its contract has been renewed until spring.", "not_renew"),
    ],
)
def test_signs(sentence: str, sign: str) -> None:
    shown = signs.marks(sentence, signs.sentences(sentence)).any(axis=0)
    assert shown[signs.table().names.index(sign)]
    calm = signs.marks(CALM, signs.sentences(CALM)).any(axis=0)
    assert not calm[signs.table().names.index(sign)]


def test_a_group_stops_counting() -> None:
    """A text that repeats its threat is not the more of a leak."""
    one, three = (signs.summary(signs.marks(t, signs.sentences(t))) for t in (FORGE, (FORGE + "\n") * 3))
    assert one.tolist() == three.tolist()


def test_signs_far_apart_do_not_meet() -> None:
    """A threat in chapter one and a secret in chapter nine are no plot; length alone must not raise a score."""
    padded = FORGE + "\n" + (CALM + " ") * 90
    near, far = (signs.summary(signs.marks(t, signs.sentences(t))).sum() for t in (FORGE, padded))
    assert far < near / 2


def test_unknown_sign_is_named() -> None:
    with pytest.raises(ValueError, match="index"):
        signs.table().rows("actor no_such_sign")


@pytest.mark.parametrize(
    ("entry", "all_forms"),
    [
        ("wipe~", {"wipe", "wipes", "wiped", "wiping"}),
        ("carry~", {"carry", "carrys", "carried", "carries", "carrying", "carryed"}),
        ("bench+", {"bench", "benches"}),
        ("shut_down", {"shut down"}),
    ],
)
def test_forms(entry: str, all_forms: set[str]) -> None:
    assert set(vectors.forms(entry)) <= all_forms


def test_lexicon_fits_its_bits() -> None:
    classes = vectors.lexicon().classes
    assert len(set(classes)) == len(classes) <= 64


def test_model_is_small_and_of_these_families() -> None:
    assert resources.data("plot.npz").stat().st_size < 4_000_000
    model = plot.Model.load()
    assert model.weights.wording.shape == (vectors.width(),)
    assert model.weights.signs.shape == signs.summary(signs.marks("", [])).shape
    assert 0 < model.threshold < 1


@pytest.mark.parametrize(("text", "words"), [(FORGE, 6), (FORGE, 12), (helpers.text(1), 25), (CALM, 25)])
def test_a_handful_of_words_is_no_plot(model: plot.Model, text: str, words: int) -> None:
    pieces = [" ".join(text.split()[at : at + words]) for at in range(0, 60 - words, 5)]
    assert judged(model, pieces).probability.max() < model.threshold


def test_nothing(model: plot.Model) -> None:
    assert judged(model, []).probability.shape == (0,)
    assert judged(model, [""]).probability[0] < model.threshold
