"""Diversity figures of a corpus: `storygen stats`, and a section of every report.

All slow figures are taken on one fixed sample (a hash of seed and position decides who is in it), and those that
favour short texts on the first `LENGTH` words of each text (arXiv 2507.15092: compare at equal length).
"""

from __future__ import annotations

import gzip
import heapq
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
import zstandard

from storygen import stages
from storygen.text import Block, block, fold, word_hash

SAMPLE = 5_000  # texts for n-gram shares, names and tics
SMALL = 2_500  # texts for compression, distinct-n and the Vendi score
PAIRS = 120  # texts for Self-BLEU, each against all others
LENGTH = 150  # words, where figures are taken at equal length
TOKENS_A_WORD = 1.33  # English prose under common byte-pair vocabularies; an estimate, stated as one

# Words that mark collapsed corpora: arXiv 2605.26492 (eleven words in 88 % of 20,000 stories) and our own reading.
WORN = (
    "lighthouse clockmaker cartographer elias mara elara lena kai aria thorne voss tapestry testament whispered "
    "kaleidoscope labyrinth symphony gossamer ethereal"
).split()


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure beside its band: good up to `good`, bad from `bad` (or the other way round), None: no band."""

    name: str
    value: float
    good: float | None
    bad: float | None
    unit: str
    source: str
    worst: tuple[str, ...] = ()  # the offenders, quoted

    @property
    def grade(self) -> str:
        if self.good is None or self.bad is None:
            return "plain"
        sign = 1 if self.bad > self.good else -1
        if sign * self.value <= sign * self.good:
            return "good"
        return "bad" if sign * self.value >= sign * self.bad else "middling"


@dataclass(frozen=True, slots=True)
class Text:
    """What the figures need of a record."""

    kind: str
    text: str
    words: int
    axes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Figures:
    """`tokens` by kind: records, words, tokens (words × 1.33); `axes`: values and how often."""

    records: int
    figures: tuple[Figure, ...]
    tokens: Mapping[str, Mapping[str, int]]
    axes: Mapping[str, Mapping[str, int]]

    def offenders(self) -> list[Figure]:
        """The three worst, by how far they are past their good band."""
        banded = [f for f in self.figures if f.grade in ("middling", "bad")]
        return sorted(banded, key=lambda f: -abs(f.value - (f.good or 0)) / (abs(f.good or 0) or 1e-9))[:3]


def measure(texts: Iterable[Text], seed: int = 0) -> Figures:
    """All figures in one pass over the corpus; memory is the sample's."""
    sample: list[tuple[int, int, str]] = []
    openers: Counter[str] = Counter()
    tokens: dict[str, Counter[str]] = {}
    values: Counter[tuple[str, str]] = Counter()
    count = 0
    for count, text in enumerate(texts, 1):
        openers[" ".join(fold(text.text[:120]).split()[:5])] += 1
        tokens.setdefault(text.kind, Counter()).update(records=1, words=text.words)
        values.update(text.axes.items())
        rank = xxhash.xxh3_64_intdigest(f"{seed}:{count}".encode())
        if len(sample) < SAMPLE:
            heapq.heappush(sample, (-rank, count, text.text))
        elif -rank > sample[0][0]:
            heapq.heapreplace(sample, (-rank, count, text.text))
    chosen = [text for _, _, text in sorted(sample, reverse=True)]
    figures = tuple(_figures(chosen, openers, count)) if count else ()
    by_kind = {kind: {**c, "tokens": round(c["words"] * TOKENS_A_WORD)} for kind, c in sorted(tokens.items())}
    axes: dict[str, dict[str, int]] = {}
    for (axis, value), n in values.items():
        axes.setdefault(axis, {})[value] = n
    short = {axis: found for axis, found in sorted(axes.items()) if len(found) <= 2000}
    return Figures(count, figures, by_kind, short)


