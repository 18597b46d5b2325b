"""How fast the leakage filter is, beside plain look-ups of word 13-grams, on the same documents in the same run.

    python bench/leakage.py [--documents FILE.jsonl] [--evals ../shared/evals] [--n 4000] [--write]

Without a file the documents are 400 words each, shuffled out of the sentences of `prompts/`. Documents a second of
one core (CPU time: the machine may be shared): hashing of words (which the near-duplicate screen shares), the filter
alone, both; then both on all cores, a Python set of 13-grams, which is what most pipelines have, and datatrove's
n-gram filter where it is there (`bench/requirements.txt`). With --write the table goes to docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import page

from storygen import resources
from storygen.records import Record
from storygen.screens.contamination import Contamination
from storygen.stages import contamination
from storygen.text import Block, block, fold

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


def timed(name: str, texts: Sequence[str], run: Callable[[Sequence[str]], int]) -> list[str]:
    """One row of the table: what, documents a second, how many were flagged."""
    run(texts[:BATCH])  # the tables that fill themselves are filled once a process
    begin = time.process_time()
    flagged = sum(run(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH))
    return row(name, len(texts) / (time.process_time() - begin), flagged)


def row(name: str, rate: float, flagged: int) -> list[str]:
    print(f"{name:<60} {rate:>9,.0f} documents/s   {flagged:>5} flagged", flush=True)
    return [name, f"{rate:,.0f}", f"{flagged:,}"]


def on_all_cores(texts: Sequence[str]) -> list[str]:
    """All tiers from raw text, in one process a core at the same time, start-up left out."""
    cores = os.cpu_count() or 1
    batches = [texts[at : at + BATCH] for at in range(0, len(texts), BATCH)]
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(counted, batches[:1] * 4 * cores))
        found = list(pool.map(counted, batches))
    rate = cores * len(texts) / sum(seconds for _, seconds in found)
    return row(f"storygen, all tiers, from raw text, {cores} cores", rate, sum(count for count, _ in found))


def counted(texts: Sequence[str]) -> tuple[int, float]:
    begin = time.process_time()
    return from_raw(texts), time.process_time() - begin


def from_raw(texts: Sequence[str]) -> int:
    return flagged(contamination(()), texts, block(texts))


def records(texts: Sequence[str]) -> list[Record]:
    return [Record(str(k), k, "story", text, {}) for k, text in enumerate(texts)]


def grams(text: str) -> Iterator[tuple[str, ...]]:
    words = fold(text).split()
    return (tuple(words[k : k + 13]) for k in range(len(words) - 12))


def scenarios(evals: Path) -> tuple[str, ...]:
    files = sorted(evals.glob("*.jsonl"))
    return tuple(json.loads(line)["text"] for p in files for line in p.read_text("utf-8").splitlines())


def plain(texts: Sequence[str]) -> Callable[[Sequence[str]], int]:
    """A Python set of all 13-grams of the evaluations."""
    known = {gram for text in texts for gram in grams(text)}
    print(f"plain set: {len(known):,} 13-grams")
    return lambda some: sum(any(gram in known for gram in grams(text)) for text in some)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--documents", type=Path)
    parser.add_argument("--evals", type=Path, default=resources.folder("prompts").parent.parent / "shared" / "evals")
    parser.add_argument("--n", type=int, default=4000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    texts = documents(options.documents, options.n)
    screen = contamination(())
    words = sum(len(t.split()) for t in texts) / len(texts)
    told = f"{len(texts):,} documents of {words:.0f} words; {screen.describe()}"
    print(told)
    blocks = {texts[at]: block(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)}
    rows = [
        timed("storygen, hashing of words", texts, lambda part: len(block(part)) * 0),
        timed("storygen, all tiers, hashes given", texts, lambda part: flagged(screen, part, blocks[part[0]])),
        timed("storygen, all tiers, from raw text", texts, from_raw),
        on_all_cores(texts),
    ]
    if options.evals.is_dir():
        known = scenarios(options.evals)
        rows.append(timed("plain Python set of 13-grams", texts, plain(known)))
        if importlib.util.find_spec("datatrove") is not None:
            import trove

            trove.clean(texts[:BATCH], known, 13)
            begin = time.process_time()
            kept = trove.clean(texts, known, 13)
            rate = len(texts) / (time.process_time() - begin)
            rows.append(row("datatrove's filter of 13-grams, words by split", rate, len(texts) - len(kept)))
    if options.write:
        head = ["one core (CPU time) unless said otherwise", "documents/s", "flagged"]
        page.write("benchmarks.md", "leakage", "The leakage filter alone", f"{told}.\n\n{page.table(head, rows)}")


def flagged(screen: Contamination, texts: Sequence[str], hashes: Block) -> int:
    return sum(look.verdict is not None for look in screen.look(records(texts), hashes).values())


if __name__ == "__main__":
    main()
