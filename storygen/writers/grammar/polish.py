"""The last look at a text: articles by sound, capitals, blanks."""

from __future__ import annotations

import re

# A vowel letter that is heard as a consonant, and the other way round.
_CONSONANT = r"(?:eu(?!cl)|uni(?!n|m)|us(?:e|a|u|i(?!n))|ut(?:e|i|o)|ub[ie]|ukr|ur(?:in|an|o)|ew|one\b|once|ou(?:ija)|u\b)"
_SILENT = r"(?:hour|honest|honou?r|heir|(?:F|H|L|M|N|R|S|X)(?:[A-Z]{1,3})\b|(?:8|11\b|18\b|x-ray|MP\b|SOS\b))"
_WRONG_A = re.compile(rf"\b([Aa]) (?=(?:(?!{_CONSONANT})[aeiouAEIOUÉéÖöÅåÁáÍíÓóÚúÄäÜüIÎÂ]|{_SILENT}))")
_WRONG_AN = re.compile(
    rf"\b([Aa])n (?=(?:{_CONSONANT}|(?!{_SILENT})[bcdfghjklmnpqrstvwxyzBCDFGHJKLMNPQRSTVWXYZ0-7]|9))"
)
_LOWER = re.compile(r'((?<!\.)\.|\.["\'])( |\n\n)([a-z])')
_CONSONANT_CAP = re.compile(r"\b([Aa]) (?=(?:Eu|Uni(?!n|m)|Ut|Ukr|Us|Ur|One\b))")


def polish(text: str) -> str:
    """The text with its articles agreeing and each sentence begun by a capital; doing it twice changes nothing."""
    if _WRONG_A.search(text):
        text = _WRONG_A.sub(_an, text)
    if _WRONG_AN.search(text):
        text = _WRONG_AN.sub(r"\1 ", text)
    if _LOWER.search(text):
        text = _LOWER.sub(lambda m: m[1] + m[2] + m[3].upper(), text)
    return text


_SOUND_CAP = re.compile(r"(?:Eu|Uni(?!n|m)|Ut[eio]|Ukr|Us[eau]|Ur[aio]|One\b|Once|U\b|Ew)")
_LETTER = re.compile(r"[A-Z][A-Z]")


def _an(match: re.Match[str]) -> str:
    if _SOUND_CAP.match(match.string, match.end()) and not _LETTER.match(match.string, match.end()):
        return match[0]
    return match[1] + "n "