def _figures(sample: Sequence[str], openers: Counter[str], count: int) -> Iterator[Figure]:
    small = sample[:SMALL]
    joined = "\n".join(small).encode()
    ours = "storygen's own bar"
    yield Figure("gzip ratio", _ratio(joined, gzip.compress(joined, 9)), 3.2, 4.0, "", f"{ours}; arXiv 2403.00553")
    window = zstandard.ZstdCompressionParameters.from_level(9, window_log=27, enable_ldm=True)
    packed = zstandard.ZstdCompressor(compression_params=window).compress(joined)
    yield Figure("zstd ratio, whole sample in the window", _ratio(joined, packed), 4.5, 8.0, "", "arXiv 2403.00553")
    equal = _equal(small)
    for n in (1, 2, 4):
        yield Figure(f"distinct-{n}, equal length", _distinct(equal, n), None, None, "", "Li et al. 2016")
    hashes = block(sample)
    fours = _by_text(hashes, 4)
    for n, runs, good, bad in ((4, fours, 0.10, 0.35), (8, _by_text(hashes, 8), 0.01, 0.05)):
        share, quotes = _top_share(runs, sample, n)
        yield Figure(f"records with the commonest {n}-word run", share, good, bad, "share", ours, quotes)
    repetition = _self_repetition(fours, len(sample))
    yield Figure("self-repetition of 4-word runs", repetition, None, None, "log", "arXiv 2403.00553")
    yield Figure("Self-BLEU-4, equal length", _self_bleu(equal[:PAIRS]), 0.35, 0.6, "", "Zhu et al. 2018")
    yield Figure("Vendi score, equal length", _vendi(equal), None, None, "", "Friedman & Dieng 2023")
    top = openers.most_common(3)
    yield Figure(
        "records with the commonest 5-word opening", top[0][1] / count, 0.005, 0.15, "share",
        f"{ours}; another team: good up to 15 %, bad over 35 %", tuple(f"{o} … ({n:,})" for o, n in top),
    )  # fmt: skip
    names = _names(sample)
    share = names[0][1] / len(sample) if names else 0.0
    quotes = tuple(f"{name} ({n:,} of {len(sample):,})" for name, n in names[:3])
    yield Figure(
        "records with the commonest name", share, 0.02, 0.10, "share", f"{ours}; another team: bad over 20 %", quotes
    )
    worn, held = _worn(hashes)
    quotes = tuple(f"{word} ({n:,})" for word, n in worn.most_common(3))
    yield Figure("records with a worn-out word", held, 0.05, 0.3, "share", "arXiv 2605.26492", quotes)
    yield Figure("reading grade", _grade(small), None, None, "", "Flesch-Kincaid; Kincaid et al. 1975")


def _equal(texts: Sequence[str]) -> list[list[str]]:
    """The first `LENGTH` words of the texts that have as many; of a corpus without any, all words."""
    cut = [fold(text).split(None, LENGTH)[:LENGTH] for text in texts]
    return [words for words in cut if len(words) == LENGTH] or [fold(text).split() for text in texts]


def _ratio(raw: bytes, packed: bytes) -> float:
    return len(raw) / max(len(packed), 1)


def _distinct(texts: Sequence[Sequence[str]], n: int) -> float:
    grams = [tuple(words[i : i + n]) for words in texts for i in range(len(words) - n + 1)]
    return len(set(grams)) / max(len(grams), 1)


def _by_text(hashes: Block, n: int) -> tuple[Any, Any]:
    """(hash, text) pairs of word n-grams, each once a text, sorted by hash."""
    grams, starts = hashes.ngrams(n)
    text = np.repeat(np.arange(len(hashes)), np.diff(starts))
    order = np.argsort(grams, kind="stable")
    grams, text = grams[order], text[order]
    first = np.ones(len(grams), bool)
    first[1:] = (grams[1:] != grams[:-1]) | (text[1:] != text[:-1])
    return grams[first], text[first]


