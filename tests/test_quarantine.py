"""Poisoned texts: quarantined by name, made up for, counted, and never the end of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from helpers import Quiet, deadly, digests, make, once, read_jsonl, story, text

from storygen import engines, pipeline, quarantine, screening, stages
from storygen.errors import ShortRun, StorygenError, UsageError
from storygen.ledger import Ledger
from storygen.premises import Premise
from storygen.records import Record
from storygen.screens import form, language
from storygen.settings import Settings
from storygen.writers import method
from storygen.writers.grammar import GrammarWriter

N = 120
POISON = 7


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("clean") / "run"
    make(folder, n=N)
    return digests(folder)


def report(folder: Path) -> dict[str, Any]:
    out: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return out


def test_a_premise_whose_writing_raises_fails_by_name_and_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = GrammarWriter.write

    def write(self: GrammarWriter, premise: Premise) -> Any:
        if premise.index == POISON:
            raise KeyError("no such slot")
        return whole(self, premise)

    monkeypatch.setattr(GrammarWriter, "write", write)
    outcome = make(tmp_path / "run", n=N)
    assert (outcome.kept, outcome.failed) == (N, 1)
    with Ledger.read(tmp_path / "run") as ledger:
        ((idx, _, cell, reason, detail),) = ledger.failures()
    assert (idx, reason, detail) == (POISON, "quarantine:raised", "KeyError: 'no such slot'")
    assert cell.count("/") == 2
    sums = report(tmp_path / "run")["sum"]
    assert sums["quarantined"] == 1
    assert sums["adds_up"]
    manifest = json.loads((tmp_path / "run/manifest.json").read_text(encoding="utf-8"))
    assert manifest["counts"]["quarantined"] == 1


def test_a_text_whose_screening_raises_is_rejected_by_name_and_the_others_of_its_batch_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = form.screen

    def screen(records: Sequence[Record], ours: bool = True) -> Any:
        if any(r.index == POISON for r in records):
            raise ValueError("a hostile text")
        return whole(records, ours=ours)

    monkeypatch.setattr(form, "screen", screen)
    outcome = make(tmp_path / "run", n=N)
    assert outcome.kept == N
    (row,) = [r for r in read_jsonl(tmp_path / "run/rejected.jsonl") if r["stage"] == "quarantine"]
    assert row["reason"] == "quarantine:raised"
    assert row["evidence"] == {"error": "ValueError: a hostile text"}
    assert int(row["id"][-7:]) == POISON
    found = report(tmp_path / "run")
    assert found["sum"]["quarantined"] == 1
    assert next(f for f in found["funnel"] if f["stage"] == "quarantine")["rejected"] == 1


def test_a_foreign_line_whose_screening_raises_is_rejected_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = language.screen

    def screen(records: Sequence[Record], code: str) -> Any:
        if any("poison" in r.text for r in records):
            raise RecursionError("too deep")
        return whole(records, code)

    monkeypatch.setattr(language, "screen", screen)
    lines = [
        json.dumps({"text": f"The {word} stood by the gate and nobody moved it."}) for word in ("cart", "poison")
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    outcome = screening.screen(
        [tmp_path / "in.jsonl"], tmp_path / "out", (), "", "en", engines.Serial(), Quiet()
    )  # fmt: skip
    assert (outcome.kept, outcome.rejected) == (1, 1)
    (row,) = read_jsonl(tmp_path / "out/rejected.jsonl")
    assert row["reason"] == "quarantine:raised"
    assert "poison" in row["text"]


def test_a_fault_of_the_program_is_no_poisoned_text() -> None:
    def work(items: Sequence[int]) -> Sequence[int]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        quarantine.guarded(work, range(quarantine.FAULT), lambda item, error: item)
    assert quarantine.guarded(work, [4, 5], lambda item, error: -item) == [-4, -5]


@pytest.mark.parametrize("error", [UsageError("no such bank"), OSError("disk full")])
def test_what_the_user_or_the_system_must_mend_is_raised(error: Exception) -> None:
    def work(items: Sequence[int]) -> Sequence[int]:
        raise error

    with pytest.raises(type(error)):
        quarantine.guarded(work, [1], lambda item, error: item)


def test_a_worker_killed_once_changes_nothing(
    clean: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.stages, "produce", partial(once, tmp_path / "killed"))
    outcome = make(tmp_path / "run", n=N, workers=2)
    assert (tmp_path / "killed").exists()
    assert (outcome.kept, outcome.failed) == (N, 0)
    assert digests(tmp_path / "run") == clean


def test_a_premise_that_kills_its_worker_is_quarantined_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "BATCH", 30)
    monkeypatch.setattr(pipeline.stages, "produce", partial(deadly, [POISON]))
    outcome = make(tmp_path / "run", n=N, workers=2)
    assert (outcome.kept, outcome.failed) == (N, 1)
    with Ledger.read(tmp_path / "run") as ledger:
        assert [(idx, reason) for idx, _, _, reason, _ in ledger.failures()] == [(POISON, "quarantine:worker-died")]


def test_workers_that_always_die_end_the_run_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "BATCH", 1)
    monkeypatch.setattr(quarantine, "DEATHS", 1)
    monkeypatch.setattr(pipeline.stages, "produce", partial(deadly, range(N)))
    with pytest.raises(StorygenError, match="keep dying"):
        make(tmp_path / "run", n=4, workers=2)


def test_resuming_keeps_what_was_quarantined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "ROUNDS", 0)
    whole = GrammarWriter.write

    def write(self: GrammarWriter, premise: Premise) -> Any:
        if premise.index == POISON:
            raise KeyError("no such slot")
        return whole(self, premise)

    with monkeypatch.context() as patch:
        patch.setattr(GrammarWriter, "write", write)
        with pytest.raises(ShortRun):
            make(tmp_path / "run", n=N)
    settings = replace(Settings(), n=N, out=tmp_path / "run", workers=1)
    monkeypatch.setattr(pipeline, "ROUNDS", 12)
    with engines.Serial() as engine:
        outcome = pipeline.make(settings, engine, Quiet())
    assert (outcome.kept, outcome.failed) == (N, 1)


def test_a_paid_text_that_makes_a_screen_raise_is_not_paid_for_further(monkeypatch: pytest.MonkeyPatch) -> None:
    def screen(records: Sequence[Record]) -> Any:
        raise ValueError("a hostile text")

    passes = method.screens(stages.contamination(()))
    assert passes(story(text(3)), "revise")
    monkeypatch.setattr(method.conduct, "screen", screen)
    assert not passes(story(text(3)), "revise")
