"""Ray in this process: the group-by finds what the local search finds, and poisoned premises are quarantined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers import Quiet, deadly, digests, make

from storygen import pipeline, ray_engine, ray_search, stages
from storygen.errors import UsageError
from storygen.ledger import Ledger
from storygen.ray_engine import RayEngine
from storygen.screens import buckets
from storygen.settings import Settings

# Ray Data warns of names of its own that it still sets itself.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")


@pytest.fixture(scope="module")
def engine() -> Iterator[RayEngine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # workers import the tests' helpers
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        with RayEngine(2) as engine:
            yield engine


def signed(rng: np.random.Generator, texts: int) -> buckets.U32:
    """Signatures with near pairs, a crowd larger than a bucket's limits, and texts without words."""
    out = rng.integers(0, 2**32 - 1, (texts, 128), dtype=np.uint32)
    for late in range(texts // 2, texts):
        early = int(rng.integers(0, late))
        same = rng.random(128) < rng.choice([0.4, 0.7, 0.95])
        out[late, same] = out[early, same]
    crowd = rng.choice(texts, 2 * (buckets.LATEST + buckets.FIRST), replace=False)
    out[crowd] = out[crowd[0]]
    out[rng.choice(texts, 5, replace=False)] = buckets.EMPTY
    return out


@pytest.mark.parametrize("fresh_share", [1.0, 0.3])
def test_the_shuffle_finds_the_pairs_of_the_local_search(
    engine: RayEngine, fresh_share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_search, "SMALL", 0)
    monkeypatch.setattr(ray_search, "GROUP", 300)  # several parts a band
    monkeypatch.setattr(ray_search, "BLOCK", 400)  # several blocks, the last one short
    rng = np.random.default_rng(3)
    texts = signed(rng, 1_000)
    live, fresh = rng.random(1_000) < 0.8, rng.random(1_000) <= fresh_share
    for pairs in (buckets.firsts, buckets.near):
        local = pairs(texts, live, fresh)
        assert len(local) > 200
        assert np.array_equal(pairs(texts, live, fresh, engine.search), local)


def test_a_run_with_the_group_by_has_the_bytes_of_a_local_one(
    engine: RayEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_search, "SMALL", 0)
    monkeypatch.setattr(ray_search, "GROUP", 50)
    mix = (("advice", 1),)  # the kind with most near-duplicates
    make(tmp_path / "local", n=150, mix=mix)
    settings = replace(Settings(), n=150, out=tmp_path / "ray", engine="ray", workers=2, mix=mix)
    pipeline.make(settings, engine, Quiet())
    assert digests(tmp_path / "ray") == digests(tmp_path / "local")


def test_few_fresh_texts_are_searched_for_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a cluster: a shuffle would raise."""
    texts = signed(np.random.default_rng(4), 400)
    fresh = np.arange(400) >= 390
    everything = np.ones(400, np.bool_)
    found = buckets.near(texts, everything, fresh, ray_search.by_shuffle)
    every = buckets.near(texts)
    assert np.array_equal(found, every[fresh[every].any(axis=1)])


def test_a_premise_that_kills_its_worker_is_quarantined(
    engine: RayEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.stages, "produce", partial(deadly, [7]))
    monkeypatch.setattr(stages, "BATCH", 5)
    settings = replace(Settings(), n=20, out=tmp_path / "run", engine="ray", workers=2)
    outcome = pipeline.make(settings, engine, Quiet())
    assert (outcome.kept, outcome.failed) == (20, 1)
    with Ledger.read(tmp_path / "run") as ledger:
        assert [(idx, reason) for idx, _, _, reason, _ in ledger.failures()] == [(7, "quarantine:worker-died")]


def test_a_node_with_another_storygen_is_refused(engine: RayEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "version", lambda: "0.0.9, tables 0")
    with pytest.raises(UsageError, match=r"A node of the cluster has storygen .*; this is 0.0.9"):
        list(engine.map(len, [(1, 2)]))
