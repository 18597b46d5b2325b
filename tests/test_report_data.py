"""What a report is made of: recall, what may be left, precision of decisions, room, the index of records."""

from __future__ import annotations

import base64
import json
import random
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import fake_run, leak, planted, row

from storygen import decisions, finish
from storygen.decisions import Judged
from storygen.ledger import Ledger
from storygen.report import Index, collect
from storygen.report.cards import Room, differences, escaped, excerpt
from storygen.report.leakage import recall, residual
from storygen.report.verdict import verdict


def small(tmp_path: Path, n: int = 200) -> Path:
    return fake_run(tmp_path / "run", n, hostile=False)


def test_what_may_be_left_follows_from_recall_and_rejects(tmp_path: Path) -> None:
    """28 of 32 planted plots caught: of r rejects by the plot tier r / 7 more were missed."""
    with Ledger.read(small(tmp_path)) as ledger:
        found = residual(ledger, planted(), 200)
    rejected = {name: tier["rejected"] for name, tier in found["tiers"].items()}
    assert rejected["plot"] > 0
    assert found["likely"] == pytest.approx(rejected["plot"] / 7, abs=0.01)  # the other tiers caught all of theirs
    assert found["upper"] > found["likely"]


def test_the_weakest_family_is_the_least_caught_and_of_those_the_most_tried() -> None:
    rows = planted()["rows"] + [
        {"tier": "plot", "family": "tried-once", "planted": 1, "caught": 0, "recall": 0.0, "low": 0.0, "high": 0.79},
        {"tier": "plot", "family": "tried-often", "planted": 9, "caught": 0, "recall": 0.0, "low": 0.0, "high": 0.3},
    ]
    assert recall({"rows": rows, "caught": 0, "count": 0})["weakest"]["family"] == "tried-often"


@pytest.mark.parametrize(
    ("change", "state", "said"),
    [
        ({}, "clean", "clean against these signatures"),
        ({"planted": planted(missed=1)}, "leaking", "got through: do not train"),
        ({"short": True}, "short", "fell short"),
        ({"weak": True}, "doubtful", "plot tier caught only 1 of its 8"),
        ({"planted": {"count": 0, "caught": 0, "rows": [], "missed": []}}, "doubtful", "recall is unknown"),
    ],
)
def test_the_verdict(tmp_path: Path, change: dict[str, object], state: str, said: str) -> None:
    with Ledger.hold(small(tmp_path)) as ledger:
        if "planted" in change:
            ledger.put("planted", change["planted"])
        report = collect(ledger)
    if "short" in change:
        report["settings"]["n"] += 1
    if "weak" in change:
        report["recall"]["tiers"] = [{"tier": "plot", "caught": 1, "planted": 8, "recall": 0.125}]
    found = verdict(report)
    assert found["state"] == state
    assert said in found["sentence"]
    assert 1 <= len(found["look_first"]) <= 5


def test_every_row_of_the_index_reads_back(tmp_path: Path) -> None:
    index = Index()
    with Ledger.read(small(tmp_path)) as ledger:
        collect(ledger, index)
        rows = {r.idx: r for r in ledger.rows("1")}
    raw = json.loads(json.dumps(index.to_json()))
    count, blob = raw["count"], zlib.decompress(base64.b64decode(raw["blob"]))
    assert count == raw["total"] == len(rows)
    assert len(blob) == (7 + len(raw["columns"])) * count
    numbers = memoryview(blob[: 4 * count]).cast("I")
    assert sorted(numbers) == sorted(rows)
    for name in ("kind", "state", "reason", "pressure"):
        values, at = raw["columns"][name], (7 + list(raw["columns"]).index(name)) * count
        codes = blob[at : at + count]
        for k, idx in enumerate(numbers):
            r = rows[idx]
            own = json.loads(r.line)["meta"]["premise"].get(name) if name == "pressure" else getattr(r, name)
            assert values[codes[k]] == (own or "")


def test_a_foreign_premise_cannot_pass_for_a_column_of_ours(tmp_path: Path) -> None:
    index = Index()
    with Ledger.read(small(tmp_path, 20)) as ledger:
        for r in ledger.rows("1"):
            index.see(r, {"state": "kept", "kind": "x", **{f"axis-{r.idx}-{k}": "y" for k in range(40)}}, 70_000)
        states = {r.state for r in ledger.rows("1")}
    columns = index.to_json()["columns"]
    assert set(columns["state"]) - {""} == states
    assert len(columns) <= 48


def test_no_corpus_makes_the_page_too_large(tmp_path: Path) -> None:
    """Texts of characters that are escaped to six each, dropped and kept alike."""
    with Ledger.hold(fake_run(tmp_path / "run", 40, hostile=False)) as ledger:
        rng = random.Random(0)
        bodies = ("<" * 30_000, "&\u2028" * 20_000, "\x00" * 30_000, "𝔘" * 30_000)
        ledger.commit([leak(1_000 + 4 * k, bodies[k % 4], rng) for k in range(500)])
        ledger.commit([row(4_000 + 4 * k, bodies[k % 4], None, {}, 0.9, {"tier": "ngram"}) for k in range(200)])
        finish.write_report(ledger)
    assert (tmp_path / "run/report.html").stat().st_size < 5_000_000


