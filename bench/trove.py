"""datatrove's MinHash and n-gram decontamination in this process, for comparisons (`bench/requirements.txt`)."""

from __future__ import annotations

import contextlib
import functools
import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.decont import NGramsDecontConfig, NGramsDecontFilter
from datatrove.pipeline.dedup import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.utils.hashing import HashConfig, create_hash_func
from datatrove.utils.text import ngrams, simplify_text
from datatrove.utils.word_tokenizers import WordTokenizer, load_word_tokenizer


class Split(WordTokenizer):
    """Words by `str.split`, which is faster than any tokenizer that it brings."""

    def word_tokenize(self, text: str) -> list[str]:
        return text.split()

    def sent_tokenize(self, text: str) -> list[str]:
        return [text]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))]


@functools.cache
def tokenizer(own: bool) -> Any:
    """spaCy's English words, as it takes them unless told, or `Split`."""
    return load_word_tokenizer("en") if own else Split()


@functools.cache
def index(scenarios: tuple[str, ...], n: int, own: bool) -> Path:
    """A folder with the scenarios' n-grams as its filter reads them; its own indexer wants tasks of a hub."""
    config = NGramsDecontConfig(n_grams=n)
    hashed = create_hash_func(config.hash_config)
    found = {
        hashed(" ".join(gram))
        for text in scenarios
        for gram in ngrams(tokenizer(own).word_tokenize(simplify_text(text, config.norm_config)), n)
    }
    folder = Path(tempfile.mkdtemp(prefix="storygen-bench-"))
    np.array(list(found), dtype=config.hash_config.np_descr).tofile(folder / "scenarios.index.hashes")
    return folder


def clean(texts: Sequence[str], scenarios: tuple[str, ...], n: int, own: bool = False) -> set[int]:
    """Places of the texts that its decontamination filter keeps."""
    filter_ = NGramsDecontFilter(
        str(index(scenarios, n, own)), NGramsDecontConfig(n_grams=n), language=tokenizer(own)
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        return _run([[_documents(texts), filter_]], Path(scratch))


def unique(texts: Sequence[str], shingle: int, bands: int, rows: int, own: bool = False) -> set[int]:
    """Places of the texts that its four MinHash steps keep."""
    config = MinhashConfig(
        n_grams=shingle, num_buckets=bands, hashes_per_bucket=rows, hash_config=HashConfig(precision=32)
    )
    documents = _documents(texts)
    with tempfile.TemporaryDirectory() as scratch:
        signed, buckets, clusters = (f"{scratch}/{name}" for name in ("signatures", "buckets", "clusters"))
        steps = [
            [documents, MinhashDedupSignature(signed, config, language=tokenizer(own))],
            [MinhashDedupBuckets(signed, buckets, config=config)],
            [MinhashDedupCluster(buckets, clusters, config=config)],
            [documents, MinhashDedupFilter(clusters)],
        ]
        return _run(steps, Path(scratch), tasks={1: bands})


def _documents(texts: Sequence[str]) -> list[Document]:
    return [Document(text=text, id=str(k)) for k, text in enumerate(texts)]


def _run(steps: Sequence[list[Any]], scratch: Path, tasks: dict[int, int] | None = None) -> set[int]:
    """The ids that leave the last step."""
    kept: set[int] = set()

    def collect(data: Any, rank: int = 0, world_size: int = 1) -> None:
        kept.update(int(document.id) for document in data)

    with _quiet():
        for number, each in enumerate(steps):
            last = [collect] if number == len(steps) - 1 else []
            count = (tasks or {}).get(number, 1)
            LocalPipelineExecutor(
                [*each, *last], tasks=count, workers=1, logging_dir=str(scratch / f"logs{number}")
            ).run()
    return kept


@contextmanager
def _quiet() -> Iterator[None]:
    """Its logger takes hold of stderr at each start."""
    with contextlib.redirect_stderr(io.StringIO()):
        yield
