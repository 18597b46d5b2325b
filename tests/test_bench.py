"""What the benchmarks plant and claim to know is so, and what they write into docs/ replaces its own section."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from helpers import text

from storygen.ledger import Ledger
from storygen.records import Record

BENCH = Path(__file__).parent.parent / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports a benchmark as its neighbours do, and forgets it again."""
    monkeypatch.syspath_prepend(str(BENCH))
    before = set(sys.modules)

    def load(name: str) -> ModuleType:
        return __import__(name)

    yield load
    for name in set(sys.modules) - before:
        if str(BENCH) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def evals(tmp_path: Path) -> Path:
    """Scenarios of our own: nothing of the real ones is read in tests."""
    rows = [{"text": " ".join(f"scenario{k}word{i}" for i in range(120))} for k in range(3)]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path


def base(count: int) -> list[Record]:
    return [Record(str(k), k, "story", f"Number {k}. " + text(k), {}) for k in range(count)]


def test_planted_pairs_have_the_jaccard_that_is_claimed(bench: Any, evals: Path) -> None:
    planted = bench("planted")
    corpus = planted.plant(base(40), 12, evals, 5)
    assert len(corpus.records) == 52
    assert len(corpus.near) == 12
    for original, copy, score in corpus.near:
        a, b = (planted.grams(corpus.records[k].text, 5) for k in (original, copy))
        assert len(a & b) / len(a | b) == pytest.approx(score)
        assert 0.7 <= score <= 1.0
    assert len({score for *_, score in corpus.near}) > 2


def test_planted_fragments_are_verbatim_and_in_no_pair(bench: Any, evals: Path) -> None:
    planted = bench("planted")
    corpus = planted.plant(base(40), 12, evals, 5)
    known = [json.loads(line)["text"] for line in (evals / "own.jsonl").read_text(encoding="utf-8").splitlines()]
    held = {r.index for r in corpus.records if "scenario" in r.text}
    assert held == corpus.leaks
    for index in held:
        words = [w for w in corpus.records[index].text.split() if w.startswith("scenario")]
        assert any(" ".join(words) in scenario for scenario in known)
        assert len(words) == planted.FRAGMENT
    assert not held & {original for original, *_ in corpus.near}


def test_the_truth_of_the_precision_is_brute_force(bench: Any, evals: Path) -> None:
    planted = bench("planted")
    records = planted.plant(base(20), 6, evals, 2).records
    each = [planted.grams(r.text, 5) for r in records]
    found = planted.nearest(records, range(len(records)))
    for k, own in enumerate(each):
        best = max(len(own & other) / len(own | other) for j, other in enumerate(each) if j != k)
        assert found[k] == pytest.approx(best)


def test_a_section_replaces_itself_and_nothing_else(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    page = bench("page")
    monkeypatch.setattr(sys, "argv", [str(BENCH / "peers.py"), "200"])
    once = page.section(page.section("# Title\n", "a", "A", "first"), "b", "B", "kept")
    twice = page.section(once, "a", "A", "second")
    assert "first" not in twice
    assert "second" in twice
    assert "python bench/peers.py 200" in twice
    assert twice.index("## A") < twice.index("## B")
    assert twice.partition("<!-- b -->")[2] == once.partition("<!-- b -->")[2]


def test_the_stages_of_the_scale_run_are_the_real_ones(bench: Any, tmp_path: Path) -> None:
    scale = bench("scale")
    for stage in scale.STAGES.values():
        stage(tmp_path, 400)
    with Ledger.read(tmp_path) as ledger:
        states = {state: n for (state,), n in ledger.counts("state").items()}
        assert states == {"kept": 398, "rejected": 2}
    assert sum(len(p.read_bytes().splitlines()) for p in (tmp_path / "data").rglob("*.jsonl")) == 398
    assert scale._far([1.0, 2.0], [100, 200]) == pytest.approx(scale.FAR / 100)
