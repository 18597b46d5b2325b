"""The ledger: committed means there, one holder at a time, reviewers' words count."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from helpers import made, write_for_ever

from storygen.errors import FolderError, UsageError
from storygen.ledger import Ledger


def test_every_state_is_counted_once(tmp_path: Path) -> None:
    with Ledger.hold(tmp_path) as ledger:
        ledger.commit([made(0), made(1, "form:link"), made(2), made(3)])
        ledger.commit_duplicates([(3, "duplicate:near", {"other": "story-0", "score": 0.9})], [(0, 3, 0.9)])
        ledger.commit_draft(4, "story-4", "story", "cell", "f", "{}")
        assert ledger.counts("state") == {("kept",): 2, ("pending",): 1, ("rejected",): 2}
        assert [row.reason for row in ledger.rows("state = 'rejected'")] == ["form:link", "duplicate:near"]
        assert [row.evidence.get("other") for row in ledger.rows("reason = 'duplicate:near'")] == ["story-0"]
        assert [idx for idx, *_ in ledger.unscreened()] == [4]


def test_a_draft_is_never_overwritten(tmp_path: Path) -> None:
    with Ledger.hold(tmp_path) as ledger:
        ledger.commit([made(0, line='{"text": "first"}')])
        ledger.commit([made(0, line='{"text": "second"}')])
        assert ledger.line(0) == '{"text": "first"}'


def test_latest_decision_of_each_reviewer_counts_and_one_drop_drops(tmp_path: Path) -> None:
    with Ledger.hold(tmp_path) as ledger:
        ledger.commit([made(0), made(1, "contamination:ngram")])
        ledger.decide(1, "ada", "keep", "", "rejects", 1.0)
        assert ledger.counts("idx", "state")[1, "kept"] == 1
        ledger.decide(1, "bo", "drop", "", "rejects", 2.0)
        assert ledger.counts("idx", "state")[1, "rejected"] == 1  # a reject that a reviewer confirms stays one
        ledger.decide(0, "bo", "drop", "", "random", 2.5)
        assert ledger.counts("idx", "state")[0, "dropped"] == 1
        ledger.decide(1, "bo", "undo", "", "rejects", 3.0)
        assert ledger.counts("idx", "state")[1, "kept"] == 1
        ledger.decide(1, "ada", "unsure", "", "rejects", 4.0)
        assert ledger.counts("idx", "state")[1, "rejected"] == 1


def test_signatures_come_back_in_order_and_only_the_new_ones(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**32, (3, 128), dtype=np.uint32)
    with Ledger.hold(tmp_path) as ledger:
        ledger.commit([made(k, signature=values[k].tobytes()) for k in (2, 0, 1)] + [made(3, "form:link")])
        indexes, signatures = ledger.signatures(after=np.array([1]))
        assert indexes.tolist() == [0, 2]
        assert (signatures == values[[0, 2]]).all()


def test_the_second_holder_is_told_who_holds_it(tmp_path: Path) -> None:
    with Ledger.hold(tmp_path), pytest.raises(FolderError, match=f"process {os.getpid()} on"):
        Ledger.hold(tmp_path)
    Ledger.hold(tmp_path).close()


def test_reading_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a run"):
        Ledger.read(tmp_path)


def test_a_broken_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.db").write_bytes(b"not a database at all, but long enough to be read as one" * 40)
    with pytest.raises(FolderError, match="cannot be used as a ledger"):
        Ledger.hold(tmp_path)


def test_what_was_committed_survives_kill_9(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=write_for_ever, args=(tmp_path, ready))
    process.start()
    assert ready.wait(60)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with Ledger.hold(tmp_path) as ledger:
        attempted = ledger.attempted()
        assert len(attempted) > 50
        assert attempted == set(range(len(attempted)))