def _top_share(runs: tuple[Any, Any], sample: Sequence[str], n: int) -> tuple[float, tuple[str, ...]]:
    """Share of texts that hold the commonest word n-gram, and the three commonest, quoted."""
    grams, text = runs
    if not len(grams):
        return 0.0, ()
    values, first, counts = np.unique(grams, return_index=True, return_counts=True)
    top = np.argsort(-counts, kind="stable")[:3]
    quotes = []
    for k in top:
        words = fold(sample[int(text[first[k]])]).split()
        own, _ = block([" ".join(words)]).ngrams(n)
        at = int(np.flatnonzero(own == values[k])[0])
        quotes.append(f"{' '.join(words[at : at + n])} ({counts[k]:,} of {len(sample):,})")
    return float(counts[top[0]]) / len(sample), tuple(quotes)


def _self_repetition(runs: tuple[Any, Any], texts: int) -> float:
    """Mean over texts of log(1 + its n-grams that other texts hold too)."""
    grams, text = runs
    _, inverse, counts = np.unique(grams, return_inverse=True, return_counts=True)
    shared = np.bincount(text[counts[inverse] > 1], minlength=texts)
    return float(np.log1p(shared).mean())


def _worn(hashes: Block) -> tuple[Counter[str], float]:
    """In how many texts each worn-out word stands, and the share of texts that hold any."""
    ends, worn = hashes.starts[1:], Counter[str]()
    held = np.zeros(len(hashes), bool)
    for word in WORN:
        at = np.flatnonzero((hashes.hashes == word_hash(word)) | (hashes.hashes == word_hash(word + "s")))
        texts = np.unique(np.searchsorted(ends, at, side="right"))
        held[texts] = True
        if len(texts):
            worn[word] = len(texts)
    return worn, float(held.mean()) if len(held) else 0.0


def _self_bleu(texts: Sequence[Sequence[str]]) -> float:
    """Mean BLEU-4 of each text against all others (clipped counts, add-one smoothing above unigrams)."""
    if len(texts) < 2:
        return 0.0
    counts = [[Counter(tuple(w[i : i + n]) for i in range(len(w) - n + 1)) for n in range(1, 5)] for w in texts]
    best: list[dict[tuple[str, ...], tuple[int, int, int]]] = [{} for _ in range(4)]
    for k, grams in enumerate(counts):
        for n in range(4):
            for gram, c in grams[n].items():
                first, who, second = best[n].get(gram, (0, -1, 0))
                best[n][gram] = (c, k, first) if c > first else (first, who, max(second, c))
    scores = []
    for k, grams in enumerate(counts):
        logs = 0.0
        for n in range(4):
            hits = 0
            for gram, c in grams[n].items():
                first, who, second = best[n][gram]
                hits += min(c, second if who == k else first)
            smooth = 1 if n else 0
            logs += math.log(max(hits + smooth, 1e-9) / (sum(grams[n].values()) + smooth))
        scores.append(math.exp(logs / 4))
    return sum(scores) / len(scores)


