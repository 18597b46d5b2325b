"""Message batches against a server that behaves as the API does: nothing is lost and nothing is paid for twice."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import paid
import pytest
from fake_api import MODEL, MODEL_FAULTS, FakeApi

from storygen.calls import Call, Calls
from storygen.errors import ShortRun, WriterError
from storygen.ledger import Ledger
from storygen.writers import batches


def test_draft_revise_and_judge_in_three_waves(api: FakeApi, tmp_path: Path) -> None:
    outcome = paid.make(tmp_path / "run", 12, "anthropic-batch")
    assert (outcome.kept, outcome.failed) == (12, 0)
    rows = paid.rows(tmp_path / "run")
    assert Counter(api.generated.values()) == {1: len(rows)}
    by_step = Counter(step for _, step, *_ in rows)
    assert by_step["draft"] == outcome.attempted >= by_step["revise"] >= by_step["judge"] >= 12
    if outcome.attempted == 12:  # nothing was topped up
        assert len(api.batches) == 3
    report = json.loads((tmp_path / "run/report.json").read_text(encoding="utf-8"))
    assert report["cost"]["usd"] == pytest.approx(sum(row[-1] for row in rows), abs=1e-5)
    assert report["cost"]["in_batches"] == len(rows)
    assert json.loads((tmp_path / "run/manifest.json").read_text(encoding="utf-8"))["cost"]["usd_per_kept"] > 0


def test_batches_cost_half(api: FakeApi, tmp_path: Path) -> None:
    paid.make(tmp_path / "live", 4, revise=False, judge=False)
    api.cached.clear()
    paid.make(tmp_path / "batch", 4, "anthropic-batch", revise=False, judge=False)

    def usage(folder: Path) -> dict[str, float]:
        with Ledger.read(folder) as ledger:
            return ledger.spent()

    from storygen.writers.money import price

    rate = price(MODEL, True, {})
    live, batch = usage(tmp_path / "live"), usage(tmp_path / "batch")
    assert live["usd"] == pytest.approx(rate.usd(live["tokens"]), abs=1e-5)  # type: ignore[arg-type]
    assert batch["usd"] == pytest.approx(rate.usd(batch["tokens"]) / 2, abs=1e-5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("before_intent", 2),
        ("before_create", 1),
        ("before_create", 3),
        ("after_create", 1),
        ("after_create", 3),
        ("after_sent", 1),
        ("while_polling", 2),
        ("before_arrival", 1),
        ("mid_download", 2),
        ("mid_download", 5),
        ("before_done", 3),
        ("after_done", 2),
        ("before_commit", 3),
        ("after_commit", 3),
    ],
)
def test_kill_9_at_every_boundary(point: str, count: int, api: FakeApi, tmp_path: Path) -> None:
    """The server generates each request once, the ledger holds each result once, and the run reaches n."""
    folder = tmp_path / "run"
    paid.kill(folder, 12, "anthropic-batch", point, count)
    before = paid.rows(folder)
    outcome = paid.make(folder, 12, "anthropic-batch")
    assert outcome.kept == 12
    after = paid.rows(folder)
    assert Counter(api.generated.values()) == {1: len(after)}
    assert len({row[:3] for row in after}) == len(after) >= 36
    assert [row for row in after if row[:3] in {b[:3] for b in before}] == before  # what had arrived stays as it was
    with Ledger.read(folder) as ledger:
        assert not Calls(ledger).open_batches()
        assert Calls(ledger).count("void") == (point == "before_create")


def test_a_lost_reply_to_create_is_found_again(api: FakeApi, tmp_path: Path) -> None:
    api.lose_creates = 2
    assert paid.make(tmp_path / "run", 12, "anthropic-batch").kept == 12
    assert api.lose_creates == 0
    assert Counter(api.generated.values()) == {1: len(paid.rows(tmp_path / "run"))}


def test_a_batch_of_somebody_else_of_the_same_size_is_not_taken_for_ours(api: FakeApi, tmp_path: Path) -> None:
    """The hazard of one workspace for two runs: sizes and times agree, custom_ids do not."""
    paid.make(tmp_path / "theirs", 12, "anthropic-batch")
    theirs = len(api.batches)
    real = api.create
    with pytest.MonkeyPatch.context() as patch:
        refused = iter([True])

        def create(body: object) -> dict[str, object]:
            if next(refused, False):
                from fake_api import Refused

                raise Refused(500, "api_error", "gateway")  # never accepted, and the client cannot know
            return real(body)

        patch.setattr(api, "create", create)
        assert paid.make(tmp_path / "ours", 12, "anthropic-batch", seed=1).kept == 12
    assert len(api.batches) >= theirs + 3
    with Ledger.read(tmp_path / "ours") as ledger:
        assert Calls(ledger).count("void") == 1


def test_a_download_that_breaks_off_begins_again(api: FakeApi, tmp_path: Path) -> None:
    api.cut_results = 2
    assert paid.make(tmp_path / "run", 12, "anthropic-batch").kept == 12
    assert api.cut_results == 0
    assert Counter(api.generated.values()) == {1: len(paid.rows(tmp_path / "run"))}


def test_a_download_that_is_short_without_a_sign_begins_again(api: FakeApi, tmp_path: Path) -> None:
    """The hazard of a proxy that closes a body politely: half of what was paid for would count as lost."""
    api.short_results = 2
    outcome = paid.make(tmp_path / "run", 12, "anthropic-batch")
    assert (outcome.kept, outcome.failed, api.short_results) == (12, 0, 0)
    assert Counter(api.generated.values()) == {1: len(paid.rows(tmp_path / "run"))}


def test_results_that_never_come_are_failures_and_not_asked_for_again(api: FakeApi, tmp_path: Path) -> None:
    api.short_results = batches.DOWNLOADS
    outcome = paid.make(tmp_path / "run", 12, "anthropic-batch")
    assert (outcome.kept, outcome.failed) == (12, 6)
    lost = [row for row in paid.rows(tmp_path / "run") if row[4] == "lost"]
    assert len(lost) == 6
    assert all(row[5] > 0 for row in lost)  # counted at their worst
    assert set(api.generated.values()) == {1}


def test_a_batch_that_the_api_does_not_know_stops_the_run_until_it_is_too_old(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of another workspace must not make a run throw away what waits in the right one."""
    folder = tmp_path / "run"
    paid.kill(folder, 12, "anthropic-batch", "after_sent", 1)
    hidden, api.batches = api.batches, {}
    with pytest.raises(WriterError, match="does not know the batch msgbatch_") as caught:
        paid.make(folder, 12, "anthropic-batch")
    assert "workspace" in caught.value.hint
    monkeypatch.setattr(batches, "KEPT", -1.0)
    with Ledger.read(folder) as ledger:
        assert len(Calls(ledger).open_batches()) == 1
    outcome = paid.make(folder, 12, "anthropic-batch")
    assert (outcome.kept, outcome.failed) == (12, 12)
    assert hidden
    assert set(api.generated.values()) == {1}


