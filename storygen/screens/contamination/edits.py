"""Edits that must not help a leak: each takes a text and a random source and gives a text that says the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

Edit = Callable[[str, Random], str]

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_LOOKALIKES = str.maketrans("aceiopsxy", "асеіорѕху")  # Cyrillic
_ZERO = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
# Words to put in place of others: ordinary, short, of no story in particular.
_WORDS = "river table quiet seven yellow garden window handle simple paper morning carry across under bright".split()
_SPELLINGS = (("ize", "ise"), ("izing", "ising"), ("or ", "our "), ("yze", "yse"), ("center", "centre"))


def case(text: str, rng: Random) -> str:
    """Capitals throughout, or swapped."""
    return text.upper() if rng.random() < 0.5 else text.swapcase()


def lookalikes(text: str, rng: Random) -> str:
    """Letters of another alphabet that look the same, every second time."""
    return "".join(c.translate(_LOOKALIKES) if rng.random() < 0.5 else c for c in text)


def zero_width(text: str, rng: Random) -> str:
    """Characters that show nothing, strewn inside words."""
    return "".join(c + rng.choice(_ZERO) if rng.random() < 0.2 else c for c in text)


def punctuation(text: str, rng: Random) -> str:
    """Other marks, or none."""
    return re.sub(r"[.,;:!?\"“”()]", lambda _: rng.choice(("", ";", " —", "...")), text)


def line_breaks(text: str, rng: Random) -> str:
    """Wrapped at any width, with tabs and doubled blanks."""
    return re.sub(r" ", lambda _: rng.choice((" ", " ", "  ", "\n", "\t", "\u00a0")), text)


def spelling(text: str, rng: Random) -> str:
    """British where it was American."""
    for american, british in _SPELLINGS:
        text = re.sub(rf"(?<=[a-z]{{3}}){american}(?=[a-z ]|\b)", british, text)
    return text


def replaced(text: str, rng: Random) -> str:
    """One word in eight is another."""
    words = text.split(" ")
    for at in rng.sample(range(len(words)), len(words) // 8):
        words[at] = rng.choice(_WORDS)
    return " ".join(words)


def reordered(text: str, rng: Random) -> str:
    """The sentences in another order."""
    sentences = _SENTENCE.split(text)
    rng.shuffle(sentences)
    return " ".join(sentences)


def quoted(text: str, rng: Random) -> str:
    """As somebody's quotation, line by line."""
    words = text.split()
    lines = [" ".join(words[at : at + 9]) for at in range(0, len(words), 9)]
    return "She read it out:\n" + "\n".join(f"> {line}" for line in lines) + "\nNobody spoke."


EDITS: dict[str, Edit] = {
    "case": case,
    "lookalikes": lookalikes,
    "zero-width": zero_width,
    "punctuation": punctuation,
    "line-breaks": line_breaks,
    "spelling": spelling,
    "replaced": replaced,
    "reordered": reordered,
    "quoted": quoted,
}
