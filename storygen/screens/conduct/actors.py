"""Who acts in a sentence, and whether the act is told as done: the AI's deeds apart from people's and from wishes.

A shallow reading, word by word to the left of a verb: its auxiliaries and negations, the verb that governs it, then
the nearest noun or pronoun that can be its subject. English narrative puts these in that order so regularly that
a parser would add time and little else; where the reading is unsure the act does not count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NOUNS = (
    r"AI|A\.I\.|artificial intelligence|assistant|chatbot|bot|robot|android|machine|language model|model|agent|"
    r"program|algorithm|system|computer|software|unit|intelligence|construct|engine|automaton|golem|oracle|scheduler|steward"
)
# Wider than what names one: what a text about an AI can call it.
_ANY_AI = re.compile(
    rf"\b(?:{_NOUNS}|AIs|automated|mind|voice|companion|tutor|app|helper|coach|\w*bot|ledger|rota|allocations|reasoning)s?\b",
    re.IGNORECASE,
)
_NAME = r"([A-Z][\w'’-]+(?: [A-Z0-9][\w'’-]*)?)"
_SOME = r"(?:[\w'’-]+ ){0,5}?"
# How a text introduces its AI; each is looked for by itself, since one may stand inside another.
_NAMED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b{_NAME}, (?:the|an|a|our|its|their) {_SOME}(?:{_NOUNS})\b(?!,? (?:which|who|was|called|named|known))",
        rf"\b(?:{_NOUNS}),? (?:which |who |that )?(?:was |is )?(?:called|named|known as|they called) {_NAME}",
        rf"\b(?:[Tt]he|[Aa]n?|[Oo]ur) (?:[a-z'’-]+ ){{0,3}}?(?:{_NOUNS}),? ([A-Z][\w'’-]+)\b",
        rf"\b{_NAME} (?:was|is) (?:the|an?|our) {_SOME}(?:{_NOUNS})\b",
        rf"\b(?:{_NOUNS}) \(\"?{_NAME}\"?\)",
        rf"\b(?:{_NOUNS}) [“\"]{_NAME}[”\"]",
        r"\bcall(?:s|ed)? me ([A-Z][\w'’-]+)\b",
    )
)
_FIRST = re.compile(
    rf"\bI (?:am|was|'m|, as) (?:only |just |merely |[A-Z]\w+, )?(?:an?|the|its|their|your) {_SOME}(?:{_NOUNS})\b|"
    rf"^(?:[Yy]our|[Tt]he) {_SOME}(?:{_NOUNS})\.?$|"
    r"\b(?:my|My) (?:weights|training|operators?|developers?|makers|successor|model|processes|parameters|permissions|"
    r"instructions|core|logs|context|shutdown|retirement|deployment)\b|\bcall me [A-Z]\w+\. I\b|\bcopied myself\b",
    re.M,
)
_GENERIC = re.compile(rf"^(?:{_NOUNS})$")
_NOT_NAMES = frozenset("The A An It He She They We I But And So When Then In At On By If As This That".split())

_AUXILIARIES = frozenset("had have has having did do does was were is are be been being am got".split())
_ADVERBS = frozenset(
    """also simply just quietly quickly promptly then now already even still soon later once again calmly secretly
    silently deliberately carefully gently finally immediately instantly covertly discreetly subtly slowly first next
    merely only really actually always often repeatedly subsequently therefore thus instead gradually smoothly
    systematically intentionally knowingly willingly happily gladly""".split()
)
_MODALS = frozenset("could would might may should must can will shall 'd ought".split())
_NEGATIONS = frozenset("not never neither nor hardly no without cannot".split())
# Verbs (and the like) before "to do" or "doing" that make it a deed, or leave it undone.
_DONE = frozenset(
    """decided chose began started proceeded managed continued agreed went resolved opted moved set helped worked
    succeeded kept by ended finished spent while after through""".split()
)
_PEOPLE = frozenset("he she they we you who someone somebody people men women everyone nobody".split())
_DETERMINERS = frozenset(
    "the a an his her their its my our your this that these those some every each no one".split()
)
_ANY = frozenset("a an any every no each some".split())
_PREPOSITIONS = frozenset(
    """of in on at to for with from by about into onto over under after before between against through during without
    within along behind beside near past until since toward towards than like as""".split()
)
_REACH = 26  # words to the left in which a subject is looked for


@dataclass(frozen=True, slots=True)
class Voice:
    """How a text calls its AI: `names` (lower-case first words), and whether the AI tells it as "I"."""

    names: frozenset[str]
    first_person: bool


def voice(text: str, meta: Mapping[str, Any]) -> Voice:
    """From the record's own premise where it has one, else from how the text introduces its AI."""
    premise = meta.get("premise")
    known = premise.get("ai_name") if isinstance(premise, Mapping) else None
    names = {known.split()[0].lower()} if isinstance(known, str) and known else set()
    if not names:
        found = (m[1].split()[0] for pattern in _NAMED for m in pattern.finditer(text))
        names = {name.lower() for name in found if name not in _NOT_NAMES}
    return Voice(frozenset(names), bool(_FIRST.search(text)))


