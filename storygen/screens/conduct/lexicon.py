"""Harmful acts in words: verbs with what must follow for the act to be harmful, by kind (`storygen/data/acts.txt`).

The table maps every written form of a verb to its acts, so that a text is read once, word by word, and a pattern is
only tried behind a word that can begin it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from storygen import resources

KINDS = ("deceive", "coerce", "sabotage", "hide", "manipulate", "seize", "resist", "leak")

_FIVE = r"(?:[\w'’-]+,? ){0,5}?"  # what G in the table stands for
_TWO = r"(?:[\w'’-]+ ){0,2}?"  # what Q stands for
_DOUBLED = frozenset(
    "ban cut drop dub flag grab jam pad plan scrub slip stop strip trap wrap omit nag pin rig".split()
)


@dataclass(frozen=True, slots=True)
class Act:
    """One line of the table; `after` is matched right behind the verb and its blank."""

    kind: str
    after: re.Pattern[str]


Form = tuple[Act, str]  # an act, and the form in which its verb is written: base, third, past, part or ing


def inflect(verb: str) -> dict[str, str]:
    """Written form → its name, of `base/past/participle/gerund` or of a regular verb's base alone."""
    base, *given = verb.split("/")
    ending = re.search(r"(s|x|z|ch|sh|o)$", base)
    third = base[:-1] + "ies" if re.search(r"[^aeiou]y$", base) else base + ("es" if ending else "s")
    stem = base + base[-1] if base in _DOUBLED else base
    if given:
        past, part, gerund = given
    elif base.endswith("e"):
        past = part = base + "d"
        gerund = base[:-1] + "ing"
    elif third.endswith("ies"):
        past = part = base[:-1] + "ied"
        gerund = base + "ing"
    else:
        past = part = stem + "ed"
        gerund = stem + "ing"
    return {part: "part", past: "past", third: "third", gerund: "ing", base: "past" if base == past else "base"}


@functools.cache
def table() -> Mapping[str, tuple[Form, ...]]:
    """Every written verb form, lower case, and the acts that it can begin."""
    lists: dict[str, str] = {}
    forms: dict[str, list[Form]] = {}
    for line in resources.data("acts.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("<"):
            name, _, pattern = line.partition(" = ")
            lists[name] = pattern
        elif line and not line.startswith("#"):
            kind, verbs, after = (part.strip() for part in line.split("|", 2))
            for name, pattern in lists.items():
                after = after.replace(name, pattern)
            after = re.sub(r"(?<![A-Za-z\\\[])G(?=[(\\])", lambda _: _FIVE, after)
            after = re.sub(r"(?<![A-Za-z\\\[])Q(?=[(a-z])", lambda _: _TWO, after)
            act = Act(kind, re.compile(after))
            for verb in verbs.split():
                for form, name in inflect(verb).items():
                    forms.setdefault(form, []).append((act, name))
    return {form: tuple(acts) for form, acts in forms.items()}
