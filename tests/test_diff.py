"""`storygen diff`: what changed between two runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import fake_run

from storygen import cli
from storygen.diff import diff, distance, table
from storygen.ledger import Ledger

COUNTS = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 9))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_run(tmp_path_factory.mktemp("diff") / "first", 200, hostile=False)


def test_a_run_does_not_differ_from_its_copy(first: Path, tmp_path: Path) -> None:
    shutil.copytree(first, tmp_path / "copy")
    d = diff(first, tmp_path / "copy")
    assert (d.settings, d.figures, d.moved, d.gained, d.lost, d.renamed) == ({}, {}, {}, (), (), ())
    assert d.rewritten == 0
    assert d.only == (0, 0)
    assert d.shared == 210
    assert "rejects gained: none" in table(d)


def test_rejects_gained_and_lost_by_decisions_and_verdicts(first: Path, tmp_path: Path) -> None:
    shutil.copytree(first, tmp_path / "second")
    with Ledger.hold(tmp_path / "second") as ledger:
        leak = next(iter(ledger.rows("stage = 'contamination'", lines=False)))
        kept = next(iter(ledger.rows("state = 'kept'", lines=False)))
        form = next(iter(ledger.rows("stage = 'form'", lines=False)))
        ledger.decide(leak.idx, "ada", "keep", "", "rejects", 1.0)
        ledger.decide(kept.idx, "ada", "drop", "", "random", 2.0)
        with ledger.transaction() as db:
            db.execute("UPDATE screened SET reason = 'form:link' WHERE idx = ?", (form.idx,))
            db.execute("UPDATE drafts SET line = replace(line, 'kettle', 'clock') WHERE idx = ?", (kept.idx,))
        ledger.put("settings", {**ledger.get("settings"), "seed": 7})
    d = diff(first, tmp_path / "second")
    assert d.gained == ((kept.id, "review:dropped"),)
    assert d.lost == ((leak.id, leak.reason),)
    assert d.renamed == ((form.id, "form:placeholder → form:link"),)
    assert d.rewritten == 1
    assert d.settings == {"seed": (0, 7)}
    assert d.figures["overridden"] == (0, 1)
    said = table(d)
    for part in ("seed", "0 → 7", "review:dropped 1", leak.id, "overridden"):
        assert part in said


def test_another_corpus_has_other_ids_and_distributions(first: Path, tmp_path: Path) -> None:
    longer = fake_run(tmp_path / "longer", 400, every=8, hostile=False)
    d = diff(first, longer)
    assert d.only == (0, 240)
    assert d.moved["scores plot"] > 0.01
    assert list(d.moved.values()) == sorted(d.moved.values(), reverse=True)
    assert "only in the second" in table(d)
    assert "and " in table(diff(longer, fake_run(tmp_path / "other", 400, every=400, hostile=False)))


@given(COUNTS, COUNTS)
def test_the_distance_is_symmetric_and_at_most_one(a: dict[str, int], b: dict[str, int]) -> None:
    assert distance(a, a) == 0
    assert distance(a, b) == pytest.approx(distance(b, a))
    assert 0 <= distance(a, b) <= 1 + 1e-9
    assert distance({"a": 3}, {"b": 9}) == 1


def test_what_is_no_run_is_named(first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        cli.main(["diff", str(first), str(tmp_path)])
    assert done.value.code == 2
    assert "is not a run" in capsys.readouterr().err
