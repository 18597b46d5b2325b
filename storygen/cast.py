"""Who is in a premise: names that belong to the place, told apart at a glance, and never the AI's."""

from __future__ import annotations

import functools
import itertools
import random
import unicodedata
from collections.abc import Iterator, Sequence

from storygen.errors import InputError
from storygen.records import Person, Pronoun
from storygen.table_types import AiNames, Culture, Lines

_TRIES = 40
# Roles that leave no choice of pronoun, by their head: "soldier's mother", "bride's uncle", "camel boy".
_SHE = frozenset(
    """mother grandmother daughter granddaughter sister wife widow aunt niece bride matron lady woman girl midwife
    postmistress headmistress mistress nun abbess queen princess priestess landlady washerwoman fishwife stewardess
    waitress seamstress governess""".split()
)
_HE = frozenset(
    """father grandfather son grandson brother husband widower uncle nephew bridegroom man boy fisherman craftsman
    headman chairman monk abbot king prince landlord ferryman milkman boatman herdsman""".split()
)


def pronoun_of(role: str) -> Pronoun | None:
    """The pronoun that a role implies, None for most: its first word of kin or sex that is not a possessor."""
    for word in role.replace("-", " ").split():
        if word in _SHE:
            return "she"
        if word in _HE:
            return "he"
    return None


def ai_pool(ai: AiNames, era: str, scale: str) -> Lines:
    """The names an AI can have in one era and scale, sorted, each once."""
    fitting = [names for style, names in ai.styles.items() if _fits(ai.eras.get(style, ()), era, scale)]
    return tuple(sorted({name for names in fitting for name in names}))


def _fits(listed: Lines, era: str, scale: str) -> bool:
    eras, scales = set(listed) - {"ordinary", "grand"}, set(listed) & {"ordinary", "grand"}
    return (not eras or era in eras) and (not scales or scale in scales)


@functools.lru_cache(maxsize=100_000)
def keys(name: str) -> frozenset[str]:
    """What two names of one premise may not share: whole words, and the first three letters of a word.

    Case and accents do not count, nor do words of one or two letters ("de", "bin"), unless there is no other.
    """
    flat = "".join(c for c in unicodedata.normalize("NFKD", name).casefold() if c.isalpha() or c in " -")
    words = flat.replace("-", " ").split()
    long = [w for w in words if len(w) > 2] or words
    return frozenset(long) | {w[:3] for w in long}


def draw_cast(
    rng: random.Random,
    setting: str,
    roles: Sequence[tuple[str, str]],
    pronouns: Sequence[Pronoun],
    cultures: Sequence[Culture],
    ai_name: str,
) -> tuple[Person, ...]:
    """A person for each (slot, role); `cultures` are the setting's, the first is drawn twice as often.

    Raises:
        InputError: the pools are too small for people who can be told apart.
    """
    taken = set(keys(ai_name))
    cast = []
    for (slot, role), dealt in zip(roles, pronouns, strict=True):
        pronoun = pronoun_of(role) or dealt
        tries = itertools.chain(_random(rng, cultures, pronoun), _all(rng, cultures, pronoun))
        found = next((t for t in tries if taken.isdisjoint(keys(t[1])) and taken.isdisjoint(keys(t[2]))), None)
        if found is None:
            raise InputError(
                f"The names of {', '.join(c.id for c in cultures)} are too few for a cast of {setting}.",
                "Add names that begin otherwise to the files in prompts/names.",
            )
        taken |= keys(found[1]) | keys(found[2])
        cast.append(_person(rng, slot, role, pronoun, *found))
    return tuple(cast)


def _random(rng: random.Random, cultures: Sequence[Culture], pronoun: Pronoun) -> Iterator[tuple[Culture, str, str]]:
    for _ in range(_TRIES):
        culture = cultures[max(0, int(rng.random() * (len(cultures) + 1)) - 1)]
        given = culture.given(pronoun)
        family = culture.family if culture.order != "given-only" else ()
        yield (
            culture,
            given[int(rng.random() * len(given))],
            family[int(rng.random() * len(family))] if family else "",
        )


def _all(rng: random.Random, cultures: Sequence[Culture], pronoun: Pronoun) -> Iterator[tuple[Culture, str, str]]:
    """Every combination, when luck has not helped (small pools)."""
    for culture in cultures:
        given = list(culture.given(pronoun))
        family = list(culture.family) if culture.order != "given-only" and culture.family else [""]
        rng.shuffle(given)
        rng.shuffle(family)
        yield from ((culture, g, f) for g in given for f in family)


def _person(
    rng: random.Random, slot: str, role: str, pronoun: Pronoun, culture: Culture, given: str, family: str
) -> Person:
    if not family:
        return Person(slot, role, culture.id, given, given, pronoun)
    full = f"{family} {given}" if culture.order == "family-first" else f"{given} {family}"
    short = {"given": given, "family": family, "full": full}.get(culture.address)
    if short is None:
        titles = culture.titles(pronoun)
        title = titles[int(rng.random() * len(titles))] if titles else ""
        # A title that begins with a hyphen follows the name ("-san").
        short = f"{family}{title}" if title.startswith("-") else f"{title} {family}".strip()
    return Person(slot, role, culture.id, full, short, pronoun)
