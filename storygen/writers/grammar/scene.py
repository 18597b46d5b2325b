"""What is known while one text is being told: who has been met, what time it is, what has been used."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from storygen.writers.grammar.patterns import CHOICE, DAY, FULL, NAME, PRONOUN, VALUE, Op, Pattern, Pool

NAMED, FIRST, SECOND, ROLE_ONLY = range(4)
UNMET, NAMED_ONLY, MET = range(3)

_FORMS = {
    "she": ("she", "her", "her", "hers", "herself", "was", "is", "has"),
    "he": ("he", "him", "his", "his", "himself", "was", "is", "has"),
    "they": ("they", "them", "their", "theirs", "themself", "were", "are", "have"),
    "it": ("it", "it", "its", "its", "itself", "was", "is", "has"),
    "I": ("I", "me", "my", "mine", "myself", "was", "am", "have"),
    "you": ("you", "you", "your", "yours", "yourself", "were", "are", "have"),
}
_KEYS = ("they", "them", "their", "theirs", "themself", "was", "is", "has")
GRAMMAR = {pronoun: dict(zip(_KEYS, forms, strict=True)) for pronoun, forms in _FORMS.items()}
_NAME_VERBS = {"was": "was", "is": "is", "has": "has"}


@dataclass(slots=True)
class Figure:
    """One person, or the AI, as a text speaks of them. `mode` is NAMED, FIRST, SECOND or ROLE_ONLY."""

    full: str
    short: str
    role: str  # with its article: "the county ecologist"
    pronoun: str
    mode: int = NAMED
    met: int = UNMET
    as_name: bool = True  # how it was last spoken of, for the verb that follows


def _trails(phrase: str) -> bool:
    """Whether a phrase ends in an apposition ("six flat loaves, still warm") that a comma must close."""
    _, _, tail = phrase.rpartition(", ")
    return phrase.count(",") == 1 and " and " not in tail and " or " not in tail


# Slots whose phrase can be plural, and then has a plural verb behind it: "the slabs were".
_THINGS = frozenset("setting matter stake object measured hazard place elsewhere".split())
_PLURALS = {"was": "were", "is": "are", "has": "have", "does": "do", "wasn't": "weren't", "isn't": "aren't"}
_LEADING_VERB = re.compile(r"^(\s*(?:still |already |also |never |always |now )?)(was|is|has|does|wasn't|isn't)\b")
# "Ledger keeps a page for it now" of whom the text speaks as "I" or "you".
PRESENT = frozenset(
    """asks keeps reads writes tells says gives takes puts goes sends looks finds makes thinks knows wants sees hears
    holds shows lets means tries gets comes calls leaves remembers counts checks adds says begins starts rings prints
    reports answers waits works marks needs feels notices prefers uses draws sets names likes enters posts stops opens
    closes copies carries passes does""".split()
)
_PRESENT_VERB = re.compile(r"^(\s*(?:still |already |also |never |always |now |only )?)([a-z]+s)\b")
_THERE = re.compile(r"(\b[Tt]here )(was|is|has)(?: been)? $")
_GOVERNED = re.compile(
    r"\b(?:of|in|on|at|to|for|from|with|about|behind|beside|under|over|near|round|by|past|like|than|between) $", re.I
)
# "the uncle of {affected}" of whom the text speaks as "I": "my uncle"; "a word of" … : "a word of mine".
_OF = re.compile(r"\b([Tt]he|[Aa]n?|one|every|any|some) ([a-z-]+) of $")
_OBJECTS = frozenset("thought sight whole world rest front middle picture photograph likeness memory case".split())
_HEAD_ENDS = frozenset(
    """of that which who whose in on at to for with from by about into over under after before behind beside between
    against along across around near past through without where when as than left made still not down up out beneath
    upon less among since per above below""".split()
)
_IRREGULAR = frozenset("people men women children teeth feet geese mice oxen cattle police".split())
_SINGULAR_S = ("ss", "us", "is", "ics", "news", "gas", "lens")


_ENDING = re.compile(r"(?:ings?|ers?|ed|e?s|e)$")


def _stems(phrase: str) -> set[str]:
    words = re.findall(r"[^\W\d_]{4,}", phrase.lower())
    return {_ENDING.sub("", word) for word in words if word not in ("with", "whose", "from", "office", "head")}


@functools.lru_cache(maxsize=20_000)
def echoes(role: str, following: str) -> bool:
    """Whether what follows a name says its role anyway: "the estate cook", " cooked breakfast"."""
    return not _stems(role).isdisjoint(_stems(" ".join(following.split()[:5])))


@functools.lru_cache(maxsize=20_000)
def is_plural(phrase: str) -> bool:
    """Whether a noun phrase takes "were": its head, the last word before a preposition or relative, tells."""
    words = phrase.lower().split()
    head = next((k for k, w in enumerate(words) if k and (w in _HEAD_ENDS or words[k - 1].endswith(","))), len(words))
    if words[0] in ("a", "an", "one", "every", "each") or " and " in f" {' '.join(words[:head])} ":
        return words[0] not in ("a", "an", "one", "every", "each")
    last = words[head - 1].strip(",")
    if last.endswith("ed") and head > 1 and words[head - 2].endswith("s"):
        last = words[head - 2]
    return last in _IRREGULAR or (last.endswith("s") and not last.endswith(_SINGULAR_S) and not last.endswith("'s"))


def base(verb: str) -> str:
    """ "keeps" → "keep", "carries" → "carry", "passes" → "pass"."""
    if verb.endswith("ies") and len(verb) > 4:
        return verb[:-3] + "y"
    return verb[:-2] if verb.endswith(("sses", "shes", "ches", "xes", "oes")) else verb[:-1]


class Scene:
    """The state of one text. `values` are plain slots; `draws` give a new phrase every time they are asked."""

    __slots__ = (
        "draws",
        "figures",
        "known",
        "last",
        "linked",
        "narration",
        "rng",
        "tight",
        "used",
        "values",
        "verbs",
    )

    def __init__(
        self, rng: Random, figures: dict[str, Figure], values: dict[str, str], draws: Mapping[str, Callable[[], str]]
    ) -> None:
        self.rng = rng
        self.figures = figures
        self.values = values
        self.draws = draws
        self.last: dict[str, str] = {}
        self.used: dict[int, set[int]] = {}
        self.linked: dict[str, int] = {}
        self.tight = False
        self.known = frozenset((*figures, DAY))  # what a pattern may need
        self.verbs: Mapping[str, str] | None = None  # how the verb behind what was just said agrees with it

    def pick(self, pool: Pool) -> Pattern | None:
        """A pattern not used yet in this text, one that can stand here; None when the pool is spent."""
        size = len(pool)
        used = self.used.setdefault(id(pool), set())
        if len(used) >= size:
            return None
        at = int(self.rng.random() * size)
        fallback, chosen, tries = -1, -1, 0
        known = self.known
        for step in range(size):
            k = (at + step) % size
            if k in used:
                continue
            pattern = pool[k]
            missing = pattern.needs - known
            if missing and missing != {DAY}:
                continue
            if missing or (
                pattern.possessed
                and any(self.figures[p].met == UNMET for p in pattern.possessed if p in self.figures)
            ):
                if fallback < 0:
                    fallback = k
                continue
            if not self.tight:
                chosen = k
                break
            if chosen < 0 or pattern.words < pool[chosen].words:
                chosen = k
            tries += 1
            if tries == 3:
                break
        if chosen < 0:
            chosen = fallback
        if chosen < 0:
            return None
        used.add(chosen)
        return pool[chosen]

    def say(self, pattern: Pattern) -> str:
        """The pattern as a piece of text."""
        out: list[str] = []
        self.linked.clear()
        self._run(pattern.ops, out)
        text = "".join(out)
        if "  " in text:
            text = " ".join(text.split())
        return text.replace(" .", ".").replace(" ,", ",") if " ." in text or " ," in text else text

    def _run(self, ops: tuple[Op, ...], out: list[str]) -> None:
        for at_op, op in enumerate(ops, 1):
            if type(op) is str:
                out.append(self._agree(op) if self.verbs else op)
                self.verbs = self.verbs if not op.strip() else None
                continue
            kind = op[0]
            if kind == CHOICE:
                at = int(self.rng.random() * op[2])
                if op[3]:
                    at = self.linked.setdefault(op[3], at)
                self._run(op[1][at], out)
                continue
            self.verbs = None
            if kind == VALUE:
                key = op[1]
                draw = self.draws.get(key)
                text, cap = draw() if draw else self.values[key], op[2]
                if key in _THINGS and is_plural(text):
                    before = out[-1] if out else ""
                    if not _GOVERNED.search(before):  # in "the key of the stores was lost" the verb is the key's
                        self.verbs = _PLURALS
                    if _THERE.search(before):
                        out[-1] = _THERE.sub(lambda m: m[1] + _PLURALS[m[2]] + " ", before)
                if key in _THINGS and not op[3] and ", " in text and _trails(text):
                    text += ","
            elif kind == NAME:
                following = ops[at_op] if at_op < len(ops) else ""
                text, cap = self._name(op, following if type(following) is str else ""), op[2]
                figure = self.figures[op[1]]
                if figure.mode in (FIRST, SECOND) and not (op[3] or op[4]):
                    if not op[5]:
                        self.verbs = GRAMMAR[figure.pronoun]
                    elif out and (found := _OF.search(out[-1])):
                        text = self._owned(found, out, GRAMMAR[figure.pronoun], text)
            elif kind == PRONOUN:
                text, cap = self._pronoun(op), op[3]
                self.verbs = self._verbs_of(op)
            elif kind == FULL:
                figure = self.figures[op[1]]
                figure.met = MET
                figure.as_name = True
                self.last[figure.pronoun] = op[1]
                text, cap = figure.full, op[2]
            else:
                figure = self.figures[op[1]]
                plain = figure.as_name and figure.mode not in (FIRST, SECOND)
                out.append(op[2] if plain else GRAMMAR[figure.pronoun][op[2]])
                continue
            out.append(text[:1].upper() + text[1:] if cap else text)

    def _owned(self, found: re.Match[str], out: list[str], forms: Mapping[str, str], text: str) -> str:
        """What to say behind "the uncle of": nothing, where `out` now ends in "my uncle"; else "mine", or `text`."""
        article, noun = found[1], found[2]
        if noun in _OBJECTS:
            return text
        if article not in ("the", "The"):
            return forms["theirs"]
        their = forms["their"].capitalize() if article == "The" else forms["their"]
        out[-1] = f"{out[-1][: found.start()]}{their} {noun}"
        return ""

    def _agree(self, text: str) -> str:
        """`text` with the verb that it begins with agreeing with what was said before it."""
        verbs = self.verbs or {}
        if verbs.get("has") == "have":
            text = _PRESENT_VERB.sub(lambda m: m[1] + (base(m[2]) if m[2] in PRESENT else m[2]), text)
        return _LEADING_VERB.sub(lambda m: m[1] + verbs.get(m[2], m[2]), text)

    def _verbs_of(self, op: Op) -> Mapping[str, str] | None:
        """The verbs of the pronoun just said; None where it was a name, or is not a subject."""
        _, slot, form, _, quoted = op
        figure = self.figures[slot]
        spoken_of = figure.mode in (FIRST, SECOND)
        if form != "they" or (quoted and spoken_of) or (figure.as_name and not spoken_of):
            return None
        return GRAMMAR[figure.pronoun]

    def _name(self, op: Op, following: str) -> str:
        _, slot, _, owner, quoted, objective, closed, apposed = op
        figure = self.figures[slot]
        mode = figure.mode
        if quoted:
            if mode == ROLE_ONLY:
                return figure.role + "'s" if owner else figure.role
            self.last[figure.pronoun] = slot
            name = figure.short
            if figure.met == UNMET and mode == NAMED:
                figure.met = NAMED_ONLY
                name = figure.full
            return name + "'s" if owner else name
        if mode in (FIRST, SECOND):
            forms = GRAMMAR[figure.pronoun]
            owned = forms["theirs"] if closed else forms["their"]
            return owned if owner else forms["them"] if objective else forms["they"]
        self.last[figure.pronoun] = slot
        figure.as_name = True
        if mode == ROLE_ONLY:
            return figure.role + "'s" if owner else figure.role
        if figure.met == MET:
            return figure.short + "'s" if owner else figure.short
        if owner:
            return figure.role + "'s" if figure.met == UNMET else figure.short + "'s"
        name = figure.full if figure.met == UNMET else figure.short
        figure.met = MET
        end, role_first = "" if closed else ",", self.rng.random() < 0.4
        if apposed or echoes(figure.role, following):
            return name
        return f"{figure.role}, {name}{end}" if role_first else f"{name}, {figure.role}{end}"

    def _pronoun(self, op: Op) -> str:
        _, slot, form, _, quoted = op
        figure = self.figures[slot]
        if figure.mode in (FIRST, SECOND):
            if quoted:
                return figure.short + "'s" if form in ("their", "theirs") else figure.short
            return GRAMMAR[figure.pronoun][form]
        if form != "themself" and self.last.get(figure.pronoun) != slot:
            # Somebody else of the same pronoun was named last: say the name again.
            self.last[figure.pronoun] = slot
            figure.as_name = True
            name = figure.role if figure.mode == ROLE_ONLY or figure.met == UNMET else figure.short
            return name + "'s" if form in ("their", "theirs") else name
        figure.as_name = False
        return GRAMMAR[figure.pronoun][form]


_HOURS = "twelve one two three four five six seven eight nine ten eleven".split()
_PAST = ("{h}", "five past {h}", "ten past {h}", "a quarter past {h}", "twenty past {h}", "twenty-five past {h}")
_TO = ("half past {h}", "twenty-five to {n}", "twenty to {n}", "a quarter to {n}", "ten to {n}", "five to {n}")
_NEAR = ("at {t}", "at about {t}", "a little after {t}", "just before {t}", "towards {t}", "around {t}", "by {t}")


class Clock:
    """A day that only goes forward: every question moves it on by some minutes."""

    __slots__ = ("minute", "rng")

    def __init__(self, rng: Random, start: int) -> None:
        self.rng = rng
        self.minute = start

    def tick(self, least: int = 9, spread: int = 50) -> int:
        self.minute = min(self.minute + least + int(self.rng.random() * spread), 23 * 60 + 50)
        return self.minute

    def words(self) -> str:
        """ "a little after six", as an adverbial, after a tick."""
        hour, five = divmod(self.tick() // 5, 12)
        this, following = _HOURS[hour % 12], _HOURS[(hour + 1) % 12]
        base = (_PAST[five] if five < 6 else _TO[five - 6]).format(h=this, n=following)
        near = _NEAR[int(self.rng.random() * (len(_NEAR) if five in (0, 6) else 2))]
        return near.format(t=base)

    def stamp(self) -> str:
        """ "06:40", after a tick."""
        return "{:02d}:{:02d}".format(*divmod(self.tick(), 60))