@given(st.text())
def test_escaped_json_holds_the_text_and_no_markup(text: str) -> None:
    data = escaped({"text": text})
    assert not set("<>&\u2028\u2029") & set(data)
    assert json.loads(data) == {"text": text}


def test_a_lone_surrogate_is_replaced() -> None:
    assert json.loads(escaped("a\ud800b")) == "a\ufffdb"


@given(st.text(min_size=1, max_size=60), st.integers(1, 30), st.data())
def test_the_spans_of_an_excerpt_mark_the_same_words(text: str, most: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    shown, spans, at = excerpt(text, [[start, end]], most)
    assert len(shown) <= max(most, 0) or shown == text
    for a, b in spans:
        assert text[start:end].startswith(shown[a:b]) or text[start:end].endswith(shown[a:b])
        assert text[at + a : at + b] == shown[a:b]


def test_differences_are_the_words_that_differ() -> None:
    a, b = "the kettle sang  at noon", "the clock sang at noon today"
    first, second = differences(a, b)
    assert [a[i:j] for i, j in first] == ["kettle"]
    assert [b[i:j] for i, j in second] == ["clock", "today"]


def test_room_is_used_up_once() -> None:
    room = Room(30)
    assert room.take("x" * 20)
    assert not room.take("x" * 20)
    assert room.take("x" * 5)


# decisions


def rows(*words: tuple[int, str, str]) -> list[tuple[int, int, str, float, str, str, str]]:
    return [(k, idx, who, float(k), choice, "", "rejects") for k, (idx, who, choice) in enumerate(words)]


def test_the_last_word_of_each_reviewer_stands() -> None:
    words = decisions.latest(rows((1, "ada", "keep"), (1, "ada", "drop"), (1, "bo", "keep"), (2, "bo", "keep"),
                                  (2, "bo", "undo")))  # fmt: skip
    assert {name: w.choice for name, w in words[1].items()} == {"ada": "drop", "bo": "keep"}
    assert decisions.final(words[1]) == "drop"
    assert 2 not in words


def test_cohens_kappa_of_a_known_table() -> None:
    """Cohen's own example has 2 x 2 counts 20, 5, 10, 15: agreement 0.70, chance 0.50, kappa 0.40."""
    pairs = [("keep", "keep")] * 20 + [("keep", "drop")] * 5 + [("drop", "keep")] * 10 + [("drop", "drop")] * 15
    assert decisions.kappa(pairs) == pytest.approx(0.40)
    assert decisions.kappa([("keep", "keep")] * 9) is None


def test_agreement_counts_only_texts_that_both_judged() -> None:
    words = decisions.latest(rows((1, "ada", "keep"), (1, "bo", "keep"), (2, "ada", "drop"), (2, "bo", "keep"),
                                  (3, "ada", "keep"), (3, "cy", "keep")))  # fmt: skip
    found = {(a.first, a.second): (a.n, a.agree) for a in decisions.agreements(words)}
    assert found == {("ada", "bo"): (2, 1), ("ada", "cy"): (1, 1)}


def test_precision_above_and_below_a_threshold() -> None:
    judged = [
        Judged("plot", 0.9, True),
        Judged("plot", 0.6, False),
        Judged("plot", 0.6, True),
        Judged("plot", 0.4, True),
    ]
    (found,) = decisions.precision(judged, {"plot": 0.5})
    assert (found["above"]["leaks"], found["above"]["n"]) == (2, 3)
    assert (found["below"]["leaks"], found["below"]["n"]) == (1, 1)
    assert [(s["from"], s["n"]) for s in found["steps"]] == [(0.3, 4), (0.45, 3), (0.65, 1)]
    assert found["above"]["low"] < found["above"]["share"] < found["above"]["high"]


def test_the_report_shows_overrides_and_precision(tmp_path: Path) -> None:
    with Ledger.hold(small(tmp_path)) as ledger:
        leaks = list(ledger.rows("stage = 'contamination'", lines=False))
        near = next(iter(ledger.rows("state = 'kept' AND score > 0", lines=False)))
        ledger.decide(leaks[0].idx, "ada", "keep", "no AI in it", "rejects", 1.0)
        ledger.decide(leaks[1].idx, "ada", "drop", "", "rejects", 2.0)
        ledger.decide(near.idx, "bo", "drop", "a leak", "nearest", 3.0)
        report = collect(ledger)
    review = report["review"]
    assert {(o["id"], o["state"], o["reviewers"], o["note"]) for o in review["overrides"]} == {
        (leaks[0].id, "kept", "ada", "no AI in it"),
        (near.id, "dropped", "bo", "a leak"),
    }
    assert report["sum"]["overridden"] == 1
    assert report["sum"]["dropped_by_review"] == 1  # a reject that a reviewer confirms stays one of its screen
    assert report["sum"]["adds_up"]
    assert sum(p["above"]["n"] + p["below"]["n"] for p in review["precision"]) == 3
