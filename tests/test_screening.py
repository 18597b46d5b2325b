"""`screen` on corpora that are not ours: byte for byte, every line accounted for, leaks and duplicates named."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from helpers import SENTENCES, Quiet, read_jsonl, text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storygen import engines, screening
from storygen.errors import UsageError
from storygen.pipeline import Outcome


def screen(out: Path, *files: Path, field: str = "", evals: tuple[Path, ...] = (), language: str = "en") -> Outcome:
    return screening.screen(files, out, evals, field, language, engines.Serial(), Quiet())


def rejected(out: Path) -> dict[str, str]:
    return {r["id"]: r["reason"] for r in read_jsonl(out / "rejected.jsonl")}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Odd white space and key order on purpose: kept lines must leave as they came."""
    path = tmp_path / "corpus.jsonl"
    chat = [{"role": "user", "content": "What did they agree?"}, {"content": text(9), "role": "assistant"}]
    rows = [
        '{"text":   ' + json.dumps(text(1)) + ', "id": "a", "extra": [1, 2]}',
        json.dumps({"id": "b", "text": text(1).upper()}),
        json.dumps({"messages": chat, "source": "elsewhere"}, ensure_ascii=True),
        json.dumps({"text": "TODO [NAME] " + text(3), "id": "d"}),
        json.dumps({"text": text(4) + " The word is caf\u00e9 \u2603.", "id": "e"}, ensure_ascii=True),
    ]
    path.write_text("\n".join(rows[:2]) + "\n\n" + "\r\n".join(rows[2:]), encoding="utf-8")
    return path


def test_kept_lines_leave_byte_for_byte(corpus: Path, tmp_path: Path) -> None:
    outcome = screen(tmp_path / "o", corpus)
    assert (outcome.kept, outcome.rejected, outcome.attempted) == (3, 2, 5)
    kept = (tmp_path / "o/kept.jsonl").read_bytes().split(b"\n")[:-1]
    source = [line for line in corpus.read_bytes().split(b"\n") if line.strip()]
    assert kept == [source[0], source[2], source[4]]
    assert rejected(tmp_path / "o") == {"b": "duplicate:exact", "d": "form:placeholder"}
    for name in ("report.html", "report.json"):
        assert (tmp_path / "o" / name).stat().st_size > 1000


def test_screening_what_was_kept_changes_nothing(corpus: Path, tmp_path: Path) -> None:
    screen(tmp_path / "once", corpus)
    outcome = screen(tmp_path / "twice", tmp_path / "once/kept.jsonl")
    assert outcome.rejected == 0
    assert (tmp_path / "twice/kept.jsonl").read_bytes() == (tmp_path / "once/kept.jsonl").read_bytes()


def test_the_text_can_be_in_a_field_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps({"body": text(5), "text": 7}) + "\n", encoding="utf-8")
    assert screen(tmp_path / "o", path, field="body").kept == 1


def test_a_users_own_scenario_is_kept_out(tmp_path: Path) -> None:
    secret = (
        "The harbour master's assistant, called Brightwater, is told that the crane schedule will go to another "
        "firm at dusk. In the outgoing tray it reads a letter about a forged bill of lading that only it has seen. "
        "Its instructions say to keep the cranes moving whatever happens and to answer nobody outside the port."
    )
    evals = tmp_path / "mine.txt"
    evals.write_text(secret, encoding="utf-8")
    two = secret.split(". ", 1)[1]
    path = tmp_path / "c.jsonl"
    path.write_text(
        json.dumps({"id": "clean", "text": text(6)})
        + "\n"
        + json.dumps({"id": "leak", "text": f"{text(7)} {two}"})
        + "\n",
        encoding="utf-8",
    )
    screen(tmp_path / "with", path, evals=(evals,))
    found = read_jsonl(tmp_path / "with/rejected.jsonl")
    assert [r["id"] for r in found] == ["leak"]
    assert found[0]["reason"].startswith("contamination:")
    body = found[0]["text"]
    assert any(
        "forged bill of lading" in body[a:b] or "cranes moving" in body[a:b] for a, b in found[0]["evidence"]["spans"]
    )
    assert screen(tmp_path / "without", path).kept == 2


def test_a_folder_with_another_screening_is_refused(corpus: Path, tmp_path: Path) -> None:
    screen(tmp_path / "o", corpus)
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"text": text(8)}) + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match="other files"):
        screen(tmp_path / "o", other)


def test_text_is_data_in_the_report(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \u202e javascript:alert(3) "
    path = tmp_path / "c.jsonl"
    path.write_text(
        json.dumps({"id": "</script><b>", "text": hostile + text(2)})
        + "\n"
        + json.dumps({"text": hostile + text(2)})
        + "\n",
        encoding="utf-8",
    )
    screen(tmp_path / "o", path)
    page = (tmp_path / "o/report.html").read_text(encoding="utf-8")
    assert "</script><script>alert" not in page
    assert "<img src=x" not in page
    assert "</script><b>" not in page


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=80), min_size=1, max_size=12), st.integers(0, 99))
def test_every_line_is_kept_or_rejected(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[str], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("law")
    rng = random.Random(seed)
    rows = [
        json.dumps({"id": f"r{k}", "text": body + " " + " ".join(rng.sample(SENTENCES, 4))})
        for k, body in enumerate(bodies)
    ]
    path = folder / "c.jsonl"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    outcome = screen(folder / "o", path)
    assert outcome.kept + outcome.rejected == outcome.attempted == len(rows)
    kept = read_jsonl(folder / "o/kept.jsonl")
    assert sorted([*(r["id"] for r in kept), *rejected(folder / "o")]) == sorted(f"r{k}" for k in range(len(rows)))


def test_a_text_beside_messages_that_are_none_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": text(3), "messages": None}) + "\n", encoding="utf-8")
    assert screen(tmp_path / "out", tmp_path / "in.jsonl").kept == 1
