"""The last look at a text: articles by sound, capitals."""

from __future__ import annotations

import functools
import re

_ARTICLE = re.compile(r"\b([Aa])(n?) (?=([\w’'-]+))")
# Where an article may be wrong: a cheap look that spares most texts the dear one.
_SUSPECT = re.compile(
    r"""(?<![\w’'-])[Aa](?:\ (?:[aeiouAEIOUÉéÖöÅåÁáÍíÓóÚúÄäÜüÎÂ81]|h(?:our|one|eir)|[FHLMNRSX](?![a-z]))|"""
    r"""n\ (?:[^aei o]|eu|ew|on[ce]|oui))""",
    re.VERBOSE,
)
# The speaker comes last: "Epati and I".
_SPEAKER_FIRST = re.compile(r"((?:^|[.!?\n][\"”]?\s|[\"“]))(I|Me) and ([A-Z][\w'’-]+)(?= [a-z])")
# A phrase that ends in the word with which its sentence goes on: "read out, out of kindness", "beside it, it wrote".
_TWICE = re.compile(r"(?<![-\w'’])(?!had |that |is |her |everything )([a-z]+) (?=\1\b(?! by \1\b))")
_DOUBLED = re.compile(r"""[\s"“(]([a-z]+) (?=\1\b)""")  # the cheap look for _TWICE
_LOWER = re.compile(r'(\.["\']?)( |\n\n)([a-z])')
# Vowel letters heard as consonants: "you" and "w" sounds.
_CONSONANT = re.compile(
    r"eu(?!cl)|uni(?!n|m|de)|us(?:e|a|ur|ual)|ut(?:e|il|op)|ub[ie]|ukr|ur(?:in|an(?!c)|ol)|uv|ewe|once|one(?!r)|ouija|u$",
    re.IGNORECASE,
)
_SILENT = re.compile(r"hour|honest|honou?r|heir", re.IGNORECASE)
_LETTERS = re.compile(r"[A-Z][A-Z0-9]{1,3}s?$|[A-Z]-|[A-Z]$")
_NUMBER = re.compile(r"8|1[18](?!\d)|1[18]\d{3}(?!\d)")


@functools.lru_cache(maxsize=50_000)
def takes_an(word: str) -> bool:
    """Whether a word is heard to begin with a vowel: "hour" and "MRI" are, "unit" and "one" are not."""
    if _LETTERS.match(word) and not word[1:2].islower():
        return word[0] in "AEFHILMNORSX"
    if word[0].isdigit():
        return bool(_NUMBER.match(word))
    if _SILENT.match(word):
        return True
    return word[0] in "aeiouAEIOUÉéÖöÅåÁáÍíÓóÚúÄäÜüÎÂ" and not _CONSONANT.match(word)


def _agree(match: re.Match[str]) -> str:
    return f"{match[1]}{'n' if takes_an(match[3]) else ''} "


def polish(text: str) -> str:
    """The text with articles that agree, capitals and the like; doing it twice changes nothing."""
    if _SUSPECT.search(text):
        text = _ARTICLE.sub(_agree, text)
    if _DOUBLED.search(text):
        text = _TWICE.sub(r"\1, ", text)
    if "I and " in text:
        text = _SPEAKER_FIRST.sub(lambda m: f"{m[1]}{m[3]} and {m[2]}", text)
    return _LOWER.sub(_capital, text)


def _capital(match: re.Match[str]) -> str:
    trailing_off = match.start() > 0 and match.string[match.start() - 1] == "."
    return match[0] if trailing_off else match[1] + match[2] + match[3].upper()
