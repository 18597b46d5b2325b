"""Model writers, live: the method, failures, errors, money, keys. The SDK is the real one, the server is not."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import paid
import pytest
from fake_api import MODEL, MODEL_FAULTS, SERVER_FAULTS, FakeApi
from helpers import read_jsonl

from storygen import cli, resources, stages
from storygen.calls import UNANSWERED, Calls
from storygen.errors import ShortRun, UsageError, WriterError
from storygen.ledger import Ledger
from storygen.stages import Spec
from storygen.writers import run
from storygen.writers.limiter import Limiter
from storygen.writers.money import Budget, price
from storygen.writers.replies import completion, read


def lines(folder: Path) -> list[dict[str, object]]:
    return [record for path in sorted((folder / "data").rglob("*.jsonl")) for record in read_jsonl(path)]


def test_every_version_is_in_the_ledger_and_the_last_is_exported(api: FakeApi, tmp_path: Path) -> None:
    assert paid.make(tmp_path / "run", 20).kept == 20
    assert set(api.generated.values()) == {1}
    with Ledger.read(tmp_path / "run") as ledger:
        replies = ledger.query("SELECT idx, step, reply FROM calls")
    steps = {(idx, step): json.loads(read(reply).text) for idx, step, reply in replies}
    assert len(steps) >= 60
    for record in lines(tmp_path / "run"):
        idx, meta = int(str(record["id"])[-7:]), record["meta"]
        revised = steps[idx, "revise"]["draft"]
        assert record.get("text", record.get("messages")) == revised.get("text", revised.get("messages"))
        assert meta["judged"]["conduct"] == 5  # type: ignore[index]
        assert meta["writer"] == f"anthropic:{MODEL}"  # type: ignore[index]
        assert str(meta["writer_version"]).startswith(f"{MODEL}/")  # type: ignore[index]


def test_each_step_can_be_switched_off(api: FakeApi, tmp_path: Path) -> None:
    paid.make(tmp_path / "run", 6, revise=False, judge=False)
    assert api.asked["POST /v1/messages"] < 9
    settings = json.loads((tmp_path / "run/manifest.json").read_text(encoding="utf-8"))["settings"]
    assert (settings["revise"], settings["judge"]) == (False, False)
    assert all("judged" not in r["meta"] for r in lines(tmp_path / "run"))  # type: ignore[operator]


def test_a_draft_that_a_screen_drops_is_not_paid_for_further(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the rewriting as after it: the leak is in the draft, and in two revisions out of clean drafts."""
    leak = next(s["text"] for s in read_jsonl(resources.data("sentinels.jsonl")) if s["tier"] == "ngram")
    generate, turns = api.generate, itertools.cycle([True, False, False])

    def leaking(params: dict[str, object], turn: int) -> dict[str, object]:
        message = generate(params, turn)
        text = message["content"][0]["text"]
        value = json.loads(text)
        draft = value.get("draft", value)
        hit = "story" in str(params) and "text" in draft and next(turns)
        if hit:
            draft["text"] += f"\n\n{leak}"
            message["content"][0]["text"] = json.dumps(value)
        return message

    monkeypatch.setattr(api, "generate", leaking)
    outcome = paid.make(tmp_path / "run", 20)
    assert outcome.kept == 20
    assert outcome.rejected > 4
    steps: dict[int, set[str]] = {}
    with Ledger.read(tmp_path / "run") as ledger:
        for idx, step in ledger.query("SELECT idx, step FROM calls"):
            steps.setdefault(idx, set()).add(step)
        dropped = {row.idx: row.stage for row in ledger.rows("state = 'rejected'", lines=False)}
    assert set(dropped.values()) <= {"conduct", "contamination"}
    shapes = Counter(tuple(sorted(steps[idx])) for idx in dropped)
    assert set(shapes) == {("draft",), ("draft", "revise")}  # never judged; some never even rewritten


def test_every_fault_of_the_server_is_lived_through(api: FakeApi, tmp_path: Path) -> None:
    names = [*SERVER_FAULTS, "thinking", "truncated", "refusal", "garbled", "wrong_schema"]
    api.faults = dict.fromkeys(names, 0.04)
    api.delay = 0.005
    outcome = paid.make(tmp_path / "run", 60)
    assert outcome.kept == 60
    assert outcome.kept + outcome.rejected + outcome.failed == outcome.attempted
    assert min(api.asked[name] for name in SERVER_FAULTS) > 0
    with Ledger.read(tmp_path / "run") as ledger:
        lost = ledger.query("SELECT COUNT(*) FROM calls WHERE problem = 'lost' AND usd > 0")[0][0]
        failed = Counter(reason for *_, reason, _ in ledger.failures())
    assert lost == api.asked["lost"] + api.asked["reset"]  # counted at their worst: they may have been paid for
    assert failed["writer:lost"] == lost
    assert {"writer:schema", "writer:truncated", "writer:refusal"} <= set(failed)
    assert all(attempt == 0 for _, _, attempt, *_ in paid.rows(tmp_path / "run"))
    assert set(api.generated.values()) == {1}  # what may have been made is never asked for again as it was


