"""Build storygen/data/english.npz: how surprising a word is in ordinary English, alone and after the word before it.

    pip install symspellpy && python tools/english.py

Source: the unigram and bigram counts that symspellpy ships (MIT; counts from Google Books Ngrams, CC BY 3.0, crossed
with SCOWL). Only hashes and surprisals are kept. Run once; the result is in the repository.
"""

from __future__ import annotations

import importlib.resources
import math
from collections import Counter

import numpy as np

from storygen.resources import data
from storygen.screens.contamination.english import QUANTUM, key
from storygen.text import block, fold

WORDS = 45_000
PAIRS = 150_000


def counts(name: str) -> list[list[str]]:
    text = importlib.resources.files("symspellpy").joinpath(name).read_text(encoding="utf-8-sig")
    return [line.split() for line in text.splitlines()]


def main() -> None:
    single: Counter[str] = Counter()
    for word, count in counts("frequency_dictionary_en_82_765.txt"):
        single[fold(word)] += int(count)
    # The source drops apostrophes' words to a token count; give contractions the frequency that speech has.
    contractions = "dont cant wont didnt doesnt isnt im ive id ill youre youve youll theyre weve its thats"
    for word in contractions.split():
        single[word] = max(single[word], 400_000_000)
    pairs: Counter[tuple[str, str]] = Counter()
    for first, second, count in counts("frequency_bigramdictionary_en_243_342.txt"):
        pairs[fold(first), fold(second)] += int(count)
    total = sum(single.values())
    # The pairs' counts come from a larger edition than the words': norm by what follows a word, of which the list
    # holds about four fifths.
    follows: Counter[str] = Counter()
    for (first, _), count in pairs.items():
        follows[first] += count
    words = [(w, -math.log2(c / total)) for w, c in single.most_common(WORDS) if " " not in w]
    after = []
    for (first, second), count in pairs.most_common(PAIRS):
        if single[first] and single[second] and " " not in first + second:
            conditional = -math.log2(count / max(single[first], follows[first] / 0.8))
            if conditional + 0.5 < -math.log2(single[second] / total):
                after.append((f"{first} {second}", conditional))
    arrays = {}
    for name, n, rows in (("word", 1, words), ("pair", 2, after)):
        hashes, _ = block(w for w, _ in rows).ngrams(n)
        keys, at = np.unique(key(hashes), return_index=True)
        bits = np.array([b for _, b in rows])[at]
        arrays |= {f"{name}_keys": keys, f"{name}_bits": np.clip(bits / QUANTUM, 0, 255).round().astype(np.uint8)}
    np.savez_compressed(data("english.npz"), **arrays)
    print({k: len(v) for k, v in arrays.items()}, data("english.npz").stat().st_size)


if __name__ == "__main__":
    main()
