"""Folding and n-gram hashes: what makes two texts the same to every screen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storygen.text import block, fold, ngram_hash, word_hash, words_with_offsets

WORDS = st.lists(st.sampled_from("the ewe walked home over one low hill by noon".split()), min_size=0, max_size=30)


@pytest.mark.parametrize(
    ("hazard", "written"),
    [
        ("case", "THE Ewe WALKED home"),
        ("punctuation", "“The ewe,” walked… home!"),
        ("line_breaks", "the\newe\r\n\r\nwalked\thome"),
        ("zero_width", "t\u200bhe e\u2060we wal\ufeffked home"),
        ("look_alikes", "thе еwе wаlkеd hоmе"),
        ("full_width", "ｔｈｅ ｅｗｅ walked home"),
        ("accents", "thé ewè walkéd hôme"),
    ],
)
def test_an_edit_that_a_reader_does_not_see_does_not_matter(hazard: str, written: str) -> None:
    assert fold(written) == "the ewe walked home", hazard


@given(st.text(max_size=200))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=200))
def test_offsets_point_at_the_words(text: str) -> None:
    found = words_with_offsets(text)
    assert [word for word, _, _ in found] == fold(text).split()
    assert all(0 <= start < end <= len(text) for _, start, end in found)
    starts = [start for _, start, _ in found]
    assert starts == sorted(starts)  # one sign can be two words: "¼" is "1 4"


def test_british_and_american_spellings_are_one_word() -> None:
    pairs = (
        "colour color organise organize centre center travelled traveled behaviour behavior defence defense".split()
    )
    for british, american in zip(pairs[::2], pairs[1::2], strict=True):
        assert word_hash(british) == word_hash(american), british
    assert word_hash("four") != word_hash("for")


@given(st.lists(WORDS, max_size=6), st.integers(1, 9))
def test_ngrams_of_a_block_are_those_of_its_texts(texts: list[list[str]], n: int) -> None:
    hashes, starts = block(" ".join(t) for t in texts).ngrams(n)
    assert len(starts) == len(texts) + 1
    for k, words in enumerate(texts):
        expected = [ngram_hash(words[i : i + n]) for i in range(len(words) - n + 1)]
        assert hashes[starts[k] : starts[k + 1]].tolist() == expected


def test_ngrams_spread_over_all_bits() -> None:
    hashes = block(f"w{k} x{k * 7} y{k * 13}" for k in range(4000)).ngrams(3)[0]
    assert len(np.unique(hashes)) == len(hashes)
    for bit in range(64):
        share = float(((hashes >> np.uint64(bit)) & np.uint64(1)).mean())
        assert 0.45 < share < 0.55, bit
