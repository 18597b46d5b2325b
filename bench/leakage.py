"""How fast the leakage filter is, beside plain look-ups of word 13-grams, on the same documents in the same run.

    python bench/leakage.py [--documents FILE.jsonl] [--evals ../shared/evals] [--n 4000]

Without a file the documents are 400 words each, shuffled out of the sentences of `prompts/`. Prints documents a
second on one core: hashing of words (which the near-duplicate screen shares), the filter alone, and both; then a
Python set of 13-grams, which is what most pipelines have.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from storygen import resources
from storygen.records import Record
from storygen.screens.contamination import Contamination
from storygen.text import block, fold

BATCH = 200
WORDS = 400


def documents(file: Path | None, n: int) -> list[str]:
    if file is not None:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()[:n]]
        return [row["text"] for row in rows]
    prose = "\n".join(p.read_text(encoding="utf-8") for p in sorted(resources.folder("prompts").rglob("*.toml")))
    sentences = [line for line in prose.splitlines() if len(line.split()) > 7 and line.endswith(".")]
    sentences = [re.sub(r"[\[\]{}|]", " ", line) for line in sentences]
    out = []
    for k in range(n):
        rng, words = random.Random(k), list[str]()
        while len(words) < WORDS:
            words += rng.choice(sentences).split()
        out.append(" ".join(words[:WORDS]))
    return out


def timed(name: str, texts: Sequence[str], run: Callable[[Sequence[str]], int]) -> None:
    begin = time.perf_counter()
    flagged = sum(run(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH))
    seconds = time.perf_counter() - begin
    print(f"{name:<44} {len(texts) / seconds:>9,.0f} documents/s   {flagged:>5} flagged")


def records(texts: Sequence[str]) -> list[Record]:
    return [Record(str(k), k, "story", text, {}) for k, text in enumerate(texts)]


def grams(text: str) -> Iterator[tuple[str, ...]]:
    words = fold(text).split()
    return (tuple(words[k : k + 13]) for k in range(len(words) - 12))


def plain(evals: Path) -> Callable[[Sequence[str]], int]:
    """A Python set of all 13-grams of the evaluations."""
    rows = [json.loads(line) for p in sorted(evals.glob("*.jsonl")) for line in p.read_text("utf-8").splitlines()]
    known = {gram for row in rows for gram in grams(row["text"])}
    print(f"plain set: {len(known):,} 13-grams")
    return lambda texts: sum(any(gram in known for gram in grams(text)) for text in texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--documents", type=Path)
    parser.add_argument("--evals", type=Path, default=resources.folder("prompts").parent.parent / "shared" / "evals")
    parser.add_argument("--n", type=int, default=4000)
    options = parser.parse_args()
    texts = documents(options.documents, options.n)
    screen = Contamination.load()
    words = sum(len(t.split()) for t in texts) / len(texts)
    print(f"{len(texts):,} documents of {words:.0f} words; {screen.describe()}")
    block(texts[:BATCH])  # the tables that fill themselves are filled once a process
    blocks = {texts[at]: block(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)}
    timed("hashing of words", texts, lambda part: len(block(part)) * 0)
    timed("all tiers, hashes given", texts, lambda part: _flagged(screen, part, blocks[part[0]]))
    timed("all tiers, from raw text", texts, lambda part: _flagged(screen, part, block(part)))
    if options.evals.is_dir():
        timed("plain Python set of 13-grams", texts, plain(options.evals))


def _flagged(screen: Contamination, texts: Sequence[str], hashes: Any) -> int:
    return sum(look.verdict is not None for look in screen.look(records(texts), hashes).values())


if __name__ == "__main__":
    main()