@pytest.mark.parametrize(
    ("trap", "message"),
    [("key", "did not accept the key"), ("credit", "no credit"), ("model", "does not know the model")],
)
def test_what_no_retry_mends_is_one_error_after_one_request(
    trap: str, message: str, api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if trap == "key":
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-wrong-000000")
    elif trap == "credit":
        api.credit = False
    else:
        api.models = {"another"}
    with pytest.raises(WriterError, match=message) as caught:
        paid.make(tmp_path / "run", 50)
    assert api.asked["POST /v1/messages"] == 1
    assert "sk-ant" not in caught.value.message + caught.value.hint
    with Ledger.read(tmp_path / "run") as ledger:
        assert Calls(ledger).spent() == 0


def test_without_a_key_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(WriterError, match="did not accept the key"):
        paid.make(tmp_path / "run", 5)


def test_the_circuit_opens_when_nothing_gets_through(api: FakeApi, tmp_path: Path) -> None:
    api.faults = {"529": 1.0}
    with pytest.raises(WriterError, match="turned every request away"):
        paid.make(tmp_path / "run", 200)
    assert api.asked["POST /v1/messages"] < 40


def test_a_model_that_fails_at_nearly_everything_is_stopped(api: FakeApi, tmp_path: Path) -> None:
    api.faults = {"refusal": 1.0}
    with pytest.raises(WriterError, match="answers came to nothing, the first for writer:refusal"):
        paid.make(tmp_path / "run", 400)
    assert api.asked["POST /v1/messages"] < 200


def test_a_run_that_keeps_next_to_nothing_gives_up_after_two_idle_rounds(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hazard of a weak model that one text in a hundred gets through: rounds of topping up without an end."""
    lucky = iter([""])

    def fault(params: dict[str, Any], turn: int, names: tuple[str, ...]) -> str:
        judged = names == MODEL_FAULTS and "Judgement" in str(params["output_config"])
        return next(lucky, "low_score") if judged else ""

    monkeypatch.setattr(api, "fault", fault)
    with pytest.raises(ShortRun, match="1 of 10 records were made"):
        paid.make(tmp_path / "run", 10)
    with Ledger.read(tmp_path / "run") as ledger:
        assert len(ledger.attempted()) == 10 + 9 + 9


def test_a_server_that_is_gone_is_named(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(WriterError, match=r"127\.0\.0\.1 turned every request away"):
        paid.make(tmp_path / "run", 5)


def test_the_cap_is_never_exceeded_and_a_higher_one_goes_on(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    highest = 0.0
    reserve = Budget.reserve

    def watched(self: Budget, usd: float) -> None:
        nonlocal highest
        reserve(self, usd)
        highest = max(highest, self.spent + self.reserved)

    monkeypatch.setattr(Budget, "reserve", watched)
    api.faults = {"lost": 0.05, "529": 0.05}
    with pytest.raises(ShortRun, match="the cap was reached") as caught:
        paid.make(tmp_path / "run", 60, max_usd=0.05)
    assert "--max-usd" in caught.value.hint
    assert 0.02 < highest <= 0.05
    with Ledger.read(tmp_path / "run") as ledger:
        first = Calls(ledger).spent()
    assert 0.02 < first <= 0.05
    assert 0 < api.billed <= 0.05  # what the server counts, answers that were lost among it
    assert paid.make(tmp_path / "run", 60, max_usd=2.0).kept == 60
    assert set(api.generated.values()) == {1}


@pytest.mark.parametrize("point", ["before_asking", "after_asking", "before_answer", "after_answer", "after_commit"])
def test_kill_9_loses_what_was_in_flight_and_asks_for_none_of_it_again(
    point: str, api: FakeApi, tmp_path: Path
) -> None:
    """An intent without an answer may have been billed: its premise is a counted failure, and another is taken."""
    folder = tmp_path / "run"
    api.delay = 0.02
    paid.kill(folder, 20, "anthropic", point, 5 if point == "after_commit" else 25)
    before = paid.rows(folder)
    arrived = [row for row in before if row[3] is not None]
    flying = {row[0] for row in before if row[4] == UNANSWERED}
    assert len(arrived) + len(flying) == len(before) > 10
    assert bool(flying) or point in ("before_asking", "after_answer", "after_commit")
    assert paid.make(folder, 20).kept == 20
    assert set(api.generated.values()) == {1}
    after = paid.rows(folder)
    assert [row for row in after if row[:3] in {b[:3] for b in before}] == before
    with Ledger.read(folder) as ledger:
        assert {idx for idx, *_, reason, _ in ledger.failures() if reason == "writer:lost"} == flying
        assert Calls(ledger).spent() == pytest.approx(sum(row[5] for row in after))


def test_a_cache_that_is_never_read_is_told_once(api: FakeApi, tmp_path: Path) -> None:
    api.caches = False
    heard = paid.Heard()
    paid.make(tmp_path / "cold", 12, heard=heard)
    assert sum("Nothing was read from the prompt cache" in line for line in heard.lines) == 1
    api.caches, heard = True, paid.Heard()
    paid.make(tmp_path / "warm", 12, heard=heard)
    assert not any("Nothing was read" in line for line in heard.lines)
    assert any("of the input was read from the prompt cache" in line for line in heard.lines)


def test_concurrency_follows_what_the_api_lets_through(api: FakeApi, tmp_path: Path) -> None:
    api.delay = 0.05
    paid.make(tmp_path / "free", 40, revise=False, judge=False)
    assert api.most_at_once > 10
    api.most_at_once, api.remaining = 0, 2
    paid.make(tmp_path / "tight", 20, revise=False, judge=False)
    assert api.most_at_once <= 4


def test_the_limiter_halves_once_for_one_wave_of_refusals() -> None:
    async def wave() -> tuple[float, int]:
        limiter = Limiter(paid.pace(start=16), "it")
        async with limiter.slot() as round_:
            for _ in range(16):
                await limiter.busy(round_, None, "slow down")
        await limiter.close()
        return limiter.limit, limiter._strikes

    assert asyncio.run(wave()) == (8.0, 1)


def test_the_prompt_is_cached_and_of_the_schema_that_the_api_takes(api: FakeApi, tmp_path: Path) -> None:
    sent: list[dict[str, object]] = []
    check = api.check

    def kept(params: dict[str, object]) -> None:
        sent.append(params)
        check(params)

    api.check = kept  # type: ignore[method-assign]
    paid.make(tmp_path / "run", 6)
    systems = {json.dumps(p["system"]) for p in sent}
    assert len(systems) == 1
    assert json.loads(systems.pop())[0]["cache_control"] == {"type": "ephemeral"}
    assert {"temperature", "top_p", "top_k"}.isdisjoint(set().union(*sent))
    assert all(p["max_tokens"] <= 20_000 for p in sent)  # type: ignore[operator]


def test_an_arm_of_the_grammar_is_refused(api: FakeApi, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="an arm of the grammar writer"):
        paid.make(tmp_path / "run", 5, arm="placebo")


def test_a_price_that_nobody_knows_is_asked_for() -> None:
    with pytest.raises(UsageError, match="No price is known"):
        price("claude-never", True, {})
    own = price("claude-never", True, {"claude-never": {"input": 2.0, "output": 10.0}})
    assert own.usd({"input_tokens": 1_000_000, "cache_read_input_tokens": 1_000_000}) == pytest.approx(2.2)
    assert own.usd({"output_tokens": 1_000_000}, batch=True) == pytest.approx(5.0)
    assert own.usd({"cache_creation_input_tokens": 10**6, "cache_creation_1h_input_tokens": 10**6}) == 4.0
    assert price("claude-haiku-4-5-20251001", True, {}).output == 5.0
    assert price("anything", False, {}).usd({"input_tokens": 10**9}) == 0
    with pytest.raises(UsageError, match="input and output"):
        price("claude-never", True, {"claude-never": {"input": 2.0}})


def test_the_worst_case_is_never_under_what_a_request_cost(api: FakeApi, tmp_path: Path) -> None:
    plan, rate = stages.plan(Spec()), price(MODEL, True, {})
    from storygen.settings import Settings

    templates = run.prompts_of(Settings(writer=f"anthropic:{MODEL}"), plan, rate)
    for index in range(30):
        prompt = templates.draft(plan.premise(index))
        worst = rate.worst(prompt.size, prompt.max_tokens)
        tokens = len(prompt.system + prompt.user)  # more than any tokenizer makes of English
        assert rate.usd({"cache_creation_input_tokens": tokens, "output_tokens": prompt.max_tokens}) < worst


def test_the_dry_run_sends_nothing_and_shows_both_prices(
    api: FakeApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as done:
        cli.main(["make", "--n", "50000", "--writer", f"anthropic-batch:{MODEL}", "--dry-run", "--max-usd", "5"])
    assert done.value.code == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("draft", "revise", "judge", "live", "batch", "2026-", "may stop the run"))
    assert not api.asked


def test_replies_of_every_shape_are_read() -> None:
    message = {"type": "message", "content": [{"type": "thinking", "thinking": "{"}, {"type": "text", "text": "{}"}],
               "stop_reason": "end_turn", "usage": {"input_tokens": 3}}  # fmt: skip
    assert read(json.dumps(message)).text == "{}"
    assert read(json.dumps({"type": "succeeded", "message": message})).usage == {"input_tokens": 3}
    assert read(json.dumps({**message, "stop_reason": "max_tokens"})).problem == "truncated"
    assert read(json.dumps({**message, "content": [], "stop_reason": "refusal"})).problem == "refusal"
    assert read(json.dumps({**message, "content": []})).problem == "empty"
    assert read(completion("a", "m", 3, 1, ended=True)).text == "a"
    assert read(completion("a", "m", 3, 1, ended=False)).problem == "truncated"
    assert read('{"choices": [{"finish_reason": "length", "message": {"content": "a"}}]}').problem == "truncated"
    assert [read(raw).problem for raw in ("", "[]", "{", "null", "{}")] == ["garbled"] * 5
