"""What no finished text may show: open slots, doubled words, wrong articles, broken capitals and quotation marks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from storygen.writers.grammar.polish import polish

_OBJECT = "to for with from told asked gave let by at of about beside".replace(" ", "|")
# "What it was called for I would not say", "since he asked I doubt it": an object that is none.
_NO_OBJECT = r"(?<!\" )(?<!called )(?<!asked )(?<!cared )(?<!he )(?<!she )(?<!they )(?<!lay-)"
_PREPOSITIONS = """above below behind beside before after near like of to for from on with troubles gave told showed
owed""".split()
_BEHIND = "".join(f"(?<!{w} )" for w in _PREPOSITIONS)
_NO_SUBJECT = "".join(f"(?<!{w} )" for w in "If if and know saying".split())
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("open slot or choice", re.compile(r"[{}\[\]|]")),
    (
        "doubled word",
        re.compile(
            r"(?<![-\w])(?!had |that |is |in |her |everything )([a-z]+) (?=[a-z])\1\b(?! by \1)|"
            r"\b([A-Z])([a-z]*) (?=[a-z])(?i:\2)\3\b"
        ),
    ),
    ("space before punctuation", re.compile(r" [,;:.!?](?!\.)")),
    ("doubled punctuation", re.compile(r",,|(?<!\.)\.\.(?!\.)|;;|,\.|\.,|;\.|, ,|\?\.|!\.|:\.")),
    ("doubled space", re.compile(r"[^\n] {2,}")),
    ("lower-case sentence", re.compile(r"(?<!\.)\. [a-z]|\n\n[a-z]|^[a-z]")),
    ("subject for object", re.compile(rf"{_NO_OBJECT}\b(?<!, )(?:{_OBJECT}) I\b(?!['’]| [a-z]+ed\b| was\b| had\b)")),
    (
        "object for subject",
        re.compile(r"(?:^|[.!?] )Me |\b(?:that|if|because|when) me (?:was|had|did|could|would)\b"),
    ),
    ("verb that disagrees", re.compile(rf"{_NO_SUBJECT}\bI (?:is|are|has|were)\b(?! not)")),
    ("verb that disagrees", re.compile(rf"{_BEHIND}\b[Yy]ou (?:was|has)\b")),
    ("verb that disagrees", re.compile(r"\b(?:he|she) (?:were|are|have)\b(?! not)")),
    ("possessive of a pronoun", re.compile(r"\b(?:I|me|they)'s\b")),
)
_SAID = re.compile(
    r"(?:that|should|would|could|may|might|it|were|was|if|though|lest|wish\w*) (?:I|he|she|it|they) (?:were|have)\b",
    re.IGNORECASE,
)
# "If it rained tonight and he were asleep": a condition reaches over its whole sentence.
_SUPPOSED = re.compile(r"\b(?:[Ii]f|[Ww]ere|as though|unless|wish(?:ed)?)\b[^.?!]*$")


def findings(text: str) -> Iterator[tuple[str, str]]:
    """(what, the words around it) for everything wrong with a text; nothing for a clean one."""
    for what, rule in _RULES:
        for match in rule.finditer(text):
            around = text[max(0, match.start() - 30) : match.end() + 30].replace("\n", "/")
            if what == "verb that disagrees" and (
                _SAID.search(around) or _SUPPOSED.search(text, max(0, match.start() - 120), match.start())
            ):
                continue
            yield what, around
    for paragraph in text.split("\n\n"):
        if paragraph.count('"') % 2:
            yield "unbalanced quotation marks", paragraph[:80]
    if polish(text) != text:
        yield "article or capital", text[:60]
    sentences = [s for s in re.split(r"(?<=[.!?])\s+", text) if len(s.split()) > 6]
    if len(set(sentences)) < len(sentences):
        yield "a sentence twice", next(s for k, s in enumerate(sentences) if s in sentences[:k])