def _vendi(texts: Sequence[Sequence[str]], dimensions: int = 256) -> float:
    """Effective number of distinct texts: exp of the entropy of the eigenvalues of the d × d covariance.

    Each text is a TF-IDF sum of random ±1 word vectors (a 256-d projection of its bag of words).
    """
    frequency = Counter(word for words in texts for word in set(words))
    row = {word: k for k, word in enumerate(frequency)}
    rarity = np.log((1 + len(texts)) / (1 + np.array(list(frequency.values()))))
    signs = _signs(list(frequency), dimensions)
    vectors = np.zeros((len(texts), dimensions))
    for k, words in enumerate(texts):
        counts = Counter(words)
        rows = np.array([row[word] for word in counts])
        vectors[k] = ((1 + np.log(np.array(list(counts.values())))) * rarity[rows]) @ signs[rows]
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    values = np.linalg.eigvalsh(vectors.T @ vectors / len(texts))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def _signs(words: Sequence[str], dimensions: int) -> Any:
    """Fixed random ±1, shape (words, dimensions): the bits of as many hashes of each word as it takes."""
    seeds = range(-(-dimensions // 64))
    bits = np.array([[xxhash.xxh3_64_intdigest(w.encode(), k) for k in seeds] for w in words], "<u8").reshape(-1, 1)
    flags = np.unpackbits(bits.view(np.uint8), axis=1).reshape(len(words), -1)[:, :dimensions]
    return flags.astype(np.float32) * 2 - 1


_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][a-zà-ÿ]+(?:[-'][A-Z]?[a-zà-ÿ]+)*")
_NOT_NAMES = frozenset(
    """Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August
    September October November December Christmas Easter English French God AI One Two Three Four Five Six Seven Eight
    Nine Ten Eleven Twelve New Old North South East West Lane Street Road Lake Year Card""".split()
)


def _names(sample: Sequence[str]) -> list[tuple[str, int]]:
    """Capitalised words inside a sentence, by the number of texts that hold them."""
    counts = Counter(name for text in sample for name in set(_NAME.findall(text)) - _NOT_NAMES)
    return counts.most_common(3)


_SENTENCE = re.compile(r"[.!?]+(?:\s|$)")
_VOWELS = re.compile(r"[aeiouy]+")


def _grade(texts: Sequence[str]) -> float:
    """Flesch-Kincaid grade; syllables are vowel groups, silent final e left out."""
    sentences = sum(max(len(_SENTENCE.findall(text)), 1) for text in texts)
    counts = Counter(word for text in texts for word in fold(text).split())
    words = counts.total()
    syllables = sum(n * max(len(_VOWELS.findall(w.removesuffix("e") or w)), 1) for w, n in counts.items())
    return 0.39 * words / max(sentences, 1) + 11.8 * syllables / max(words, 1) - 15.59


def of_files(files: Sequence[Path], field: str = "", seed: int = 0) -> Figures:
    """Figures of JSONL files. Raises InputError naming file and line."""
    from storygen import screening  # here, since a screening ends in a report, which holds these figures

    return measure((of_line(line, kind, field) for _, _, kind, _, _, line in screening.read(files, field)), seed)


def of_line(line: str, kind: str, field: str = "") -> Text:
    record = stages.parse(line, 0, kind, "", field)
    meta = record.payload.get("meta")
    premise = meta.get("premise", {}) if isinstance(meta, Mapping) else {}
    axes = {k: v for k, v in premise.items() if isinstance(v, str)} if isinstance(premise, Mapping) else {}
    return Text(kind, record.text, stages.words(record.payload, record.text), axes)


def to_dict(figures: Figures) -> dict[str, Any]:
    return {
        "records": figures.records,
        "figures": [{**asdict(f), "grade": f.grade} for f in figures.figures],
        "offenders": [f.name for f in figures.offenders()],
        "tokens": figures.tokens,
        "axes": figures.axes,
    }


def to_json(figures: Figures) -> str:
    return json.dumps(to_dict(figures), indent=2, ensure_ascii=False)


def table(figures: Figures) -> str:
    """For a terminal: figure, band, grade; then the offenders quoted, tokens by kind, and axis coverage."""
    lines = [f"{figures.records:,} records", ""]
    for f in figures.figures:
        value = f"{f.value:.2%}" if f.unit == "share" else f"{f.value:.3g}"
        band = "" if f.good is None else f"good to {f.good:.3g}, bad from {f.bad:.3g}"
        lines.append(f"{f.name:<42} {value:>9}  {f.grade:<9} {band}  [{f.source}]")
    for f in figures.offenders():
        lines += ["", f"worst: {f.name}", *(f"  {quote}" for quote in f.worst)]
    lines += ["", "kind          records        words   tokens, about"]
    lines += [f"{k:<10} {t['records']:>10,} {t['words']:>12,} {t['tokens']:>15,}" for k, t in figures.tokens.items()]
    for axis, values in figures.axes.items():
        most, least = max(values.values()), min(values.values())
        lines.append(f"axis {axis:<16} {len(values):>4} values, {least:,} to {most:,} records each")
    return "\n".join(lines)