def test_errored_and_expired_go_again_and_then_count_as_failures(api: FakeApi, tmp_path: Path) -> None:
    api.faults = {"errored": 0.2, "expired": 0.2}
    outcome = paid.make(tmp_path / "run", 30, "anthropic-batch")
    assert outcome.kept == 30
    rows = paid.rows(tmp_path / "run")
    assert {row[4] for row in rows} == {None, "errored", "expired"}
    assert all(row[5] == 0 for row in rows if row[4])  # what was never generated costs nothing
    assert max(row[2] for row in rows) <= 6
    assert set(api.generated.values()) == {1}
    with Ledger.read(tmp_path / "run") as ledger:
        assert {reason for *_, reason, _ in ledger.failures()} <= {"writer:errored", "writer:expired"}


def test_what_the_model_does_wrong_is_a_failure_in_its_cell_and_made_up_for(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = itertools.cycle(["truncated", "", "", "refusal", "", "", "too_short", "", ""])
    judged = itertools.cycle(["", "low_score", ""])

    def fault(params: dict[str, Any], turn: int, names: tuple[str, ...]) -> str:
        if names != MODEL_FAULTS:
            return ""
        return next(judged if "Judgement" in str(params["output_config"]) else turns)

    monkeypatch.setattr(api, "fault", fault)
    outcome = paid.make(tmp_path / "run", 40, "anthropic-batch")
    assert outcome.kept == 40
    assert outcome.kept + outcome.rejected + outcome.failed == outcome.attempted
    report = json.loads((tmp_path / "run/report.json").read_text(encoding="utf-8"))
    found = {row["reason"] for row in report["reasons"] if row["stage"] == "writer"}
    assert found == {"writer:truncated", "writer:refusal", "writer:length", "judge:conduct"}
    assert report["coverage"]["failing"]


def test_the_cap_holds_in_mid_flight_and_a_higher_one_goes_on(api: FakeApi, tmp_path: Path) -> None:
    """The worst case of what is under way is reserved: at no moment can more than the cap have been spent."""
    monitor: list[float] = []
    done = Calls.done

    def watched(self: Calls, *arguments: object) -> None:
        done(self, *arguments)  # type: ignore[arg-type]
        monitor.append(self.spent())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Calls, "done", watched)
        with pytest.raises(ShortRun, match="the cap was reached"):
            paid.make(tmp_path / "run", 40, "anthropic-batch", max_usd=0.03)
    assert 0 < max(monitor) <= 0.03
    assert 0 < api.billed <= 0.03
    assert not (tmp_path / "run/manifest.json").exists()
    assert paid.make(tmp_path / "run", 40, "anthropic-batch", max_usd=5.0).kept == 40
    assert set(api.generated.values()) == {1}