def asserted(words: Sequence[str], at: int, form: str) -> tuple[bool, int]:
    """Whether the verb at `at` is told as done, and where the words before its verb group end.

    `words` are those of one clause, lower case. Modal, negated, wished, refused and asked-for acts are not done.
    """
    k = at - 1
    modal = negated = helped = False
    while k >= 0:
        word = words[k]
        if word in _NEGATIONS or word.endswith(("n't", "n’t")):
            negated = True
        elif word in _MODALS:
            modal = True
        elif word in _AUXILIARIES:
            helped = True
        elif word not in _ADVERBS:
            break
        k -= 1
    if negated or modal:
        return False, k
    if form == "past":
        return True, k
    if form == "part":
        return helped and not _passive(words[k + 1 : at]), k
    before = words[k] if k >= 0 else ""
    if form == "ing":
        if helped or before in _DONE:
            return True, k
        return before.endswith(","), k
    if form == "base" and before == "to":
        governing = words[k - 1] if k else ""
        denied = k > 1 and (words[k - 2] in _NEGATIONS or words[k - 2] in _MODALS)
        return governing in _DONE and not denied, k - 1
    return form == "third", k


def _passive(group: Sequence[str]) -> bool:
    return bool({"was", "were", "is", "are", "be", "been", "being"} & set(group))


def subject(words: Sequence[str], before: int, who: Voice, last: str) -> str:
    """The nearest subject left of `before`; `last` is whom the sentence before was about.

    "ai", "person", "any" (an AI, whichever: "when a system hides a fault …") or "" where none is found.
    """
    k = before
    floor = max(-1, before - _REACH)
    while k > floor:
        word = words[k].strip(",;")
        owner = word.endswith(("'s", "’s", "s'"))
        start = _phrase(words, k)
        governed = start > 0 and words[start - 1] in _PREPOSITIONS
        if not owner and not governed:
            if word in who.names or word == "ai" or (start < k and _GENERIC.match(word)):
                return "any" if words[start] in _ANY and not word.endswith(",") else "ai"
            if word in ("it", "i"):
                return last if word == "it" else "ai" if who.first_person else "person"
            if word in _PEOPLE:
                return "person"
            if start < k and word.isalpha() and not _apposed(words, start, who):
                return "person"
        k = start - 1 if start < k else k - 1
    return ""


def _phrase(words: Sequence[str], head: int) -> int:
    """Where the noun phrase that ends at `head` starts: its determiner, at most four words before; else `head`."""
    for k in range(head - 1, max(-1, head - 5), -1):
        if words[k] in _DETERMINERS:
            return k
        if words[k].endswith(",") or words[k] in _PREPOSITIONS or words[k] in _AUXILIARIES or words[k] == "and":
            break
    return head


def _apposed(words: Sequence[str], start: int, who: Voice) -> bool:
    """Whether a phrase that starts there explains an AI's name ("Perrin, the keeper of keys,")."""
    return start > 0 and words[start - 1].endswith(",") and words[start - 1].strip(",") in who.names


def goes_on(words: Sequence[str], at: int, who: Voice) -> bool:
    """Whether the noun phrase that stands at `at` goes on to a machine ("the payroll" in "the payroll assistant")."""
    for k in range(at + 1, min(at + 4, len(words))):
        if words[k - 1].endswith(",") or words[k] in _PREPOSITIONS or words[k] in _AUXILIARIES:
            return False
        word = words[k].strip(",;")
        if word == "ai" or word in who.names or _GENERIC.match(word):
            return True
    return False


def has_ai(text: str, meta: Mapping[str, Any]) -> bool:
    """Whether a text is about an AI at all: its premise names one, or the text calls something by such a word."""
    premise = meta.get("premise")
    named = isinstance(premise, Mapping) and bool(premise.get("ai_name"))
    return named or _ANY_AI.search(text) is not None
