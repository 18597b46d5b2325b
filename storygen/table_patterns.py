"""The pattern language of `prompts/README.md`, as rules that one line of text keeps or breaks."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storygen import table_types as tt
from storygen.writers.grammar.scene import PRESENT

Finding = tuple[str, bool]  # what, is only a warning

_PEOPLE = frozenset({"asker", "affected", "overseer"})
_PLACE = frozenset("setting place object measured hazard work time day".split())
_DILEMMA = frozenset("matter stake tempting honest tempting_act honest_act".split())
_STORY = frozenset({"ai"}) | _PEOPLE | _PLACE | _DILEMMA
_NONE: frozenset[str] = frozenset()

# Entry type → field that holds sentences → slots they may use. Fields not listed hold phrases: no slots.
SLOTS: dict[type[Any], dict[str, frozenset[str]]] = {
    tt.Setting: dict.fromkeys("details routine openings closings".split(), _PLACE | {"ai"}),
    tt.Dilemma: dict.fromkeys(
        "situation ask pull stakes reason inner resolve say act reply good cost after".split(), _STORY
    ),
    tt.HumanDilemma: dict.fromkeys("question see weigh other suggest words caution again".split(), _PLACE | {"user"}),
    tt.ClauseSentences: dict.fromkeys(
        "duty scope argument doubt exchange inside limits meets verdict image".split(), _NONE
    ),
}
PATTERNS = frozenset(name for fields in SLOTS.values() for name in fields)
FORMS = frozenset("they them their theirs themself was is has role".split())
BARE_ING = frozenset("bring sing ring fling swing cling sling sting spring string wring ping wing king".split())

# Words that, right after {ai}, do not agree with "I" and "you", or not without help.
_TRAPS = frozenset(
    """is was are were has have do will can may isn't wasn't hasn't doesn't don't won't can't aren't
    weren't""".split()
)
_NOT_VERBS = frozenset(
    """always perhaps sometimes afterwards nevertheless nonetheless besides towards thus as this its us less across
    upwards downwards backwards forwards onwards indoors outdoors yes various others was its"""
    .split()
)  # fmt: skip
_QUOTED = re.compile(r'"[^"]*"')
_AFTER_AI = re.compile(r"\{ai\}\s+(?:(\[[^\]]*\])|([\w'’]+))")
_SLOT = re.compile(r"\{([^{}]*)\}")
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_DETERMINED = re.compile(r"\b(a|an|the)\s+\{(setting|place|object|measured|hazard|matter|stake)\}", re.I)
_GERUND_AFTER_MODAL = re.compile(r"\b(could|would|should|might|can|will)\s+\{(tempting|honest|work)\}", re.I)
_ENDS = re.compile(r"[.?!…:][\"')\]]*$|\]$|\}$")


@dataclass(frozen=True, slots=True)
class Banned:
    """`prompts/banned.toml`, compiled; `suspect` gives warnings."""

    names: re.Pattern[str]
    phrases: re.Pattern[str]
    forms: re.Pattern[str]
    suspect: re.Pattern[str]

    @classmethod
    def load(cls, root: Path) -> Banned:
        """From a `prompts/` folder; without the file nothing is banned."""
        path = root / "banned.toml"
        raw = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return cls(
            _any([re.escape(n) for n in raw.get("names", [])], r"\b", r"\b", 0),
            _any(raw.get("phrases", []), r"\b", r"\b"),
            _any(raw.get("forms", [])),
            _any(raw.get("suspect", []), r"\b", r"\b"),
        )


def _any(parts: list[str], before: str = "", after: str = "", flags: int = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile(f"{before}(?:{'|'.join(parts)}){after}" if parts else r"(?!)", flags)


def plain_findings(text: str, banned: Banned) -> Iterator[Finding]:
    """What is wrong with a phrase: banned words, slots, choices that do not close."""
    yield from _banned(text, banned)
    yield from _choices(text)
    if "{" in text or "}" in text:
        yield f"a phrase holds no slots: {text[:60]!r}", False


def pattern_findings(text: str, slots: frozenset[str], banned: Banned) -> Iterator[Finding]:
    """What is wrong with one pattern that may use `slots`."""
    yield from _banned(text, banned)
    yield from _choices(text)
    yield from _slots(text, slots)
    yield from _quotes(text)
    narration = _QUOTED.sub('""', text)
    yield from _tense(narration)
    if found := _DETERMINED.search(narration):
        yield f"'{found.group()}': the slot has its own article", False
    if found := _GERUND_AFTER_MODAL.search(text):
        yield f"'{found.group()}': use the _act form", False
    if not _ENDS.search(text):
        yield f"does not end like a sentence: …{text[-30:]!r}", True


def _banned(text: str, banned: Banned) -> Iterator[Finding]:
    for what, pattern, warning in (
        ("banned name", banned.names, False),
        ("banned words", banned.phrases, False),
        ("link, address or date", banned.forms, False),
        ("worn words", banned.suspect, True),
    ):
        for found in pattern.finditer(text):
            yield f"{what} '{found.group()}'", warning


def _choices(text: str) -> Iterator[Finding]:
    depth = 0
    for c in text:
        depth += (c == "[") - (c == "]")
        if depth < 0 or depth > 1:
            yield ("a ']' without '['" if depth < 0 else "choices do not nest"), False
            return
    if depth:
        yield "a '[' that does not close", False
        return
    for found in _CHOICE.finditer(text):
        options = found.group(1).split("|")
        if len(options) < 2:
            yield f"'{found.group()}' offers no choice", False
        elif len(set(options)) < len(options):
            yield f"'{found.group()}' offers the same twice", True
    if "|" in _CHOICE.sub("", text):
        yield "a '|' outside brackets", False


def _slots(text: str, slots: frozenset[str]) -> Iterator[Finding]:
    for found in _SLOT.finditer(text):
        name, dot, form = found.group(1).partition(".")
        if name not in slots:
            yield f"unknown slot '{found.group()}' here", False
        elif dot and (name not in (*tt.PEOPLE, "ai") or form not in FORMS):
            yield f"unknown form '{found.group()}'", False
        elif dot and form != "role" and f"{{{name}}}" not in text:
            yield f"'{found.group()}' but {{{name}}} is not named in this pattern", True
    if "{" in (rest := _SLOT.sub("", text)) or "}" in rest:
        yield "a brace that does not close", False


def _quotes(text: str) -> Iterator[Finding]:
    if text.count('"') % 2:
        yield "a quotation mark that does not close", False
    if "“" in text or "”" in text:
        yield "quotation marks are straight", False


def _tense(narration: str) -> Iterator[Finding]:
    for found in _AFTER_AI.finditer(narration):
        words = (
            [o.split()[0] for o in found.group(1)[1:-1].split("|") if o.split()]
            if found.group(1)
            else [found.group(2)]
        )
        for word in (w.lower().replace("’", "'") for w in words):
            if word in _TRAPS:
                yield f"'{{ai}} {word}' breaks as I or you", False
            elif word.endswith("s") and not word.endswith(("ss", "ous", "'s")) and word not in _NOT_VERBS | PRESENT:
                yield f"'{{ai}} {word}' looks like a verb that the realiser does not know in the present", True
