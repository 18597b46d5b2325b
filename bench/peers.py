"""The same 20,000 documents through storygen's screens and through others', one core each, in one run.

    /tmp/benchvenv/bin/pip install -e . -r bench/requirements.txt
    /tmp/benchvenv/bin/python bench/peers.py [20000] [--spacy]

18,000 texts of the grammar writer, 2,000 edited copies of exact Jaccard 0.7 and more, 200 texts with 50 words of a
scenario (STORYGEN_EVALS, read at run time). Every tool is asked for word 5-grams and a threshold of 0.7. A peer that
is not installed is left out. The table goes to docs/benchmarks.md.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import page
from planted import Corpus, grams, nearest, plant
from screens import corpus

from storygen.records import Record
from storygen.screens import duplicates, language
from storygen.screens.duplicates import THRESHOLD
from storygen.stages import BATCH, contamination
from storygen.text import block

EVALS = Path(os.environ.get("STORYGEN_EVALS", "../shared/evals"))
NGRAM = 13


@dataclass(frozen=True)
class Answer:
    """What a tool calls a near-duplicate of an earlier text, and what it calls contaminated (None: does not look)."""

    near: set[int]
    leaks: set[int] | None


Tool = Callable[[Sequence[Record]], Answer]


def storygen(records: Sequence[Record]) -> Answer:
    language.screen(records)
    return storygen_without_language(records)


def storygen_without_language(records: Sequence[Record]) -> Answer:
    """As `stages` does: the words of a batch are hashed once, for the leakage filter and for the signatures."""
    leaks, signed = set[int](), []
    for at in range(0, len(records), BATCH):
        some = records[at : at + BATCH]
        hashes = block(r.text for r in some)
        signed.append(duplicates.signatures(hashes))
        looked = contamination(()).look(some, hashes)
        leaks |= {r.index for r in some if looked[r.id].verdict is not None}
    texts = {r.index: r.text for r in records}
    found = duplicates.DuplicateIndex().add(list(texts), np.concatenate(signed), texts.__getitem__)
    return Answer({index for index, *_ in found.verdicts}, leaks)


def storygen_duplicates(records: Sequence[Record]) -> Answer:
    return Answer({r.index for r, _ in duplicates.screen(records).rejected}, None)


def plain(records: Sequence[Record]) -> Answer:
    """The script that most people would write: a shingle at a time, whole texts to langdetect, a set of 13-grams."""
    import langdetect
    from datasketch import MinHash, MinHashLSH

    known = known_grams()
    langdetect.DetectorFactory.seed = 0
    lsh = MinHashLSH(threshold=THRESHOLD, num_perm=128)
    answer = Answer(set(), set())
    for r in records:
        langdetect.detect(r.text)
        if not known.isdisjoint(grams(r.text, NGRAM)):
            answer.leaks.add(r.index)  # type: ignore[union-attr]
        signature = MinHash(128)
        for shingle in grams(r.text, duplicates.SHINGLE):
            signature.update(shingle.encode())
        if lsh.query(signature):
            answer.near.add(r.index)
        lsh.insert(r.index, signature)
    return answer


@functools.cache
def known_grams() -> set[str]:
    """Made while warming up, as ours are made beforehand."""
    return set().union(*(grams(text, NGRAM) for text in scenarios()))


@functools.cache
def scenarios() -> tuple[str, ...]:
    files = sorted(EVALS.glob("*.jsonl"))
    return tuple(json.loads(line)["text"] for p in files for line in p.read_text("utf-8").splitlines())


def datatrove(bands: int, rows: int, own_words: bool = False) -> Tool:
    """Its n-gram filter and its MinHash; words by `str.split`, or as it takes them unless told."""

    def run(records: Sequence[Record]) -> Answer:
        import trove

        texts, every = [r.text for r in records], {r.index for r in records}
        leaks = every - trove.clean(texts, scenarios(), NGRAM, own_words)
        return Answer(every - trove.unique(texts, duplicates.SHINGLE, bands, rows, own_words), leaks)

    return run


def rensa(records: Sequence[Record]) -> Answer:
    """Its deduplicator, a text after the other; the shingles are made in Python, as in its README."""
    from rensa import RMinHash, RMinHashDeduplicator

    signed = RMinHash.from_token_sets([grams(r.text, duplicates.SHINGLE) for r in records], 128, 42)
    index = RMinHashDeduplicator(THRESHOLD, 128, True, num_bands=32)
    return Answer({r.index for r, one in zip(records, signed, strict=True) if not index.add(str(r.index), one)}, None)


def text_dedup(records: Sequence[Record]) -> Answer:
    """Its MinHash command in this process, from a data set on disk to one on disk."""
    import datasets
    from text_dedup.minhash import main

    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stderr(io.StringIO()):
        data = datasets.Dataset.from_dict({"text": [r.text for r in records], "idx": [r.index for r in records]})
        data.save_to_disk(f"{scratch}/in")
        options = f"--path {scratch}/in --local --output {scratch}/out --cache_dir {scratch} --num_proc 1"
        main(
            f"{options} --column text --ngram {duplicates.SHINGLE} --threshold {THRESHOLD} --num_perm 128 "
            "--min_length 1".split(),
            standalone_mode=False,
        )
        kept = set(datasets.load_from_disk(f"{scratch}/out")["idx"])
    return Answer({r.index for r in records} - kept, None)


@dataclass(frozen=True)
class Row:
    name: str
    asked: str
    run: Tool
    needs: str = ""


ROWS = (
    Row("**storygen**", "language, near-duplicates verified (25 × 5), leakage by all tiers", storygen),
    Row("plain script", "langdetect, datasketch MinHash 128 and LSH, set of 13-grams", plain, "datasketch"),
    Row("**storygen**", "near-duplicates verified (25 × 5), leakage by all tiers", storygen_without_language),
    Row("datatrove", "MinHash 14 × 8 (as it ships), 13-gram filter; words by split", datatrove(14, 8), "datatrove"),
    Row("datatrove", "MinHash 25 × 5, 13-gram filter; words by split", datatrove(25, 5), "datatrove"),
    Row("datatrove", "the same, words by spaCy (as it ships)", datatrove(25, 5, own_words=True), "spacy"),
    Row("**storygen**", "near-duplicates verified (25 × 5)", storygen_duplicates),
    Row("rensa", "R-MinHash 128, LSH of 32 bands, verified by signature", rensa, "rensa"),
    Row("text-dedup", "MinHash 128, its choice of bands for 0.7", text_dedup, "text_dedup"),
)


TOLD = """
{0:,} documents of {1:.0f} words on average: texts of the grammar writer, {2:,} edited copies of exact Jaccard {3:.2f}
to {4:.2f}, {5} texts with 50 words of a scenario inside. Documents per second of one core (CPU time, as the machine
is shared), texts given in memory, tables of the scenarios' n-grams made beforehand; word 5-grams and a threshold of
{6} everywhere. Recall: pairs of which one is dropped. Precision: of what is dropped, the share with another text of
exact Jaccard {6} or more, by an inverted index over all 5-grams. Others flagged: texts without a fragment that are
called contaminated.

