"""Near-duplicates: datasketch's values, exact Jaccard, order, batches."""

from __future__ import annotations

import random

import datasketch
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storygen.records import Record
from storygen.screens import duplicates
from storygen.text import block, fold

VOCABULARY = [
    f"{a}{b}" for a in "bdfgklmnprst" for b in ("al", "en", "ir", "om", "ush", "ate", "ick", "oon", "elt", "ar")
]


def make(rng: random.Random, words: int) -> list[str]:
    return [rng.choice(VOCABULARY) for _ in range(words)]


def shingle_set(text: str) -> set[tuple[str, ...]]:
    words = fold(text).split()
    size = min(duplicates.SHINGLE, len(words))
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)} if words else set()


def truth(a: str, b: str) -> float:
    x, y = shingle_set(a), shingle_set(b)
    return len(x & y) / len(x | y) if x and y else 0.0


def edited(rng: random.Random, words: list[str], changes: int) -> list[str]:
    out = list(words)
    for at in rng.sample(range(len(out)), changes):
        out[at] = rng.choice(VOCABULARY) + "x"
    return out


def records(texts: list[str]) -> list[Record]:
    return [Record(f"story-{i:07d}", i, "story", t, {"text": t}) for i, t in enumerate(texts)]


def test_signatures_are_datasketch_values() -> None:
    rng = random.Random(1)
    texts = [" ".join(make(rng, n)) for n in (0, 1, 3, 4, 5, 6, 40, 400)]
    blocked = block(texts)
    hashes, starts = duplicates.shingles(blocked)
    ours = duplicates.signatures(blocked)
    for k in range(len(texts)):
        theirs = datasketch.MinHash(
            duplicates.PERMUTATIONS, duplicates.SEED, scheme=duplicates.SCHEME, hashfunc=lambda h: h
        )
        theirs.update_batch((hashes[starts[k] : starts[k + 1]] >> np.uint64(32)).tolist())
        assert ours[k].tolist() == np.asarray(theirs.hashvalues, np.uint64).tolist()


def test_recall_at_the_threshold_and_precision() -> None:
    """2,000 planted pairs of exact Jaccard 0.7 to 0.8: at least 98 % found, and nothing found that is not near."""
    rng = random.Random(2)
    texts, near = [], 0
    for _ in range(2000):
        words = make(rng, 160)
        texts += [" ".join(words), " ".join(edited(rng, words, rng.choice((4, 5, 6))))]
    found = {r.id: v for r, v in duplicates.screen(records(texts)).rejected}
    caught = 0
    for k in range(0, len(texts), 2):
        score = truth(texts[k], texts[k + 1])
        verdict = found.get(f"story-{k + 1:07d}")
        if score >= duplicates.THRESHOLD:
            near += 1
            caught += verdict is not None
        if verdict is not None:
            assert verdict.evidence["score"] == pytest.approx(score, abs=1e-4)
            assert score >= duplicates.THRESHOLD
    assert near > 900
    assert caught / near >= 0.98
    assert not any(int(i[-7:]) % 2 == 0 for i in found)


def test_exact_and_near_have_their_own_reasons() -> None:
    rng = random.Random(3)
    words = make(rng, 200)
    texts = [
        " ".join(words),
        " ".join(words).upper() + ".",
        " ".join(edited(rng, words, 2)),
        " ".join(make(rng, 200)),
    ]
    result = duplicates.screen(records(texts))
    assert [(r.index, v.reason, v.evidence["other"]) for r, v in result.rejected] == [
        (1, "duplicate:exact", "story-0000000"),
        (2, "duplicate:near", "story-0000000"),
    ]
    assert [r.index for r in result.kept] == [0, 3]


def corpus(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    roots = [make(rng, 60) for _ in range(max(1, count // 4))]
    return [" ".join(edited(rng, rng.choice(roots), rng.randrange(0, 6))) for _ in range(count)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.randoms(use_true_random=False))
def test_order_and_batches_do_not_matter(seed: int, count: int, shuffler: random.Random) -> None:
    texts = corpus(seed, count)
    whole = {r.index for r, _ in duplicates.screen(records(texts)).rejected}
    mixed = records(texts)
    shuffler.shuffle(mixed)
    assert {r.index for r, _ in duplicates.screen(mixed).rejected} == whole
    index, cut = duplicates.DuplicateIndex(), shuffler.randrange(count + 1)
    signed = duplicates.signatures(block(texts))
    got: set[int] = set()
    for part in (range(cut), range(cut, count)):
        if len(part):
            got |= {v[0] for v in index.add(list(part), signed[part.start : part.stop], texts.__getitem__).verdicts}
    assert got == whole


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_kept_and_rejected_are_the_input_and_screening_twice_changes_nothing(seed: int, count: int) -> None:
    given_ = records(corpus(seed, count))
    once = duplicates.screen(given_)
    assert sorted(r.index for r in (*once.kept, *(r for r, _ in once.rejected))) == list(range(count))
    again = duplicates.screen(once.kept)
    assert not again.rejected


def test_ten_thousand_alike_are_settled_without_comparing_each_with_each() -> None:
    rng = random.Random(4)
    words = make(rng, 80)
    texts = [" ".join(edited(rng, words, 1)) for _ in range(3000)]
    result = duplicates.screen(records(texts))
    assert result.kept[0].index == 0
    assert len(result.kept) < 60


def test_an_index_given_twice_is_refused() -> None:
    index = duplicates.DuplicateIndex()
    signed = duplicates.signatures(block(["one two three four five six"]))
    index.add([3], signed, lambda _: "one two three four five six")
    with pytest.raises(ValueError, match="twice"):
        index.add([3], signed, lambda _: "one two three four five six")
