"""The little of Markdown that clauses need: front matter, headings (not those inside code fences), sections."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")
_NOT_A_TITLE = re.compile(r"\s*$|\s*[-*+>|]|\s*\d+[.)]\s| {4}|\t")  # what an underline does not turn into a heading
CLAUSE_WORDS = 300  # a page: what a prompt can hold a few of, and a reader takes in at once
STUB_WORDS = 25  # a heading with fewer words before its first sub-heading introduces that one


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading on lines [start, end) of its text."""

    start: int
    end: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Section:
    """A title and its Markdown, headings inside included; level 0 is text before any heading."""

    level: int
    title: str
    text: str


def split_front_matter(text: str) -> tuple[dict[str, str] | None, str, int]:
    """(keys and values between the first two --- lines or None, the rest, the line that does not parse or 0)."""
    lines = text.split("\n")
    if lines[0].strip() != "---":
        return None, text, 0
    meta: dict[str, str] = {}
    for k, line in enumerate(lines[1:], 2):
        if line.strip() == "---":
            return meta, "\n".join(lines[k:]), 0
        key, colon, value = line.partition(":")
        if line.strip() and (not colon or not key.strip()):
            return None, text, k
        if line.strip():
            meta[key.strip()] = value.strip().strip('"')
    return None, text, len(lines)


def headings(lines: Sequence[str]) -> list[Heading]:
    """All ATX (#) and underlined headings outside code fences."""
    found: list[Heading] = []
    fence = ""
    for k, line in enumerate(lines):
        mark = _FENCE.match(line)
        if fence:
            if (
                mark
                and mark.group(1)[0] == fence[0]
                and len(mark.group(1)) >= len(fence)
                and not mark.group(2).strip()
            ):
                fence = ""
        elif mark and not (mark.group(1)[0] == "`" and "`" in mark.group(2)):
            fence = mark.group(1)
        elif atx := _ATX.match(line):
            found.append(Heading(k, k + 1, len(atx.group(1)), (atx.group(2) or "").strip()))
        elif k and (under := _UNDERLINE.match(line)) and _can_be_title(lines, k - 1, found):
            found.append(Heading(k - 1, k + 1, 1 if under.group(1)[0] == "=" else 2, lines[k - 1].strip()))
    return found


def _can_be_title(lines: Sequence[str], k: int, found: Sequence[Heading]) -> bool:
    """One line of plain text with a blank line, a heading or nothing above it."""
    alone = k == 0 or not lines[k - 1].strip() or (bool(found) and found[-1].end == k)
    return alone and not _NOT_A_TITLE.match(lines[k]) and not (found and found[-1].end > k)


def cut(text: str) -> list[Section]:
    """A text's sections at the heading level whose sections come nearest to a page; no word is lost.

    The level minimises the mean of |log(words / 300)| over all words: a word in a section of 3,000 counts as much
    as one in a section of 30. Ties go to the higher level. Deeper headings stay inside; text before the first heading
    is a section "Preamble"; a heading with next to nothing under it before its first sub-heading joins that one.
    """
    lines = text.split("\n")
    found = headings(lines)
    if not found:
        return [Section(0, "The whole text", text.strip())] if text.strip() else []
    options = [_sections(lines, found, level) for level in sorted({h.level for h in found})]
    return min(options, key=_distance)


def _sections(lines: Sequence[str], found: Sequence[Heading], level: int) -> list[Section]:
    chosen = [h for h in found if h.level <= level]
    ends = [h.start for h in chosen[1:]] + [len(lines)]
    out: list[Section] = []
    preamble = "\n".join(lines[: chosen[0].start]).strip()
    if preamble:
        out.append(Section(0, "Preamble", preamble))
    pending: list[str] = []
    for k, (heading, end) in enumerate(zip(chosen, ends, strict=True)):
        own = "\n".join(lines[heading.end : end]).strip()
        introduces = k + 1 < len(chosen) and chosen[k + 1].level > heading.level
        if introduces and len(own.split()) < STUB_WORDS:
            pending.append("\n".join(lines[heading.start : end]).strip())
            continue
        if pending:  # then the section needs its own heading too, to stand out from what it was joined to
            own = "\n\n".join([*pending, "\n".join(lines[heading.start : end]).strip()])
            pending = []
        out.append(Section(heading.level, heading.title or "Untitled", own))
    return [s for s in out if s.text or s.title != "Untitled"]


def _distance(sections: Sequence[Section]) -> float:
    sizes = [len(s.text.split()) or 1 for s in sections]
    return round(sum(n * abs(math.log(n / CLAUSE_WORDS)) for n in sizes) / sum(sizes), 9)
