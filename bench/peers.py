"""Our screening beside the plain script that most people would write, on the same texts in one run.

    python bench/peers.py [4000]

The script: datasketch MinHash a shingle at a time and MinHashLSH at 0.7, langdetect on each whole text, a Python
set of 13-grams of the scenarios' folder (STORYGEN_EVALS). Both sides in one process. Near-duplicates are planted: a
tenth of the texts again with one word in thirty replaced; recall counts those whose exact Jaccard is 0.7 or more.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import langdetect
from datasketch import MinHash, MinHashLSH
from screens import corpus

from storygen.records import Record
from storygen.screens import duplicates, language
from storygen.stages import contamination
from storygen.text import fold

EVALS = Path(os.environ.get("STORYGEN_EVALS", "../shared/evals"))


def planted(records: Sequence[Record], seed: int = 0) -> list[Record]:
    """The records, and an edited copy of every tenth behind them."""
    rng = random.Random(seed)
    out = list(records)
    for original in records[::10]:
        words = original.text.split()
        for at in rng.sample(range(len(words)), max(1, len(words) // 30)):
            words[at] = rng.choice(words)
        index = len(out)
        out.append(Record(f"copy-{index}", index, original.kind, " ".join(words), {"of": original.index}))
    return out


def shingles(text: str, n: int = 5) -> set[str]:
    words = fold(text).split()
    return {" ".join(words[i : i + n]) for i in range(max(len(words) - n + 1, 1))}


def plain(records: Sequence[Record]) -> set[int]:
    """The script; returns the indexes that it calls near-duplicates."""
    grams: set[str] = set()
    for path in sorted(EVALS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            grams |= shingles(json.loads(line)["text"], 13)
    langdetect.DetectorFactory.seed = 0
    lsh = MinHashLSH(threshold=0.7, num_perm=128)
    dropped = set()
    for r in records:
        langdetect.detect(r.text)
        if not grams.isdisjoint(shingles(r.text, 13)):
            continue
        signature = MinHash(128)
        for shingle in shingles(r.text):
            signature.update(shingle.encode())
        if lsh.query(signature):
            dropped.add(r.index)
        lsh.insert(r.index, signature)
    return dropped


def ours(records: Sequence[Record]) -> set[int]:
    """The same three questions by storygen's screens."""
    kept = language.screen(records).kept
    kept = contamination(()).screen(kept).kept
    return {r.index for r, _ in duplicates.screen(kept).rejected}


def main(count: int) -> None:
    records = planted(corpus(count))
    by_index = {r.index: r for r in records}
    near = set()
    for r in records[count:]:
        a, b = shingles(r.text), shingles(by_index[r.payload["of"]].text)
        if len(a & b) / len(a | b) >= duplicates.THRESHOLD:
            near.add(r.index)
    ours(records[:200])
    seconds = {}
    for name, work in (("storygen", ours), ("plain script", plain)):
        begin = time.perf_counter()
        found = work(records)
        seconds[name] = time.perf_counter() - begin
        recall = len(found & near) / max(len(near), 1)
        print(f"{name:<14} {len(records) / seconds[name]:>8,.0f}/s, recall of {len(near):,} near pairs {recall:.1%}")
    print(f"storygen is {seconds['plain script'] / seconds['storygen']:.1f} times as fast")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4000)