"""


def quiet() -> None:
    """One of them draws bars; here only the table is wanted."""
    with contextlib.suppress(ImportError):
        import datasets

        datasets.disable_progress_bars()


def cpu() -> float:
    """Seconds of a core that this process and what it started have taken: on a shared machine fairer than a clock."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def main(count: int, spacy: bool) -> None:
    quiet()
    pairs = count // 10
    planted = plant(corpus(count - pairs), pairs, EVALS, count // 100)
    words = sum(len(r.text.split()) for r in planted.records) / count
    warm = planted.records[:200]
    rows, flagged, answers = [], set[int](), list[tuple[Row, float, Answer]]()
    for row in ROWS:
        if row.needs == "spacy" and not spacy:
            continue  # ten times as slow as all others together
        if row.needs and importlib.util.find_spec(row.needs) is None:
            print(f"{row.name}: {row.needs} is not installed")
            continue
        row.run(warm)
        begin = cpu()
        answer = row.run(planted.records)
        answers.append((row, count / (cpu() - begin), answer))
        flagged |= answer.near
        print(f"{row.name} {row.asked}: {answers[-1][1]:,.0f}/s", flush=True)
    truth = nearest(planted.records, sorted(flagged))
    own = 1.0
    for row, rate, answer in answers:
        own = rate if row.run in (storygen, storygen_without_language, storygen_duplicates) else own
        rows.append([row.name, row.asked, f"{rate:,.0f}", f"{own / rate:.1f}", *_shares(planted, answer, truth)])
    head = ["tool", "asked for", "documents/s", "storygen is × as fast", "recall of near pairs", "precision",
            "recall of fragments", "others flagged"]  # fmt: skip
    scores = [score for *_, score in planted.near]
    low, high = min(scores), max(scores)
    body = TOLD.format(count, words, pairs, low, high, len(planted.leaks), THRESHOLD) + page.table(head, rows)
    page.write("benchmarks.md", "peers", "Screens beside others'", body)


def _shares(planted: Corpus, answer: Answer, truth: dict[int, float]) -> list[str]:
    right = sum(truth[i] >= THRESHOLD for i in answer.near)
    found = sum(a in answer.near or b in answer.near for a, b, _ in planted.near)
    near = [f"{found / len(planted.near):.2%}", f"{right / max(len(answer.near), 1):.2%}"]
    if answer.leaks is None:
        return [*near, "", ""]
    caught = len(answer.leaks & planted.leaks) / len(planted.leaks)
    return [*near, f"{caught:.1%}", f"{len(answer.leaks - planted.leaks):,}"]


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:] if a.isdigit()]
    main(numbers[0] if numbers else 20_000, "--spacy" in sys.argv)
