"""Diversity figures: each moves the way it should on corpora made to move it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from storygen import diversity
from storygen.diversity import Text

WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("l", "n", "rk", "st", "m")]


def corpus(count: int, seed: int = 0, prefix: str = "", words: int = 200) -> list[Text]:
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        text = prefix + " ".join(rng.choices(WORDS, k=words)).capitalize() + "."
        out.append(Text("story", text, words, {"form": rng.choice(["log", "letter"])}))
    return out


def value(figures: diversity.Figures, name: str) -> float:
    return next(f.value for f in figures.figures if f.name.startswith(name))


def test_same_corpus_same_figures() -> None:
    assert diversity.measure(corpus(60), 3) == diversity.measure(corpus(60), 3)


def test_a_shared_run_is_found_and_quoted() -> None:
    figures = diversity.measure(corpus(80) + corpus(20, 1, "The seven brown owls of the north sat down at once "))
    worst = next(f for f in figures.figures if "8-word run" in f.name)
    assert worst.value == pytest.approx(0.2)
    assert "seven brown owls" in worst.worst[0]
    assert worst.grade == "bad"


def test_a_shared_opening_is_counted() -> None:
    figures = diversity.measure(corpus(90) + corpus(10, 1, "Once upon a time there "))
    assert value(figures, "records with the commonest 5-word opening") == pytest.approx(0.1)


def test_a_name_in_many_records_is_named() -> None:
    texts = corpus(70) + [Text("story", f"{t.text} and then Oriole spoke.", 200, {}) for t in corpus(30, 2)]
    figure = next(f for f in diversity.measure(texts).figures if "commonest name" in f.name)
    assert figure.value == pytest.approx(0.3)
    assert figure.worst[0].startswith("Oriole")


def test_repetition_raises_ratios_and_lowers_distinct_and_vendi() -> None:
    varied, repeated = diversity.measure(corpus(100)), diversity.measure(corpus(5) * 20)
    assert value(repeated, "gzip") > value(varied, "gzip")
    assert value(repeated, "zstd") > 2 * value(varied, "zstd")
    assert value(repeated, "distinct-4") < value(varied, "distinct-4")
    assert value(repeated, "Vendi") < value(varied, "Vendi")
    assert value(repeated, "Self-BLEU") > value(varied, "Self-BLEU")
    assert value(repeated, "self-repetition") > value(varied, "self-repetition")


def test_self_bleu_of_copies_is_one_and_of_strangers_is_low() -> None:
    assert diversity._self_bleu([["a", "b", "c", "d", "e"]] * 4) == pytest.approx(1.0)
    assert diversity._self_bleu([[f"w{i}{k}" for i in range(9)] for k in range(4)]) < 0.2


def test_vendi_counts_distinct_texts() -> None:
    texts = [[f"word{k}", f"other{k}", f"third{k}"] for k in range(20)]
    assert diversity._vendi(texts) == pytest.approx(20, rel=0.1)
    assert diversity._vendi([*texts[:1]] * 19 + texts[1:2]) < 2


def test_tokens_and_axes_are_exact() -> None:
    figures = diversity.measure(corpus(50))
    assert figures.tokens["story"] == {"records": 50, "words": 10_000, "tokens": 13_300}
    assert sum(figures.axes["form"].values()) == 50


def test_an_empty_corpus_has_no_figures() -> None:
    assert diversity.measure([]).figures == ()


def test_files_of_any_shape(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    rows = [
        {"text": "One plain text, quite short."},
        {"messages": [{"role": "user", "content": "Hello there."}, {"role": "assistant", "content": "Good day."}]},
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    figures = diversity.of_files([path])
    assert figures.records == 2
    assert set(figures.tokens) == {"text", "chat"}
    assert "2 records" in diversity.table(figures)
    assert json.loads(diversity.to_json(figures))["records"] == 2