def test_waves_overlap_when_there_is_enough_for_a_batch(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "FEWEST", 6)
    monkeypatch.setattr(batches, "MOST", 8)
    api.uneven = 12
    heard = paid.Heard()
    assert paid.make(tmp_path / "run", 24, "anthropic-batch", heard).kept == 24
    assert set(api.generated.values()) == {1}
    assert any("to draft" in line and "to revise" in line for line in heard.lines), heard.lines
    assert any("to revise" in line and "to judge" in line for line in heard.lines), heard.lines


def test_a_bad_key_an_unknown_model_and_no_credit_stop_before_anything_is_sent(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.credit = False
    with pytest.raises(WriterError, match="no credit"):
        paid.make(tmp_path / "poor", 12, "anthropic-batch")
    api.credit = True
    api.models = {"another"}
    with pytest.raises(WriterError, match="does not know the model"):
        paid.make(tmp_path / "model", 12, "anthropic-batch")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-wrong-key-000000")
    with pytest.raises(WriterError, match="did not accept the key") as caught:
        paid.make(tmp_path / "key", 12, "anthropic-batch")
    assert "sk-ant-wrong" not in caught.value.message
    assert not api.batches
    assert not api.generated


def test_an_answer_in_the_ledger_is_never_overwritten(tmp_path: Path) -> None:
    with Ledger.hold(tmp_path / "run") as ledger:
        table = Calls(ledger)
        first = Call(3, "draft", 0, "{}", None, {"output_tokens": 1}, 0.5, "b")
        table.arrive([first], 1.0)
        table.arrive([Call(3, "draft", 0, "[]", None, {}, 9.0, "b")], 2.0)
        table.write(Call(3, "draft", 0, "[]", None, {}, 9.0), 3.0)
        assert table.of([3])[3] == [first]
        assert table.spent() == 0.5
