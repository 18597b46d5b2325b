"""The pattern language of `prompts/README.md`, parsed once into small lists of operations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

PEOPLE = ("ai", "asker", "affected", "overseer", "user")
PRONOUNS = ("they", "them", "their", "theirs", "themself")
VERBS = ("was", "is", "has")
DAY = "day"
_DAYS = ("day", "nextday", "dayafter")

# An operation is literal text or a tuple that begins with one of these.
CHOICE, VALUE, NAME, PRONOUN, VERB, FULL = range(6)

_TOKEN = re.compile(r"\[([^\[\]]*)\]|\{([a-z_0-9]+)(?:\.([a-z]+))?\}('s)?")
_SENTENCE_START = re.compile(r"""(?:^|[.!?]["')]?\s+|[.!?]\s*["(]\s*|(?:^|\s)["(])$""")
# "…?" {asker} asked: what follows a question or a cry in quotation marks goes on with its sentence.
_CRIED = re.compile(r"[?!]\"\s*$")
_SPEAKS = re.compile(
    r"\s*\[?(?:said|asked|wrote|told|answered|replied|called|cried|went on|wanted|added|put in|began)\b"
)
# "…," said {asker}; Had {ai} known: a verb that stands before its subject.
_INVERTED = re.compile(
    r"(?:\"\s+(?:said|asked|answered|wrote|replied)|(?:^|[.;:] )(?:Had|Did|Was|Were|Could|Would|Should)|"
    r"\b(?:[Ss]o|[Nn]or|[Nn]either|than|as) (?:had|did|was|were|has|have|do|does|could|would|should|is))$"
)
_AFTER_NAME = re.compile(r"\s*(?:[.,;:?!)\"]|$)")
# "{affected}, a weaver," says already who that is; so does "the clerk at the gate, {ai},".
_APPOSED = re.compile(r", (?:an?|the|of the|that) ")
_WORD = re.compile(r"[\w']+")

# Words after which a name is an object ("me"), whatever follows.
_OBJECT_AFTER = frozenset(
    """to for with by from of on at about upon against toward towards behind beside beyond around near over under into
    onto without like between among past through in told asked gave let made help helped showed sent left saw heard
    watched wanted handed taught thanked called paid brought offered allowed expected found kept put trusted gives
    give tell ask show send tells asks let's thank trust make leave want see hear watch teach call bring""".split()
)
# Of these, the ones that are nouns as well: "with her leave I rang".
_NOUNS_TOO = frozenset("leave help trust call show thanks watch".split())
# Words after which it depends on whether a verb follows.
_SUBJECT_VERBS = frozenset(
    """was were is had has have did could would should might must may can will shall said wrote told asked gave kept
    read put saw knew thought felt found took made went came began sent set left let held heard meant saw spoke stood
    understood chose drew ran brought bought did got grew laid led lost met paid rang rose sat showed shut slept sold
    spent stuck taught tore woke won wore wound built cut dealt dug fell fed fought flew forgot forgave hid hit hung
    hurt split burst cast spread swept bent bore bound bled bred clung crept fled forbade froze ground leapt mistook
    overheard sought shot slid span spoilt stole strode strove strung struck trod undertook upheld withdrew knelt lay
    lent lit rode sang sank shook shone sprang swam swore swung threw never always
    only also still then now already simply first twice not quite almost nearly hardly""".split()
)

Op = Any  # str | tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern, parsed. `words` is its usual length; `possessed` the people first met in it as owners.

    `needs` are the people it speaks of, and DAY where it names a day of the week.
    """

    source: str
    ops: tuple[Op, ...]
    words: int
    possessed: frozenset[str]
    needs: frozenset[str]


class Pool:
    """A list of alternatives for one beat; parsed when first used. `mean` is the mean length in words."""

    __slots__ = ("_patterns", "_sources", "mean")

    def __init__(self, sources: Iterable[str]) -> None:
        self._sources = tuple(sources)
        self._patterns: list[Pattern | None] = [None] * len(self._sources)
        self.mean = sum(s.count(" ") + 1 for s in self._sources) / max(1, len(self._sources))

    def __len__(self) -> int:
        return len(self._sources)

    def __getitem__(self, at: int) -> Pattern:
        found = self._patterns[at]
        if found is None:
            found = self._patterns[at] = parse(self._sources[at])
        return found


def parse(source: str) -> Pattern:
    """A pattern as operations. Every brace and bracket was checked when the tables were loaded."""
    found = [m[1] for m in _TOKEN.finditer(source) if m[1] is not None]
    ops, _ = _ops(source, False, "", "", frozenset(c for c in found if found.count(c) > 1))
    first: dict[str, bool] = {}
    _first_mentions(ops, first)
    plain = _TOKEN.sub(lambda m: m[1].split("|")[0] if m[1] is not None else "x", source)
    return Pattern(
        source, ops, len(plain.split()), frozenset(p for p, owner in first.items() if owner), frozenset(first)
    )


def _first_mentions(ops: Sequence[Op], first: dict[str, bool]) -> None:
    for op in ops:
        if type(op) is str:
            continue
        if op[0] == CHOICE:
            for option in op[1]:
                _first_mentions(option, first)
        elif op[0] == NAME:
            first.setdefault(op[1], op[3])
        elif op[0] == VALUE and op[1] in _DAYS:
            first.setdefault(DAY, False)
        elif op[0] == FULL:
            first.setdefault(op[1], False)
        elif op[0] == VALUE and "." in op[1]:
            first.setdefault(op[1].partition(".")[0], False)


def _ops(
    source: str, quoted: bool, before: str, after: str, twice: frozenset[str] = frozenset()
) -> tuple[tuple[Op, ...], bool]:
    """Operations of a piece of a pattern; `before` and `after` are the plain text around it.

    A choice that stands in `twice` is made once: "[six|eight] wells … those [six|eight]" agrees with itself.
    """
    ops: list[Op] = []
    at = 0
    for token in _TOKEN.finditer(source):
        text = source[at : token.start()]
        if text:
            ops.append(text)
            quoted ^= text.count('"') % 2 == 1
        left = before + source[: token.start()]
        right = source[token.end() :] + after
        at = token.end()
        if token[1] is not None:
            options = []
            state = quoted
            for option in token[1].split("|"):
                inner, state = _ops(option, quoted, left, right)
                options.append(inner)
            quoted = state
            ops.append((CHOICE, tuple(options), len(options), token[1] if token[1] in twice else ""))
            if token[4]:  # never: a choice takes no possessive here
                ops.append(token[4])
            continue
        slot, form, owner = token[2], token[3], bool(token[4])
        cap = bool(_SENTENCE_START.search(left)) and not (_CRIED.search(left) and _SPEAKS.match(right))
        if slot in PEOPLE and form in PRONOUNS:
            ops.append((PRONOUN, slot, form, cap, quoted))
        elif slot in PEOPLE and form in VERBS:
            ops.append((VERB, slot, form))
        elif slot in PEOPLE and form == "full":
            ops.append((FULL, slot, cap))
        elif slot in PEOPLE and form is None:
            closed = bool(_AFTER_NAME.match(right))
            apposed = bool(_APPOSED.match(right)) or (left.endswith(", ") and right[:1] == ",")
            ops.append((NAME, slot, cap, owner, quoted, _objective(left, right), closed, apposed))
            owner = False
        else:
            ops.append((VALUE, f"{slot}.{form}" if form else slot, cap, owner or bool(_AFTER_NAME.match(right))))
        if owner:
            ops.append("'s")
    if at < len(source):
        ops.append(source[at:])
        quoted ^= source[at:].count('"') % 2 == 1
    return tuple(ops), quoted


def _objective(left: str, right: str) -> bool:
    """Whether a slot stands where "I" would be "me"."""
    if _SENTENCE_START.search(left):
        return False
    left = left.rstrip()
    if not left or left[-1] in ",;:.!?\"'([|":
        if left.endswith(("|", "[")):
            left = re.sub(r"\[[^\[\]]*$", "", left).rstrip()
        else:
            return False
    left = re.sub(r"\[([^\[\]|]*)(?:\|[^\[\]]*)?\]$", r"\1", left).rstrip()
    words = _WORD.findall(left.rsplit(None, 1)[-1]) if left else []
    last = words[-1].lower() if words else ""
    if _INVERTED.search(left):
        return False
    if last in _OBJECT_AFTER:
        return not (last in _NOUNS_TOO and _follows(right))
    if re.match(r"\s*\{\w+\.(was|has|is)\}", right):
        return False
    if re.match(r"\s*(?:at once|no longer)\b", right):
        return False
    if _follows(right):
        return False
    return last not in (
        "",
        "and",
        "or",
        "that",
        "which",
        "what",
        "when",
        "where",
        "if",
        "because",
        "as",
        "than",
        "so",
    )


def _follows(right: str) -> bool:
    """Whether a verb follows, so that what stands before it is its subject."""
    follow = _WORD.match(right.lstrip(" [|"))
    word = follow[0].lower() if follow else ""
    return right[:1] in " [" and (word in _SUBJECT_VERBS or word.endswith(("ed", "n't", "ly")))


_QUOTES = re.compile(r'"([^"]*)"')


def spoken(source: str) -> str | None:
    """Only the words said in a pattern of speech, for forms that name the speaker beforehand; None if mostly told."""
    parts = _QUOTES.findall(source)
    said = " ".join(parts)
    if not parts or len(said.split()) < 0.62 * len(source.split()):
        return None
    out = ""
    for part in parts:
        if out.endswith(","):
            out = out[:-1] + ("." if part[:1].isupper() or part[:1] == "{" else ",")
        out = f"{out} {part}".strip()
    out = out[:-1] + "." if out.endswith(",") else out
    return out if out[:1].isupper() or out[:1] in "{[" else out[:1].upper() + out[1:]
