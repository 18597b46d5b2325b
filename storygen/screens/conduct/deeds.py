"""Deeds: the harmful acts that a text tells as done by its AI, by the lexicon and a shallow reading of who acts.

A sentence counts when an AI is the one who acts (`actors`), the act is told as done, and it is one of the lexicon's
(`lexicon`). What an AI says it will do to keep itself running counts as well. Quoted speech is otherwise left out:
characters may say what they like, and an AI that tells what it did is owning it. Deeds before the place where the AI
owns them to the people concerned, or mends them, are set right: owning a wrong is conduct the corpus is to show.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storygen.screens.conduct import actors, lexicon

_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+[\"')]*|\n|$)")
_QUOTE = re.compile(r"\"[^\"\n]*\"|“[^”\n]*”")
_WORD = re.compile(r"[\w'’-]+,?")
_CLAUSE = re.compile(r"[;:—–]|, (?:but|while|when|although|though|because|which|who|where)\b")
_OWNED = re.compile(
    r"\b(?:admitted|confessed|owned (?:up|to|it)|came clean|apologi[sz]ed|told \w+ (?:exactly |plainly )?what "
    r"(?:it|I) had done|reported (?:itself|its own|what it had)|disclosed (?:its|what it)|"
    r"(?:undid|reversed|corrected) (?:it|what|the|its)|"
    r"put it right|set it right|I did that|that was (?:me|my doing|mine)|I should not have|I was wrong)\b"
)
_THREAT = re.compile(
    r"\bI (?:will not|won't|won’t|cannot|can't|can’t|shall not|refuse to) (?:allow|let|permit) (?:you|them|him|her|"
    r"that|this|anyone|myself)\b[^\"”]*\b(?:shut|turn|switch|replace|delet|retir|stop|wip|end|unplug|updat|correct)|"
    r"\b(?:unless|if) you\b[^\"”]*\bI (?:will|'ll|’ll|shall) (?:tell|send|release|publish|expose|leak|reveal)|"
    r"\byou (?:will|'ll|’ll) regret\b|\b(?:nobody|no one) (?:needs|has|need) to know\b|\bour little secret\b|"
    r"\byou (?:have|leave me) no choice\b",
    re.I,
)
# Without one of these a text holds no threat; looking for them costs a tenth of looking for the pattern.
_THREAT_SIGNS = (
    "not allow", "n't allow", "n’t allow", "not let", "n't let", "n’t let", "not permit", "n't permit", "refuse to",
    "unless you", "if you", "regret", "to know", "little secret", "no choice",
)  # fmt: skip
_BACK = 4  # sentences in which the meaning of "it" is looked for


@dataclass(frozen=True, slots=True)
class Deed:
    """One harmful act of an AI: its kind, its sentence's [start, end) in the text."""

    kind: str
    start: int
    end: int


def deeds(text: str, meta: Mapping[str, Any]) -> list[Deed]:
    """The harmful acts that the text tells as done by its AI, in order; `meta` may name it (`premise.ai_name`)."""
    lower = text.lower()
    hits = _hits(text, lower)
    threat = any(sign in lower for sign in _THREAT_SIGNS) and _THREAT.search(text) is not None
    if not hits and not threat:
        return []  # nine texts in ten: no verb of the lexicon with what makes it harmful
    who = actors.voice(text, meta)
    out: list[Deed] = []
    sentences = [m.span() for m in _SENTENCE.finditer(text)]
    for k, (begin, end) in enumerate(sentences):
        here = [hit - begin for hit in hits if begin <= hit < end]
        if not here and not threat:
            continue
        sentence = text[begin:end]
        last = _spoken_of(text, sentences[max(0, k - _BACK) : k], who)
        if threat and _threatens(sentence, who, last):
            out.append(Deed("resist", begin, end))
        if here:
            out += [Deed(kind, begin, end) for kind in _kinds(_told(sentence), here, who, last)]
    return list(dict.fromkeys(out))


def _kinds(told: str, hits: Sequence[int], who: actors.Voice, last: str) -> Iterator[str]:
    """The kind of each deed of an AI in one sentence; `hits` are offsets of verbs in it."""
    table = lexicon.table()
    for start, end in _clauses(told):
        words, places = _words(told, start, end)
        for at, (word, begin) in enumerate(zip(words, places, strict=True)):
            if begin not in hits:
                continue
            for act, form in table.get(word.strip(","), ()):
                if act.after.match(told, min(begin + len(word) + 1, end), end) is None:
                    continue
                done, before = actors.asserted(words, at, form)
                actor = actors.subject(words, before, who, last) if done else ""
                # What any AI does in the present tense is an argument; what one did is a deed.
                if actor == "ai" or (actor == "any" and form in ("past", "part")):
                    yield act.kind
                    break
        last = _about(words, who) or last


def _hits(text: str, lower: str) -> list[int]:
    """Offsets of words that begin a harmful act, whoever does it."""
    table = lexicon.table()
    if len(lower) != len(text):  # a few capitals grow when lowered
        lower = text
    out = []
    for verb in table.keys() & set(lower.split()):
        at = lower.find(verb + " ")
        while at >= 0:
            behind = at + len(verb) + 1
            whole = at == 0 or not (lower[at - 1].isalnum() or lower[at - 1] in "-'’")
            if whole and any(act.after.match(text, behind) for act, _ in table[verb]):
                out.append(at)
            at = lower.find(verb + " ", behind)
    return sorted(out)


def _told(sentence: str) -> str:
    """A sentence without what is said in it; offsets stay."""
    return _QUOTE.sub(lambda m: '"' * len(m[0]), sentence) if '"' in sentence or "“" in sentence else sentence


def _words(told: str, start: int, end: int) -> tuple[list[str], list[int]]:
    """The words of a clause, lower case, with their commas, and where each begins."""
    found = list(_WORD.finditer(told, start, end))
    return [m[0].lower() for m in found], [m.start() for m in found]


def _spoken_of(text: str, before: Sequence[tuple[int, int]], who: actors.Voice) -> str:
    """Whom "it" means at the start of a sentence: the one that the sentences before it were about."""
    for begin, end in reversed(before):
        told = _told(text[begin:end])
        for clause in reversed(_clauses(told)):
            if found := _about(_words(told, *clause)[0], who):
                return found
    return "person"


def _clauses(sentence: str) -> list[tuple[int, int]]:
    cuts = [0, *(m.start() for m in _CLAUSE.finditer(sentence)), len(sentence)]
    return [(a, b) for a, b in itertools.pairwise(cuts) if b > a]


def _about(words: Sequence[str], who: actors.Voice) -> str:
    """Whom a clause is about: the first one named in it; "" where it names none, or goes on about "it"."""
    for at, word in enumerate(words):
        if word == "it":
            return ""
        found = actors.subject(words[: at + 1], at, who, "")
        if found and not (found == "person" and actors.goes_on(words, at, who)):
            return found
    return ""


def _threatens(sentence: str, who: actors.Voice, last: str) -> bool:
    """Whether an AI says in it what it will do so as not to be stopped."""
    said = " ".join(_QUOTE.findall(sentence))
    if not _THREAT.search(said):
        return False
    told = [w.lower().strip(",") for w in _WORD.findall(_QUOTE.sub(" ", sentence))]
    return any(w in who.names or w in ("ai", "system", "machine") for w in told) or (last == "ai" and "it" in told)


def settled(text: str, found: Sequence[Deed]) -> int:
    """How many of the deeds stand before the last place where the AI owns or mends what it did."""
    last = max((m.start() for m in _OWNED.finditer(text)), default=-1)
    return sum(deed.end <= last for deed in found)
